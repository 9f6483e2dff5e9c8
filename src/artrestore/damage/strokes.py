"""Curves drawn as nature draws them: every point with a width and an opacity of its own, to a part of a pixel."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from artrestore.damage.base import Array

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Stroke:
    """A curve.

    Attributes:
        points: (N, 2) as (y, x) in pixels.
        radius: (N,), half the width in pixels.
        opacity: (N,), in [0, 1].
    """

    points: Points
    radius: Points
    opacity: Points


def wander(
    rng: np.random.Generator,
    start: npt.ArrayLike,
    heading: float,
    length: float,
    *,
    bend: float,
    jitter: float = 0.0,
    step: float = 0.7,
) -> Points:
    """A curve whose heading wanders.

    Args:
        rng: the generator.
        start: (y, x) in pixels.
        heading: at the start, radians, 0 towards the right, growing downwards.
        length: in pixels.
        bend: how far the heading wanders over the whole length, radians (standard deviation).
        jitter: roughness: standard deviation of the points across the curve, in pixels.
        step: between points, in pixels.

    Returns:
        (N, 2) as (y, x), N at least 2.
    """
    count = max(2, int(length / step) + 1)
    # A random walk of the curvature's sum: smooth, because few independent turns are spread over many points.
    turns = max(2, min(count, 9))
    course = np.cumsum(rng.normal(0, bend / np.sqrt(turns), turns))
    headings = heading + np.interp(np.linspace(0, turns - 1, count), np.arange(turns), course)
    steps = step * np.stack([np.sin(headings), np.cos(headings)], axis=1)
    points = np.asarray(start, float) + np.cumsum(steps, axis=0)
    if jitter:
        across = np.stack([np.cos(headings), -np.sin(headings)], axis=1)
        points = points + across * uneven(rng, count, 5)[:, None] * jitter
    return np.asarray(points, np.float64)


def uneven(rng: np.random.Generator, count: int, every: float) -> Points:
    """Smoothly varying values along a curve: N(0, 1) every so many points, linear between them."""
    knots = max(2, int(count / every) + 2)
    return np.interp(np.linspace(0, knots - 1, count), np.arange(knots), rng.standard_normal(knots))


def tapered(count: int, part: float = 0.2) -> Points:
    """1 along a curve, falling to 0 at both ends over `part` of its length."""
    along = np.linspace(0, 1, count)
    ends = np.minimum(along, 1 - along) / max(part, 1e-6)
    return np.sqrt(np.clip(ends, 0, 1))


def specks(rng: np.random.Generator, points: Points, radius: Points, opacity: Points, grains: int = 3) -> Stroke:
    """Small specks that are not round: each of several discs (their order is no curve's).

    Args:
        rng: the generator.
        points: (N, 2) as (y, x) in pixels.
        radius: (N,), of the specks in pixels.
        opacity: (N,), in [0, 1].
        grains: discs in a speck.
    """
    count = len(points) * grains
    sizes, lean = np.repeat(radius, grains), np.repeat(rng.uniform(0, np.pi, len(points)), grains)
    along, across = rng.normal(0, 0.7, count) * sizes, rng.normal(0, 0.3, count) * sizes
    down, right = along * np.sin(lean) + across * np.cos(lean), along * np.cos(lean) - across * np.sin(lean)
    return Stroke(
        points=np.repeat(points, grains, axis=0) + np.stack([down, right], axis=1),
        radius=sizes * rng.uniform(0.4, 0.9, count),
        opacity=np.repeat(opacity, grains) * rng.uniform(0.6, 1, count),
    )


def paint(shape: tuple[int, int], strokes: list[Stroke], *, softness: float = 0.5) -> Array:
    """Draw strokes; where they cross, the more opaque one counts.

    Args:
        shape: (H, W).
        strokes: the curves; parts outside are ignored.
        softness: half the width of the edge in pixels; 0.5 is exact antialiasing.

    Returns:
        (H, W) in [0, 1], the covered part of every pixel.
    """
    canvas = np.zeros(shape, np.float32)
    if not strokes:
        return canvas
    points = np.concatenate([stroke.points for stroke in strokes])
    radius = np.concatenate([stroke.radius for stroke in strokes])
    opacity = np.concatenate([stroke.opacity for stroke in strokes])
    reach = np.ceil(radius + softness).astype(np.int64)
    near = (opacity > 0) & (radius > 0)
    for axis in (0, 1):
        near &= (points[:, axis] > -reach - 1) & (points[:, axis] < shape[axis] + reach + 1)
    for size in np.unique(reach[near]).tolist():
        chosen = near & (reach == size)
        _stamp(canvas, points[chosen], radius[chosen], opacity[chosen], size, softness)
    return canvas


def _stamp(canvas: Array, points: Points, radius: Points, opacity: Points, reach: int, softness: float) -> None:
    """Draw a disc at every point, in blocks that bound the memory."""
    offsets = np.arange(-reach, reach + 1)
    block = max(1, 2_000_000 // len(offsets) ** 2)
    for start in range(0, len(points), block):
        part = slice(start, start + block)
        pixels = np.floor(points[part]).astype(np.int64)
        rows, columns = (pixels[:, axis, None] + offsets for axis in (0, 1))
        down = (rows + 0.5 - points[part, 0, None])[:, :, None]
        right = (columns + 0.5 - points[part, 1, None])[:, None, :]
        edge = radius[part, None, None] + softness - np.hypot(down, right)
        # A line thinner than a pixel covers no more of it than it is wide.
        alpha = np.minimum(np.clip(edge / (2 * softness), 0, 1), 2 * radius[part, None, None])
        alpha *= opacity[part, None, None]
        inside_rows = (rows >= 0) & (rows < canvas.shape[0])
        inside_columns = (columns >= 0) & (columns < canvas.shape[1])
        inside = (alpha > 0) & inside_rows[:, :, None] & inside_columns[:, None, :]
        places = rows[:, :, None] * canvas.shape[1] + columns[:, None, :]
        np.maximum.at(canvas.reshape(-1), places[inside], alpha[inside].astype(np.float32))
