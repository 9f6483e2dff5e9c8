"""The contract of every architecture, and the exact shapes of those that are specified."""

import pytest
import torch
from torch import nn

from artrestore.errors import UnsupportedError, UsageError
from artrestore.models.base import RestorationModel, StageName, Surroundings, thumbnail
from artrestore.models.layers import DiagonalGaussian
from artrestore.models.registry import ARCHITECTURES, architecture, build, names_that_can_sample
from artrestore.training.step import GradientGuard, make_optimizer, train_step
from conftest import TINY, TINY_OF, shaken, tiny_model

every = pytest.mark.parametrize("name", ARCHITECTURES)
every_stage = pytest.mark.parametrize(
    ("name", "stage"),
    [(name, stage) for name in ARCHITECTURES for stage in architecture(name).spec.training.stages],
)
WRONG = {
    "conv-vae": ({"picture_size": 100}, {"latent_dim": 0}, {"no_such_field": 1}, {"widths": [8, "x"]}),
    "skip-vae": ({"picture_size": 100}, {"latent_dim": 0}, {"no_such_field": 1}, {"widths": [8, "x"]}),
    "hierarchical-vae": ({"widths": [8, 8, 8]}, {"middle_blocks": 1}, {"no_such_field": 1}, {"grid": 0}),
}


def batch(model: RestorationModel, count: int = 4) -> torch.Tensor:
    size = model.tile_rule.tile_size if model.tile_rule.fixed else 2 * model.tile_rule.multiple
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def layer_shapes(model: nn.Module, run: object) -> list[tuple[str, tuple[int, ...]]]:
    """Output shapes of all layers that hold parameters, in the order in which they run."""
    seen: list[tuple[str, tuple[int, ...]]] = []
    hooks = [
        module.register_forward_hook(lambda m, _i, o: seen.append((type(m).__name__, tuple(o.shape[1:]))))
        for module in model.modules()
        if not list(module.children())
    ]
    run()  # type: ignore[operator]
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize("name", ["conv-vae", "skip-vae"])
def test_specified_parameter_count_and_stage_shapes(name: str) -> None:
    model = build(name)
    assert model.parameter_count == 18_371_523
    assert layer_shapes(model, lambda: model(batch(model, 1))) == [
        ("Conv2d", (32, 64, 64)),
        ("Conv2d", (64, 32, 32)),
        ("Conv2d", (128, 16, 16)),
        ("Conv2d", (256, 8, 8)),
        ("Linear", (512,)),
        ("Linear", (128,)),
        ("Linear", (128,)),
        ("Linear", (512,)),
        ("Linear", (16384,)),
        ("ConvTranspose2d", (128, 16, 16)),
        ("ConvTranspose2d", (64, 32, 32)),
        ("ConvTranspose2d", (32, 64, 64)),
        ("ConvTranspose2d", (3, 128, 128)),
    ]
    strided = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert {(m.kernel_size, m.stride, m.padding) for m in strided} == {((4, 4), (2, 2), (1, 1))}


def test_skip_vae_adds_the_encoder_outputs_before_the_relu() -> None:
    model = tiny_model("skip-vae")
    picture = batch(model, 1)
    posterior, features = model.encoder(picture)
    h = torch.relu(model.decoder.features(model.decoder.hidden(posterior.mu))).unflatten(1, (16, 4, 4))
    h = torch.relu(model.decoder.up[0](h) + features[1])
    h = torch.relu(model.decoder.up[1](h) + features[0])
    expected = torch.sigmoid(model.decoder.up[2](h))
    torch.testing.assert_close(model(picture), expected)


def test_conv_vae_passes_everything_through_the_latent_vector() -> None:
    model = tiny_model("conv-vae")
    posterior, _ = model.encoder(batch(model, 2))
    decoded = torch.sigmoid(model.decoder(posterior.mu))
    torch.testing.assert_close(model(batch(model, 2)), decoded)


@every
def test_keeps_shape_and_range(name: str) -> None:
    model = tiny_model(name).eval()
    restored = model(batch(model))
    assert restored.shape == batch(model).shape
    assert restored.dtype == torch.float32
    assert 0 <= restored.min() <= restored.max() <= 1


@every
def test_takes_the_sizes_of_its_tile_rule(name: str) -> None:
    model = tiny_model(name).eval()
    rule = model.tile_rule
    if rule.fixed:
        assert rule.tile_size % rule.multiple == 0
        return
    for height, width in ((1, 1), (2, 3), (5, 1)):
        pictures = torch.rand(1, 3, height * rule.multiple, width * rule.multiple)
        assert model(pictures).shape == pictures.shape
    assert rule.tile_size % rule.multiple == rule.overlap % rule.multiple == 0


@every
def test_restoring_is_deterministic(name: str) -> None:
    model = tiny_model(name).eval()
    assert torch.equal(model(batch(model)), model(batch(model)))


@every
def test_a_picture_is_restored_alike_alone_and_among_others(name: str) -> None:
    model = tiny_model(name).eval()
    torch.testing.assert_close(model(batch(model))[1:2], model(batch(model)[1:2]))


@every
def test_without_surroundings_a_tile_is_a_whole_picture(name: str) -> None:
    model, pictures = tiny_model(name).eval(), torch.rand(2, 3, 32, 32)
    around = Surroundings(
        thumbnail=thumbnail(pictures), place=torch.tensor([[0.0, 0, 1, 1]] * 2), lost=torch.zeros(2, 1, 32, 32)
    )
    assert torch.equal(model(pictures), model(pictures, around))


