"""Calibrating weights: on pairs and on pictures damaged on the fly, into a new file and never into the old one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from typer.testing import Result

from artrestore.damage.recipes import Recipe, load_recipe, parse_recipe
from artrestore.errors import InputError
from artrestore.io.weights_file import read_header, read_tensors, write_weights
from artrestore.models.loading import load_model
from artrestore.restoration import calibration as module
from artrestore.restoration.calibration import (
    ENOUGH,
    LONGEST_SIDE,
    find_temperature,
    load_case,
    measure_case,
    plan_pairs,
    plan_recipe,
)
from artrestore.restoration.restorer import Restorer
from artrestore.uncertainty import Calibration
from artrestore.uncertainty.conformal import measure_misses
from conftest import save_smooth, write_tiny_weights

PAIRS = 24


@pytest.fixture
def flagship(tmp_path: Path) -> Path:
    return write_tiny_weights(tmp_path / "flagship.safetensors", "hierarchical-vae")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A folder with clear/ and distorted/: just enough pictures, each with a noisy version."""
    for index in range(PAIRS):
        pixels = np.asarray(Image.open(save_smooth(tmp_path / f"pairs/clear/{index}.png", seed=index)))
        noise = np.random.default_rng(index).normal(0, 20, pixels.shape)
        target = tmp_path / f"pairs/distorted/{index}_noise.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8)).save(target)
    return tmp_path / "pairs"


@pytest.fixture
def calibrate(
    run: Callable[..., Result], flagship: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """`artrestore calibrate` with the tiny flagship, and fewer temperatures to try."""
    monkeypatch.setattr(module, "TEMPERATURES", (1.0, 0.5))
    monkeypatch.setattr(module, "_TEMPERATURE_CROPS", 2)

    def call(*arguments: object) -> Result:
        return run("calibrate", *arguments, "--weights", flagship, "--device", "cpu", "--precision", "fp32")

    return call


def fast_recipe() -> Recipe:
    return parse_recipe('[[steps]]\nkind = "noise"\n', name="grain.toml")


def test_calibrates_on_pairs_and_leaves_the_network_as_it_is(
    calibrate: Callable[..., Result], pairs: Path, flagship: Path, tmp_path: Path
) -> None:
    before = flagship.read_bytes()
    done = calibrate("--pairs", pairs)
    assert done.exit_code == 0, done.output
    new = tmp_path / "flagship-calibrated.safetensors"
    assert flagship.read_bytes() == before
    stored = read_header(new).calibration
    assert stored is not None
    calibration = Calibration.from_header(stored)
    assert (calibration.counts, calibration.pictures, calibration.source) == ((PAIRS,), PAIRS, "pairs")
    assert calibration.temperature in (1.0, 0.5)
    old, kept = load_file(flagship), load_file(new)
    assert old.keys() == kept.keys()
    assert all(torch.equal(old[name], kept[name]) for name in old)
    assert f"{calibration.factors[0]:.2f}" in done.output
    assert str(new.name) in done.output


def test_the_calibrated_intervals_hold_the_truth_of_the_pictures(
    calibrate: Callable[..., Result], pairs: Path, tmp_path: Path
) -> None:
    calibrate("--pairs", pairs)
    restorer = Restorer(load_model(tmp_path / "flagship-calibrated.safetensors", device="cpu"), precision="fp32")
    assert restorer.calibration is not None
    covered = []
    for case in plan_pairs(pairs / "clear", pairs / "distorted").cases:
        damaged, clear = load_case(case, None)
        mean, scale = restorer.quantify(damaged)
        covered.append(np.mean(np.abs(clear - mean) <= restorer.calibration.half_width(scale)))
    assert np.mean(covered) >= 0.9


def test_two_folders_are_the_same_as_one_that_holds_both(
    calibrate: Callable[..., Result], pairs: Path, tmp_path: Path
) -> None:
    assert calibrate("--pairs", pairs, "--out", "a.safetensors").exit_code == 0
    assert calibrate(pairs / "clear", pairs / "distorted", "--out", "b.safetensors").exit_code == 0
    assert Path("a.safetensors").read_bytes() == Path("b.safetensors").read_bytes()


def test_calibrates_on_clear_pictures_damaged_on_the_fly(
    calibrate: Callable[..., Result], tmp_path: Path, pairs: Path
) -> None:
    recipe = tmp_path / "grain.toml"
    recipe.write_text('[[steps]]\nkind = "noise"\n')
    done = calibrate(pairs / "clear", "--recipe", recipe, "--variants", 2)
    assert done.exit_code == 0, done.output
    stored = read_header(tmp_path / "flagship-calibrated.safetensors").calibration
    assert stored is not None
    assert stored["counts"] == [2 * PAIRS]
    assert stored["pictures"] == PAIRS
    assert stored["source"] == "recipe grain.toml, 2 times each, seed 0"


def test_few_clear_pictures_are_pointed_out(calibrate: Callable[..., Result], tmp_path: Path, pairs: Path) -> None:
    for index in range(4, PAIRS):
        (pairs / f"clear/{index}.png").unlink()
    recipe = tmp_path / "grain.toml"
    recipe.write_text('[[steps]]\nkind = "noise"\n')
    done = calibrate(pairs / "clear", "--recipe", recipe, "--variants", 8)
    assert "4 clear pictures are few" in done.output


def test_the_same_data_give_the_same_digest_and_others_another(pairs: Path) -> None:
    clear = pairs / "clear"
    one, same = (plan_recipe(clear, fast_recipe(), variants=2) for _ in range(2))
    others = [
        plan_recipe(clear, fast_recipe(), variants=2, seed=1),
        plan_recipe(clear, fast_recipe(), variants=3),
        plan_recipe(clear, load_recipe("mild"), variants=2),
        plan_pairs(clear, pairs / "distorted"),
    ]
    assert one.digest == same.digest
    assert len({plan.digest for plan in (one, *others)}) == 5


def test_enough_versions_are_made_of_each_picture(pairs: Path) -> None:
    plan = plan_recipe(pairs / "clear", fast_recipe())
    assert ENOUGH <= len(plan.cases) < ENOUGH + PAIRS
    assert plan.pictures == PAIRS
    assert len({case.seed for case in plan.cases}) == len(plan.cases)


def test_versions_of_a_picture_are_damaged_each_in_its_own_way_and_the_same_again(pairs: Path) -> None:
    plan = plan_recipe(pairs / "clear", fast_recipe(), variants=2)
    first, second = plan.cases[0], plan.cases[PAIRS]
    assert first.clear == second.clear
    (one, clear), (other, _), (again, _) = (load_case(case, plan.recipe) for case in (first, second, first))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, clear)
    # As a file has them, which is what is restored.
    assert np.array_equal(np.rint(one * 255), (one * 255).round(3))


