"""Measures of uncertainty against the truth: coverage, sparsification, spread over error."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from artrestore.uncertainty.calibration import Array

LEVELS = (0.5, 0.8, 0.9, 0.95)


def coverage(truth: Array, mean: Array, half_width: Array) -> float:
    """Share of values of the truth within mean ± half_width; arrays of one shape."""
    return float(np.mean(np.abs(truth - mean) <= half_width))


def sparsification(error: Array, uncertainty: Array, steps: int = 100) -> npt.NDArray[np.float64]:
    """The mean error of what is left as the most uncertain values are taken away, as a share of the mean error.

    Args:
        error: absolute errors, of any shape.
        uncertainty: of the same shape; among equal ones, those that come first are taken first.
        steps: S.

    Returns:
        (S,), for the parts 0, 1/S ... (S - 1)/S taken away; it begins with 1. All 0 where there is no error.
    """
    order = np.argsort(-uncertainty.ravel(), kind="stable")
    left = np.cumsum(error.ravel()[order][::-1], dtype=np.float64)[::-1]
    start = np.arange(steps) * error.size // steps
    curve: npt.NDArray[np.float64] = left[start] / (error.size - start)
    return curve / curve[0] if curve[0] > 0 else np.zeros(steps)


def area_under_sparsification_error(error: Array, uncertainty: Array, steps: int = 100) -> float:
    """AUSE (Ilg et al. 2018, arXiv 1802.07095): how far from the order of the errors that of the uncertainty is.

    The area between the two curves of `sparsification`, of absolute errors. 0 if the order is the same; a random
    order gives the area above the curve of the errors.
    """
    gap = sparsification(error, uncertainty, steps) - sparsification(error, error, steps)
    return float(np.trapezoid(gap, dx=1 / steps))


def spread_and_error(truth: Array, samples: Array) -> tuple[float, float]:
    """Of K samples (K, 3, H, W), K > 1: the variance that they should have beside that which the error asks for.

    Returns:
        The mean variance times (K + 1) / K, and the mean squared error of the samples' mean. Both have the same
        expectation if the truth is as any of the samples (Fortin et al. 2014, doi 10.1175/JHM-D-14-0008.1). Their
        ratio's root is the spread over the error; of several pictures, average both first.
    """
    count = len(samples)
    variance = float(np.var(samples, axis=0, ddof=1, dtype=np.float64).mean())
    error = float(np.square(np.mean(samples, axis=0, dtype=np.float64) - truth).mean())
    return variance * (count + 1) / count, error


def spread_over_error(pictures: Sequence[tuple[float, float]]) -> float:
    """From `spread_and_error` of several pictures: 1 is right, below it samples vary too little."""
    variance, error = np.mean(pictures, axis=0)
    return math.sqrt(variance / error) if error > 0 else math.nan
