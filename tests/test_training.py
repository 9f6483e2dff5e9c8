"""Training: single steps, whole runs, and their continuation."""

import csv
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from artrestore.errors import (
    ArtRestoreError,
    DivergedError,
    InputError,
    InterruptedRunError,
    OutputError,
    PictureError,
    UsageError,
)
from artrestore.io.weights_file import read_header
from artrestore.models.loading import load_model
from artrestore.models.registry import build
from artrestore.training.config import TrainConfig
from artrestore.training.run import prepare_run, resumed_config
from artrestore.training.stage import set_up_stage
from artrestore.training.step import GradientGuard, make_optimizer, train_step
from artrestore.training.trainer import Progress, train
from conftest import TINY, save_smooth, write_tiny_weights


def run_all(config: TrainConfig, **options: Any) -> list[Progress]:
    return list(train(prepare_run(config), **options))


# Steps


def test_a_nan_skips_the_update_and_is_counted() -> None:
    model = build("conv-vae", TINY)
    optimizer, guard = make_optimizer("adam", list(model.parameters()), 1e-3), GradientGuard()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    bad = torch.full((2, 3, 32, 32), torch.nan)
    result = train_step(model, optimizer, bad, bad, beta=1.0, clip_grad_norm=0, guard=guard, bf16=False)
    assert result.skipped
    assert guard.skipped == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_an_exploding_gradient_is_refused_but_a_lasting_change_is_not() -> None:
    guard = GradientGuard()
    assert all(guard.accepts(1.0) for _ in range(50))
    assert not guard.accepts(1000.0)
    assert guard.accepts(1.0)
    assert guard.skipped == 1
    assert any(guard.accepts(1000.0) for _ in range(90))


def test_divergence_ends_the_run() -> None:
    guard = GradientGuard()
    with pytest.raises(DivergedError, match="100 updates in a row"):
        [guard.accepts(float("nan")) for _ in range(101)]


def test_gradients_are_clipped_if_asked_for() -> None:
    def moved(clip: float) -> float:
        torch.manual_seed(0)
        model = build("conv-vae", TINY)
        optimizer = make_optimizer("sgd", list(model.parameters()), 1e-6)
        before = torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()
        pictures = torch.rand(2, 3, 32, 32)
        train_step(
            model, optimizer, pictures, pictures, beta=1.0, clip_grad_norm=clip, guard=GradientGuard(), bf16=False
        )
        after = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
        return float((after - before).norm())

    assert moved(1.0) == pytest.approx(1e-6, rel=0.05)
    assert moved(0.0) > 1e-5


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_every_optimizer_trains_and_resumes(config: Callable[..., TrainConfig], optimizer: str) -> None:
    settings = config(optimizer=optimizer, learning_rate=1e-5, steps=4, stages=("restore",))
    assert len(run_all(settings)) == 4
    more = resumed_config(settings.out, {"steps": 6})
    assert len(list(train(prepare_run(more, resume=True)))) == 2


# Runs


def test_a_run_keeps_everything_it_promises(config: Callable[..., TrainConfig]) -> None:
    settings = config(steps=None, epochs=4)
    progress = run_all(settings)
    out = settings.out
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert names == {
        "config.toml", "metrics.csv", "loss.png", "state.safetensors", "best.safetensors", "last.safetensors",
        "best-clear.safetensors", "last-clear.safetensors", "grids/reconstructions-clear-00001.png",
        "grids/reconstructions-restore-00001.png", "grids/reconstructions-restore-00002.png",
        "grids/reconstructions-restore-00003.png",
    }  # fmt: skip
    with (out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["stage"] for row in rows] == ["clear", "restore", "restore", "restore"]
    for key in ("loss", "reconstruction", "kl", "val_psnr", "val_ssim", "val_psnr_given", "grad_norm"):
        assert all(np.isfinite(float(row[key])) for row in rows), key
    assert tomllib.loads((out / "config.toml").read_text())["epochs"] == 4
    assert progress[-1].evaluated
    header = read_header(out / "best.safetensors")
    assert header.architecture == "skip-vae"
    data = header.training["data"]
    assert len(data.pop("digest")) == 64
    assert data == {"train_pairs": 8, "val_pairs": 2, "train_clear": 4, "val_clear": 1}
    assert {"seed", "metrics", "versions", "step", "seconds", "settings"} <= header.training.keys()
    assert str(out.parent) not in str(header.training)


