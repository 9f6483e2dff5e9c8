"""Ways through the latent space."""

import torch
from torch import Tensor

_FRAMES_BETWEEN = 12  # of an animation, from one latent vector to the next


def between(first: Tensor, second: Tensor, at: Tensor, *, spherical: bool = True) -> Tensor:
    """Latent vectors from one, (D,), to another, at fractions (N,) of the way: (N, D).

    Spherical by default (Shoemake 1985, for latent spaces White 2016): vectors of a prior of many dimensions have
    nearly all the same length, and the straight line between two leads through shorter ones, which a decoder has
    hardly seen: pictures in its middle are flat and grey. Straight lines are right where vectors are means of
    narrow posteriors, as with a small beta.
    """
    at = at[:, None]
    straight = first + at * (second - first)
    if not spherical:
        return straight
    cosine = torch.dot(first, second) / (first.norm() * second.norm())
    angle = torch.acos(cosine.clamp(-1, 1))
    if not torch.isfinite(angle) or torch.sin(angle) < 1e-4:  # along one line, or one is zero
        return straight
    return (torch.sin((1 - at) * angle) * first + torch.sin(at * angle) * second) / torch.sin(angle)


def round_walk(stops: Tensor, *, spherical: bool = True) -> Tensor:
    """A walk by all latent vectors (N, D) in their order and back to the first, for an animation: (frames, D)."""
    at = torch.arange(_FRAMES_BETWEEN) / _FRAMES_BETWEEN
    following = stops.roll(-1, dims=0)
    return torch.cat([between(a, b, at, spherical=spherical) for a, b in zip(stops, following, strict=True)])
