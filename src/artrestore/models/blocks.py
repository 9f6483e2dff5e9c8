"""Blocks of the residual U-Nets: (N, C, H, W) in and out, no batch statistics, no pooling over a tile.

Nothing in them looks further than its kernels reach, so that neighbouring tiles agree where they overlap.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)

# Below zero: with none, nine in ten channels of a level died within an hour of training, and never came back.
_LEAKY_RELU = partial(F.leaky_relu, negative_slope=0.02, inplace=True)


class LayerNorm2d(nn.Module):
    """Layer normalisation over the channels of each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, h: Tensor) -> Tensor:
        """Normalise; on the channels-last view, which PyTorch has a fast kernel for, in the input's own dtype."""
        last = h.permute(0, 2, 3, 1)
        with torch.autocast(h.device.type, enabled=False):
            normed = F.layer_norm(last, (h.shape[1],), self.weight.to(h.dtype), self.bias.to(h.dtype), 1e-6)
        return normed.permute(0, 3, 1, 2)


class ResidualBlock(nn.Module):
    """Two dense 3x3 convolutions beside a shortcut; begins as the identity."""

    def __init__(self, channels: int, activation: Callable[[Tensor], Tensor] = _LEAKY_RELU) -> None:
        super().__init__()
        self.activation = activation
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = zero_initialised(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, h: Tensor) -> Tensor:
        """Give h + conv(activation(conv(h)))."""
        added: Tensor = self.second(self.activation(self.first(h)))
        return h + added


class GatedBlock(nn.Module):
    """NAFNet's block (Chen et al., ECCV 2022) without its channel attention; begins as the identity.

    Channel attention averages over the whole input, which differs between a tile and its picture (TLC, Chu et al.,
    ECCV 2022).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm_space = LayerNorm2d(channels)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.depthwise = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.narrow = zero_initialised(nn.Conv2d(channels, channels, 1))
        self.norm_channels = LayerNorm2d(channels)
        self.mix = nn.Conv2d(channels, 2 * channels, 1)
        self.project = zero_initialised(nn.Conv2d(channels, channels, 1))

    def forward(self, h: Tensor) -> Tensor:
        """Mix over space, then over channels; each half is gated by the other."""
        h = h + self.narrow(gate(self.depthwise(self.widen(self.norm_space(h)))))
        added: Tensor = self.project(gate(self.mix(self.norm_channels(h))))
        return h + added


class Upsample(nn.Module):
    """Twice the side, by sub-pixel convolution (Shi et al. 2016)."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(channels, 4 * out_channels, 1)

    def forward(self, h: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, out, 2H, 2W)."""
        return F.pixel_shuffle(self.expand(h), 2)


def gate(h: Tensor) -> Tensor:
    """The product of the two halves of the channels."""
    first, second = h.chunk(2, dim=1)
    return first * second


def zero_initialised(layer: Layer) -> Layer:
    """The same layer, giving zero."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
