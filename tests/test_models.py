"""The contract of every architecture, and the exact shapes of those that are specified."""

import pytest
import torch
from torch import nn

from artrestore.errors import UnsupportedError, UsageError
from artrestore.losses import bernoulli_nll, kl_to_standard_normal
from artrestore.models.base import RestorationModel
from artrestore.models.layers import DiagonalGaussian
from artrestore.models.registry import ARCHITECTURES, architecture, build, names_that_can_sample
from artrestore.training.step import GradientGuard, make_optimizer, train_step
from conftest import TINY

every = pytest.mark.parametrize("name", ARCHITECTURES)


def tiny(name: str) -> RestorationModel:
    torch.manual_seed(0)
    return build(name, TINY)


def batch(model: RestorationModel, count: int = 4) -> torch.Tensor:
    size = model.tile_rule.tile_size
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
    model = tiny("skip-vae")
    picture = batch(model, 1)
    posterior, features = model.encoder(picture)
    h = torch.relu(model.decoder.features(model.decoder.hidden(posterior.mu))).unflatten(1, (16, 4, 4))
    h = torch.relu(model.decoder.up[0](h) + features[1])
    h = torch.relu(model.decoder.up[1](h) + features[0])
    expected = torch.sigmoid(model.decoder.up[2](h))
    torch.testing.assert_close(model(picture), expected)


def test_conv_vae_passes_everything_through_the_latent_vector() -> None:
    model = tiny("conv-vae")
    posterior, _ = model.encoder(batch(model, 2))
    decoded = torch.sigmoid(model.decoder(posterior.mu))
    torch.testing.assert_close(model(batch(model, 2)), decoded)


@every
def test_keeps_shape_and_range(name: str) -> None:
    model = tiny(name).eval()
    restored = model(batch(model))
    assert restored.shape == batch(model).shape
    assert restored.dtype == torch.float32
    assert 0 <= restored.min() <= restored.max() <= 1


@every
def test_restoring_is_deterministic(name: str) -> None:
    model = tiny(name).eval()
    assert torch.equal(model(batch(model)), model(batch(model)))


@every
def test_gradients_are_finite_and_reach_every_parameter(name: str) -> None:
    model = tiny(name)
    model.training_losses(batch(model), batch(model), beta=1.0)["loss"].backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        assert parameter.grad.any(), parameter_name


@every
def test_loss_is_reconstruction_plus_beta_times_kl(name: str) -> None:
    model = tiny(name)
    losses = model.training_losses(batch(model), batch(model), beta=3.0)
    torch.testing.assert_close(losses["loss"], losses["reconstruction"] + 3 * losses["kl"])


@every
def test_one_batch_can_be_overfitted(name: str) -> None:
    model = build(name, TINY | {"latent_dim": 16, "hidden_dim": 64})
    coarse = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    pictures = nn.functional.interpolate(coarse, size=32, mode="bilinear")
    optimizer = make_optimizer("adam", model, 3e-3)
    before = nn.functional.mse_loss(model(pictures), pictures).item()
    for _ in range(250):
        train_step(
            model, optimizer, pictures, pictures, beta=0.1, clip_grad_norm=0, guard=GradientGuard(), bf16=False
        )
    assert nn.functional.mse_loss(model(pictures), pictures).item() < 0.2 * before


@every
def test_bf16_training_gives_float32_losses_close_to_float32_training(name: str) -> None:
    model = tiny(name)
    torch.manual_seed(0)
    full = model.training_losses(batch(model), batch(model), beta=1.0)["loss"]
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model.training_losses(batch(model), batch(model), beta=1.0)["loss"]
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(full.item(), rel=0.01)


@every
def test_sampling_follows_the_spec(name: str) -> None:
    model = tiny(name)

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
def test_impossible_configs_never_reach_a_network(name: str) -> None:
    for wrong in ({"picture_size": 100}, {"latent_dim": 0}, {"no_such_field": 1}, {"widths": [8, "x"]}):
        with pytest.raises(UsageError) as caught:
            build(name, wrong)
        assert caught.value.details


def test_unknown_names_are_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError) as caught:
        architecture("skipvae")
    assert "skip-vae" in caught.value.hint


def test_names_that_can_sample_are_named() -> None:
    assert names_that_can_sample() == ["conv-vae"]


def test_skip_vae_trains_in_two_stages() -> None:
    assert architecture("skip-vae").spec.training.stages == ("clear", "restore")
    assert architecture("skip-vae").spec.training.learning_rate == 1e-3


def test_kl_is_that_of_torch_distributions() -> None:
    mu, logvar = torch.randn(5, 7), torch.randn(5, 7)
    posterior = torch.distributions.Normal(mu, torch.exp(0.5 * logvar))
    prior = torch.distributions.Normal(torch.zeros(5, 7), torch.ones(5, 7))
    expected = torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
    torch.testing.assert_close(kl_to_standard_normal(mu, logvar), expected)


def test_reconstruction_is_a_sum_over_pixels_and_a_mean_over_the_batch() -> None:
    logits, target = torch.randn(4, 3, 5, 5), torch.rand(4, 3, 5, 5)
    expected = nn.functional.binary_cross_entropy(torch.sigmoid(logits), target, reduction="sum") / 4
    torch.testing.assert_close(bernoulli_nll(logits, target), expected)


def test_posterior_samples_have_its_mean_and_deviation() -> None:
    torch.manual_seed(0)
    gaussian = DiagonalGaussian(torch.full((20_000, 1), 2.0), torch.full((20_000, 1), 2.0).log() * 2)
    samples = gaussian.sample()
    assert samples.mean().item() == pytest.approx(2, abs=0.06)
    assert samples.std().item() == pytest.approx(2, abs=0.06)
