"""Averaging a picture down while it passes by in strips."""

from collections.abc import Iterable

import numpy as np

from artrestore.io.forms import Array


def average_down(strips: Iterable[Array], size: tuple[int, int], target: tuple[int, int]) -> Array:
    """The mean over areas, as PyTorch's `adaptive_avg_pool2d` takes them: they may share pixels at their edges.

    Args:
        strips: (C, h, W) each, from the top to the bottom.
        size: (width, height) of the picture.
        target: (width, height) of the result.

    Returns:
        (C, height, width), summed in float64.
    """
    (left, right), (first, last) = (_areas(*pair) for pair in zip(size, target, strict=True))
    sums: np.ndarray | None = None
    top = 0
    for strip in strips:
        bottom = top + strip.shape[1]
        running = np.cumsum(strip, axis=2, dtype=np.float64)
        running = np.concatenate([np.zeros((*running.shape[:2], 1)), running], axis=2)
        across = running[:, :, right] - running[:, :, left]
        if sums is None:
            sums = np.zeros((len(strip), len(first), len(left)))
        for row in np.flatnonzero((first < bottom) & (last > top)):
            sums[:, row] += across[:, max(0, first[row] - top) : last[row] - top].sum(axis=1)
        top = bottom
    if sums is None:
        raise ValueError("no strips")
    areas = (last - first)[:, None] * (right - left)
    means: Array = (sums / areas).astype(np.float32)
    return means


def _areas(length: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each part of a length begins, and the place behind its end."""
    index = np.arange(parts)
    return index * length // parts, -(-(index + 1) * length // parts)
