"""Losses of the Variational Autoencoders: sums over pixels and latents, means over the batch."""

import torch.nn.functional as F
from torch import Tensor


def bernoulli_nll(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of (N, C, H, W) logits and targets in [0, 1]: sum over pixels, mean over N, in nats.

    Computed in float32 from logits, which is the same as from a sigmoid's output but cannot overflow.
    """
    return F.binary_cross_entropy_with_logits(logits.float(), target.float(), reduction="sum") / len(target)


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) || N(0, I)) in closed form (Kingma & Welling 2013).

    Sum over D, mean over N, in nats.
    """
    mu, logvar = mu.float(), logvar.float()
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).flatten(1).sum(dim=1).mean()