def in_training(name: str) -> RestorationModel:
    model = tiny_model(name)
    model.prepare_training()
    return shaken(model)


@every_stage
@pytest.mark.parametrize("bf16", [False, True])
def test_a_stage_reaches_all_that_it_trains_and_nothing_else(name: str, stage: StageName, bf16: bool) -> None:
    model = in_training(name)
    trained = {id(parameter) for parameter in model.trained_parameters(stage)}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in trained)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        losses = model.training_losses(batch(model), batch(model).square(), beta=1.0, stage=stage)
    losses["loss"].backward()
    for parameter_name, parameter in model.named_parameters():
        if id(parameter) not in trained:
            assert parameter.grad is None, parameter_name
            continue
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        assert parameter.grad.any(), parameter_name


@pytest.mark.parametrize("name", ["conv-vae", "skip-vae"])
def test_loss_is_reconstruction_plus_beta_times_kl(name: str) -> None:
    model = tiny_model(name)
    losses = model.training_losses(batch(model), batch(model), beta=3.0)
    torch.testing.assert_close(losses["loss"], losses["reconstruction"] + 3 * losses["kl"])


@every
def test_one_batch_can_be_overfitted(name: str) -> None:
    model = build(
        name, TINY | {"latent_dim": 16, "hidden_dim": 64} if "picture_size" in TINY_OF[name] else TINY_OF[name]
    )
    generator = torch.Generator().manual_seed(0)
    pictures = nn.functional.interpolate(torch.rand(2, 3, 4, 4, generator=generator), size=32, mode="bilinear")
    damaged = (pictures + 0.2 * torch.rand(2, 3, 32, 32, generator=generator) - 0.3).clamp(0, 1)
    optimizer = make_optimizer("adam", list(model.parameters()), 3e-3)
    before = nn.functional.mse_loss(model(damaged), pictures).item()
    for _ in range(250):
        train_step(
            model, optimizer, damaged, pictures, beta=0.1, clip_grad_norm=0, guard=GradientGuard(), bf16=False
        )
    assert nn.functional.mse_loss(model(damaged), pictures).item() < 0.2 * before


@every_stage
def test_bf16_training_gives_float32_losses_close_to_float32_training(name: str, stage: StageName) -> None:
    model = in_training(name).eval()
    torch.manual_seed(0)
    full = model.training_losses(batch(model), batch(model).square(), beta=1.0, stage=stage)["loss"]
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model.training_losses(batch(model), batch(model).square(), beta=1.0, stage=stage)["loss"]
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(full.item(), rel=0.01)


@every
def test_what_is_kept_for_restoring_restores_the_same(name: str) -> None:
    trained, fresh = in_training(name).eval(), build(name, TINY_OF[name]).eval()
    fresh.load_state_dict(trained.weights(), strict=True)
    assert torch.equal(fresh(batch(fresh)), trained(batch(trained)))
    other = build(name, TINY_OF[name])
    other.prepare_training()
    other.load_weights(trained.weights())
    assert torch.equal(other.eval()(batch(other)), trained(batch(trained)))


@every
def test_sampling_follows_the_spec(name: str) -> None:
    model = tiny_model(name)

    def draw(temperature: float = 1.0) -> torch.Tensor:
        return model.sample(3, temperature=temperature, generator=torch.Generator().manual_seed(5))

    if not model.spec.can_sample:
        with pytest.raises(UnsupportedError, match=name):
            draw()
        return
    assert draw().shape == (3, 3, 32, 32)
    assert torch.equal(draw(), draw())
    assert draw(0.0).std(dim=0).max() < 1e-6 < draw().std(dim=0).max()


@every
def test_telling_how_sure_it_is_follows_the_spec(name: str) -> None:
    model = tiny_model(name)
    assert ("uncertainty" in model.spec.training.stages) == model.spec.can_quantify
    assert ("tone" in model.spec.training.stages) == model.spec.sees_surroundings
    if model.spec.can_quantify:
        mean, scale = model.quantify(batch(model))
        assert mean.shape == scale.shape == batch(model).shape
        return
    for ask in (
        lambda: model.quantify(batch(model)),
        lambda: model.draw(batch(model), []),
        lambda: model.noise_shape,
    ):
        with pytest.raises(UnsupportedError, match=name):
            ask()


@pytest.mark.parametrize(("name", "wrong"), [(name, wrong) for name in ARCHITECTURES for wrong in WRONG[name]])
def test_impossible_configs_never_reach_a_network(name: str, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        build(name, wrong)
    assert caught.value.details


@every
def test_every_size_is_a_config_of_its_architecture(name: str) -> None:
    counts = []
    for size in architecture(name).sizes.values():
        with torch.device("meta"):
            counts.append(build(name, size).parameter_count)
    assert counts == sorted(counts)


def test_unknown_names_are_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError) as caught:
        architecture("skipvae")
    assert "skip-vae" in caught.value.hint


def test_names_that_can_sample_are_named() -> None:
    assert names_that_can_sample() == ["conv-vae"]


def test_skip_vae_trains_in_two_stages() -> None:
    assert architecture("skip-vae").spec.training.stages == ("clear", "restore")
    assert architecture("skip-vae").spec.training.learning_rate == 1e-3


def test_posterior_samples_have_its_mean_and_deviation() -> None:
    torch.manual_seed(0)
    gaussian = DiagonalGaussian(torch.full((20_000, 1), 2.0), torch.full((20_000, 1), 2.0).log() * 2)
    samples = gaussian.sample()
    assert samples.mean().item() == pytest.approx(2, abs=0.06)
    assert samples.std().item() == pytest.approx(2, abs=0.06)
