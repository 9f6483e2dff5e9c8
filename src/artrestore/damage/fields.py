"""Random fields that damage follows: smooth ones over the whole picture, and textures of the surface."""

import cv2
import numpy as np
import numpy.typing as npt

from artrestore.damage.base import Array, View
from artrestore.damage.places import places


def smooth(view: View, rng: np.random.Generator, cells: float = 3.0) -> Array:
    """A smooth random field over the whole picture, as this view of it sees it.

    A cubic B-spline surface over random heights, `cells` of them along the long side; about N(0, 1) at each place.
    Crops of one picture, given equal generators, see parts of one field.

    Returns:
        (H, W).
    """
    long_side = max(view.full_height, view.full_width)
    rows, row_weights, high = _spline(
        view.top, view.height, view.full_height, cells * view.full_height / long_side
    )
    columns, column_weights, wide = _spline(
        view.left, view.width, view.full_width, cells * view.full_width / long_side
    )
    heights = rng.standard_normal((high, wide), np.float32)
    # Sums of four, not matrix products: those start threads, which fight with those of other processes.
    along, total = np.zeros((high, view.width), np.float32), np.zeros(view.shape, np.float32)
    for k in range(4):
        along += heights[:, columns[:, k]] * column_weights[:, k]
    for k in range(4):
        total += along[rows[:, k]] * row_weights[:, k, None]
    return total


def _spline(start: int, length: int, full: int, cells: float) -> tuple[npt.NDArray[np.int64], Array, int]:
    """Cubic B-spline: four knots for each position and their weights, both (length, 4), and the number of knots.

    The weights give independent heights of unit variance a sum of unit variance.
    """
    spans = max(1, int(np.ceil(cells)))
    position = (start + np.arange(length) + 0.5) / full * cells
    first = np.minimum(position.astype(np.int64), spans - 1)
    t = position - first
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1)
    weights /= np.sqrt((weights**2).sum(1, keepdims=True))
    return first[:, None] + np.arange(4), weights.astype(np.float32), spans + 3


def texture(
    shape: tuple[int, int],
    rng: np.random.Generator,
    wavelength: float,
    *,
    octaves: int = 4,
    gain: float = 0.5,
    stretch: float = 1.0,
) -> Array:
    """Fractal noise: octaves of smoothed random values, each half as wide and `gain` times as strong.

    Args:
        shape: (H, W).
        rng: the generator.
        wavelength: of the first octave in pixels; octaves below 1.5 px are left out.
        octaves: how many, at most.
        gain: of each octave over the one before.
        stretch: how many times as wide as high the noise is.

    Returns:
        (H, W), mean about 0, standard deviation about 1.
    """
    total = np.zeros(shape, np.float32)
    power = 0.0
    for octave in range(octaves):
        size = max(wavelength / 2**octave, 1.0)
        if octave and size < 1.5:
            break
        total += gain**octave * _noise_octave(shape, rng, size, size * stretch)
        power += gain ** (2 * octave)
    return np.asarray(total / np.float32(np.sqrt(power)), np.float32)


def _noise_octave(shape: tuple[int, int], rng: np.random.Generator, high: float, wide: float) -> Array:
    # Random values on a coarse grid, at a random offset, enlarged by cubic interpolation, at unit variance.
    height, width = shape
    # Over a sliver of a picture a broad wave is nearly constant, and its grid would be large for nothing.
    high, wide = min(high, max(8.0, 4.0 * height)), min(wide, max(8.0, 4.0 * width))
    rows, columns = int(np.ceil(height / high)) + 3, int(np.ceil(width / wide)) + 3
    grid = rng.standard_normal((rows, columns), np.float32)
    if high <= 1 and wide <= 1:
        return grid[:height, :width]
    size = (max(1, round(columns * wide)), max(1, round(rows * high)))
    enlarged = cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
    top, left = (
        int(rng.integers(max(1, whole - part + 1))) for whole, part in zip(size[::-1], shape, strict=True)
    )
    cut = np.asarray(enlarged[top : top + height, left : left + width], np.float32)
    return cut * np.float32(1.3)


def streaks(view: View, rng: np.random.Generator, heading: float, width: float) -> Array:
    """Streaks as a brush or a cloth leaves them, over the whole picture as this view of it sees it.

    Args:
        view: the array's place.
        rng: the generator.
        heading: along the streaks, radians, 0 towards the right, growing downwards.
        width: of the streaks, in thousandths of the long side.

    Returns:
        (H, W), about N(0, 1) at each place.
    """
    y, x = places(view)
    across = np.float32(np.cos(heading)) * y - np.float32(np.sin(heading)) * x
    across = across + (width + 15) * smooth(view, rng, 2.5)
    count = int(np.ceil(3200 / width)) + 4
    heights = rng.standard_normal((2, count), np.float32)
    profiles = cv2.resize(heights, (8 * count, 2), interpolation=cv2.INTER_CUBIC)
    spots = np.linspace(-1600, 1600, 8 * count)
    # Two profiles that take turns, so that a streak comes and goes along its way.
    turn = 2 * smooth(view, rng, 8)
    first, second = (np.interp(across, spots, profile).astype(np.float32) for profile in profiles)
    return np.asarray(1.25 * (np.cos(turn) * first + np.sin(turn) * second), np.float32)


def rubbed(view: View, rng: np.random.Generator, angle: float, across: float, along: float) -> Array:
    """Noise drawn out in one direction, as by rubbing; the streaks bend a little. About N(0, 1).

    Args:
        view: the array's place in the whole picture.
        rng: the generator.
        angle: of the streaks, radians, 0 along the rows, growing downwards.
        across: their distance in pixels, at least 1.
        along: their length in pixels.
    """
    y = (view.top + np.arange(view.height, dtype=np.float32))[:, None]
    x = (view.left + np.arange(view.width, dtype=np.float32))[None]
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    bend = np.float32(45 * view.unit) * smooth(view, rng, 3)
    u, v = (cosine * x + sine * y) / np.float32(along), (cosine * y - sine * x + bend) / np.float32(max(across, 1))
    total = np.zeros(view.shape, np.float32)
    for octave in (1, 2):
        # The table's rows and columns repeat every 256; a margin lets cubic interpolation run over its edges.
        table = np.pad(rng.standard_normal((256, 256), np.float32), 2, mode="wrap")
        columns, rows = (np.mod(octave * line, 256) + np.float32(2) for line in (u, v))
        drawn = cv2.remap(table, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        total += np.asarray(drawn, np.float32) / np.float32(octave)
    return np.asarray(total * np.float32(1.25), np.float32)
