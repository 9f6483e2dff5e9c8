"""What one damaged picture becomes: the restoration that is asked for, and how sure of it the network is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from artrestore.io.pictures import Array, Picture
from artrestore.restoration.finish import blend, shares
from artrestore.restoration.options import OutputOptions
from artrestore.restoration.restorer import Mask, Restorer


@dataclass(frozen=True, kw_only=True)
class Product:
    """A restored picture, as its file can hold it.

    Attributes:
        picture: the restored one.
        half_width: of the 90 % interval around the network's mean, the largest of the channels, (H, W) in [0, 1];
            None if it was not needed.
    """

    picture: Picture
    half_width: Array | None


def produce(
    damaged: Picture,
    lost: Mask | None,
    restorer: Restorer,
    options: OutputOptions,
    keep_sample: Callable[[int, Picture], None],
) -> Product:
    """Restore a picture.

    Args:
        damaged: the picture.
        lost: true where nothing of the original is left, (H, W), as far as that is known.
        restorer: the network.
        options: what is wanted.
        keep_sample: takes each of `options.samples` plausible restorations with its number, from 1.

    Raises:
        UnsupportedError: the network cannot do what is wanted.
        PictureError: it failed on this picture.
    """
    mean, half_width = _mean(damaged.rgb, lost, restorer, options)
    share = shares(
        damaged.rgb.shape[1:],
        strength=options.strength,
        half_width=half_width,
        keep_unsure=options.keep_unsure,
        only=lost if options.only_masked else None,
    )

    def finished(restored: Array) -> Picture:
        return damaged.with_rgb(blend(damaged.rgb, restored, share))

    restored = np.zeros_like(mean) if options.average else mean
    for index in range(options.draws):
        sample = restorer.draw(damaged.rgb, seed=options.seed, index=index, lost=lost)
        if index < options.samples:
            keep_sample(index + 1, finished(sample))
        if index < options.average:
            restored += sample / options.average
        if index == 0 and options.creativity is not None:
            restored = mean + options.creativity * (sample - mean)
    return Product(picture=finished(restored), half_width=half_width)


def _mean(rgb: Array, lost: Mask | None, restorer: Restorer, options: OutputOptions) -> tuple[Array, Array | None]:
    """The mean (3, H, W) and, if it is needed, the half-width (H, W) of the interval around it."""
    if not options.needs_interval:
        return restorer.restore(rgb, lost=lost), None
    mean, scale = restorer.quantify(rgb, lost=lost)
    return mean, restorer.half_width(scale).max(axis=0)
