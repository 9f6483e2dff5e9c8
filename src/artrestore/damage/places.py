"""Where things lie: in the whole picture, near an array, in clusters."""

import numpy as np
import numpy.typing as npt

from artrestore.damage.base import Array, View


def places(view: View) -> tuple[Array, Array]:
    """Each pixel's place in the whole picture as (y, x), (H, 1) and (1, W), in thousandths of the long side."""
    y = (view.top + np.arange(view.height, dtype=np.float32) + np.float32(0.5)) / np.float32(view.unit)
    x = (view.left + np.arange(view.width, dtype=np.float32) + np.float32(0.5)) / np.float32(view.unit)
    return y[:, None], x[None]


def margins(view: View) -> tuple[Array, Array, Array, Array]:
    """Distances to the whole picture's top, bottom (H, 1), left and right edges (1, W), in thousandths."""
    y, x = places(view)
    return y, np.float32(view.full_height / view.unit) - y, x, np.float32(view.full_width / view.unit) - x


def around(shape: tuple[int, int], y: float, x: float, reach: float) -> tuple[slice, slice] | None:
    """The part of an array (rows, columns) that lies within `reach` of a point; None where nothing does."""
    rows = slice(max(0, int(y - reach)), min(shape[0], int(y + reach) + 2))
    columns = slice(max(0, int(x - reach)), min(shape[1], int(x + reach) + 2))
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


def near(shape: tuple[int, int], points: npt.ArrayLike, reach: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which of the points (N, 2) lie in an array or within their reach (N,) of it."""
    y, x = np.asarray(points, np.float64).T
    inside = (y > -np.asarray(reach)) & (y < shape[0] + np.asarray(reach))
    return np.asarray(inside & (x > -np.asarray(reach)) & (x < shape[1] + np.asarray(reach)), np.bool_)


def gathered(
    view: View, rng: np.random.Generator, count: int, clusters: int, spread: float, alone: float
) -> npt.NDArray[np.float64]:
    """Points as `View.scatter` gives them, most of them in clusters.

    Args:
        view: the array's place.
        rng: the generator.
        count: of points.
        clusters: to gather in, 1 or more.
        spread: standard deviation of a cluster, thousandths of the long side; clusters differ in size and shape.
        alone: part of the points that lie anywhere.

    Returns:
        (count, 2) as (y, x).
    """
    centres, member = view.scatter(rng, clusters), rng.integers(clusters, size=count)
    size = spread * view.unit * rng.uniform(0.3, 1.5, (clusters, 2))
    offset = rng.normal(0, 1, (count, 2)) * rng.exponential(1, (count, 1))
    near = centres[member] + offset * size[member]
    return np.where(rng.random((count, 1)) < alone, view.scatter(rng, count), near)
