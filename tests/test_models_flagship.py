"""`hierarchical-vae`: what makes it what it is."""

import math

import pytest
import torch

from artrestore.models.base import RestorationModel, Surroundings
from artrestore.models.hierarchical_vae import _TARGET_RATES, HierarchicalVAE
from artrestore.models.latents import NoiseInjection, Posterior, steer
from artrestore.models.registry import build
from artrestore.models.scale import ScaleHead
from artrestore.models.tone import ToneNetwork
from conftest import TINY_FLAGSHIP, shaken, tiny_model


def pictures(count: int = 2, height: int = 32, width: int = 48) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def noise_for(model: RestorationModel, damaged: torch.Tensor, scale: float) -> list[torch.Tensor]:
    count, _, height, width = damaged.shape
    return [
        scale
        * torch.randn(*((count, channels) if span is None else (count, channels, height // span, width // span)))
        for channels, span in model.noise_shape
    ]


@pytest.mark.parametrize(("size", "count"), [("small", 2_095_936), ("base", 6_782_224), ("large", 28_875_696)])
def test_the_sizes_have_the_parameters_that_the_documentation_says(size: str, count: int) -> None:
    with torch.device("meta"):
        assert build("hierarchical-vae", HierarchicalVAE.sizes[size]).parameter_count == count


def test_begins_by_giving_back_what_it_is_given() -> None:
    model = build("hierarchical-vae", TINY_FLAGSHIP).eval()
    assert torch.equal(model(pictures()), pictures())
    drawn = model.draw(pictures(), noise_for(model, pictures(), 1.0))
    assert torch.equal(drawn, pictures())


@pytest.mark.parametrize("bf16", [False, True])
@torch.inference_mode()
def test_without_noise_a_draw_is_the_mean_to_the_bit(bf16: bool) -> None:
    model = tiny_model("hierarchical-vae").eval()
    model.prepare_training()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        mean = model(pictures())
        quantified, scale = model.quantify(pictures())
        still = model.draw(pictures(), noise_for(model, pictures(), 0.0))
    assert torch.equal(quantified, mean)
    assert torch.equal(still, mean)
    assert mean.dtype == scale.dtype == torch.float32
    assert (scale > 0).all()


@pytest.mark.parametrize("levels", [1, 2, 3])
@torch.inference_mode()
def test_every_latent_changes_the_draw(levels: int) -> None:
    torch.manual_seed(0)
    model = shaken(build("hierarchical-vae", TINY_FLAGSHIP | {"noise": (2,) * levels})).eval()
    assert len(model.noise_shape) == 1 + levels
    still = noise_for(model, pictures(), 0.0)
    mean = model(pictures())
    for level in range(len(still)):
        noise = [*still[:level], torch.ones_like(still[level]), *still[level + 1 :]]
        assert not torch.equal(model.draw(pictures(), noise), mean), level


@torch.inference_mode()
def test_what_is_told_of_losses_is_heard() -> None:
    model = tiny_model("hierarchical-vae").eval()
    around = Surroundings.alone(pictures())
    told = around._replace(lost=torch.ones_like(around.lost))
    assert not torch.equal(model(pictures(), told), model(pictures(), around))


def test_what_only_training_needs_is_not_kept() -> None:
    model = tiny_model("hierarchical-vae")
    plain = set(model.state_dict())
    model.prepare_training()
    assert model.weights().keys() == plain
    assert model.state_dict().keys() > plain


@torch.inference_mode()
def test_neighbouring_tiles_agree_about_tone() -> None:
    torch.manual_seed(0)
    tone = shaken(ToneNetwork(context=16, grid=8, noise=2))  # type: ignore[arg-type]
    picture, small = torch.rand(1, 3, 96, 160), torch.rand(1, 3, 128, 128)
    known = tone(small)

    def corrected(top: int, left: int, bottom: int, right: int) -> torch.Tensor:
        place = torch.tensor([[top / 96, left / 160, bottom / 96, right / 160]])
        return tone.correct(picture[:, :, top:bottom, left:right], place, known)

    whole = corrected(0, 0, 96, 160)
    assert (whole - picture).abs().mean() > 0.005  # it does correct something
    torch.testing.assert_close(corrected(16, 32, 80, 112), whole[:, :, 16:80, 32:112], atol=1e-5, rtol=0)
    torch.testing.assert_close(corrected(48, 96, 96, 160), whole[:, :, 48:96, 96:160], atol=1e-5, rtol=0)
    unsure = tone.log_scale(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), known, (96, 160))
    assert unsure.std() > 0.005
    in_tile = tone.log_scale(torch.tensor([[0.5, 0.6, 1.0, 1.0]]), known, (48, 64))
    torch.testing.assert_close(in_tile, unsure[:, :, 48:, 96:], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_correction_is_made_where_it_is_larger_than_what_it_expects_to_be_off_by() -> None:
    tone = ToneNetwork(context=16, grid=8, noise=2).eval()
    picture, place = torch.full((1, 3, 64, 64), 0.5), torch.tensor([[0.0, 0.0, 1.0, 1.0]])

    def share(brighter: float) -> float:
        torch.nn.init.zeros_(tone.transforms.weight)
        tone.transforms.bias = torch.nn.Parameter(torch.zeros(21))
        tone.transforms.bias[::7] = brighter  # the constant of each colour's polynomial
        corrected = tone.correct(picture, place, tone(torch.full((1, 3, 128, 128), 0.5)))
        return float((corrected - picture).mean()) / brighter

    unsure = (0.02**2 + (1.2 * math.exp(-3)) ** 2) ** 0.5  # when nothing is learned
    assert share(0.5 * unsure) < 0.001
    assert share(unsure) == pytest.approx(0.5, abs=0.01)
    assert share(2 * unsure) > 0.999
    assert share(1e4) == pytest.approx(1)  # beyond what a float holds, to the power
    tone.train()  # softer, so that a correction learns from what is not taken too
    assert 0.03 < share(0.5 * unsure) < 0.1
    assert 0.9 < share(2 * unsure) < 0.97
    tone.eval()
    torch.nn.init.constant_(tone.doubt[2].bias, 2.0)
    assert share(2 * unsure) < 0.01  # it has learned to be less sure


@torch.inference_mode()
@pytest.mark.parametrize("side", [(1, False), (2, False), (3, False), (0, True), (1, True)])
def test_a_picture_turned_is_corrected_as_it_was(side: tuple[int, bool]) -> None:
    tone = shaken(ToneNetwork(context=16, grid=8, noise=2)).eval()  # type: ignore[arg-type]

    def turned(pixels: torch.Tensor) -> torch.Tensor:
        quarters, mirrored = side
        return torch.rot90(pixels.flip(3) if mirrored else pixels, quarters, (2, 3))

    def corrected(picture: torch.Tensor) -> torch.Tensor:
        whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(len(picture), 4)
        return tone.correct(picture, whole, tone(picture))

    picture = pictures(2, 128, 128)
    change = corrected(picture) - picture
    assert change.abs().mean() > 1e-3
    assert torch.allclose(corrected(turned(picture)), turned(picture + change), atol=1e-5)


def test_the_tone_can_be_kept_in_the_mean_and_in_what_is_drawn() -> None:
    model = tiny_model("hierarchical-vae").eval()
    around = Surroundings.alone(pictures())
    assert not torch.equal(model.encode(pictures(), around).corrected, pictures())
    model.keep_tone()
    encoded = model.encode(pictures(), around)
    assert torch.equal(encoded.corrected, pictures())
    noise = noise_for(model, pictures(), 1.0)
    features = model.decode(encoded, noise)
    without_global_latent = model.picture(encoded, features)
    assert torch.equal(model.picture(encoded, features, noise), without_global_latent)


@torch.inference_mode()
def test_tiles_of_a_picture_agree_away_from_their_borders() -> None:
    model = tiny_model("hierarchical-vae").eval()
    picture = pictures(1, 32, 320)
    around = Surroundings.alone(picture)
    part = around._replace(place=torch.tensor([[0.0, 0.25, 1.0, 1.0]]), lost=around.lost[:, :, :, 80:])
    tile = model(picture[:, :, :, 80:], part)
    # Far enough from the tile's left border, which the whole picture does not have.
    torch.testing.assert_close(tile[:, :, :, 112:], model(picture, around)[:, :, :, 192:], atol=1e-5, rtol=0)


def test_each_rate_is_steered_to_its_own_target() -> None:
    targets = torch.tensor(_TARGET_RATES)
    needed = torch.tensor([-6.0, -3.0, 0.0, 2.0])  # the log beta at which a level's rate is its target
    log_beta = torch.full((4,), -4.0)
    for _ in range(3000):
        rates = targets * torch.exp(needed - log_beta)  # less rate for more beta
        log_beta = steer(log_beta, rates, targets, 0.02)
    torch.testing.assert_close(log_beta, needed, atol=0.05, rtol=0)


@pytest.mark.parametrize("rate", [math.nan, math.inf])
def test_a_step_that_failed_steers_nothing(rate: float) -> None:
    targets = torch.tensor(_TARGET_RATES)
    before = torch.full((4,), -4.0)
    assert torch.equal(steer(before, torch.full((4,), rate), targets, 0.02), before)


def test_steering_happens_in_training_only() -> None:
    model = tiny_model("hierarchical-vae")
    model.prepare_training()
    before = model.log_beta.clone()
    model.eval().training_losses(pictures(), pictures().square(), beta=1.0, stage="uncertainty")
    assert torch.equal(model.log_beta, before)
    losses = model.train().training_losses(pictures(), pictures().square(), beta=1.0, stage="uncertainty")
    rates = torch.stack([losses[name] for name in ("kl_tone", "kl_16", "kl_8", "kl_4")])
    assert torch.equal((model.log_beta - before).sign(), (rates - torch.tensor(_TARGET_RATES)).sign())


@pytest.mark.parametrize("noise", [(4, 3, 2), (4, 3)])
def test_the_posterior_cannot_blow_up_and_finds_its_way_back(noise: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    posterior = Posterior(noise, 2)
    for head in (*posterior.heads, posterior.tone):
        torch.nn.init.normal_(head.weight, std=100.0)
    levels = posterior(pictures(), pictures() * 0.5, pictures())
    assert [level.mu.shape[1] for level in levels] == [2, *noise]  # the global one, then coarse to fine
    values = [level.mu.numel() / len(level.mu) for level in levels]
    rates = torch.stack([level.kl() / count for level, count in zip(levels, values, strict=True)])
    assert (rates < 13).all()
    rates.sum().backward()
    for head in (*posterior.heads, posterior.tone):
        assert head.weight.grad is not None
        assert torch.isfinite(head.weight.grad).all()
        assert head.weight.grad.any()


@torch.inference_mode()
def test_noise_does_not_run_away_where_a_coarser_level_has_varied_the_features() -> None:
    torch.manual_seed(0)
    injection = NoiseInjection(8, 3)
    torch.nn.init.normal_(injection.out.weight)
    h, eps = torch.randn(1, 8, 16, 16), torch.randn(1, 3, 16, 16)

    def added(features: torch.Tensor) -> float:
        return float((injection(features, eps) - features).abs().mean())

    assert 0 < added(h) < added(10 * h)  # it depends on the features
    assert added(1000 * h) < 1.1 * added(100 * h)  # within bounds


@torch.inference_mode()
def test_the_scale_hears_of_the_whole_picture_and_of_what_was_changed() -> None:
    torch.manual_seed(0)
    head = ScaleHead(8, 16)
    features, change, context = torch.rand(1, 8, 16, 16), torch.zeros(1, 3, 32, 32), torch.zeros(1, 16)
    of_tone = torch.full((1, 3, 16, 16), -3.0)
    before = head(features, change, context, of_tone)
    assert before.shape == (1, 3, 32, 32)
    assert not torch.equal(head(features, change, context + 1, of_tone), before)
    assert not torch.equal(head(features, change, context, of_tone + 1), before)
    spot = change.clone()
    spot[..., 16, 16] = 0.5
    differs = (head(features, spot, context, of_tone) != before).nonzero()[:, 2:]
    assert len(differs)
    assert ((differs - 16).abs() < 10).all()  # so that tiles agree


@torch.inference_mode()
def test_the_scale_has_no_grid_of_two_pixels() -> None:
    torch.manual_seed(0)
    head = ScaleHead(8, 16)
    torch.nn.init.normal_(head.out.bias)  # each of the four pixels that are shuffled has its own
    even = torch.ones(1, 8, 16, 16), torch.zeros(1, 3, 32, 32), torch.zeros(1, 16), torch.zeros(1, 3, 16, 16)
    within = head(*even)[..., 8:24, 8:24]
    assert within.var((2, 3)).max() < 1e-9


def test_the_scale_teaches_the_mean_nothing() -> None:
    read = [torch.rand(shape).requires_grad_() for shape in ((1, 8, 4, 4), (1, 3, 8, 8), (1, 16))]
    ScaleHead(8, 16)(*read, torch.zeros(1, 3, 4, 4)).sum().backward()
    assert all(part.grad is None for part in read)


def test_how_unsure_the_tone_is_teaches_the_correction_nothing() -> None:
    network = shaken(ToneNetwork(context=16, grid=8, noise=2))  # type: ignore[arg-type]
    damaged, clear = pictures(4, 128, 128), pictures(4, 128, 128).square()
    losses = network.loss(damaged, clear, damaged, torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(4, 4))
    (losses["crps"] + losses["nll"]).backward()
    learning = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert learning == {name for name, _ in network.named_parameters() if name.startswith(("noise.", "doubt."))}
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_the_posterior_begins_at_the_prior() -> None:
    model = tiny_model("hierarchical-vae")
    model.prepare_training()
    losses = model.training_losses(pictures(), pictures().square(), beta=1.0, stage="uncertainty")
    assert losses["kl"].item() == 0.0
