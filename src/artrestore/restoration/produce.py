"""What one damaged picture becomes: the restoration that is asked for, and how sure of it the network is."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from artrestore.io.pictures import Array, Picture
from artrestore.restoration.finish import REACH, blend, shares, with_margins
from artrestore.restoration.options import OutputOptions
from artrestore.restoration.request import Band, Mask, Request, Source
from artrestore.restoration.restorer import Restorer


class Rows(NamedTuple):
    """Some rows of the output, or all of them.

    Attributes:
        damaged: (3, n, W) in [0, 1].
        restored: (3, n, W) in [0, 1]; not rounded to what a file can hold.
        half_width: of the 90 % interval around the network's mean, the largest of the channels, (n, W) in [0, 1];
            None if it was not needed.
    """

    damaged: Array
    restored: Array
    half_width: Array | None


@dataclass(frozen=True, kw_only=True)
class Product:
    """A restored picture, as its file can hold it.

    Attributes:
        picture: the restored one.
        half_width: as of `Rows`.
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
    """Restore a picture in memory.

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
    source = Source.of(damaged.rgb, lost)
    for index in range(options.samples):
        sample = np.concatenate(
            [rows.restored for rows in produce_rows(source, restorer, options, sample=index)], 1
        )
        keep_sample(index + 1, damaged.with_rgb(sample))
    parts = list(produce_rows(source, restorer, options))
    widths = [rows.half_width for rows in parts if rows.half_width is not None]
    restored = np.concatenate([rows.restored for rows in parts], axis=1)
    return Product(picture=damaged.with_rgb(restored), half_width=np.concatenate(widths) if widths else None)


def produce_rows(
    source: Source, restorer: Restorer, options: OutputOptions, *, sample: int | None = None
) -> Iterator[Rows]:
    """Restore a picture from top to bottom, a band of rows at a time.

    Args:
        source: the picture, and its mask of what is lost.
        restorer: the network.
        options: what is wanted.
        sample: instead of the output, the plausible restoration of this number, from 0.

    Raises:
        UnsupportedError: the network cannot do what is wanted.
        PictureError: it failed on this picture.
    """
    request = Request(interval=options.needs_interval, seed=options.seed, draw=sample)
    if sample is None:
        request = replace(request, average=options.average, creativity=options.creativity)
    margin = REACH if options.keep_unsure is not None else 0
    bands, mean_scale = _bands(source, restorer, request)
    for band, first, last in with_margins(bands, margin):
        half_width = None
        if band.scale is not None:
            half_width = restorer.half_width(band.scale, mean_scale=mean_scale).max(axis=0)
        share = shares(
            band.lost.shape,
            strength=options.strength,
            half_width=half_width,
            keep_unsure=options.keep_unsure,
            only=band.lost if options.only_masked else None,
        )
        rows = slice(first, last)
        yield Rows(
            damaged=band.damaged[:, rows],
            restored=blend(band.damaged, band.restored, share)[:, rows],
            half_width=None if half_width is None else half_width[rows],
        )


def _bands(source: Source, restorer: Restorer, request: Request) -> tuple[Iterable[Band], float | None]:
    """The restoration by bands, and the mean of all its scales, if intervals depend on that.

    It is known once all is restored. So a picture in memory waits there for it, and another is restored twice.
    """
    if not (request.interval and restorer.has_groups):
        return restorer.bands(source, request), None
    if source.in_memory:
        held = list(restorer.bands(source, request))
        return held, _mean_scale(held)
    mean_scale = _mean_scale(restorer.bands(source, Request(interval=True)))
    return restorer.bands(source, request), mean_scale


def _mean_scale(bands: Iterable[Band]) -> float:
    total, count = 0.0, 0
    for band in bands:
        assert band.scale is not None  # noqa: S101 (it was asked for)
        total += float(band.scale.sum(dtype=np.float64))
        count += band.scale.size
    return total / count
