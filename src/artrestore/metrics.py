"""Fidelity metrics between a reference and a restored picture.

All take the truth first, arrays of shape (C, H, W) on the scale of `data_range`, and sum in float64. They are
scikit-image's, with settings stated here because its defaults differ from the literature's.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from artrestore.errors import PictureError

Array: TypeAlias = npt.NDArray[Any]

SSIM_MIN_SIZE = 11  # the extent of its Gaussian window: sigma 1.5 cut at 3.5 sigma


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The metrics of one picture; `mse` is on the [0, 1] scale, `psnr` in dB."""

    mse: float
    nrmse: float
    psnr: float
    ssim: float
    hist_corr: float

    def as_dict(self) -> dict[str, float]:
        """The metrics by key, in the order in which they are shown."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Mean and standard deviation (of the population) over pictures."""

    mean: float
    std: float


METRIC_NAMES: dict[str, str] = {
    "mse": "MSE", "nrmse": "NRMSE", "psnr": "PSNR", "ssim": "SSIM", "hist_corr": "Hist. corr.",
}  # fmt: skip
HIGHER_IS_BETTER = {"mse": False, "nrmse": False, "psnr": True, "ssim": True, "hist_corr": True}


def measure(reference: Array, restored: Array) -> Metrics:
    """Compute all metrics of an RGB float picture in [0, 1].

    Raises:
        PictureError: the shapes differ, or a side is too short for SSIM.
    """
    _require_same_shape(reference, restored)
    return Metrics(
        mse=mean_squared_error(reference, restored),
        nrmse=normalized_root_mse(reference, restored),
        psnr=peak_signal_noise_ratio(reference, restored, data_range=1.0),
        ssim=structural_similarity(reference, restored, data_range=1.0),
        hist_corr=histogram_correlation(reference, restored, data_range=1.0),
    )


def summarize(metrics: Sequence[Metrics]) -> dict[str, Summary]:
    """Mean and standard deviation of every metric."""
    columns = {key: np.array([getattr(m, key) for m in metrics], dtype=np.float64) for key in METRIC_NAMES}
    return {key: _summary(values) for key, values in columns.items()}


def pooled_psnr(metrics: Sequence[Metrics]) -> float:
    """PSNR in dB of the mean MSE: unlike the mean of PSNRs, not ruled by pictures with hardly any damage."""
    mse = float(np.mean([m.mse for m in metrics]))
    return math.inf if mse == 0 else -10 * math.log10(mse)


def mean_squared_error(reference: Array, restored: Array) -> float:
    """Mean of the squared differences over all pixels and channels."""
    _require_same_shape(reference, restored)
    return float(np.mean(np.square(np.subtract(reference, restored, dtype=np.float64))))


def normalized_root_mse(reference: Array, restored: Array) -> float:
    """Root of the MSE over the root of the reference's mean square; NaN for a black reference against itself."""
    norm = float(np.mean(np.square(reference, dtype=np.float64)))
    error = mean_squared_error(reference, restored)
    if norm == 0:
        return math.inf if error else math.nan
    return math.sqrt(error / norm)


def peak_signal_noise_ratio(reference: Array, restored: Array, *, data_range: float) -> float:
    """PSNR in dB over all pixels and channels, no border cropped; `inf` for identical pictures."""
    error = mean_squared_error(reference, restored)
    return math.inf if error == 0 else 10 * math.log10(data_range**2 / error)


def structural_similarity(reference: Array, restored: Array, *, data_range: float) -> float:
    """SSIM (Wang et al. 2004) with its Gaussian window, sigma 1.5, and population covariance; mean over channels.

    Raises:
        PictureError: a side is shorter than 11 pixels.
    """
    from skimage.metrics import structural_similarity as ssim

    _require_same_shape(reference, restored)
    if min(reference.shape[1:]) < SSIM_MIN_SIZE:
        height, width = reference.shape[1:]
        raise PictureError(f"SSIM needs at least {SSIM_MIN_SIZE} pixels a side; the picture is {width} x {height}")
    per_channel = [
        ssim(x, y, data_range=data_range, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
        for x, y in zip(reference.astype(np.float64), restored.astype(np.float64), strict=True)
    ]
    return float(np.mean(per_channel))


def histogram_correlation(reference: Array, restored: Array, *, data_range: float) -> float:
    """Pearson correlation of the 256-bin histograms, mean over channels (OpenCV's HISTCMP_CORREL); in [-1, 1].

    Two histograms that are both flat correlate by 1, a flat one with another by 0.
    """
    correlations = []
    for x, y in zip(reference, restored, strict=True):
        a, b = (np.histogram(v, bins=256, range=(0, data_range))[0].astype(np.float64) for v in (x, y))
        a, b = a - a.mean(), b - b.mean()
        scale = math.sqrt(float(a @ a) * float(b @ b))
        correlations.append(float(a @ b) / scale if scale else float(np.array_equal(a, b)))
    return float(np.mean(correlations))


def root_mean_square_change(before: Array, after: Array) -> float:
    """RMS difference of two pictures in [0, 1], in levels of 255: how much a restoration changed."""
    return 255 * math.sqrt(mean_squared_error(before, after))


def _require_same_shape(reference: Array, restored: Array) -> None:
    if reference.shape != restored.shape:
        (a, b), (c, d) = reference.shape[-2:], restored.shape[-2:]
        raise PictureError(f"The sizes differ: the reference is {b} x {a}, the other {d} x {c}")


def _summary(values: Array) -> Summary:
    # The deviation of values among which one is infinite is not defined; say so by NaN, without a warning.
    finite = bool(np.isfinite(values).all())
    return Summary(mean=float(values.mean()), std=float(values.std()) if finite else math.nan)
