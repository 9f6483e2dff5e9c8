"""The contract of every architecture, and the exact shapes of those that are specified."""

import pytest
import torch
from torch import nn

from artrestore.errors import UnsupportedError, UsageError
from artrestore.models import devices
from artrestore.models.base import RestorationModel, StageName, Surroundings, thumbnail
from artrestore.models.layers import DiagonalGaussian
from artrestore.models.registry import ARCHITECTURES, architecture, build, names_that_can_sample
from artrestore.training.step import GradientGuard, make_optimizer, train_step
from conftest import TINY_OF, shaken, tiny_model

every = pytest.mark.parametrize("name", ARCHITECTURES)
every_stage = pytest.mark.parametrize(
    ("name", "stage"),
    [(name, stage) for name in ARCHITECTURES for stage in architecture(name).spec.training.stages],
)
WRONG = {
    "conv-vae": ({"picture_size": 100}, {"latent_dim": 0}, {"no_such_field": 1}, {"widths": [8, "x"]}),
    "skip-vae": ({"picture_size": 100}, {"latent_dim": 0}, {"no_such_field": 1}, {"widths": [8, "x"]}),
    "unet-vae": ({"widths": [8]}, {"latent_dim": 0}, {"picture_size": 256}, {"slope": 1}),
    "pix2pix": ({"widths": [8, 8, 8]}, {"lambda_l1": -1}, {"latent_dim": 8}, {"dropout": 1.0}),
    "resnet-vae": ({"picture_size": 100}, {"latent_dim": 0}, {"hidden_dim": 8}, {"widths": [8, "x"]}),
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


def convolutions(model: nn.Module, kind: type[nn.Module]) -> set[tuple[object, ...]]:
    return {(m.kernel_size, m.stride, m.padding) for m in model.modules() if isinstance(m, kind)}


def test_specified_resnet_vae() -> None:
    model = build("resnet-vae")
    assert model.parameter_count == 27_527_491
    shapes = layer_shapes(model, lambda: model(batch(model, 1)))
    down = [(width, 64 >> stage, 64 >> stage) for stage, width in enumerate((32, 64, 128, 256))]
    assert shapes == [
        *(("Conv2d", shape) for shape in down for _ in range(3)),  # with stride 2, and a residual block's two
        ("Linear", (512,)),
        ("Linear", (512,)),
        ("Linear", (16384,)),
        ("ConvTranspose2d", (128, 16, 16)),
        ("ConvTranspose2d", (64, 32, 32)),
        ("ConvTranspose2d", (32, 64, 64)),
        ("ConvTranspose2d", (3, 128, 128)),
    ]
    assert convolutions(model, nn.Conv2d) == {((3, 3), (2, 2), (1, 1)), ((3, 3), (1, 1), (1, 1))}
    assert convolutions(model, nn.ConvTranspose2d) == {((3, 3), (2, 2), (1, 1))}
    training = model.spec.training
    assert (training.optimizer, training.learning_rate, training.schedule) == ("adam", 1e-4, "constant")
    assert training.clip_grad_norm > 0


U_NET_DOWN = [(width, 128 >> i, 128 >> i) for i, width in enumerate((64, 128, 256, 512, 512, 512, 512, 512))]
U_NET_UP = [(width, 2 << i, 2 << i) for i, width in enumerate((512, 512, 512, 512, 256, 128, 64, 3))]


def test_specified_unet_vae() -> None:
    model = build("unet-vae").eval()
    assert model.parameter_count == 50_810_755
    shapes = layer_shapes(model, lambda: model(batch(model, 1)))
    assert shapes == [
        *((kind, shape) for shape in U_NET_DOWN for kind in ("Conv2d", "BatchNorm2d")),
        ("Linear", (64,)),
        ("Linear", (64,)),
        *((kind, shape) for shape in U_NET_UP[:-1] for kind in ("ConvTranspose2d", "BatchNorm2d")),
        ("ConvTranspose2d", U_NET_UP[-1]),
    ]
    assert convolutions(model, nn.Conv2d | nn.ConvTranspose2d) == {((4, 4), (2, 2), (1, 1))}
    training = model.spec.training
    assert (training.learning_rate, training.schedule, training.epochs) == (1e-4, "constant", 100)


def test_specified_pix2pix() -> None:
    model = build("pix2pix").eval()
    assert model.parameter_count == 54_414_531
    shapes = [shape for kind, shape in layer_shapes(model, lambda: model(batch(model, 1))) if kind[0] == "C"]
    assert shapes == [*U_NET_DOWN, *U_NET_UP]
    model.prepare_training()
    critic = model.discriminator
    assert sum(parameter.numel() for parameter in critic.parameters()) == 19_537_985
    assert layer_shapes(critic, lambda: critic(torch.rand(1, 6, 256, 256))) == [
        ("Conv2d", (64, 128, 128)),
        ("Conv2d", (128, 64, 64)),
        ("BatchNorm2d", (128, 64, 64)),
        ("Conv2d", (256, 32, 32)),
        ("BatchNorm2d", (256, 32, 32)),
        ("Conv2d", (512, 16, 16)),
        ("BatchNorm2d", (512, 16, 16)),
        ("Linear", (128,)),
        ("Linear", (1,)),
    ]
    assert convolutions(model, nn.Conv2d | nn.ConvTranspose2d) == {((4, 4), (2, 2), (1, 1))}
    training = model.spec.training
    assert (training.optimizer, training.adam_beta1, training.epochs) == ("adam", 0.5, 100)


def test_unet_vae_puts_the_encoder_outputs_behind_the_layers_of_their_size() -> None:
    model = tiny_model("unet-vae").eval()
    picture = batch(model, 1)
    posterior, features = model.encoder(picture)
    h = posterior.mu[:, :, None, None]
    for block, skip in zip(model.decoder.up, reversed(features[:-1]), strict=True):
        h = torch.cat([torch.relu(block.norm(block.convolution(h))), skip], dim=1)
    torch.testing.assert_close(model(picture), torch.sigmoid(model.decoder.last(h)))


def test_the_adversary_learns_from_its_own_loss_alone() -> None:
    model = in_training("pix2pix")
    losses = model.training_losses(batch(model), batch(model).square(), beta=1.0)
    losses["discriminator"].backward()
    assert all(parameter.grad.any() for parameter in model.adversary_parameters())
    assert all(parameter.grad is None for parameter in model.trained_parameters("restore"))
    weight = model.config.lambda_l1
    torch.testing.assert_close(losses["loss"], losses["adversarial"] + weight * losses["reconstruction"])


def test_a_purely_adversarial_gan_has_no_other_loss() -> None:
    model = build("pix2pix", TINY_OF["pix2pix"] | {"lambda_l1": 0.0})
    model.prepare_training()
    losses = model.training_losses(batch(model), batch(model).square(), beta=1.0)
    assert losses["loss"].item() == losses["adversarial"].item()


@pytest.mark.parametrize("name", ["unet-vae", "pix2pix"])
def test_a_single_crop_can_be_learnt_from_with_batch_normalisation(name: str) -> None:
    model = in_training(name)
    losses = model.training_losses(batch(model, 1), batch(model, 1), beta=1.0)
    assert all(torch.isfinite(loss) for loss in losses.values())


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


with_latent_vector = pytest.mark.parametrize("name", ["conv-vae", "skip-vae", "unet-vae", "resnet-vae"])


@with_latent_vector
def test_loss_is_reconstruction_plus_beta_times_kl(name: str) -> None:
    model = tiny_model(name)
    losses = model.training_losses(batch(model), batch(model), beta=3.0)
    torch.testing.assert_close(losses["loss"], losses["reconstruction"] + 3 * losses["kl"])


@with_latent_vector
def test_free_bits_are_what_each_unit_costs_at_least(name: str) -> None:
    model = tiny_model(name)
    costly = 1000.0  # nats, more than any unit carries
    losses = model.training_losses(batch(model), batch(model), beta=2.0, free_bits=costly)
    torch.testing.assert_close(
        losses["loss"] - losses["reconstruction"], torch.tensor(2 * costly * model.latent_dim)
    )
    assert losses["kl"] < costly


@pytest.mark.parametrize("name", ["unet-vae", "resnet-vae"])
def test_the_reconstruction_is_the_squared_error_summed_over_pixels(name: str) -> None:
    model = tiny_model(name).eval()
    with torch.no_grad():
        model.encoder.logvar.weight.zero_()
        model.encoder.logvar.bias.fill_(-30)  # so that a sample is the mean
    losses = model.training_losses(batch(model), batch(model).square(), beta=1.0)
    expected = (model(batch(model)) - batch(model).square()).square().flatten(1).sum(dim=1).mean()
    torch.testing.assert_close(losses["reconstruction"], expected)


@every
def test_a_latent_vector_is_there_or_is_refused(name: str) -> None:
    model = tiny_model(name).eval()
    if model.latent_dim is None:
        with pytest.raises(UnsupportedError, match=name):
            model.infer(batch(model))
        return
    assert model.infer(batch(model)).mu.shape == (4, model.latent_dim)
    z = torch.zeros(2, model.latent_dim)
    if model.spec.can_sample:
        torch.testing.assert_close(model.generate(model.infer(batch(model)).mu), model(batch(model)))
    else:
        with pytest.raises(UnsupportedError, match=name):
            model.generate(z)


@every
def test_one_batch_can_be_overfitted(name: str) -> None:
    roomy = {"hidden_dim": 64} if name in ("conv-vae", "skip-vae") else {}
    roomy |= {"latent_dim": 16} if build(name, TINY_OF[name]).latent_dim else {}
    model = build(name, {**TINY_OF[name], **roomy})
    model.prepare_training()
    generator = torch.Generator().manual_seed(0)
    pictures = nn.functional.interpolate(torch.rand(2, 3, 4, 4, generator=generator), size=32, mode="bilinear")
    damaged = (pictures + 0.2 * torch.rand(2, 3, 32, 32, generator=generator) - 0.3).clamp(0, 1)
    optimizer = make_optimizer("adam", model.trained_parameters("restore"), 3e-3)
    against = model.adversary_parameters()
    adversary = make_optimizer("adam", against, 1e-4) if against else None
    before = nn.functional.mse_loss(model.eval()(damaged), pictures).item()
    model.train()
    for _ in range(250):
        train_step(
            model, optimizer, damaged, pictures, beta=0.1, clip_grad_norm=0, guard=GradientGuard(), bf16=False,
            adversary=adversary,
        )  # fmt: skip
    assert nn.functional.mse_loss(model.eval()(damaged), pictures).item() < 0.2 * before


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
    assert names_that_can_sample() == ["conv-vae", "resnet-vae"]


def test_skip_vae_trains_in_two_stages() -> None:
    assert architecture("skip-vae").spec.training.stages == ("clear", "restore")
    assert architecture("skip-vae").spec.training.learning_rate == 1e-3


def test_posterior_samples_have_its_mean_and_deviation() -> None:
    torch.manual_seed(0)
    gaussian = DiagonalGaussian(torch.full((20_000, 1), 2.0), torch.full((20_000, 1), 2.0).log() * 2)
    samples = gaussian.sample()
    assert samples.mean().item() == pytest.approx(2, abs=0.06)
    assert samples.std().item() == pytest.approx(2, abs=0.06)


@pytest.mark.parametrize(
    ("native", "fp32", "bf16", "taken"),
    [(True, 2.0, 1.0, True), (True, 1.0, 2.0, False), (True, 1.0, 1.0, False), (False, 2.0, 1.0, False)],
)
def test_auto_takes_bf16_on_a_cpu_that_has_it_and_is_faster_by_it(
    monkeypatch: pytest.MonkeyPatch, native: bool, fp32: float, bf16: float, taken: bool
) -> None:
    cpu, seconds = torch.device("cpu"), {torch.float32: fp32, torch.bfloat16: bf16}
    monkeypatch.setattr(devices, "runs_bf16", lambda _: native)
    monkeypatch.setattr(devices, "_seconds_to_convolve", seconds.__getitem__)
    devices._bf16_is_faster.cache_clear()
    try:
        assert devices.uses_bf16("auto", cpu) == taken
        assert devices.uses_bf16("bf16", cpu)
        assert not devices.uses_bf16("fp32", cpu)
    finally:
        devices._bf16_is_faster.cache_clear()
