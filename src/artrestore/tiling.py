r"""Running a network tile by tile so that no seam shows.

Along each axis tiles are spread evenly, overlapping by at least `overlap`:

    tile 0   |################|              weight  ______
                        tile 1 |#########...        /      \\
             ^ border    |<-->|             trim _/        \\_ trim
                        overlap

A tile's outermost quarter of the overlap gets weight zero, because a network sees padding there instead of
the picture; the half between rises as a raised cosine. The weights are then divided by their sum, so they form
a partition of unity. Sides of a tile on the picture's border are neither trimmed nor faded.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Corner = tuple[int, int]
Network = Callable[[Tensor, list[Corner]], Tensor]
Rows = Callable[[int, int], Tensor]

_ROWS = 64  # that are read, and given, at once


def tile_starts(length: int, tile_size: int, overlap: int, multiple: int = 1) -> tuple[int, ...]:
    """Start of each tile along an axis: the fewest tiles that overlap by at least `overlap`, spread evenly.

    All starts are multiples of `multiple`, so that a network that halves its input sees the same pixels together
    in every tile. Requires `length >= tile_size > overlap >= 0`, the first two multiples of `multiple`, and an
    overlap that is still less than the tile when it is rounded up to one; a tile alone overlaps nothing.
    """
    if length == tile_size:
        return (0,)
    lap = math.ceil(overlap / multiple)
    if not length >= tile_size > lap * multiple >= 0:
        raise ValueError(f"need length >= tile_size > overlap >= 0, got {length}, {tile_size}, {overlap}")
    if length % multiple or tile_size % multiple:
        raise ValueError(f"{length} and {tile_size} are not multiples of {multiple}")
    length, tile_size = length // multiple, tile_size // multiple
    count = math.ceil((length - lap) / (tile_size - lap))
    return tuple(round(i * (length - tile_size) / (count - 1)) * multiple for i in range(count))


def trimmed(overlap: int) -> int:
    """Pixels on a tile's inner sides that are thrown away: what a network's receptive radius may reach."""
    return overlap // 4


def blend_weights(length: int, tile_size: int, overlap: int, multiple: int = 1) -> npt.NDArray[np.float32]:
    """Weights of each tile along an axis, (tiles, tile_size); at every pixel of the axis they sum to 1."""
    starts = tile_starts(length, tile_size, overlap, multiple)
    trim = trimmed(overlap)
    position = np.arange(tile_size)
    raw = np.ones((len(starts), tile_size))
    for index, start in enumerate(starts):
        if start > 0:
            raw[index] *= _ramp(position + 1, trim, overlap)
        if start + tile_size < length:
            raw[index] *= _ramp(tile_size - position, trim, overlap)
    total = np.zeros(length)
    for weights, start in zip(raw, starts, strict=True):
        total[start : start + tile_size] += weights
    for weights, start in zip(raw, starts, strict=True):
        weights /= total[start : start + tile_size]
    return raw.astype(np.float32)


def restore_tiled(picture: Tensor, network: Network, **geometry: Any) -> Tensor:
    """Apply `network` to overlapping tiles and blend the results: (channels, H, W).

    Args:
        picture: (C, H, W) on the CPU, at least one tile in size; a smaller one is padded before, by `pad_to`.
        network: see `restore_bands`.
        geometry: what else `restore_bands` takes.
    """
    height, width = picture.shape[1:]
    bands = restore_bands(lambda top, bottom: picture[:, top:bottom], (height, width), network, **geometry)
    return torch.cat([result for _, result in bands], dim=1)


def restore_bands(
    rows: Rows,
    size: tuple[int, int],
    network: Network,
    *,
    tile_size: tuple[int, int],
    overlap: int,
    batch_size: int,
    multiple: int = 1,
    channels: int = 3,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Apply `network` to overlapping tiles, blended, and give some rows at a time, from top to bottom.

    No more than a row of tiles is ever held, so that memory does not depend on the picture's height.

    Args:
        rows: gives a picture's rows from one to another, (C, n, W) on the CPU; asked for each once, in order.
        size: (H, W) of the picture, at least one tile.
        network: tiles (N, C, h, w) and the (top, left) of each in the picture -> (N, channels, h, w), on whatever
            device; it sees each tile once.
        tile_size: (h, w).
        overlap: least overlap of neighbours, in pixels; see `tile_starts`.
        batch_size: tiles a call.
        multiple: tiles begin at multiples of this; the sides of the picture and of the tiles are multiples, too.
        channels: of the result. Several pictures that a network gives at once are blended at once.

    Yields:
        Rows of the picture, (C, n, W), and of the result, (channels, n, W).
    """
    (height, width), (tile_h, tile_w) = size, tile_size
    row_weights = torch.from_numpy(blend_weights(height, tile_h, overlap, multiple))
    column_weights = torch.from_numpy(blend_weights(width, tile_w, overlap, multiple))
    tops = tile_starts(height, tile_h, overlap, multiple)
    columns = list(enumerate(tile_starts(width, tile_w, overlap, multiple)))
    first = rows(0, min(_ROWS, tile_h))
    window = first.new_empty(len(first), tile_h, width)
    window[:, : first.shape[1]] = first
    _fill(window, first.shape[1], rows, 0)
    result = torch.zeros(channels, tile_h, width)
    for i, (top, next_top) in enumerate(pairwise((*tops, height))):
        for chosen in _batches(columns, batch_size):
            tiles = torch.stack([window[:, :, x : x + tile_w] for _, x in chosen])
            outputs = network(tiles, [(top, x) for _, x in chosen]).to(result)
            for output, (j, x) in zip(outputs, chosen, strict=True):
                result[:, :, x : x + tile_w] += output * row_weights[i][:, None] * column_weights[j]
        done = next_top - top
        for start in range(0, done, _ROWS):
            finished = slice(start, min(start + _ROWS, done))
            yield window[:, finished].clone(), result[:, finished].clone()
        if next_top < height:
            kept = tile_h - done
            for buffer in (window, result):
                buffer[:, :kept] = buffer[:, done:].clone()
            _fill(window, kept, rows, next_top)
            result[:, kept:] = 0


