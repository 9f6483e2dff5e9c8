"""Training `hierarchical-vae`: its three stages, the moving average, and where it begins."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from artrestore.errors import InterruptedRunError, UsageError
from artrestore.io.weights_file import read_header
from artrestore.models.loading import load_model
from artrestore.training.config import TrainConfig
from artrestore.training.run import prepare_run, resumed_config
from artrestore.training.stage import set_up_stage
from artrestore.training.trainer import Progress, train
from conftest import TINY_FLAGSHIP, write_tiny_weights
from test_training import read_rows

OWN = ("noise.", "log_scale.")  # what the stage `uncertainty` trains


@pytest.fixture
def flagship(config: Callable[..., TrainConfig]) -> Callable[..., TrainConfig]:
    """Settings of a tiny run on pictures that are damaged on the fly."""

    def make(**changes: Any) -> TrainConfig:
        settings = {
            "arch": "hierarchical-vae", "model": TINY_FLAGSHIP, "crop_size": 32, "batch_size": 4, "steps": 10,
            "distorted": None, "recipe": "mild",
        }  # fmt: skip
        return config(**(settings | changes))

    return make


def run_all(config: TrainConfig) -> list[Progress]:
    return list(train(prepare_run(config)))


def same(one: Path, other: Path) -> set[str]:
    """Names of the tensors that two files have in common, to the bit."""
    first, second = load_file(one), load_file(other)
    return {name for name in first.keys() & second.keys() if torch.equal(first[name], second[name])}


@pytest.mark.parametrize("val_fraction", [0.2, 0.0])
def test_learning_how_sure_it_is_leaves_the_mean_as_it_was_to_the_bit(
    flagship: Callable[..., TrainConfig], val_fraction: float
) -> None:
    settings = flagship(val_fraction=val_fraction)
    progress = run_all(settings)
    assert [p.stage for p in progress] == ["tone"] + ["restore"] * 5 + ["refine"] * 2 + ["uncertainty"] * 2
    before, after = settings.out / "best-refine.safetensors", settings.out / "best.safetensors"
    changed = load_file(after).keys() - same(before, after)
    assert changed
    assert all(name.startswith(OWN) for name in changed)
    assert any(name.startswith("log_scale.") for name in changed)
    pictures = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        means = [load_model(path, device="cpu").model(pictures) for path in (before, after)]
    assert torch.equal(*means)


def test_learning_tone_changes_nothing_but_the_tone_network(flagship: Callable[..., TrainConfig]) -> None:
    run = prepare_run(flagship(stages=("tone",), steps=2))
    before = {name: tensor.clone() for name, tensor in run.model.weights().items()}
    list(train(run))
    changed = {name for name, tensor in run.model.weights().items() if not torch.equal(tensor, before[name])}
    assert {"tone.transforms.weight", "tone.noise.out.weight", "tone.doubt.2.weight"} <= changed
    assert all(name.startswith("tone.") for name in changed)


def test_refining_leaves_the_tone_network_as_it_is(flagship: Callable[..., TrainConfig]) -> None:
    run = prepare_run(flagship(stages=("refine",), steps=2))
    before = {name: tensor.clone() for name, tensor in run.model.weights().items()}
    list(train(run))
    changed = {name for name, tensor in run.model.weights().items() if not torch.equal(tensor, before[name])}
    assert "residual.weight" in changed
    assert not any(name.startswith("tone.") for name in changed)


def test_yellowed_varnish_is_seen_in_thumbnails_within_forty_steps(
    flagship: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    recipe = tmp_path / "yellow.toml"
    recipe.write_text('[[steps]]\nkind = "yellowed-varnish"\nstrength = [0.9, 0.9]\n')
    settings = flagship(stages=("tone",), steps=40, batch_size=8, recipe=str(recipe), learning_rate=5e-3, ema=0.0)
    last = run_all(settings)[-1].evaluation
    assert last is not None
    assert last.psnr > last.psnr_given + 2


def test_generated_details_are_learned_from_but_not_measured_by(flagship: Callable[..., TrainConfig]) -> None:
    few, many = (set_up_stage(prepare_run(flagship(generated=share, workers=0))) for share in (0.0, 0.9))
    assert torch.equal(few.evaluator.clear, many.evaluator.clear)
    assert not torch.equal(next(iter(few.batches)).clear, next(iter(many.batches)).clear)


def test_recoloured_pictures_are_learned_from_but_not_measured_by(
    flagship: Callable[..., TrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = []
    for share in (0.0, 0.9):
        monkeypatch.setattr("artrestore.training.stage._RECOLOURED", share)
        stages.append(set_up_stage(prepare_run(flagship(stages=("tone",), workers=0))))
    never, often = stages
    assert torch.equal(never.evaluator.clear, often.evaluator.clear)
    assert not torch.equal(next(iter(never.batches)).clear, next(iter(often.batches)).clear)


def test_restoring_well_leaves_the_latents_and_the_scale_for_later(flagship: Callable[..., TrainConfig]) -> None:
    settings = flagship(stages=("restore",), steps=2)
    run = prepare_run(settings)
    before = {name: tensor.clone() for name, tensor in run.model.weights().items()}
    list(train(run))
    changed = {name for name, tensor in run.model.weights().items() if not torch.equal(tensor, before[name])}
    assert changed
    assert not any(name.startswith(OWN) for name in changed)


def test_a_frozen_parameter_keeps_no_gradient_of_the_stage_before(flagship: Callable[..., TrainConfig]) -> None:
    run = prepare_run(flagship())
    for progress in train(run):
        trained = {id(parameter) for parameter in run.model.trained_parameters(progress.stage)}
        left = [p for p in run.model.parameters() if id(p) not in trained and p.grad is not None]
        assert not left, progress.stage


@pytest.mark.parametrize(
    ("stop_at", "changes"),
    [(1, {}), (3, {}), (9, {}), (11, {}), (11, {"precision": "bf16"}), (11, {"ema": 0.0, "generated": 0.5})],
)
def test_resuming_is_exact_to_the_bit_in_every_stage(
    flagship: Callable[..., TrainConfig], tmp_path: Path, stop_at: int, changes: dict[str, Any]
) -> None:
    whole = flagship(out=tmp_path / "whole", steps=12, seed=3, **changes)
    run_all(whole)
    broken = replace(whole, out=tmp_path / "broken")
    steps = iter(range(1, 100))
    with pytest.raises(InterruptedRunError):
        list(train(prepare_run(broken), should_stop=lambda: next(steps) == stop_at))
    torch.manual_seed(999)  # nothing may hang on what this process drew before
    rest = list(train(prepare_run(resumed_config(broken.out, {}), resume=True)))
    assert len(rest) == 12 - stop_at
    for name in ("last", "best", "best-tone", "best-restore", "state"):
        files = [out / f"{name}.safetensors" for out in (whole.out, broken.out)]
        assert same(*files) == load_file(files[0]).keys(), name
    assert read_rows(whole.out / "metrics.csv") == read_rows(broken.out / "metrics.csv")


def test_the_moving_average_is_what_is_kept(flagship: Callable[..., TrainConfig]) -> None:
    settings = flagship(stages=("restore",), steps=4, ema=0.3, learning_rate=1e-2)
    run = prepare_run(settings)
    expected: dict[str, torch.Tensor] = {}
    for step, _ in enumerate(train(run)):
        kept = min(0.3, (1 + step) / (10 + step)) if step else 0.0
        expected = {
            name: kept * expected[name] + (1 - kept) * tensor if step else tensor.clone()
            for name, tensor in run.model.weights().items()
        }
    found = load_file(settings.out / "last.safetensors")
    assert not torch.equal(found["intro.weight"], run.model.weights()["intro.weight"])
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, msg=name)


def test_a_moving_average_is_kept_of_any_architecture(config: Callable[..., TrainConfig]) -> None:
    settings = config(ema=0.9, steps=3, stages=("restore",))
    run = prepare_run(settings)
    list(train(run))
    found = load_file(settings.out / "last.safetensors")
    assert any(not torch.equal(found[name], tensor) for name, tensor in run.model.weights().items())


def test_pairs_and_whole_pictures_train_it_too(
    flagship: Callable[..., TrainConfig], picture_set, tmp_path: Path
) -> None:
    pairs = {"distorted": picture_set[1], "recipe": None, "steps": 4}
    for fit in ("crop", "resize"):
        stages = [p.stage for p in run_all(flagship(**pairs, fit=fit, out=tmp_path / fit))]
        assert stages == ["tone", "restore", "restore", "refine", "uncertainty"]


def test_a_network_that_cannot_tell_is_not_asked_how_sure_it_is(config: Callable[..., TrainConfig]) -> None:
    with pytest.raises(UsageError, match="cannot tell how sure it is") as caught:
        prepare_run(config(stages=("restore", "uncertainty")))
    assert "hierarchical-vae" in caught.value.hint


def test_a_network_with_one_loss_for_restoring_has_nothing_to_refine(config: Callable[..., TrainConfig]) -> None:
    with pytest.raises(UsageError, match="no stage `refine`") as caught:
        prepare_run(config(stages=("restore", "refine")))
    assert "hierarchical-vae" in caught.value.hint


def test_what_will_be_refined_is_the_newest_and_not_what_the_psnr_likes_best(
    flagship: Callable[..., TrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artrestore.training.schedule.MIN_STEPS_BETWEEN_EVALUATIONS", 1)
    falling = itertools.count(40, -1)
    monkeypatch.setattr("artrestore.training.evaluation._mean_quality", lambda *_: (float(next(falling)), 0.9))
    refined = flagship(stages=("restore", "refine"), steps=8)
    assert len([p for p in run_all(refined) if p.stage == "restore" and p.evaluated]) > 1
    best, last = (refined.out / f"{name}-restore.safetensors" for name in ("best", "last"))
    assert same(best, last) == load_file(last).keys()


def test_a_network_that_sees_its_tile_alone_is_not_asked_to_learn_tone(config: Callable[..., TrainConfig]) -> None:
    with pytest.raises(UsageError, match="no stage `tone`") as caught:
        prepare_run(config(stages=("tone", "restore")))
    assert "hierarchical-vae" in caught.value.hint


@pytest.mark.parametrize(("arch", "size", "hint"), [("hierarchical-vae", 40, "32"), ("skip-vae", 64, "Leave out")])
def test_crops_that_the_network_cannot_take_are_refused(
    config: Callable[..., TrainConfig], arch: str, size: int, hint: str
) -> None:
    model = {} if arch == "skip-vae" else TINY_FLAGSHIP
    with pytest.raises(UsageError, match="takes crops") as caught:
        prepare_run(config(arch=arch, crop_size=size, model=model))
    assert hint in caught.value.hint


# Where training begins


def test_the_record_says_what_the_run_began_from(flagship: Callable[..., TrainConfig], tmp_path: Path) -> None:
    first = flagship(stages=("restore",), steps=2, out=tmp_path / "first")
    run_all(first)
    second = flagship(
        start_from=str(first.out / "best.safetensors"), stages=("uncertainty",), steps=2, out=tmp_path / "second"
    )
    run_all(second)
    training = read_header(second.out / "best.safetensors").training
    assert training["began_from"] == read_header(first.out / "best.safetensors").training
    assert training["stage"] == "uncertainty"
    assert str(tmp_path) not in str(training)
    assert "began_from" not in training["began_from"]


def test_weights_without_a_posterior_are_enough_to_go_on_from(
    flagship: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    start = write_tiny_weights(tmp_path / "start.safetensors", "hierarchical-vae")
    run = prepare_run(flagship(start_from=str(start), model={}))
    expected = load_model(start, device="cpu").model.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in run.model.weights().items())
