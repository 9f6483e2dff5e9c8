"""Losses and scores, against the definitions of others."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from artrestore.losses import (
    LOW,
    SHARP,
    WIDE,
    Bend,
    bernoulli_nll,
    charbonnier,
    crps_at_scales,
    crps_of_two,
    judged,
    kl_to_standard_normal,
    laplace_nll,
    log_charbonnier,
    squared_error,
)


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


def test_charbonnier_is_the_absolute_error_but_round_at_zero() -> None:
    restored, reference = np.random.default_rng(0).random((2, 4, 3, 6, 5))
    expected = [
        sum(math.sqrt(d * d + 0.01) - 0.1 for d in (restored[n] - reference[n]).ravel()) / (3 * 6 * 5)
        for n in range(4)
    ]
    found = charbonnier(torch.from_numpy(restored), torch.from_numpy(reference), eps=0.1)
    assert found.tolist() == pytest.approx(expected, rel=1e-5)
    same = torch.rand(2, 3, 4, 4).requires_grad_()
    charbonnier(same, same.detach()).sum().backward()
    assert charbonnier(same, same).tolist() == [0.0, 0.0]
    assert same.grad is not None
    assert not same.grad.any()


def test_a_wide_bend_rewards_a_guess_that_is_likelier_wrong_than_right() -> None:
    # Three pixels of ten that look alike are lost; the rest is sound.
    truth = torch.tensor([0.4] * 3 + [0.0] * 7)
    guesses = torch.linspace(0, 0.4, 401)

    def best(eps: float) -> float:
        errors = charbonnier(guesses[:, None].expand(401, 10), truth.expand(401, 10), eps)
        return float(guesses[errors.argmin()])

    assert best(SHARP.eps) < 0.002
    assert best(WIDE.eps) > 0.015


def test_a_low_floor_rewards_what_is_nearly_right_and_none_what_nobody_sees() -> None:
    def reward(psnr: float, bend: Bend) -> float:
        """For half of an error."""
        error = 10 ** (-psnr / 20)
        picture = torch.full((1, 3, 4, 4), error)
        whole, half = (log_charbonnier(part * picture, torch.zeros(1, 3, 4, 4), bend).item() for part in (1, 0.5))
        return whole - half

    assert reward(38, LOW) > 0.7
    assert reward(38, WIDE) < 0.3
    assert reward(60, LOW) < 0.05


def test_the_logarithm_asks_of_each_picture_a_share_of_its_own_error() -> None:
    size = torch.tensor([0.5, 0.005], requires_grad=True)
    pictures = torch.ones(2, 3, 4, 4) * size[:, None, None, None]
    log_charbonnier(pictures, torch.zeros(2, 3, 4, 4), Bend(1e-6, 0.0)).backward()
    assert size.grad is not None
    assert (size.grad * size.detach()).tolist() == pytest.approx([0.5, 0.5], abs=1e-3)
    errors = torch.tensor([0.3, 0.1])[:, None, None, None].expand(2, 3, 4, 4)
    assert log_charbonnier(errors, torch.zeros(2, 3, 4, 4), Bend(1e-6, 0.1)).item() == pytest.approx(
        (math.log(0.4) + math.log(0.2)) / 2, abs=1e-4
    )


def test_the_negative_log_likelihood_is_that_of_torch_distributions() -> None:
    reference, mean, log_scale = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    expected = -torch.distributions.Laplace(mean, log_scale.exp()).log_prob(reference).mean()
    torch.testing.assert_close(laplace_nll(reference, mean, log_scale), expected)


@pytest.mark.parametrize("value", [-1.5, 0.0, 0.4, 3.0])
def test_the_score_of_two_samples_is_fair(value: float) -> None:
    """Its mean over pairs of samples is the score of the whole distribution (Gneiting & Raftery 2007, eq. 21)."""
    first, second = torch.randn(2, 400_000, generator=torch.Generator().manual_seed(0))
    density = math.exp(-(value**2) / 2) / math.sqrt(2 * math.pi)
    below = 0.5 * (1 + math.erf(value / math.sqrt(2)))
    expected = value * (2 * below - 1) + 2 * density - 1 / math.sqrt(math.pi)
    assert crps_of_two(first, second, torch.full_like(first, value)).item() == pytest.approx(expected, abs=0.005)


def test_the_score_is_best_for_samples_of_the_truth() -> None:
    truth, first, second = torch.randn(3, 200_000, generator=torch.Generator().manual_seed(0))
    scores = {
        (shift, spread): crps_of_two(shift + spread * first, shift + spread * second, truth).item()
        for shift in (-0.5, 0.0, 0.5)
        for spread in (0.0, 0.5, 1.0, 1.5)
    }
    assert min(scores, key=lambda key: scores[key]) == (0.0, 1.0)


def test_at_a_coarse_scale_only_what_varies_together_pays() -> None:
    """Errors that are the same all over a picture: noise that is not gains at the fine scale alone."""
    truth, first, second = torch.randn(3, 2000, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    alone = torch.randn(2, 2000, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    truth, first, second = (part.expand(2000, 1, 16, 16) for part in (truth, first, second))
    nothing = torch.zeros_like(truth)

    def gain(a: torch.Tensor, b: torch.Tensor, scale: int) -> float:
        before = crps_at_scales(nothing, nothing, truth, (scale,))
        return 1 - (crps_at_scales(a, b, truth, (scale,)) / before).item()

    assert gain(first, second, 1) > 0.2
    assert gain(*alone, 1) > 0.2
    assert gain(first, second, 16) > 0.2
    assert gain(*alone, 16) < 0.05


def test_free_bits_pull_at_no_unit_that_carries_less() -> None:
    mu = torch.tensor([[0.1, 3.0], [-0.1, 3.0]], requires_grad=True)
    divergence = kl_to_standard_normal(mu, torch.zeros(2, 2), free_bits=1.0)
    divergence.backward()
    assert divergence.item() == pytest.approx(1.0 + 4.5)  # the free bits of the first, the second's own
    assert mu.grad is not None
    assert mu.grad[:, 0].tolist() == [0, 0]
    assert mu.grad[:, 1].tolist() == [1.5, 1.5]


def test_a_squared_error_is_a_sum_over_pixels_and_a_mean_over_pictures() -> None:
    assert squared_error(torch.full((2, 3, 4, 4), 0.5), torch.zeros(2, 3, 4, 4)).item() == 12.0


def test_a_verdict_costs_nothing_if_it_is_right_and_sure() -> None:
    sure = torch.full((4, 1), 30.0)
    assert judged(sure, 1.0).item() == pytest.approx(0, abs=1e-6)
    assert judged(sure, 0.0).item() == pytest.approx(30)
    assert judged(torch.zeros(4, 1), 1.0).item() == pytest.approx(math.log(2))