def _fill(window: Tensor, start: int, rows: Rows, top: int) -> None:
    """Read what a window of rows from `top` on lacks from its row `start` on, a little at a time."""
    for row in range(start, window.shape[1], _ROWS):
        end = min(row + _ROWS, window.shape[1])
        window[:, row:end] = rows(top + row, top + end)


def padded_rows(rows: Rows, size: tuple[int, int], padded: tuple[int, int]) -> Rows:
    """Rows of a picture as those of a larger one, extended at the bottom and the right; see `pad_to`."""
    (height, width), (padded_h, padded_w) = size, padded
    kept = min(1, padded_h - height)  # the row that the padding repeats
    end: list[Tensor] = []

    def read(top: int, bottom: int) -> Tensor:
        above = height - kept
        parts = [rows(top, min(bottom, above))] if top < above else []
        if bottom > above:
            if not end:
                end.append(pad_to(rows(above, height), padded_h - above, width))
            parts.append(end[0][:, max(0, top - above) : bottom - above])
        return pad_to(torch.cat(parts, dim=1), 0, padded_w)

    return read if padded != size else rows


def pad_to(picture: Tensor, height: int, width: int) -> Tensor:
    """Extend (C, H, W) at the bottom and right to at least (height, width) by the outermost pixels.

    Mirrored, a last row of bright wall beside a picture would become a line between two parts of the picture,
    which looks like a scratch.
    """
    missing = [(0, 0), (0, max(0, height - picture.shape[1])), (0, max(0, width - picture.shape[2]))]
    if not any(after for _, after in missing):
        return picture
    return torch.from_numpy(np.pad(picture.numpy(), missing, mode="edge"))


def _ramp(distance: npt.NDArray[np.int_], trim: int, overlap: int) -> npt.NDArray[np.float64]:
    """Zero over the first `trim` pixels from an edge, one from `overlap - trim` on, a raised cosine between."""
    rise = np.clip((distance - trim) / (overlap - 2 * trim + 1), 0, 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * rise))


def _batches(columns: list[tuple[int, int]], size: int) -> Iterator[list[tuple[int, int]]]:
    for start in range(0, len(columns), size):
        yield columns[start : start + size]