def test_large_pictures_are_cut_before_they_are_damaged(tmp_path: Path) -> None:
    save_smooth(tmp_path / "clear/large.png", LONGEST_SIDE + 200, 60)
    save_smooth(tmp_path / "clear/small.png")
    plan = plan_recipe(tmp_path / "clear", fast_recipe(), variants=30)
    damaged, clear = load_case(plan.cases[0], plan.recipe)
    assert damaged.shape == clear.shape == (3, 60, LONGEST_SIDE)


def test_a_picture_is_measured_by_what_the_network_says_of_all_of_it(pairs: Path, flagship: Path) -> None:
    restorer = Restorer(load_model(flagship, device="cpu"), precision="fp32")
    case = plan_pairs(pairs / "clear", pairs / "distorted").cases[0]
    measured = measure_case(restorer, case, None)
    damaged, clear = load_case(case, None)
    mean, scale = restorer.quantify(damaged)
    expected = measure_misses(clear, mean, scale, picture=case.name)
    assert measured.scale == expected.scale
    assert np.array_equal(measured.missed, expected.missed)


class Noisy:
    """Draws that are the picture plus as much noise as the temperature says, the root of 2 too much at 1."""

    def draw(self, picture: np.ndarray, *, seed: int, index: int, temperature: float) -> np.ndarray:
        rng = np.random.default_rng((seed, index, int(1000 * float(picture.mean()))))
        return picture + 0.025 * temperature * rng.standard_normal(picture.shape)


