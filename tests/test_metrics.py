import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import normalized_root_mse as skimage_nrmse
from skimage.metrics import peak_signal_noise_ratio as skimage_psnr
from skimage.metrics import structural_similarity as skimage_ssim

from artrestore.errors import PictureError
from artrestore.metrics import (
    histogram_correlation,
    mean_squared_error,
    measure,
    normalized_root_mse,
    peak_signal_noise_ratio,
    root_mean_square_change,
    structural_similarity,
)


@pytest.fixture
def two() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    clear = rng.random((3, 24, 31), dtype=np.float32)
    return clear, np.clip(clear + rng.normal(0, 0.1, clear.shape), 0, 1).astype(np.float32)


def test_agree_with_scikit_image(two: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = (v.astype(np.float64) for v in two)
    assert peak_signal_noise_ratio(x, y, data_range=1.0) == pytest.approx(skimage_psnr(x, y, data_range=1.0))
    assert normalized_root_mse(x, y) == pytest.approx(skimage_nrmse(x, y))
    expected = skimage_ssim(
        x, y, channel_axis=0, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert structural_similarity(x, y, data_range=1.0) == pytest.approx(expected)


def test_identical_pictures_are_perfect(two: tuple[np.ndarray, np.ndarray]) -> None:
    perfect = measure(two[0], two[0])
    assert perfect.psnr == math.inf
    assert (perfect.mse, perfect.nrmse) == (0, 0)
    assert (perfect.ssim, perfect.hist_corr) == pytest.approx((1, 1))


@given(st.floats(0.001, 0.5))
def test_a_constant_error_has_its_known_psnr(error: float) -> None:
    reference = np.zeros((3, 4, 4))
    psnr = peak_signal_noise_ratio(reference, reference + error, data_range=1.0)
    assert psnr == pytest.approx(-20 * math.log10(error))


def test_the_truth_comes_first(two: tuple[np.ndarray, np.ndarray]) -> None:
    clear, restored = two[0], two[1] * 0.5
    assert normalized_root_mse(clear, restored) != normalized_root_mse(restored, clear)


def test_sums_do_not_lose_precision_in_float32() -> None:
    reference = np.zeros((3, 2000, 2000), dtype=np.float32)
    assert mean_squared_error(reference, reference + np.float32(0.1)) == pytest.approx(0.01, rel=1e-6)


def test_histogram_correlation_sees_a_shift_of_tones_and_not_of_places(two: tuple[np.ndarray, np.ndarray]) -> None:
    clear = np.clip(two[0] * 0.3, 0, 1)
    mirrored, brighter = clear[:, :, ::-1], clear + 0.5
    assert histogram_correlation(clear, mirrored, data_range=1.0) == pytest.approx(1)
    assert histogram_correlation(clear, brighter, data_range=1.0) < 0


def test_histogram_correlation_is_that_of_the_histograms(two: tuple[np.ndarray, np.ndarray]) -> None:
    expected = np.mean(
        [np.corrcoef(*(np.histogram(v[c], bins=256, range=(0, 1))[0] for v in two))[0, 1] for c in range(3)]
    )
    assert histogram_correlation(*two, data_range=1.0) == pytest.approx(expected)


def test_change_is_in_levels_of_255() -> None:
    before = np.zeros((3, 5, 5))
    assert root_mean_square_change(before, before + 10 / 255) == pytest.approx(10)


def test_sizes_that_differ_are_refused_with_both_named(two: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(PictureError, match="31 x 24, the other 30 x 24"):
        measure(two[0], two[1][:, :, :30])


def test_a_picture_too_small_for_ssim_is_refused() -> None:
    tiny = np.zeros((3, 10, 50))
    with pytest.raises(PictureError, match="at least 11 pixels"):
        structural_similarity(tiny, tiny, data_range=1.0)
