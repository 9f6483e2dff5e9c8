"""Restoring with a network that sees the whole picture, says how sure it is and draws restorations."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from artrestore.errors import PictureError, UnsupportedError, WeightsError
from artrestore.io.pictures import Array
from artrestore.io.weights_file import WeightsHeader
from artrestore.models.base import Surroundings
from artrestore.models.loading import LoadedModel
from artrestore.models.noise import NoiseField
from artrestore.restoration.restorer import Restorer, require_learnt_doubt
from conftest import tiny_model

# Around the place where tiles of 512 in a picture of 960 meet, no further than the tiny network looks in small.
REACH = 192
AWAY = np.r_[0 : 512 - REACH, 448 + REACH : 960]


def load(name: str = "hierarchical-vae", **training: object) -> LoadedModel:
    model = tiny_model(name).eval()
    if name == "hierarchical-vae":
        torch.nn.init.constant_(model.log_scale.out.bias, -6.0)  # sure enough to add something in small
    header = WeightsHeader(architecture=name, config={}, training=training, shapes={})
    return LoadedModel(model=model, header=header, path=Path("tiny.safetensors"), device=torch.device("cpu"))


def picture(height: int = 480, width: int = 224) -> Array:
    return np.random.default_rng(0).random((3, height, width), dtype=np.float32)


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return load()


def restorer(loaded: LoadedModel, tile_size: int = 512, **options: int) -> Restorer:
    return Restorer(loaded, tile_size=tile_size, precision="fp32", **options)


def test_tiles_agree_with_the_whole_away_from_where_they_meet(loaded: LoadedModel) -> None:
    whole, tiled = restorer(loaded, 960), restorer(loaded, 512, overlap=64)
    shown = picture(960)
    lost = np.zeros((960, 224), dtype=bool)
    lost[60:100, 60:100] = lost[400:420, 30:60] = lost[900:920, 30:60] = True
    calls = {
        "restore": lambda r: r.restore(shown, lost=lost),
        "quantify": lambda r: np.concatenate(r.quantify(shown, lost=lost)),
        "draw": lambda r: r.draw(shown, seed=3, lost=lost),
    }
    for name, call in calls.items():
        one, many = call(whole), call(tiled)
        np.testing.assert_allclose(one[:, AWAY], many[:, AWAY], atol=2e-5, err_msg=name)
        assert not np.array_equal(one, many), "the tiles were not cut"
        assert np.abs(one[:3] - shown).mean() > 0.01, "the network does nothing"


def test_tiles_begin_at_multiples_and_know_the_picture_without_its_padding(loaded: LoadedModel) -> None:
    seen: list[Surroundings] = []
    model = loaded.model
    forward = model.forward

    def spy(tiles: torch.Tensor, around: Surroundings) -> torch.Tensor:
        seen.append(around)
        return forward(tiles, around)

    model.forward = spy  # type: ignore[method-assign]
    try:
        restored = restorer(loaded, 256, overlap=32).restore(picture(650, 215))
    finally:
        model.forward = forward  # type: ignore[method-assign]
    assert restored.shape == (3, 650, 215)
    corners = torch.cat([around.place for around in seen])
    expected = [[top / 650, 0, (top + 256) / 650, 224 / 215] for top in (0, 192, 416)]
    torch.testing.assert_close(corners, torch.tensor(expected))
    small = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(picture(650, 215))[None], 128)
    for around in seen:
        torch.testing.assert_close(around.thumbnail, small)


def test_a_mask_reaches_the_network_where_it_lies(loaded: LoadedModel) -> None:
    lost = np.zeros((480, 224), dtype=bool)
    lost[100:120, 100:120] = True
    plain, told = (restorer(loaded).restore(picture(), lost=mask) for mask in (None, lost))
    changed = np.abs(plain - told).max(axis=0)
    assert changed[100:120, 100:120].mean() > 10 * changed[300:].max()
    assert np.array_equal(plain, restorer(loaded).restore(picture(), lost=np.zeros_like(lost)))


def test_a_mask_of_another_size_is_refused(loaded: LoadedModel) -> None:
    with pytest.raises(PictureError, match=r"224 x 479.*224 x 480"):
        restorer(loaded).restore(picture(), lost=np.zeros((479, 224), dtype=bool))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_mean_is_the_same_to_the_bit_however_it_is_asked_for(loaded: LoadedModel, precision: str) -> None:
    asked = Restorer(loaded, tile_size=64, overlap=16, precision=precision)
    mean = asked.restore(picture(100, 90))
    assert np.array_equal(asked.quantify(picture(100, 90))[0], mean)
    assert np.array_equal(asked.draw(picture(100, 90), seed=1, temperature=0), mean)
    assert np.abs(asked.draw(picture(100, 90), seed=1) - mean).mean() > 1e-4


def test_a_seed_and_a_number_are_a_restoration(loaded: LoadedModel) -> None:
    asked = restorer(loaded, 64)
    first = asked.draw(picture(90, 90), seed=1)
    assert np.array_equal(first, asked.draw(picture(90, 90), seed=1, index=0))
    for seed, index in ((2, 0), (1, 1)):
        assert np.abs(first - asked.draw(picture(90, 90), seed=seed, index=index)).mean() > 1e-4


def test_batches_change_no_drawn_restoration(loaded: LoadedModel) -> None:
    one, many = (
        restorer(loaded, 64, overlap=16, batch_size=size).draw(picture(100, 150), seed=1) for size in (1, 4)
    )
    np.testing.assert_allclose(one, many, atol=1e-5)


def test_scales_are_positive_and_the_half_width_is_that_of_laplace_without_a_calibration(loaded) -> None:
    asked = restorer(loaded, 64)
    _, scale = asked.quantify(picture(40, 40))
    assert scale.shape == (3, 40, 40)
    assert scale.min() > 0
    half_width = asked.half_width(scale)
    assert half_width.max() <= 1
    # Nine tenths of a Laplace distribution lie within this of its middle.
    narrow = np.full((3, 2, 2), 0.1, dtype=np.float32)
    np.testing.assert_allclose(1 - np.exp(-asked.half_width(narrow) / narrow), 0.9, rtol=1e-5)


def test_a_calibration_sets_the_width_and_the_temperature(loaded: LoadedModel) -> None:
    stored = {"factors": [1.5, 3.0], "thresholds": [0.2], "counts": [9, 9], "pictures": 9, "temperature": 0.5}
    calibrated = replace(loaded, header=replace(loaded.header, calibration=stored))
    asked, plain = restorer(calibrated, 64), restorer(loaded, 64)
    for scale, factor in ((0.1, 1.5), (0.25, 3.0), (0.9, None)):
        expected = 1.0 if factor is None else factor * scale
        np.testing.assert_allclose(
            asked.half_width(np.full((3, 4, 4), scale, dtype=np.float32)), expected, rtol=1e-6
        )
    drawn = asked.draw(picture(40, 40), seed=1)
    assert np.array_equal(drawn, plain.draw(picture(40, 40), seed=1, temperature=0.5))
    assert not np.array_equal(drawn, plain.draw(picture(40, 40), seed=1))
    with pytest.raises(WeightsError):
        restorer(replace(loaded, header=replace(loaded.header, calibration={"factors": []})))


def test_a_network_with_one_restoration_says_so() -> None:
    asked = Restorer(load("skip-vae"))
    for call in (lambda: asked.quantify(picture(40, 40)), lambda: asked.draw(picture(40, 40), seed=0)):
        with pytest.raises(UnsupportedError) as caught:
            call()
        assert "hierarchical-vae" in caught.value.hint


def test_weights_that_have_not_learnt_it_are_told_from_those_that_have(loaded: LoadedModel) -> None:
    require_learnt_doubt(load(stage="uncertainty"))
    for stage in ("restore", "refine"):
        with pytest.raises(UnsupportedError, match="not yet") as caught:
            require_learnt_doubt(load(stage=stage))
        assert "--stages uncertainty" in caught.value.hint


SHAPE = ((3, None), (4, 16), (2, 4))


@given(
    st.integers(0, 40), st.integers(0, 40), st.integers(1, 30), st.integers(1, 30),
    st.integers(0, 2**40), st.integers(0, 5),
)  # fmt: skip
def test_noise_is_one_field_of_which_tiles_see_parts(
    row: int, column: int, rows: int, columns: int, seed: int, index: int
) -> None:
    field = NoiseField(shape=SHAPE, seed=seed, index=index)
    whole = field.cut([(0, 0)], (70 * 16, 70 * 16))
    parts = field.cut([(0, 0), (row * 16, column * 16)], (rows * 16, columns * 16))
    assert torch.equal(parts[0][0], parts[0][1])
    assert torch.equal(parts[0][1], whole[0][0])
    for level, factor in ((1, 1), (2, 4)):
        y, x, height, width = (factor * value for value in (row, column, rows, columns))
        assert torch.equal(parts[level][1], whole[level][0, :, y : y + height, x : x + width])


def test_noise_is_standard_normal_and_never_repeats() -> None:
    field = NoiseField(shape=SHAPE, seed=0)
    values = field.cut([(0, 0)], (2048, 2048))
    fine = values[2][0]
    assert float(fine.mean()) == pytest.approx(0, abs=0.01)
    assert float(fine.std()) == pytest.approx(1, abs=0.01)
    blocks = fine.unfold(1, 64, 64).unfold(2, 64, 64).flatten(1, 2).flatten(0, 1).flatten(1)
    correlations = torch.corrcoef(blocks) - torch.eye(len(blocks))
    assert float(correlations.abs().max()) < 0.15
    for other in (replace(field, seed=1), replace(field, index=1)):
        drawn = other.cut([(0, 0)], (2048, 2048))
        assert all(not torch.equal(a, b) for a, b in zip(values, drawn, strict=True))


def test_temperature_scales_the_noise() -> None:
    field = NoiseField(shape=SHAPE, seed=0)
    hot = replace(field, temperature=0.5)
    pairs = zip(field.cut([(16, 32)], (64, 64)), hot.cut([(16, 32)], (64, 64)), strict=True)
    assert all(torch.equal(a * 0.5, b) for a, b in pairs)


def test_tiles_off_the_grid_of_a_latent_are_refused() -> None:
    with pytest.raises(ValueError, match="grid of 16"):
        NoiseField(shape=SHAPE, seed=0).cut([(8, 0)], (64, 64))
