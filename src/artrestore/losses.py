"""Losses and proper scores: of VAEs with a latent vector, the GAN, and the flagship's mean, samples and scale."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


def bernoulli_nll(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of (N, C, H, W) logits and targets in [0, 1]: sum over pixels, mean over N, in nats.

    Computed in float32 from logits, which is the same as from a sigmoid's output but cannot overflow.
    """
    return F.binary_cross_entropy_with_logits(logits.float(), target.float(), reduction="sum") / len(target)


def squared_error(restored: Tensor, target: Tensor) -> Tensor:
    """Squared error of (N, C, H, W): sum over pixels, mean over N.

    But for a constant it is -log of a normal density with variance 1/2 around what is restored, in nats, so that a
    KL divergence can be added to it.
    """
    return (restored.float() - target.float()).square().sum() / len(target)


def kl_to_standard_normal(mu: Tensor, logvar: Tensor, *, free_bits: float = 0.0) -> Tensor:
    """KL(N(mu, exp(logvar)) || N(0, I)) in closed form (Kingma & Welling 2013).

    Mean over N, sum over D, in nats.

    Args:
        mu: (N, D), or any shape that begins with N.
        logvar: the same.
        free_bits: what each of the D counts at least, in nats; to carry less is not rewarded (Kingma et al. 2016).
    """
    mu, logvar = mu.float(), logvar.float()
    units = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).flatten(1).mean(dim=0)
    return units.clamp(min=free_bits).sum()


def judged(logits: Tensor, verdict: float) -> Tensor:
    """Binary cross-entropy of a discriminator's logits against one verdict for all: 1 is real, 0 is not."""
    logits = logits.float()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, verdict))


def charbonnier(restored: Tensor, reference: Tensor, eps: float = 1e-3) -> Tensor:
    """sqrt(d^2 + eps^2) - eps of the difference d (Charbonnier et al. 1994), each picture's mean: (N,)."""
    difference = restored.float() - reference.float()
    return (torch.sqrt(difference.square() + eps * eps) - eps).flatten(1).mean(dim=1)


class Bend(NamedTuple):
    """How small an error is forgiven: below about `eps` in a pixel, below about `floor` in a picture."""

    eps: float
    floor: float


# With a sharp bend the best that a network finds for thin cracks and losses is to leave them: a timid attempt
# costs at every pixel that was right. With a wide one it begins to mend, and harms a little what is right. With a
# low floor, at about 45 dB where the wide one's is at 33, it then leaves what is right alone, and goes on mending.
# The sharp one is for what is taken of a tone correction, which is mostly right or better left.
WIDE, LOW, SHARP = Bend(0.05, 0.005), Bend(0.1, 1.5e-4), Bend(0.002, 0.01)


def log_charbonnier(restored: Tensor, reference: Tensor, bend: Bend) -> Tensor:
    """Mean over the batch of log(Charbonnier's + floor): (N, C, H, W) -> scalar.

    Like the PSNR, it asks of each picture a share of its own error: otherwise the ruined ones alone would be
    learned from, and good ones harmed. The floor ends the reward for pictures that are as good as perfect.
    """
    return torch.log(charbonnier(restored, reference, bend.eps) + bend.floor).mean()


def crps_of_two(first: Tensor, second: Tensor, reference: Tensor) -> Tensor:
    """The fair continuous ranked probability score from two samples, the mean over all values.

    (|a - x| + |b - x|) / 2 - |a - b| / 2, whose expectation is least when samples follow the distribution of x
    (Gneiting & Raftery 2007; fair for few samples: Ferro 2014).
    """
    first, second, reference = first.float(), second.float(), reference.float()
    error = (first - reference).abs() + (second - reference).abs()
    return 0.5 * (error - (first - second).abs()).mean()


def crps_at_scales(first: Tensor, second: Tensor, reference: Tensor, scales: tuple[int, ...]) -> Tensor:
    """The sum of `crps_of_two` of (N, C, H, W), averaged over squares of so many pixels each way.

    What varies together over many pixels counts at the coarse scales, where noise averages out.
    """
    pictures = (first, second, reference)
    return torch.stack([crps_of_two(*(F.avg_pool2d(part, scale) for part in pictures)) for scale in scales]).sum()


def laplace_nll(reference: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """-log of the Laplace density with scale exp(log_scale), in nats: the mean over all values."""
    difference = (reference.float() - mean.float()).abs()
    return (difference * torch.exp(-log_scale) + log_scale).mean() + math.log(2)
