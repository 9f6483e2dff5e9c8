"""Building blocks that several architectures share."""

from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from artrestore.losses import kl_to_standard_normal

# exp(logvar) stays finite in float32 within these, and no useful posterior lies outside.
_LOGVAR_RANGE = (-30.0, 20.0)
_ACTIVE_VARIANCE = 0.01


class DiagonalGaussian:
    """A batch of normal distributions with diagonal covariance: `mu` and `logvar` of shape (N, D)."""

    def __init__(self, mu: Tensor, logvar: Tensor) -> None:
        self.mu = mu
        self.logvar = logvar.clamp(*_LOGVAR_RANGE)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Several batches as one, on the CPU."""
        return cls(torch.cat([part.mu.cpu() for part in parts]), torch.cat([part.logvar.cpu() for part in parts]))

    def sample(self) -> Tensor:
        """Draw `mu + eps * exp(logvar / 2)`, eps ~ N(0, I): the reparameterization of Kingma & Welling 2013."""
        return self.mu + torch.randn_like(self.mu) * torch.exp(0.5 * self.logvar)

    def kl(self, *, free_bits: float = 0.0) -> Tensor:
        """KL divergence to N(0, I) in nats: mean over N, sum over D, each at least `free_bits`."""
        return kl_to_standard_normal(self.mu, self.logvar, free_bits=free_bits)

    def active_units(self) -> int:
        """How many of D are in use: their mean varies over N, with a variance above 0.01 (Burda et al. 2016)."""
        return int((self.mu.var(dim=0, correction=0) > _ACTIVE_VARIANCE).sum())


class BatchNorm2d(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) of (N, C, H, W), by running statistics in evaluation mode.

    As PyTorch's, but for batches of any size: a single value of a channel has no variance, so it is normalised by
    the running statistics in training, too. And it counts no batches: an integer has no place in a weight file.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, h: Tensor) -> Tensor:
        """Normalise each channel over the batch and all pixels."""
        by_batch = self.training and h.numel() > h.shape[1]
        return F.batch_norm(
            h, self.running_mean, self.running_var, self.weight, self.bias, by_batch, self.momentum
        )


class DownBlock(nn.Module):
    """Half the side: a 4x4 convolution with stride 2, batch normalisation, leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int, *, slope: float, normalised: bool = True) -> None:
        super().__init__()
        self.slope = slope
        self.convolution = nn.Conv2d(in_channels, out_channels, 4, 2, 1, bias=not normalised)
        self.norm = BatchNorm2d(out_channels) if normalised else None

    def forward(self, h: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, out, H / 2, W / 2)."""
        h = self.convolution(h)
        return F.leaky_relu(self.norm(h) if self.norm else h, self.slope)


class UpBlock(nn.Module):
    """Twice the side: a transposed 4x4 convolution with stride 2, batch normalisation, dropout, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.convolution = nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1, bias=False)
        self.norm = BatchNorm2d(out_channels)

    def forward(self, h: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, out, 2H, 2W)."""
        h = self.norm(self.convolution(h))
        return F.relu(F.dropout(h, self.dropout, self.training))
