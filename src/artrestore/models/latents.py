"""The latents of `hierarchical-vae`: noise that enters the decoder, and the posterior that infers it in training.

Non-centred: eps ~ N(0, I) everywhere, and the network scales it by what it has decoded so far, h. So the prior of
what is added depends on the picture and on coarser latents, a hierarchy without a network for prior variances,
which is what makes very deep VAEs unstable; and eps = 0 is, to the bit, the network without noise.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from artrestore.models.blocks import ResidualBlock, zero_initialised
from artrestore.models.layers import DiagonalGaussian

_WIDTHS = (64, 96, 128)  # of the posterior at 1/4, 1/8 and 1/16
_HIDDEN = 64
_MOST = 3.0  # of the posterior's means and log variances


class NoiseInjection(nn.Module):
    """h + W(U(h) * V(eps)), all 1x1 convolutions; for eps = 0 it is h.

    U(h) is kept between -1 and 1. Unbounded, it grew tenfold for an h that a coarser level had varied, and the two
    together drew coloured specks.
    """

    def __init__(self, channels: int, noise: int) -> None:
        super().__init__()
        hidden = min(_HIDDEN, channels)
        self.scale = nn.Conv2d(channels, hidden, 1)
        self.direction = nn.Conv2d(noise, hidden, 1, bias=False)
        self.out = zero_initialised(nn.Conv2d(hidden, channels, 1, bias=False))

    def forward(self, h: Tensor, eps: Tensor) -> Tensor:
        """(N, C, H, W) and eps (N, noise, H, W) -> (N, C, H, W)."""
        added: Tensor = self.out(_bounded(self.scale(h), 1.0) * self.direction(eps.to(h.dtype)))
        return h + added


class Posterior(nn.Module):
    """q(eps | y, x): normal distributions of every latent, from what the mean missed, 4 (x - f(y)), beside y.

    Only training needs it; weight files for restoring leave it out. It begins at the prior, with a KL of zero.
    """

    def __init__(self, noise: tuple[int, ...], tone_noise: int) -> None:
        super().__init__()
        self.intro = nn.Conv2d(6 * 16, _WIDTHS[0], 1)
        self.blocks = nn.ModuleList(ResidualBlock(width) for width in _WIDTHS)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in pairwise(_WIDTHS))
        # Coarse to fine outside, as the decoder meets them; fine to coarse here, as they are read.
        self.heads = nn.ModuleList(
            zero_initialised(nn.Conv2d(width, 2 * channels, 3, padding=1))
            for width, channels in zip(_WIDTHS[-len(noise) :], reversed(noise), strict=True)
        )
        self.tone = zero_initialised(nn.Linear(_WIDTHS[-1], 2 * tone_noise))

    def forward(self, damaged: Tensor, clear: Tensor, mean: Tensor) -> list[DiagonalGaussian]:
        """Distributions of the global latent (N, D) and of the levels (N, C, H, W), coarsest first."""
        missed = torch.cat([4 * (clear - mean), damaged - 0.5], dim=1)
        h = self.intro(F.pixel_unshuffle(missed, 4))
        levels, without = [], len(self.blocks) - len(self.heads)
        for index, block in enumerate(self.blocks):
            h = block(h)
            if index >= without:
                levels.append(_gaussian(self.heads[index - without](h)))
            h = self.down[index](h) if index < len(self.down) else h
        return [_gaussian(self.tone(h.mean((2, 3)))), *reversed(levels)]


def _gaussian(parameters: Tensor) -> DiagonalGaussian:
    """Mean and log variance within bounds, approached so slowly that there is always a way back.

    Unbounded, the posterior blew up within a hundred updates, to a KL of 500,000 nats a pixel. A value's is now at
    most 13 nats.
    """
    mu, logvar = _bounded(parameters.float(), _MOST).chunk(2, dim=1)
    return DiagonalGaussian(mu, logvar)


def _bounded(values: Tensor, most: float) -> Tensor:
    """As they are where they are small, and never beyond `most`."""
    return values * torch.rsqrt(1 + (values / most).square())


def steer(log_beta: Tensor, rates: Tensor, targets: Tensor, gain: float) -> Tensor:
    """Move each level's log beta towards the one that gives its target rate (nats per pixel); all (L,).

    One target for all levels together let the coarse ones collapse; a target each keeps all in use.
    """
    # A step that failed steers nothing.
    error = ((rates - targets) / targets).nan_to_num(0, posinf=0, neginf=0).clamp(-1, 1)
    return (log_beta + gain * error).clamp(-12, 4)
