"""Every kind of damage keeps the same promises."""

import warnings
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artrestore.damage.base import Array, Damaged, View, parameters_of
from artrestore.damage.colour import absorb, cover, to_linear, to_srgb
from artrestore.damage.compose import damage
from artrestore.damage.fields import smooth, texture
from artrestore.damage.filters import relief
from artrestore.damage.kinds import KINDS, kind
from artrestore.damage.strokes import Stroke, paint, wander
from artrestore.errors import UsageError

TOLERANCE = 1 / 510  # half a level of 255: what rounding would hide
# The same draw on a crop is the crop of the draw: what is smooth over a picture is the same for all its tiles.
WHOLE_PICTURE_KINDS = ["fading", "yellowed-varnish", "bleaching", "uneven-light", "colour-cast"]
LOSING_KINDS = ["lacuna", "missing", "tear", "scratch"]
EXTREMES = [(1, 1), (1, 9), (7, 1), (2, 2), (3, 4000), (4000, 3)]

every_kind = pytest.mark.parametrize("name", KINDS)


def some_picture(height: int, width: int, seed: int = 0) -> Array:
    """Soft shapes, a hard edge and a little grain: (3, H, W) in [0, 1]."""
    rng = np.random.default_rng(seed)
    view = View.whole(height, width)
    picture = 0.5 + 0.2 * np.stack([smooth(view, rng, 4) for _ in range(3)])
    picture[:, :, width // 2 :] *= 0.6
    picture += 0.02 * rng.standard_normal(picture.shape)
    return np.clip(picture, 0, 1).astype(np.float32)


def applied(name: str, picture: Array, strength: float, seed: int = 0, view: View | None = None) -> Damaged:
    with warnings.catch_warnings(action="error"), np.errstate(all="raise", under="ignore"):
        return damage(picture, name, strength, np.random.default_rng(seed), view)


def require_promises(before: Array, original: Array, damaged: Damaged) -> None:
    picture = damaged.picture
    assert picture.shape == before.shape
    assert picture.dtype == np.float32
    assert picture.min() >= 0
    assert picture.max() <= 1  # false for NaN too
    assert damaged.touched.shape == damaged.lost.shape == before.shape[1:]
    assert damaged.touched.dtype == damaged.lost.dtype == bool
    changed = np.abs(picture - before).max(axis=0) > TOLERANCE
    assert not (changed & ~damaged.touched).any()
    assert not (damaged.lost & ~damaged.touched).any()
    assert np.array_equal(before, original)


@every_kind
@settings(max_examples=12)
@given(st.integers(1, 70), st.integers(1, 70), st.floats(0.01, 1), st.integers(0, 2**20))
def test_shape_range_and_masks_are_true(name: str, height: int, width: int, strength: float, seed: int) -> None:
    picture = some_picture(height, width, seed)
    require_promises(picture, picture.copy(), applied(name, picture, strength, seed))


@every_kind
@pytest.mark.parametrize("shape", EXTREMES, ids=str)
def test_pictures_of_extreme_shapes_are_damaged(name: str, shape: tuple[int, int]) -> None:
    picture = some_picture(*shape)
    for strength in (0.05, 1.0):
        require_promises(picture, picture.copy(), applied(name, picture, strength))


@every_kind
@settings(max_examples=8)
@given(st.integers(0, 2900), st.integers(0, 3900), st.integers(0, 2**20))
def test_a_crop_is_damaged_as_a_part_of_its_picture(name: str, top: int, left: int, seed: int) -> None:
    picture = some_picture(96, 96, seed)
    view = View(height=96, width=96, full_height=3000, full_width=4000, top=top, left=left)
    require_promises(picture, picture.copy(), applied(name, picture, 0.7, seed, view))


@pytest.mark.slow
@every_kind
def test_large_pictures_are_damaged(name: str) -> None:
    picture = some_picture(3000, 4000)
    require_promises(picture, picture.copy(), applied(name, picture, 1.0))


EXTREME_LIMITS = [(1, 1), (5, 60), (60, 5), (48, 64)]


@every_kind
@pytest.mark.parametrize("end", [0, 1])
def test_parameters_at_the_ends_of_their_ranges_are_taken(name: str, end: int) -> None:
    cls, rng = kind(name), np.random.default_rng(0)
    usual = cls.draw(0.5, rng)
    for key, field in parameters_of(cls).items():
        found = ((s, getattr(m, s, None)) for m in field.metadata for s in ("ge", "gt", "le"))
        limits = {sign: limit for sign, limit in found if limit is not None}
        least, most = limits.get("ge", limits.get("gt", 0) + 1e-3), limits.get("le")
        if most is None:
            continue
        extreme = replace(usual, **{key: field.annotation((least, most)[end])})  # type: ignore[type-var]
        for height, width in EXTREME_LIMITS:
            picture = some_picture(height, width)
            with warnings.catch_warnings(action="error"), np.errstate(all="raise", under="ignore"):
                damaged = extreme.apply(picture, np.random.default_rng(1), View.whole(height, width))
            require_promises(picture, picture.copy(), damaged)


@every_kind
def test_strength_0_changes_nothing(name: str) -> None:
    picture = some_picture(40, 50)
    damaged = applied(name, picture, 0.0)
    assert np.array_equal(damaged.picture, picture)
    assert not damaged.touched.any()
    assert not damaged.lost.any()


@every_kind
def test_the_least_strength_is_hardly_to_be_seen_and_the_most_is(name: str) -> None:
    picture = some_picture(128, 160)
    weak, strong = (
        np.mean([np.mean((applied(name, picture, s, seed).picture - picture) ** 2) for seed in range(16)])
        for s in (0.02, 1.0)
    )
    assert -10 * np.log10(weak + 1e-12) > 32
    assert strong > 2 * weak


@every_kind
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(name: str) -> None:
    picture = some_picture(90, 120)
    first, again = (applied(name, picture, 0.8, seed=3) for _ in range(2))
    assert first.picture.tobytes() == again.picture.tobytes()
    assert first.lost.tobytes() == again.lost.tobytes()
    others = [applied(name, picture, 0.8, seed=seed).picture.tobytes() for seed in range(4, 8)]
    assert len({first.picture.tobytes(), *others}) > 1


@every_kind
@settings(max_examples=30)
@given(st.floats(1e-6, 1), st.integers(0, 2**20))
def test_what_a_strength_draws_is_legal_and_says_itself(name: str, strength: float, seed: int) -> None:
    drawn = kind(name).draw(strength, np.random.default_rng(seed))  # the dataclass checks its ranges
    assert set(asdict(drawn)) == set(parameters_of(kind(name)))
    plain = (int, float, str, bool)
    assert all(type(value) in plain for value in asdict(drawn).values()), asdict(drawn)


@every_kind
def test_every_kind_tells_what_it_imitates_and_its_source(name: str) -> None:
    cls = kind(name)
    assert len(cls.imitates) > 20
    assert cls.group in cls.__module__
    module = __import__(cls.__module__, fromlist=["x"])
    assert "Source:" in (module.__doc__ or "")
    for parameter in parameters_of(cls):
        assert f"{parameter}:" in (cls.__doc__ or ""), f"{name}.{parameter} is not documented"


@pytest.mark.parametrize("name", WHOLE_PICTURE_KINDS)
@settings(max_examples=10)
@given(st.integers(0, 60), st.integers(0, 90), st.integers(0, 2**20))
def test_damage_of_a_crop_is_the_crop_of_the_damage(name: str, top: int, left: int, seed: int) -> None:
    picture = some_picture(100, 140, seed)
    whole = applied(name, picture, 0.8, seed)
    view = View(height=40, width=50, full_height=100, full_width=140, top=top, left=left)
    cut = (slice(None), slice(top, top + 40), slice(left, left + 50))
    crop = applied(name, np.ascontiguousarray(picture[cut]), 0.8, seed, view)
    assert np.abs(crop.picture - whole.picture[cut]).max() < 2e-4
    assert np.array_equal(crop.lost, whole.lost[cut[1:]])


@every_kind
def test_nothing_of_the_original_shows_where_it_is_lost(name: str) -> None:
    one, other = some_picture(150, 200, 1), some_picture(150, 200, 2)
    lost = 0
    for seed in range(8):
        first, second = (applied(name, picture, 1.0, seed) for picture in (one, other))
        both = first.lost & second.lost
        lost += int(both.sum())
        # A hundredth of white light is 0.1 in sRGB.
        assert not both.any() or np.abs(first.picture - second.picture)[:, both].max() < 0.11
        if name in LOSING_KINDS:
            assert np.array_equal(first.lost, second.lost)  # the loss does not depend on what is lost
    assert lost > 50 or name not in LOSING_KINDS


def test_an_unknown_kind_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="no kind of damage named craquelur") as caught:
        kind("craquelur")
    assert "craquelure" in caught.value.hint


