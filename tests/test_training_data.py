"""What training is given: settings, pairs and crops, budget and schedule."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from artrestore.damage.recipes import load_recipe, parse_recipe
from artrestore.errors import (
    PairingError,
    PictureError,
    UsageError,
)
from artrestore.training.config import TrainConfig, read_toml, resolve_config, write_toml
from artrestore.training.cropping import Cropping, Fit
from artrestore.training.crops import random_crop, varied_crop
from artrestore.training.data import CropDataset, EpochSampler, endless_batches, load_crops
from artrestore.training.pairs import PicturePair, clear_pairs, split_pairs
from artrestore.training.schedule import Budget, evaluation_interval, learning_rate, stage_budget
from artrestore.training.synthesis import Synthesis, random_view
from conftest import save_smooth

# Settings


def test_options_win_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('clear = "c"\ndistorted = "d"\nsteps = 5\nbeta = 2.0\nseed = 3\n')
    config = resolve_config({"beta": 0.5, "minutes": 1.0, "seed": None}, file)
    assert (config.beta, config.seed, config.minutes, config.steps) == (0.5, 3, 1.0, None)
    assert config.learning_rate == 1e-3
    assert config.stages == ("clear", "restore")
    assert config.out.parent == Path("runs")


def test_settings_survive_their_file(tmp_path: Path) -> None:
    config = resolve_config({"clear": "c", "distorted": "d", "out": "r", "epochs": 3, "model": {"latent_dim": 7}})
    write_toml(tmp_path / "config.toml", config)
    assert resolve_config({}, tmp_path / "config.toml") == config


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0}, {"learning_rate": float("nan")}, {"val_fraction": 1.0}, {"beta": -1.0},
        {"steps": 3, "epochs": 3}, {"stages": ("restore", "restore")}, {"stages": ("sleep",)}, {"nonsense": 1},
        {"distorted": None, "synthetic": 0.5}, {"synthetic": 1.5}, {"precision": "fp8"}, {"arch": "no-vae"},
        {"steps": "many"}, {"generated": 0.2}, {"generated": 1.2, "recipe": "mild"}, {"ema": 1.0},
        {"stages": ("uncertainty", "restore")}, {"backbone_rate": 0}, {"size": "small"},
        {"arch": "hierarchical-vae", "size": "huge"},
        {"arch": "hierarchical-vae", "size": "base", "model": {"widths": [8, 8, 8, 8]}},
    ],
    ids=str,
)  # fmt: skip
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    good = {"clear": "c", "distorted": "d", "out": "r"}
    settings = {key: value for key, value in (good | wrong).items() if value is not None}
    with pytest.raises(UsageError):
        resolve_config(settings)


def test_a_settings_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("x = ")
    with pytest.raises(UsageError, match="Cannot read the settings"):
        read_toml(tmp_path / "a.toml")


# Data


def test_variants_of_a_picture_never_stand_on_both_sides(picture_set: tuple[Path, Path]) -> None:
    for seed in range(10):
        split = split_pairs(*picture_set, val_fraction=0.4, seed=seed)
        train_clear, val_clear = ({pair.clear for pair in side} for side in (split.train, split.val))
        assert len(val_clear) == 2
        assert not train_clear & val_clear
        assert len(split.train) == 2 * len(train_clear)


def test_the_split_depends_on_the_seed_alone(picture_set: tuple[Path, Path]) -> None:
    first, again, other = (split_pairs(*picture_set, val_fraction=0.4, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_at_least_one_picture_is_held_out_and_one_is_left(picture_set: tuple[Path, Path]) -> None:
    assert len({pair.clear for pair in split_pairs(*picture_set, val_fraction=0.01, seed=0).val}) == 1
    assert len({pair.clear for pair in split_pairs(*picture_set, val_fraction=0.99, seed=0).train}) == 1
    assert not split_pairs(*picture_set, val_fraction=0, seed=0).val


def test_orphans_stop_the_run_and_unpaired_clear_ones_are_counted(picture_set: tuple[Path, Path]) -> None:
    clear, damaged = picture_set
    save_smooth(clear / "lonely.png")
    assert split_pairs(clear, damaged, val_fraction=0, seed=0).unpaired_clear == 1
    save_smooth(damaged / "orphan.png")
    with pytest.raises(PairingError) as caught:
        split_pairs(clear, damaged, val_fraction=0, seed=0)
    assert "orphan.png" in caught.value.details[0]


def test_both_crops_are_the_same_place() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    for seed in range(20):
        given, clear, _ = random_crop(pixels, 255 - pixels, 16, np.random.default_rng(seed))
        assert given.shape == (3, 16, 16)
        assert torch.equal(given, 255 - clear)


def test_a_picture_smaller_than_a_crop_is_mirrored() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 60, 3), dtype=np.uint8)
    given, _, place = random_crop(pixels, pixels, 16, np.random.default_rng(0))
    assert place[2] == pytest.approx(16 / 5)
    assert given.shape == (3, 16, 16)
    assert torch.equal(given[:, 5:10], given[:, :5].flip(1))


def test_whole_pictures_are_resized(picture_set: tuple[Path, Path]) -> None:
    pairs = split_pairs(*picture_set, val_fraction=0, seed=0).train
    cropping = Cropping(size=16, fit="resize")
    given, clear, _ = CropDataset(pairs, cropping, crops=4, seed=(0,))[0, 0]
    assert given.shape == clear.shape == (1, 3, 16, 16)
    assert load_crops(pairs, cropping).given.shape == (10, 3, 16, 16)


@pytest.mark.parametrize("fit", ["resize", "thumbnail"])
def test_whole_pictures_are_mirrored_half_of_the_time(fit: Fit) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    cropping = Cropping(size=16, fit=fit)
    given, clear, _ = cropping.random(pixels, 255 - pixels, 64, np.random.default_rng(0))

    def alike(first: torch.Tensor, second: torch.Tensor) -> bool:
        return bool((first.int() - second.int()).abs().max() <= 1)  # but for rounding

    assert alike(given, 255 - clear)
    mirrored = sum(alike(each, clear[0].flip(2)) for each in clear)
    assert 16 <= mirrored <= 48
    assert mirrored + sum(alike(each, clear[0]) for each in clear) == 64


@given(st.integers(1, 30), st.integers(1, 8), st.integers(0, 100))
def test_batches_after_a_break_are_those_that_would_have_come(
    pictures: int, per_batch: int, broken_at: int
) -> None:
    def batches(start: int, count: int) -> list[list[tuple[int, int]]]:
        sampler = iter(EpochSampler(pictures, per_batch, seed=(3,), start_step=start))
        return [next(sampler) for _ in range(count)]

    assert batches(broken_at, 5) == batches(0, broken_at + 5)[broken_at:]


@given(st.integers(1, 30), st.integers(1, 8))
def test_an_epoch_visits_every_picture_once(pictures: int, per_batch: int) -> None:
    sampler = EpochSampler(pictures, per_batch, seed=(3,), start_step=0)
    stream = iter(sampler)
    keys = [key for _ in range(sampler.steps_per_epoch) for key in next(stream)]
    assert sorted(keys) == [(0, index) for index in range(pictures)]


def test_workers_do_not_change_what_is_drawn(picture_set: tuple[Path, Path]) -> None:
    pairs = split_pairs(*picture_set, val_fraction=0, seed=0).train
    dataset = CropDataset(pairs, Cropping(size=16), crops=2, seed=(0,))
    sampler = EpochSampler(len(pairs), 3, seed=(0,), start_step=2)
    streams = [endless_batches(dataset, sampler, workers=workers, pin_memory=False) for workers in (0, 2)]
    for _ in range(6):
        here, there = (next(stream) for stream in streams)
        assert torch.equal(here[0], there[0])
        assert torch.equal(here[1], there[1])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path, workers: int) -> None:
    (tmp_path / "bad.png").write_bytes(b"nonsense")
    pair = PicturePair(clear=tmp_path / "bad.png", given=tmp_path / "bad.png")
    dataset = CropDataset([pair], Cropping(size=16), crops=2, seed=(0,))
    sampler = EpochSampler(1, 1, seed=(0,), start_step=0)
    with pytest.raises(PictureError, match=r"^\S*bad.png is not a picture$"):
        next(endless_batches(dataset, sampler, workers=workers, pin_memory=False))


def test_the_clear_stage_sees_every_clear_picture_once(picture_set: tuple[Path, Path]) -> None:
    pairs = clear_pairs(split_pairs(*picture_set, val_fraction=0, seed=0).train)
    assert len(pairs) == 5
    assert all(pair.clear == pair.given for pair in pairs)


# Schedule


def test_the_learning_rate_fits_the_budget(config: Callable[..., TrainConfig]) -> None:
    settings = config(learning_rate=1.0)
    rates = [learning_rate(settings, "restore", step, step / 1000) for step in range(1001)]
    assert rates[0] < 0.1
    assert max(rates) > 0.99
    assert rates[-1] == pytest.approx(0.01)
    assert rates[30:] == sorted(rates[30:], reverse=True)
    assert learning_rate(config(learning_rate=1.0, schedule="constant"), "restore", 0, 0.0) == 1.0


def test_the_backbone_may_learn_more_slowly_than_what_tells_how_sure_it_is(
    config: Callable[..., TrainConfig],
) -> None:
    settings = config(learning_rate=1.0, backbone_rate=0.2, schedule="constant")
    rates = [learning_rate(settings, stage, 0, 0.0) for stage in ("clear", "restore", "refine", "uncertainty")]
    assert rates == [0.2, 0.2, 0.1, 1.0]


def test_the_budget_is_shared_by_the_stages(config: Callable[..., TrainConfig]) -> None:
    assert [stage_budget(config(steps=100), stage, 10).steps for stage in ("clear", "restore")] == [25, 75]
    assert [stage_budget(config(steps=None, epochs=4), s, 10).steps for s in ("clear", "restore")] == [10, 30]
    minutes = config(steps=None, minutes=2.0, stages=("restore",))
    assert stage_budget(minutes, "restore", 10).seconds == 120


def test_a_budget_of_time_is_used_up_by_time() -> None:
    assert Budget(seconds=10).progress(999, 5) == 0.5
    assert Budget(seconds=10).progress(0, 11) == 1.0
    assert Budget(seconds=10).seconds_left(1, 4) == 6
    assert Budget(steps=10).seconds_left(5, 4) == 4


def test_every_epoch_is_evaluated_if_epochs_are_asked_for(config: Callable[..., TrainConfig]) -> None:
    assert evaluation_interval(config(steps=None, epochs=3), 7) == 7
    assert evaluation_interval(config(steps=500), 7) == 105
    assert evaluation_interval(config(steps=500), 5000) == 1000


# Damage on the fly


def synthetic_pairs(picture_set: tuple[Path, Path]) -> tuple[PicturePair, ...]:
    return split_pairs(picture_set[0], None, val_fraction=0, seed=0, recipe_digest="x").train


def test_clear_pictures_alone_are_damaged_on_the_fly(picture_set: tuple[Path, Path]) -> None:
    pairs = synthetic_pairs(picture_set)
    assert all(pair.given is None for pair in pairs)
    synthesis = Synthesis(recipe=load_recipe("severe"))
    dataset = CropDataset(pairs, Cropping(size=32, synthesis=synthesis), crops=4, seed=(0,))
    (first, clear, _), (again, _, _), (later, _, _) = (dataset[key] for key in ((0, 1), (0, 1), (1, 1)))
    assert first.shape == clear.shape == (4, 3, 32, 32)
    assert first.dtype == clear.dtype == torch.uint8
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
    assert (first.float() - clear.float()).abs().flatten(1).mean(1).min() > 2


def test_workers_do_not_change_the_damage(picture_set: tuple[Path, Path]) -> None:
    pairs, synthesis = synthetic_pairs(picture_set), Synthesis(recipe=load_recipe("everything"))
    cropping = Cropping(size=24, synthesis=synthesis, surroundings=True)
    dataset = CropDataset(pairs, cropping, crops=2, seed=(0,), generated=0.5)
    sampler = EpochSampler(len(pairs), 3, seed=(0,), start_step=0)
    streams = [endless_batches(dataset, sampler, workers=workers, pin_memory=False) for workers in (0, 2)]
    for _ in range(4):
        here, there = (next(stream) for stream in streams)
        assert torch.equal(here.given, there.given)
        assert all(torch.equal(one, other) for one, other in zip(here.around, there.around, strict=True))


def test_real_and_synthetic_crops_are_mixed_as_asked(picture_set: tuple[Path, Path]) -> None:
    clear, damaged = picture_set
    pairs = split_pairs(clear, damaged, val_fraction=0, seed=0, recipe_digest="x").train
    recipe = parse_recipe('[[steps]]\nkind = "blur"\nprobability = 0\n', name="b")
    counts = {}
    for share in (0.0, 0.5, 1.0):
        synthesis = Synthesis(recipe=recipe, share=share)
        dataset = CropDataset(pairs, Cropping(size=32, synthesis=synthesis), crops=20, seed=(0,))
        given, reference, _ = dataset[0, 0]
        # The real versions are noisy; this recipe changes nothing.
        real = (given != reference).flatten(1).any(1)
        counts[share] = int(real.sum())
    assert counts[0.0] == 20
    assert 3 < counts[0.5] < 17
    assert counts[1.0] == 0


def test_clear_pictures_without_a_version_are_used_when_damage_is_mixed_in(picture_set: tuple[Path, Path]) -> None:
    clear, damaged = picture_set
    save_smooth(clear / "alone.png")
    split = split_pairs(clear, damaged, val_fraction=0, seed=0, recipe_digest="x")
    assert split.unpaired_clear == 0
    assert [pair.clear.name for pair in split.train if pair.given is None] == ["alone.png"]


def test_held_out_crops_are_damaged_the_same_each_time(picture_set: tuple[Path, Path]) -> None:
    cropping = Cropping(size=32, synthesis=Synthesis(recipe=load_recipe("everything")))
    first, again = (load_crops(synthetic_pairs(picture_set), cropping) for _ in (0, 1))
    assert torch.equal(first[0], again[0])
    assert len(first[0]) == 64  # several damaged crops of each of the few pictures


@given(st.integers(8, 90), st.integers(8, 90), st.integers(0, 1000))
def test_varied_crops_have_their_size_whatever_the_picture(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert varied_crop(pixels, 16, np.random.default_rng(seed)).shape == (3, 16, 16)


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 1000))
def test_a_crop_lies_inside_the_picture_it_stands_in(height: int, width: int, seed: int) -> None:
    view = random_view(height, width, np.random.default_rng(seed))
    assert 0 <= view.top <= view.full_height - height
    assert 0 <= view.left <= view.full_width - width


def test_without_distorted_pictures_the_default_recipe_damages(picture_set: tuple[Path, Path]) -> None:
    given = {"clear": picture_set[0], "steps": 1}
    alone = resolve_config(given)
    assert (alone.recipe, alone.synthetic) == ("everything", None)
    assert resolve_config(given | {"stages": ("clear",)}).recipe is None
    paired = resolve_config(given | {"distorted": picture_set[1]})
    assert (paired.recipe, paired.synthetic) == (None, None)
    assert resolve_config(given | {"distorted": picture_set[1], "recipe": "scan"}).synthetic == 0.5
    assert resolve_config(given | {"distorted": picture_set[1], "synthetic": 0.2}).recipe == "everything"
