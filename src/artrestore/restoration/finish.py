"""How much of a restoration each pixel of the output takes; the rest is the damaged picture's own."""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from artrestore.io.pictures import Array
from artrestore.restoration.request import Band, Mask

_SOFT = 2  # pixels over which a restoration fades in beside what is kept
REACH = _SOFT + 1  # how far beside a pixel `shares` must see


def shares(
    size: tuple[int, int],
    *,
    strength: float = 1.0,
    half_width: Array | None = None,
    keep_unsure: float | None = None,
    only: Mask | None = None,
) -> Array:
    """The share of the restoration in every pixel: (H, W) in [0, 1].

    Args:
        size: (H, W).
        strength: the largest share.
        half_width: of the 90 % interval, (H, W) in [0, 1].
        keep_unsure: where `half_width` is more than so many levels of 255 the share is 0; over the two pixels
            beside such places it rises.
        only: outside this mask, (H, W), the share is 0.
    """
    share = np.full(size, strength, dtype=np.float32)
    if keep_unsure is not None and half_width is not None:
        share *= _fade_in(half_width * 255 > keep_unsure)
    if only is not None:
        share *= only
    return share


def blend(original: Array, restored: Array, share: Array) -> Array:
    """Mix (3, H, W) pictures by the restored one's share, (H, W); at 0 and 1 either is kept to the bit."""
    mixed: Array = (1 - share) * original + share * restored
    return mixed


def _fade_in(kept: Mask) -> npt.NDArray[np.float32]:
    """0 where it is kept, 1 further than `_SOFT` pixels from there."""
    if not kept.any():
        return np.ones(kept.shape, dtype=np.float32)
    distance = cv2.distanceTransform((~kept).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.clip(distance / (_SOFT + 1), 0, 1).astype(np.float32)


def with_margins(bands: Iterable[Band], margin: int) -> Iterator[tuple[Band, int, int]]:
    """Bands with some rows more on both sides, as many as `margin` where the picture has them.

    Yields:
        A band, and which of its rows come next in the picture: from the first number to before the second.
    """
    held: Band | None = None
    first = 0
    for band in bands:
        held = band if held is None else Band.joined([held, band])
        last = held.lost.shape[0] - margin
        if last > first:
            yield held, first, last
            above = max(0, last - margin)
            held, first = held.part(above, held.lost.shape[0]), last - above
    if held is not None and first < held.lost.shape[0]:
        yield held, first, held.lost.shape[0]
