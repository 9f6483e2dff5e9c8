"""Intervals hold as often as they say, and measures of uncertainty measure it."""

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from artrestore.errors import InputError, WeightsError
from artrestore.uncertainty import Calibration
from artrestore.uncertainty.calibration import laplace_factor
from artrestore.uncertainty.conformal import (
    FACTORS,
    Measured,
    calibrate,
    check_groups,
    effective_count,
    find_factor,
    least_count,
    measure_misses,
    tail_bound,
)
from artrestore.uncertainty.measures import (
    area_under_sparsification_error,
    coverage,
    sparsification,
    spread_and_error,
    spread_over_error,
)


def laplace_picture(
    rng: np.random.Generator, scale: float = 0.05, true_scale: float | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, mean and scale of a picture whose errors are Laplace's, with another scale than said if asked for."""
    mean = rng.random((3, 16, 16))
    said = scale * rng.uniform(0.5, 1.5, mean.shape)
    truth = mean + rng.laplace(0, said * (true_scale or scale) / scale)
    return truth, mean, said


def pictures(count: int, rng: np.random.Generator, *, factor: float = 1.0, scale: float = 0.05) -> list[Measured]:
    """As many different pictures, whose errors are `factor` times as large as the network says."""
    return [
        measure_misses(*laplace_picture(rng, scale, factor * scale), picture=f"{scale} {factor} {index}")
        for index in range(count)
    ]


# The bound


@given(count=st.integers(1, 400), limit=st.floats(0.02, 0.5), data=st.data())
def test_the_bound_is_never_below_the_probability_that_it_bounds(
    count: int, limit: float, data: st.DataObject
) -> None:
    hits = data.draw(st.integers(0, count))
    # The losses 0 and 1 with the greatest expectation allowed are a case that it must hold for.
    exact = stats.binom.cdf(hits, count, limit)
    assert tail_bound(hits / count, count, limit) >= exact - 1e-12


def test_the_bound_has_known_values() -> None:
    assert tail_bound(0, 22, 0.1) == pytest.approx(0.9**22)  # Hoeffding's is the smaller one here
    assert tail_bound(0.04, 100, 0.1) == pytest.approx(math.e * stats.binom.cdf(4, 100, 0.1))  # Bentkus's
    assert tail_bound(0.08, 1000, 0.1) == pytest.approx(
        min(math.e * stats.binom.cdf(80, 1000, 0.1), math.exp(-1000 * stats.entropy([0.08, 0.92], [0.1, 0.9])))
    )
    assert tail_bound(0.1, 10**6, 0.1) == tail_bound(0.5, 100, 0.1) == tail_bound(0, 0, 0.1) == 1


def test_no_fewer_pictures_than_the_least_can_bear_the_promise() -> None:
    least = least_count()
    assert tail_bound(0, least, 0.1) <= 0.1 < tail_bound(0, least - 1, 0.1)


# Factors


def test_the_missed_share_is_counted_for_every_factor() -> None:
    truth, mean, scale = laplace_picture(np.random.default_rng(0), 0.05, 0.2)
    measured = measure_misses(truth, mean, scale, picture="a")
    for index in (0, 200, 300, 450, 900):
        expected = 1 - coverage(truth, mean, FACTORS[index] * scale)
        assert measured.missed[index] == pytest.approx(expected, abs=1e-6)
    assert measured.scale == pytest.approx(scale.mean())


def test_a_laplace_distribution_needs_its_own_factor() -> None:
    truth, mean, scale = (np.concatenate(p, axis=1) for p in zip(*_many(200), strict=True))
    assert coverage(truth, mean, laplace_factor(0.9) * scale) == pytest.approx(0.9, abs=0.005)
    factor = find_factor(pictures(2000, np.random.default_rng(1)))
    assert factor == pytest.approx(laplace_factor(0.9), rel=0.15)
    assert factor >= laplace_factor(0.9)  # never narrower than what would do


def _many(count: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [laplace_picture(rng) for _ in range(count)]


def test_the_factor_is_the_smallest_whose_bound_holds() -> None:
    measured = pictures(60, np.random.default_rng(2), factor=2)
    factor = find_factor(measured)
    assert factor is not None
    missed = np.mean([each.missed for each in measured], axis=0, dtype=np.float64)
    holds = np.array([tail_bound(risk, 60, 0.1) <= 0.1 for risk in missed])
    assert factor == FACTORS[np.flatnonzero(~holds)[-1] + 1]


def test_no_factor_is_found_for_too_few_pictures_or_a_hopeless_scale() -> None:
    rng = np.random.default_rng(3)
    assert find_factor([]) is None
    assert find_factor(pictures(least_count() - 1, rng)) is None
    assert find_factor(pictures(100, rng, factor=1e6)) is None


def _share_of_broken_promises(*, clear: int, versions: int, named: bool, repetitions: int = 150) -> float:
    """How often the true risk is above 0.1, where each clear picture is missed to an extent of its own.

    A version's errors are u times as large as said, so a factor f misses exp(-f / u) of it. Three quarters of the
    variance of log(u) are the clear picture's own, and the rest is the version's.
    """
    rng = np.random.default_rng(4)
    broken = 0
    population = np.exp(rng.standard_normal(20_000))
    for _ in range(repetitions):
        shared = math.sqrt(0.75) * rng.standard_normal(clear).repeat(versions)
        too_large = np.exp(shared + math.sqrt(0.25) * rng.standard_normal(clear * versions))
        missed = np.exp(-FACTORS / too_large[:, None]).astype(np.float32)
        measured = [
            Measured(picture=str(index // versions if named else index), scale=0.05, missed=row)
            for index, row in enumerate(missed)
        ]
        factor = find_factor(measured)
        if factor is not None:
            broken += float(np.exp(-factor / population).mean()) > 0.1
    return broken / repetitions


def test_the_promise_is_kept_as_often_as_it_says() -> None:
    # At 15 of 150 expected at most, more than 25 have a probability of half a per cent.
    assert _share_of_broken_promises(clear=80, versions=1, named=True) <= 25 / 150


def test_the_promise_is_kept_with_several_versions_of_a_picture_and_would_not_be_if_they_counted_in_full() -> None:
    assert _share_of_broken_promises(clear=25, versions=40, named=True) <= 25 / 150
    assert _share_of_broken_promises(clear=25, versions=40, named=False) > 25 / 150


def test_losses_count_by_how_much_those_of_a_picture_resemble_each_other() -> None:
    rng = np.random.default_rng(5)
    pairs = np.repeat(np.arange(50), 4)
    assert effective_count(rng.random(200), np.arange(200)) == 200
    assert effective_count(rng.random(50).repeat(4), pairs) == 50
    assert 150 < effective_count(rng.random(200), pairs) <= 200
    assert 50 < effective_count(rng.random(50).repeat(4) + rng.random(200), pairs) < 150
    assert effective_count(rng.random(200), np.zeros(200, int)) == 1
    assert effective_count(np.zeros(200), pairs) == 200


# Groups


def mixed(each: int, seed: int = 6) -> list[Measured]:
    """Good pictures, whose scales are said three times too small, and ruined ones, whose scales are right."""
    rng = np.random.default_rng(seed)
    return pictures(each, rng, factor=3, scale=0.01) + pictures(each, rng, factor=1, scale=0.1)


def test_groups_get_factors_of_their_own() -> None:
    calibration = calibrate(mixed(150), source="pairs", digest="abc")
    assert len(calibration.factors) == 3
    assert calibration.counts == (100, 100, 100)
    assert calibration.pictures == 300
    # The bound asks 100 pictures to miss no more than 4.2 %.
    assert calibration.factors[0] == pytest.approx(3 * laplace_factor(1 - 0.042), rel=0.05)
    assert calibration.factors[2] == pytest.approx(laplace_factor(1 - 0.042), rel=0.05)
    assert calibration.factor(0.01) == calibration.factors[0]
    assert calibration.factor(0.1) == calibration.factors[2]
    assert (calibration.source, calibration.digest) == ("pairs", "abc")


@pytest.mark.parametrize(("each", "groups"), [(15, 1), (50, 1), (99, 1), (100, 2), (149, 2)])
def test_groups_that_would_be_too_small_are_one(each: int, groups: int) -> None:
    calibration = calibrate(mixed(each))
    assert len(calibration.factors) == groups
    assert sum(calibration.counts) == 2 * each


def test_pictures_of_one_scale_are_one_group() -> None:
    same = [
        Measured(picture=str(index), scale=0.05, missed=np.exp(-FACTORS).astype(np.float32))
        for index in range(400)
    ]
    assert calibrate(same).thresholds == ()


def test_too_few_pictures_are_refused_with_a_number_that_will_do() -> None:
    with pytest.raises(InputError, match="10 damaged versions of 10") as raised:
        calibrate(pictures(10, np.random.default_rng(7)))
    assert str(least_count()) in raised.value.hint
    with pytest.raises(InputError, match="500 damaged versions of 1 "):
        calibrate([Measured(picture="a", scale=1.0, missed=np.zeros(len(FACTORS), np.float32))] * 500)


def test_the_check_looks_at_pictures_that_the_factor_was_not_found_on() -> None:
    measured = mixed(300)
    calibration = calibrate(measured)
    first, _, last = check_groups(measured, calibration)
    assert (first.count, first.factor) == (200, calibration.factors[0])
    assert first.before == pytest.approx(1 - math.exp(-laplace_factor(0.9) / 3), abs=0.01)
    assert last.before == pytest.approx(0.9, abs=0.01)
    for check in (first, last):
        assert check.after is not None
        assert 0.9 < check.after < 0.97
    assert [check.after for check in check_groups(mixed(12), calibrate(mixed(12)))] == [None]


# What is stored


def example(**changes: object) -> dict[str, object]:
    return {"factors": [3.0, 2.0], "thresholds": [0.05], "counts": [100, 120], "pictures": 20} | changes


def test_a_calibration_is_the_same_after_the_header() -> None:
    calibration = Calibration.from_header(example(temperature=1.2, source="pairs", digest="abc"))
    again = Calibration.from_header(json.loads(json.dumps(calibration.as_header())))
    assert again == calibration
    assert again.thresholds == (0.05,)
    assert again.temperature == 1.2


@pytest.mark.parametrize(
    "changes",
    [
        {"factors": []},
        {"factors": [1.0]},
        {"factors": [1.0, -2.0]},
        {"factors": [1.0, float("nan")]},
        {"factors": "wide"},
        {"thresholds": [0.05, 0.1]},
        {"thresholds": [0.05, 0.05], "factors": [1.0, 1.0, 1.0], "counts": [1, 1, 1]},
        {"thresholds": [0.1, 0.05], "factors": [1.0, 1.0, 1.0], "counts": [1, 1, 1]},
        {"coverage": 1.0},
        {"confidence": 0},
        {"counts": [100, 0]},
        {"pictures": -1},
        {"temperature": -0.5},
        {"temperature": float("inf")},
        {"something": "else"},
    ],
    ids=str,
)
def test_nonsense_in_a_header_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(WeightsError, match="calibration"):
        Calibration.from_header(example(**changes))


@pytest.mark.parametrize("header", [{}, {"factors": [1.0]}, {1: 2}])
def test_an_incomplete_header_is_refused(header: dict[str, object]) -> None:
    with pytest.raises(WeightsError, match="calibration"):
        Calibration.from_header(header)


def test_half_widths_are_factors_times_scales_and_no_more_than_the_whole_range() -> None:
    calibration = Calibration.from_header(example())
    scale = np.full((3, 4, 4), 0.01, np.float32)
    assert calibration.half_width(scale) == pytest.approx(np.full((3, 4, 4), 0.03))
    assert calibration.half_width(scale).dtype == np.float32
    assert calibration.half_width(np.full((3, 4, 4), 0.9, np.float32)).max() == 1
    # A picture is in one group: its own largest scale does not matter.
    scale[0, 0, 0] = 0.5
    assert calibration.half_width(scale)[1, 1, 1] == pytest.approx(0.03)


def test_a_scale_on_a_threshold_belongs_above_it() -> None:
    calibration = Calibration.from_header(example())
    assert [calibration.group(scale) for scale in (0.0499, 0.05, 0.0501)] == [0, 1, 1]


def test_other_levels_stand_to_the_promised_one_as_in_a_laplace_distribution() -> None:
    calibration = Calibration.from_header(example())
    scale = np.full((3, 4, 4), 0.01, np.float32)
    promised = calibration.half_width(scale)
    assert calibration.half_width(scale, 0.9) == pytest.approx(promised)
    assert calibration.half_width(scale, 0.5) == pytest.approx(promised * math.log(2) / math.log(10))
    assert calibration.half_width(scale, 0.99) == pytest.approx(2 * promised)


# Measures


def test_coverage_counts_the_values_inside() -> None:
    truth, mean = np.array([0.0, 0.1, 0.2, 0.5]), np.zeros(4)
    assert coverage(truth, mean, np.array([0.0, 0.2, 0.1, 0.5])) == 0.75


def test_the_order_of_the_errors_themselves_has_no_sparsification_error() -> None:
    error = np.abs(np.random.default_rng(8).standard_normal((3, 40, 40)))
    assert area_under_sparsification_error(error, error) == 0
    assert area_under_sparsification_error(error, 7 * error**2) == pytest.approx(0, abs=1e-12)


def test_worse_orders_have_larger_sparsification_errors() -> None:
    rng = np.random.default_rng(9)
    scale = np.exp(rng.standard_normal((3, 60, 60)))
    error = np.abs(rng.laplace(0, scale))
    orders: Sequence[np.ndarray] = (error, scale, rng.random(error.shape), -error)
    areas = [area_under_sparsification_error(error, order) for order in orders]
    assert areas == sorted(areas)
    assert len(set(areas)) == 4
    # Of a random order nothing changes by taking values away, so the area is that above the curve of the errors.
    assert areas[2] == pytest.approx(float(np.trapezoid(1 - sparsification(error, error), dx=0.01)), abs=0.03)


def test_sparsification_is_the_mean_of_what_is_left() -> None:
    error, uncertainty = np.array([1.0, 2.0, 3.0, 6.0]), np.array([4.0, 3.0, 2.0, 1.0])
    assert sparsification(error, uncertainty, steps=4) == pytest.approx([1, 11 / 9, 1.5, 2])
    assert sparsification(np.zeros(4), uncertainty, steps=4).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("count", [2, 4, 16])
@pytest.mark.parametrize(("width", "expected"), [(1.0, 1.0), (0.5, 0.5)])
def test_spread_over_error_is_fair_to_few_samples(count: int, width: float, expected: float) -> None:
    rng = np.random.default_rng(10)
    results = []
    for _ in range(20):
        centre = rng.random((3, 32, 32))
        samples = centre + 0.1 * width * rng.standard_normal((count, 3, 32, 32))
        results.append(spread_and_error(centre + 0.1 * rng.standard_normal(centre.shape), samples))
    # Samples that vary too little have the error of their mean beside that of the truth.
    fair = expected * math.sqrt((count + 1) / count) / math.sqrt(1 + width**2 / count)
    assert spread_over_error(results) == pytest.approx(fair, rel=0.02)


def test_spread_over_error_of_perfect_pictures_is_undefined() -> None:
    assert math.isnan(spread_over_error([(0.0, 0.0)]))
