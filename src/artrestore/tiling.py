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

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Network = Callable[[Tensor], Tensor]


def tile_starts(length: int, tile_size: int, overlap: int) -> tuple[int, ...]:
    """Start of each tile along an axis: the fewest tiles that overlap by at least `overlap`, spread evenly.

    Requires `length >= tile_size > overlap >= 0`.
    """
    if not length >= tile_size > overlap >= 0:
        raise ValueError(f"need length >= tile_size > overlap >= 0, got {length}, {tile_size}, {overlap}")
    count = math.ceil((length - overlap) / (tile_size - overlap))
    if count == 1:
        return (0,)
    return tuple(round(i * (length - tile_size) / (count - 1)) for i in range(count))


def trimmed(overlap: int) -> int:
    """Pixels on a tile's inner sides that are thrown away: what a network's receptive radius may reach."""
    return overlap // 4


def blend_weights(length: int, tile_size: int, overlap: int) -> npt.NDArray[np.float32]:
    """Weights of each tile along an axis, (tiles, tile_size); at every pixel of the axis they sum to 1."""
    starts = tile_starts(length, tile_size, overlap)
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


def restore_tiled(
    picture: Tensor, network: Network, *, tile_size: tuple[int, int], overlap: int, batch_size: int
) -> Tensor:
    """Apply `network` to overlapping tiles and blend the results.

    Args:
        picture: (C, H, W) on the CPU, at least one tile in size; a smaller one is padded before, by `pad_to`.
        network: (N, C, h, w) -> (N, C, h, w), on whatever device; it sees each tile once.
        tile_size: (h, w).
        overlap: least overlap of neighbours, in pixels, smaller than either side of a tile.
        batch_size: tiles a call.
    """
    height, width = picture.shape[1:]
    (tile_h, tile_w) = tile_size
    row_weights = torch.from_numpy(blend_weights(height, tile_h, overlap))
    column_weights = torch.from_numpy(blend_weights(width, tile_w, overlap))
    rows = tile_starts(height, tile_h, overlap)
    columns = tile_starts(width, tile_w, overlap)
    places = [(i, j) for i in range(len(rows)) for j in range(len(columns))]
    result = torch.zeros_like(picture)
    for chosen in _batches(places, batch_size):
        corners = [(rows[i], columns[j]) for i, j in chosen]
        tiles = torch.stack([picture[:, y : y + tile_h, x : x + tile_w] for y, x in corners])
        outputs = network(tiles).to(picture)
        for output, (i, j), (y, x) in zip(outputs, chosen, corners, strict=True):
            weighted = output * row_weights[i][:, None] * column_weights[j]
            result[:, y : y + tile_h, x : x + tile_w] += weighted
    return result


def pad_to(picture: Tensor, height: int, width: int) -> Tensor:
    """Extend (C, H, W) at the bottom and right to at least (height, width), by reflection (as often as needed)."""
    missing = [(0, 0), (0, max(0, height - picture.shape[1])), (0, max(0, width - picture.shape[2]))]
    if not any(after for _, after in missing):
        return picture
    return torch.from_numpy(np.pad(picture.numpy(), missing, mode="reflect"))


def _ramp(distance: npt.NDArray[np.int_], trim: int, overlap: int) -> npt.NDArray[np.float64]:
    """Zero over the first `trim` pixels from an edge, one from `overlap - trim` on, a raised cosine between."""
    rise = np.clip((distance - trim) / (overlap - 2 * trim + 1), 0, 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * rise))


def _batches(places: list[tuple[int, int]], size: int) -> Iterator[list[tuple[int, int]]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]
