"""What training owes to each sort of network: adversaries, batch statistics, latent vectors."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from artrestore.cli.train_display import _line
from artrestore.errors import InterruptedRunError, UsageError
from artrestore.io.weights_file import read_header
from artrestore.models.loading import load_model
from artrestore.models.registry import ARCHITECTURES, build
from artrestore.training.config import TrainConfig, resolve_config
from artrestore.training.ema import moving_average
from artrestore.training.run import prepare_run, resumed_config
from artrestore.training.schedule import kl_weight
from artrestore.training.stage import set_up_stage
from artrestore.training.step import GradientGuard, make_optimizer, train_step
from artrestore.training.trainer import train
from conftest import TINY_OF
from test_training import read_rows, run_all


@pytest.fixture
def config_of(config: Callable[..., TrainConfig]) -> Callable[..., TrainConfig]:
    def make(arch: str, **changes: Any) -> TrainConfig:
        return config(**{"arch": arch, "model": TINY_OF[arch], "batch_size": 4, **changes})

    return make


@pytest.mark.parametrize(
    ("arch", "settings"),
    [
        ("pix2pix", {}),
        ("pix2pix", {"ema": 0.9, "precision": "bf16"}),
        ("unet-vae", {"ema": 0.9}),
        ("resnet-vae", {"kl_warmup": 0.5, "free_bits": 0.1}),
    ],
)
def test_resuming_is_exact_whatever_the_network_holds(
    config_of: Callable[..., TrainConfig], tmp_path: Path, arch: str, settings: dict[str, Any]
) -> None:
    whole = config_of(arch, out=tmp_path / "whole", steps=6, seed=5, **settings)
    run_all(whole)
    broken, steps = replace(whole, out=tmp_path / "broken"), iter(range(1, 100))
    with pytest.raises(InterruptedRunError):
        run_all(broken, should_stop=lambda: next(steps) == 3)
    torch.manual_seed(999)
    assert len(list(train(prepare_run(resumed_config(broken.out, {}), resume=True)))) == 3
    for name in ("last", "best", "state"):
        one, two = (load_file(out / f"{name}.safetensors") for out in (whole.out, broken.out))
        assert one.keys() == two.keys()
        assert all(torch.equal(one[key], two[key]) for key in one), name
    assert read_rows(whole.out / "metrics.csv") == read_rows(broken.out / "metrics.csv")


def test_the_adversary_is_in_the_state_and_not_in_the_weights(config_of: Callable[..., TrainConfig]) -> None:
    settings = config_of("pix2pix", steps=3)
    last = run_all(settings)[-1]
    state = load_file(settings.out / "state.safetensors")
    weights = load_file(settings.out / "last.safetensors")
    assert any(name.startswith("model.discriminator.") for name in state)
    assert any(name.startswith("adversary.0.exp_avg") for name in state)
    assert not any("discriminator" in name for name in weights)
    assert load_model(settings.out / "best.safetensors", device="cpu").model.name == "pix2pix"
    assert " adv. " in _line(last)
    assert " disc. " in _line(last)


def test_each_of_two_players_moves_by_its_own_optimizer() -> None:
    torch.manual_seed(0)
    model = build("pix2pix", TINY_OF["pix2pix"])
    model.prepare_training()
    generator, critic = model.trained_parameters("restore"), model.adversary_parameters()
    before = [parameter.detach().clone() for parameter in critic]
    still = make_optimizer("sgd", critic, 0.0)
    pictures = torch.rand(4, 3, 32, 32)
    options: dict[str, Any] = {"beta": 1.0, "clip_grad_norm": 0, "guard": GradientGuard(), "bf16": False}
    moving = make_optimizer("adam", generator, 1e-3, adam_beta1=0.5)
    train_step(model, moving, pictures, pictures, adversary=still, **options)
    assert all(torch.equal(*pair) for pair in zip(critic, before, strict=True))
    assert moving.param_groups[0]["betas"] == (0.5, 0.999)
    generator_before = [parameter.detach().clone() for parameter in generator]
    moving.param_groups[0]["lr"] = 0.0
    train_step(model, moving, pictures, pictures, adversary=make_optimizer("adam", critic, 1e-3), **options)
    assert all(torch.equal(*pair) for pair in zip(generator, generator_before, strict=True))
    assert not any(torch.equal(*pair) for pair in zip(critic, before, strict=True))


@pytest.mark.parametrize("arch", ["unet-vae", "pix2pix"])
def test_a_skipped_update_leaves_no_trace_in_batch_statistics(arch: str) -> None:
    model = build(arch, TINY_OF[arch])
    model.prepare_training()
    optimizer, guard = make_optimizer("adam", model.trained_parameters("restore"), 1e-3), GradientGuard()
    against = model.adversary_parameters()
    adversary = make_optimizer("adam", against, 1e-3) if against else None
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    bad = torch.full((2, 3, 32, 32), torch.nan)
    result = train_step(
        model, optimizer, bad, bad, beta=1.0, clip_grad_norm=1.0, guard=guard, bf16=False, adversary=adversary
    )
    assert result.skipped
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_an_adversary_that_breaks_down_stops_the_update_of_both() -> None:
    model = build("pix2pix", TINY_OF["pix2pix"])
    model.prepare_training()
    optimizer = make_optimizer("adam", model.trained_parameters("restore"), 1e-3)
    adversary = make_optimizer("adam", model.adversary_parameters(), 1e-3)
    good = torch.rand(2, 3, 32, 32)
    bad = good.clone()
    bad[0, 0, 0, 0] = torch.inf  # a clear picture, which only the discriminator and the error see
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    result = train_step(
        model, optimizer, good, bad, beta=1.0, clip_grad_norm=0, guard=GradientGuard(), bf16=False,
        adversary=adversary,
    )  # fmt: skip
    assert result.skipped
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_what_is_kept_of_an_average_has_the_newest_batch_statistics() -> None:
    torch.manual_seed(0)
    model = build("unet-vae", TINY_OF["unet-vae"])
    average = moving_average(model, 0.9)
    assert average is not None
    model.training_losses(torch.rand(4, 3, 32, 32), torch.rand(4, 3, 32, 32), beta=1.0)
    average.update_parameters(model)
    mine, kept = dict(model.named_buffers()), dict(average.module.named_buffers())
    assert mine
    assert all(torch.equal(mine[name], kept[name]) for name in mine)


def test_the_weight_of_the_divergence_warms_up_over_a_part_of_the_stage(
    config_of: Callable[..., TrainConfig],
) -> None:
    settings = config_of("resnet-vae", beta=0.5, kl_warmup=0.25)
    assert [kl_weight(settings, at) for at in (0.0, 0.125, 0.25, 1.0)] == [0.0, 0.25, 0.5, 0.5]
    assert kl_weight(replace(settings, kl_warmup=0.0), 0.0) == 0.5
    first, *_, last = run_all(replace(settings, steps=8))
    for progress, weight in ((first, 0.0), (last, 0.5)):
        losses = progress.result.losses
        assert losses["loss"] - losses["reconstruction"] == pytest.approx(weight * losses["kl"], abs=1e-3)


@pytest.mark.parametrize("arch", ["pix2pix", "hierarchical-vae"])
@pytest.mark.parametrize("setting", [{"kl_warmup": 0.5}, {"free_bits": 0.1}])
def test_settings_of_a_latent_vector_are_refused_where_there_is_none(
    config_of: Callable[..., TrainConfig], arch: str, setting: dict[str, float]
) -> None:
    changes = {"crop_size": 32} if arch == "hierarchical-vae" else {}
    with pytest.raises(UsageError, match="has no latent vector"):
        prepare_run(config_of(arch, **setting, **changes))


def test_units_that_vary_with_the_picture_are_counted_as_active(config_of: Callable[..., TrainConfig]) -> None:
    run = prepare_run(config_of("conv-vae"))
    evaluator = set_up_stage(run).evaluator
    mu = run.model.encoder.mu
    with torch.no_grad():
        mu.weight.mul_(1e3)
        mu.weight[2:].zero_()
    evaluation = evaluator.evaluate()
    assert evaluation is not None
    assert evaluation.active_units == 2


def test_active_units_are_recorded_and_shown(config_of: Callable[..., TrainConfig]) -> None:
    settings = config_of("resnet-vae", steps=4)
    last = run_all(settings)[-1]
    assert last.evaluation
    units = last.evaluation.active_units
    assert f"active units {units}" in _line(last)
    assert read_rows(settings.out / "metrics.csv")[-1]["active_units"] == str(units)
    assert read_header(settings.out / "last.safetensors").training["metrics"]["active_units"] == units


def test_a_budget_of_epochs_is_the_default_where_the_architecture_has_one() -> None:
    for arch in ARCHITECTURES:
        config = resolve_config({"clear": "c", "arch": arch, "out": "run"})
        expected = (100, None) if arch in ("unet-vae", "pix2pix") else (None, 30)
        assert (config.epochs, config.minutes) == expected
    assert resolve_config({"clear": "c", "arch": "pix2pix", "minutes": 5.0}).epochs is None