def test_the_temperature_makes_spread_and_error_alike(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = plan_pairs(pairs / "clear", pairs / "distorted").cases
    rng = np.random.default_rng(0)

    def load(case: object, recipe: object) -> tuple[np.ndarray, np.ndarray]:
        picture = rng.random((3, 40, 40))
        return picture, picture + 0.0177 * rng.standard_normal(picture.shape)

    monkeypatch.setattr(module, "load_case", load)
    found = find_temperature(Noisy(), cases, None)  # type: ignore[arg-type]
    assert found.value == pytest.approx(2**-0.5)
    assert found.ratio == pytest.approx(1, abs=0.05)
    assert found.ratio_at_one > 1.2


def test_what_is_missing_in_spread_is_not_made_up_by_noise_that_was_never_seen() -> None:
    assert max(module.TEMPERATURES) == 1.0


def test_draws_that_do_not_vary_keep_the_temperature(
    pairs: Path, flagship: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_spread", lambda *_: (0.0, 1.0))
    restorer = Restorer(load_model(flagship, device="cpu"), precision="fp32")
    found = find_temperature(restorer, plan_pairs(pairs / "clear", pairs / "distorted").cases, None)
    assert (found.value, found.ratio) == (1.0, 0.0)


# What is refused


def refused(result: Result, code: int, *texts: str) -> None:
    assert result.exit_code == code, result.output
    for text in (*texts, "Hint:"):
        assert text in result.output


def test_too_few_pairs_are_refused_before_any_is_restored(
    calibrate: Callable[..., Result], picture_set: tuple[Path, Path]
) -> None:
    refused(calibrate(*picture_set), 3, "10 damaged pictures are too few", "22 are the least")
    with pytest.raises(InputError, match="5 damaged pictures"):
        plan_recipe(picture_set[0], fast_recipe(), variants=1)


def test_one_clear_picture_is_refused_however_often_it_is_damaged(
    calibrate: Callable[..., Result], tmp_path: Path
) -> None:
    save_smooth(tmp_path / "one/ship.png")
    refused(calibrate(tmp_path / "one"), 3, "One clear picture is too few")
    for version in range(PAIRS):
        save_smooth(tmp_path / f"versions/ship_{version}.png", seed=version)
    refused(calibrate(tmp_path / "one", tmp_path / "versions"), 3, "One clear picture is too few")


def test_options_that_contradict_each_other_are_refused(calibrate: Callable[..., Result], pairs: Path) -> None:
    clear, distorted = pairs / "clear", pairs / "distorted"
    refused(calibrate(), 2, "nothing to calibrate on")
    refused(calibrate(clear, distorted, "--pairs", pairs), 2, "named twice")
    refused(calibrate("--pairs", pairs, "--recipe", "mild"), 2, "as they are")
    refused(calibrate(clear, distorted, "--variants", 3), 2, "as they are")
    refused(calibrate("--pairs", clear), 3, "missing")
    refused(calibrate(clear, "--recipe", "nonsense"), 2, "no recipe named nonsense")
    refused(calibrate("--pairs", pairs, "--out", "weights.pth"), 2, ".safetensors")


def test_pairs_of_different_sizes_are_refused_by_name(calibrate: Callable[..., Result], pairs: Path) -> None:
    save_smooth(pairs / "clear/3.png", 20, 20)
    refused(calibrate("--pairs", pairs), 3, "1 of 24 pairs differ in size", "3_noise.png")


def test_no_file_is_written_over_unasked(
    calibrate: Callable[..., Result], pairs: Path, flagship: Path, tmp_path: Path
) -> None:
    before = flagship.read_bytes()
    refused(calibrate("--pairs", pairs, "--out", flagship), 6, "already there")
    assert flagship.read_bytes() == before
    assert calibrate("--pairs", pairs, "--out", flagship, "--overwrite").exit_code == 0
    assert read_header(flagship).calibration is not None


def test_bundled_weights_are_never_written_over(
    calibrate: Callable[..., Result], pairs: Path, flagship: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artrestore.models.loading.BUNDLED_FOLDER", flagship.parent)
    before = flagship.read_bytes()
    refused(calibrate("--pairs", pairs, "--out", flagship, "--overwrite"), 6, "bundled weights")
    assert flagship.read_bytes() == before


def test_networks_that_have_no_doubt_are_refused(
    run: Callable[..., Result], pairs: Path, tiny_weights: Path
) -> None:
    refused(run("calibrate", "--pairs", pairs, "--weights", tiny_weights, "--device", "cpu"), 4, "skip-vae")


@pytest.mark.parametrize("stage", ["clear", "restore"])
def test_networks_that_have_not_learned_to_doubt_are_refused(
    run: Callable[..., Result], pairs: Path, flagship: Path, stage: str
) -> None:
    header = replace(read_header(flagship), training={"stage": stage})
    write_weights(flagship, read_tensors(flagship), header)
    done = run("calibrate", "--pairs", pairs, "--weights", flagship, "--device", "cpu")
    refused(done, 4, "not yet to say how sure it is", "--stages uncertainty")


def test_a_picture_that_cannot_be_read_stops_no_other(
    calibrate: Callable[..., Result], pairs: Path, tmp_path: Path
) -> None:
    whole = (pairs / "distorted/5_noise.png").read_bytes()
    (pairs / "distorted/5_noise.png").write_bytes(whole[: len(whole) // 2])
    done = calibrate("--pairs", pairs)
    refused(done, 7, "1 of 24 pictures failed", "5.png")
    stored = read_header(tmp_path / "flagship-calibrated.safetensors").calibration
    assert stored is not None
    assert stored["counts"] == [PAIRS - 1]
