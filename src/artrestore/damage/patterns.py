"""Patterns that nature and craft make: ragged islands, cells of a network, woven threads."""

import numpy as np
import numpy.typing as npt

from artrestore.damage.base import Array, View
from artrestore.damage.fields import texture


def blob(
    part: tuple[slice, slice],
    y: float,
    x: float,
    radius: float,
    rng: np.random.Generator,
    *,
    rough: float = 0.3,
    longest: float = 1.8,
    fall: float = 1.2,
) -> Array:
    """Distance from a point, as a part of that to a random ragged outline around it: below 1 inside.

    Args:
        part: rows and columns to fill.
        y: of the point, in pixels.
        x: of the point, in pixels.
        radius: of the outline in pixels, on average.
        rng: the generator.
        rough: standard deviation of the outline's radius about its mean, at many scales, the coarse ones most.
        longest: how many times as long as wide it may be.
        fall: how fast the waves of the outline weaken as they get finer: 1 is torn, 2 flowed.

    Returns:
        (rows, columns); the outline lies within 2.3 times the radius times the root of `longest`.
    """
    down, right = (
        np.arange(side.start, side.stop, dtype=np.float32) + np.float32(0.5 - middle)
        for side, middle in zip(part, (y, x), strict=True)
    )
    turn, squeeze = rng.uniform(0, np.pi), np.sqrt(rng.uniform(1, longest))
    across, along = (np.float32(value) for value in (np.sin(turn) * squeeze, np.cos(turn) * squeeze))
    u = down[:, None] * along - right[None] * across
    v = (down[:, None] * across + right[None] * along) / np.float32(squeeze**2)
    waves = rng.standard_normal((2, 90), np.float32) * (rough / 2 * np.arange(1, 91) ** -fall)
    turn_steps = 256 if radius < 40 else 1024
    ripples = np.fft.irfft(np.concatenate([[0], waves[0] + 1j * waves[1]]), turn_steps) * turn_steps
    outline = radius * np.exp(0.8 * np.tanh(ripples / 0.8))  # bounded, so that callers know how far to reach
    turns = np.arctan2(u, v) * np.float32(turn_steps / 2 / np.pi)
    reach = outline.astype(np.float32)[turns.astype(np.int32) & (turn_steps - 1)]
    return np.asarray(np.hypot(u, v) / reach, np.float32)


def cells(
    u: Array, v: Array, rng: np.random.Generator, *, span_u: Array | float = 1.0, span_v: Array | float = 1.0
) -> tuple[Array, Array, npt.NDArray[np.int32]]:
    """Irregular cells, as of drying mud: each place belongs to the nearest of random points, one in a unit square.

    Args:
        u: first coordinate, (H, W); the points repeat every 64.
        v: second coordinate, (H, W).
        rng: the generator.
        span_u: length of a unit of `u` in pixels, of which distances are to be.
        span_v: length of a unit of `v` in pixels.

    Returns:
        Each (H, W): the distance to the cell's nearest border, a number in [0, 1) of that border, the same on both
        its sides, and the cell's number in [0, 4096).
    """
    points = rng.uniform(0.04, 0.96, (2, 4096)).astype(np.float32)
    names = rng.random(4096, np.float32)
    distance, border = np.empty(u.shape, np.float32), np.empty(u.shape, np.float32)
    cell = np.empty(u.shape, np.int32)
    spans = [np.broadcast_to(np.asarray(span, np.float32), u.shape) for span in (span_u, span_v)]
    rows = max(1, 32768 // u.shape[1])  # so few at a time stay in the processor's cache
    for start in range(0, u.shape[0], rows):
        part = slice(start, start + rows)
        gap, (one, x1, y1), (two, x2, y2) = _two_nearest(u[part], v[part], points)
        slope = np.hypot((x2 - x1) / spans[0][part], (y2 - y1) / spans[1][part])
        distance[part] = gap / np.maximum(2 * slope, 1e-6)
        border[part] = (names[one] + names[two]) % 1
        cell[part] = one
    return distance, border, cell


_Point = tuple[npt.NDArray[np.int32], Array, Array]


def _two_nearest(u: Array, v: Array, points: Array) -> tuple[Array, _Point, _Point]:
    # The squared distances' difference, and both points: their numbers and their places from the square's corner.
    down, right = np.floor(v), np.floor(u)
    across, along = u - right, v - down
    row, column = down.astype(np.int32), right.astype(np.int32)
    rows = [((row + move) & 63) << 6 for move in (-1, 0, 1)]
    columns = [(column + move) & 63 for move in (-1, 0, 1)]
    nearest, second = np.full(u.shape, np.float32(9)), np.full(u.shape, np.float32(9))
    which, runner_up = np.zeros(u.shape, np.uint8), np.zeros(u.shape, np.uint8)
    for number in range(9):
        index = rows[number // 3] | columns[number % 3]
        x = points[0][index] - (across - np.float32(number % 3 - 1))
        y = points[1][index] - (along - np.float32(number // 3 - 1))
        squared = x * x + y * y
        closer = squared < nearest
        runner_up = np.where(closer, which, np.where(squared < second, np.uint8(number), runner_up))
        which = np.where(closer, np.uint8(number), which)
        second = np.minimum(second, np.maximum(nearest, squared))
        nearest = np.minimum(nearest, squared)

    def place(number: npt.NDArray[np.uint8]) -> _Point:
        move_down, move_right = np.divmod(number.astype(np.int32), 3)
        index = ((row + move_down - 1) & 63) << 6 | ((column + move_right - 1) & 63)
        return index, points[0][index] + (move_right - 1), points[1][index] + (move_down - 1)

    return second - nearest, place(which), place(runner_up)


def weave(view: View, rng: np.random.Generator, thread: float) -> Array:
    """Height (H, W) of a plain-woven canvas in [0, 1]: threads over and under each other, uneven, not straight.

    Args:
        view: the array's place in the whole picture.
        rng: the generator.
        thread: distance between threads in pixels.
    """
    turn = rng.normal(0, 0.03)
    y = (view.top + np.arange(view.height, dtype=np.float32))[:, None] / np.float32(thread)
    x = (view.left + np.arange(view.width, dtype=np.float32))[None] / np.float32(thread)
    sway = [texture(view.shape, rng, 14 * thread, octaves=4, gain=0.45) * np.float32(0.45) for _ in "uv"]
    u, v = x + np.float32(turn) * y + sway[0], y - np.float32(turn) * x + sway[1]
    thick = rng.normal(0.8, 0.18, (2, 256)).clip(0.3, 1.2).astype(np.float32)
    over = 0.5 + 0.5 * np.sin(np.pi * u) * np.sin(np.pi * v)
    warp = np.abs(np.sin(np.pi * u)) * thick[0][np.floor(u).astype(np.int32) & 255] * (0.35 + 0.65 * over)
    weft = np.abs(np.sin(np.pi * v)) * thick[1][np.floor(v).astype(np.int32) & 255] * (1 - 0.65 * over)
    return np.asarray(np.clip(np.maximum(warp, weft), 0, 1), np.float32)