# What kinds are made of


def test_linear_light_and_srgb_are_inverse() -> None:
    values = np.linspace(0, 1, 1001, dtype=np.float32)
    assert np.abs(to_srgb(to_linear(values)) - values).max() < 1e-5
    assert to_linear(np.float32(0.5)) == pytest.approx(0.2140, abs=1e-4)


def test_covering_mixes_light_and_absorbing_adds_density() -> None:
    grey = np.full((3, 1, 1), 0.5, np.float32)
    half = cover(grey, (1.0, 1.0, 1.0), np.full((1, 1), 0.5, np.float32))
    assert to_linear(half)[0, 0, 0] == pytest.approx((0.2140 + 1) / 2, abs=1e-3)
    dense = absorb(grey, np.full((1, 1), 0.3, np.float32))
    assert to_linear(dense)[0, 0, 0] == pytest.approx(0.2140 * 10**-0.3, abs=1e-3)


def test_fields_have_unit_variance() -> None:
    view = View.whole(64, 64)
    for make in (lambda rng: smooth(view, rng, 3), lambda rng: texture((64, 64), rng, 12.0)):
        samples = np.stack([make(np.random.default_rng(seed)) for seed in range(300)])
        assert abs(samples.mean()) < 0.1
        assert 0.8 < samples.std() < 1.2


def test_raking_light_shows_slopes_and_not_height() -> None:
    flat = np.full((8, 8), 3.0, np.float32)
    assert not relief(flat, 1.0).any()
    rising = np.broadcast_to(np.arange(8, dtype=np.float32), (8, 8))  # higher towards the right
    assert (relief(rising, np.pi) > 0).all()  # lit from the left, its slope faces the light
    assert (relief(rising, 0.0) < 0).all()


def test_a_stroke_covers_as_much_as_it_is_wide() -> None:
    points = np.stack([np.full(400, 20.3), np.linspace(-5, 45, 400)], axis=1)
    for radius in (0.2, 0.7, 2.5):
        stroke = Stroke(points=points, radius=np.full(400, radius), opacity=np.ones(400))
        covered = paint((40, 40), [stroke]).sum() / 40
        assert covered == pytest.approx(2 * radius, rel=0.45)


def test_a_wandering_curve_has_its_length() -> None:
    points = wander(np.random.default_rng(0), (5.0, 5.0), 0.3, 100.0, bend=0.5)
    assert np.hypot(*np.diff(points, axis=0).T).sum() == pytest.approx(100, rel=0.02)