def test_the_losses_in_the_table_are_means_over_the_steps(config: Callable[..., TrainConfig]) -> None:
    settings = config(steps=None, epochs=2, stages=("restore",))
    losses = [p.result.losses["loss"] for p in run_all(settings)]
    half = len(losses) // 2
    table = [float(row["loss"]) for row in read_rows(settings.out / "metrics.csv")]
    assert table == pytest.approx([np.mean(losses[:half]), np.mean(losses[half:])])


def test_a_generative_model_draws_samples_every_epoch(config: Callable[..., TrainConfig]) -> None:
    settings = config(arch="conv-vae", steps=None, epochs=2)
    run_all(settings)
    names = sorted(path.name for path in (settings.out / "grids").glob("samples-*"))
    assert names == ["samples-restore-00001.png", "samples-restore-00002.png"]


def test_training_learns(config: Callable[..., TrainConfig]) -> None:
    last = run_all(config(steps=200, learning_rate=3e-3))[-1]
    assert last.evaluation
    assert last.evaluation.psnr > last.evaluation.psnr_given


def test_the_second_stage_goes_on_from_the_best_of_the_first(
    config: Callable[..., TrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    worse_and_worse = iter(range(100, 0, -1))
    monkeypatch.setattr(
        "artrestore.training.evaluation._mean_quality", lambda *_: (float(next(worse_and_worse)), 0.5)
    )
    settings = config(steps=None, epochs=8, learning_rate=1e-2)
    for progress in train(prepare_run(settings)):
        if progress.stage == "restore":
            break
    best, last, begun = (
        load_file(settings.out / f"{name}.safetensors") for name in ("best-clear", "last-clear", "state")
    )
    assert any(not torch.equal(best[name], last[name]) for name in best)
    assert all(torch.equal(best[name], begun[f"model.{name}"]) for name in best)


@pytest.mark.parametrize("kind", ["conv-vae", "skip-vae"])
def test_evaluating_leaves_the_network_in_training(config: Callable[..., TrainConfig], kind: str) -> None:
    run = prepare_run(config(arch=kind, steps=None, epochs=2))
    for _ in train(run):
        assert run.model.training


def test_values_that_are_no_numbers_are_never_the_best(
    config: Callable[..., TrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artrestore.training.evaluation.peak_signal_noise_ratio", lambda *_, **__: float("nan"))
    settings = config(steps=4, stages=("restore",))
    run_all(settings)
    assert not (settings.out / "best.safetensors").exists()
    assert read_header(settings.out / "last.safetensors").training["metrics"]["psnr"] is None


def test_a_batch_is_as_large_as_was_asked_for(config: Callable[..., TrainConfig]) -> None:
    for batch_size, crops in ((8, 8), (30, 6), (7, 7), (11, 1)):
        settings = config(batch_size=batch_size, crops_per_picture=8, stages=("restore",))
        stage = set_up_stage(prepare_run(settings))
        given = next(stage.batches).given
        pictures = min(8, batch_size // crops)  # 8 pairs are there to learn from
        assert len(given) == pictures * crops


def test_a_run_is_resumed_from_any_folder_and_without_its_first_weights(
    config: Callable[..., TrainConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = write_tiny_weights(tmp_path / "start.safetensors", "skip-vae")
    monkeypatch.chdir(tmp_path)
    settings = config(clear=Path("clear"), distorted=Path("damaged"), start_from="start.safetensors")
    run_all(settings)
    start.unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    more = resumed_config(Path("../run"), {"out": Path("../run"), "steps": 10})
    assert len(list(train(prepare_run(more, resume=True)))) == 2


def test_a_run_is_not_resumed_with_other_pictures(
    config: Callable[..., TrainConfig], picture_set: tuple[Path, Path]
) -> None:
    settings = config()
    run_all(settings)
    save_smooth(picture_set[1] / "a/picture (0)_9.png")
    with pytest.raises(InputError, match="same pictures"):
        prepare_run(resumed_config(settings.out, {"steps": 12}), resume=True)


def test_a_run_is_resumed_with_its_recipe_wherever_that_lies_but_not_with_another(
    config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[[steps]]\nkind = "noise"\nstrength = [0.5, 1.0]\n')
    settings = config(distorted=None, recipe=str(recipe), stages=("restore",), steps=2)
    list(train(prepare_run(settings)))
    moved = recipe.rename(tmp_path / "moved.toml")
    longer = resumed_config(settings.out, {"steps": 4, "recipe": str(moved)})
    list(train(prepare_run(longer, resume=True)))
    moved.write_text('[[steps]]\nkind = "blur"\n')
    with pytest.raises(InputError, match="recipe is not the same"):
        prepare_run(resumed_config(settings.out, {"steps": 6, "recipe": str(moved)}), resume=True)


def test_distorted_pictures_below_the_clear_ones_are_not_taken_for_clear(
    config: Callable[..., TrainConfig], picture_set: tuple[Path, Path]
) -> None:
    inside = picture_set[1].rename(picture_set[0] / "damaged")
    run = prepare_run(config(distorted=inside, recipe="mild", val_fraction=0))
    assert len({pair.clear for pair in run.split.train}) == 5


def test_the_run_folder_may_lie_among_the_pictures(
    config: Callable[..., TrainConfig], picture_set: tuple[Path, Path]
) -> None:
    settings = config(out=picture_set[0] / "run")
    run_all(settings)
    more = resumed_config(settings.out, {"steps": 10})
    assert len(list(train(prepare_run(more, resume=True)))) == 2


def test_a_run_that_never_took_a_step_can_be_begun_again(config: Callable[..., TrainConfig]) -> None:
    prepare_run(config())
    prepare_run(config())


def test_a_run_that_was_killed_early_can_be_resumed(config: Callable[..., TrainConfig]) -> None:
    settings = config()
    next(train(prepare_run(settings)))  # nothing is saved on the way out of a process that is killed
    resumed = list(train(prepare_run(resumed_config(settings.out, {}), resume=True)))
    assert len(resumed) == 8


def test_the_best_weights_are_those_that_measured_best(config: Callable[..., TrainConfig]) -> None:
    settings = config(steps=None, epochs=5, stages=("restore",), learning_rate=3e-3)
    psnr = [p.evaluation.psnr for p in run_all(settings) if p.evaluated and p.evaluation]
    assert read_header(settings.out / "best.safetensors").training["metrics"]["psnr"] == max(psnr)


@pytest.mark.parametrize("stop_at", [1, 3, 5])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_resuming_is_exact_to_the_bit(
    config: Callable[..., TrainConfig], tmp_path: Path, stop_at: int, precision: str
) -> None:
    whole = config(out=tmp_path / "whole", steps=10, seed=5, precision=precision)
    run_all(whole)
    broken = replace(whole, out=tmp_path / "broken")
    steps = iter(range(1, 100))
    with pytest.raises(InterruptedRunError, match="Stopped at step"):
        run_all(broken, should_stop=lambda: next(steps) == stop_at)
    torch.manual_seed(999)  # nothing may hang on what this process drew before
    rest = list(train(prepare_run(resumed_config(broken.out, {}), resume=True)))
    assert len(rest) == 10 - stop_at
    for name in ("last", "best", "best-clear", "state"):
        one, two = (load_file(out / f"{name}.safetensors") for out in (whole.out, broken.out))
        assert one.keys() == two.keys()
        assert all(torch.equal(one[key], two[key]) for key in one), name
    columns = [read_rows(out / "metrics.csv") for out in (whole.out, broken.out)]
    assert columns[0] == columns[1]


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return [
            {key: value for key, value in row.items() if key not in ("seconds", "pictures_per_second")}
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize("faster", [True, False])
def test_a_resumed_run_keeps_the_precision_that_was_found_to_be_faster(
    config: Callable[..., TrainConfig], monkeypatch: pytest.MonkeyPatch, faster: bool
) -> None:
    settings = config(precision="auto")
    monkeypatch.setattr("artrestore.training.run.uses_bf16", lambda *_: faster)
    run_all(settings)
    monkeypatch.setattr("artrestore.training.run.uses_bf16", lambda *_: not faster)
    assert prepare_run(resumed_config(settings.out, {}), resume=True).bf16 == faster


def test_a_finished_run_resumes_to_nothing_or_to_a_larger_budget(config: Callable[..., TrainConfig]) -> None:
    settings = config(steps=8)
    run_all(settings)
    assert list(train(prepare_run(resumed_config(settings.out, {}), resume=True))) == []
    more = list(train(prepare_run(resumed_config(settings.out, {"steps": 12}), resume=True)))
    assert [p.stage for p in more] == ["restore"] * 3


def test_resuming_with_other_settings_is_refused(config: Callable[..., TrainConfig], tmp_path: Path) -> None:
    settings = config()
    run_all(settings)
    with pytest.raises(UsageError) as caught:
        resumed_config(settings.out, {"beta": 2.0, "seed": 0, "batch_size": 3})
    assert [detail.split(":")[0] for detail in caught.value.details] == ["batch_size", "beta"]
    with pytest.raises(InputError, match="no run to resume"):
        resumed_config(tmp_path / "nowhere", {})


def test_a_run_never_writes_over_another(config: Callable[..., TrainConfig]) -> None:
    run_all(config())
    with pytest.raises(OutputError, match="already holds a run"):
        prepare_run(config())


def test_a_full_disk_is_found_before_training(
    config: Callable[..., TrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 100_000

    monkeypatch.setattr("artrestore.io.atomic.shutil.disk_usage", lambda _: Usage)
    with pytest.raises(OutputError, match="No space left"):
        prepare_run(config())


def test_an_unwritable_run_folder_is_found_before_training(
    config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtRestoreError, match="Cannot write"):
        prepare_run(config(out=tmp_path / "file" / "run"))


def test_pairs_of_different_sizes_stop_a_run_of_crops_but_not_of_whole_pictures(
    config: Callable[..., TrainConfig], picture_set: tuple[Path, Path]
) -> None:
    save_smooth(picture_set[1] / "a/picture (0)_small.png", 33, 44)
    with pytest.raises(PictureError) as caught:
        prepare_run(config())
    assert "33 x 44" in caught.value.details[0]
    assert "48 x 40" in caught.value.details[0]
    assert len(run_all(config(fit="resize"))) == 8


def test_training_can_begin_from_other_weights(config: Callable[..., TrainConfig], tmp_path: Path) -> None:
    start = write_tiny_weights(tmp_path / "start.safetensors", "skip-vae", seed=77)
    run = prepare_run(config(start_from=start))
    expected = load_model(start, device="cpu").model.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in run.model.state_dict().items())
    other = write_tiny_weights(tmp_path / "other.safetensors", "conv-vae")
    with pytest.raises(UsageError, match="holds a conv-vae"):
        prepare_run(config(arch="skip-vae", start_from=other, out=tmp_path / "other"))


def test_one_clear_picture_trains_without_a_held_out_one(
    config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    for folder in ("one", "two"):
        save_smooth(tmp_path / folder / "a.png")
    settings = config(clear=tmp_path / "one", distorted=tmp_path / "two")
    assert run_all(settings)[-1].evaluation is None
    assert (settings.out / "best.safetensors").exists()
