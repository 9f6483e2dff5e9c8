"""`resnet-vae`: a residual VAE on 128 x 128 pictures, with a latent vector of 512.

    encoder  3 -> 32 -> 64 -> 128 -> 256   convolutions 3x3, stride 2, SiLU, each with a residual block behind it
             256*8*8 -> mu 512, logvar 512
    decoder  512 -> 256*8*8, SiLU
             256 -> 128 -> 64 -> 32 -> 3   transposed convolutions 3x3, stride 2, SiLU between, sigmoid last

Like `conv-vae` it has no skips, so it generates pictures; its latent vector is four times as long, and its loss
is the squared error + beta * KL. Beta trades what the vector holds of a picture against how well vectors from the
prior decode.
"""

from itertools import pairwise
from typing import Annotated, ClassVar

import torch.nn.functional as F
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from artrestore.models.base import ModelSpec, TrainingDefaults
from artrestore.models.blocks import ResidualBlock
from artrestore.models.conv_vae import Size
from artrestore.models.layers import DiagonalGaussian
from artrestore.models.vae import LatentVectorVAE


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ResNetVAEConfig:
    """Settings of `resnet-vae`.

    Attributes:
        picture_size: side of the square pictures; a multiple of 2 to the number of widths.
        widths: channels of each stage of the encoder.
        latent_dim: length of the latent vector.
    """

    picture_size: Size = 128
    widths: Annotated[tuple[Size, ...], Field(min_length=2, max_length=8)] = (32, 64, 128, 256)
    latent_dim: Size = 512

    def __post_init__(self) -> None:
        if self.picture_size % 2 ** len(self.widths):
            raise ValueError(f"picture_size must be a multiple of {2 ** len(self.widths)}")

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of the encoder's last features."""
        side = self.picture_size >> len(self.widths)
        return self.widths[-1], side, side


class ResNetEncoder(nn.Module):
    """Picture (N, 3, S, S) -> posterior over z (N, D), and no features."""

    def __init__(self, config: ResNetVAEConfig) -> None:
        super().__init__()
        channels, height, width = config.feature_shape
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise((3, *config.widths)))
        self.blocks = nn.ModuleList(ResidualBlock(width, F.silu) for width in config.widths)
        self.mu = nn.Linear(channels * height * width, config.latent_dim)
        self.logvar = nn.Linear(channels * height * width, config.latent_dim)

    def forward(self, picture: Tensor) -> tuple[DiagonalGaussian, list[Tensor]]:
        """Encode; the posterior is float32 whatever the convolutions run in."""
        h = picture
        for convolution, block in zip(self.down, self.blocks, strict=True):
            h = block(F.silu(convolution(h)))  # (N, widths[i], S / 2^(i+1), S / 2^(i+1))
        h = h.flatten(1)
        return DiagonalGaussian(self.mu(h).float(), self.logvar(h).float()), []


class ResNetDecoder(nn.Module):
    """Latent vector (N, D) -> logits of the picture (N, 3, S, S)."""

    def __init__(self, config: ResNetVAEConfig) -> None:
        super().__init__()
        channels, height, width = self.feature_shape = config.feature_shape
        self.features = nn.Linear(config.latent_dim, channels * height * width)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 3, 2, 1, output_padding=1) for a, b in pairwise((*reversed(config.widths), 3))
        )

    def forward(self, z: Tensor) -> Tensor:
        """Decode."""
        h = self.features(z).unflatten(1, self.feature_shape)
        for convolution in self.up:
            h = convolution(F.silu(h))
        logits: Tensor = h
        return logits


class ResNetVAE(LatentVectorVAE):
    """The residual VAE; see the module's text."""

    name: ClassVar[str] = "resnet-vae"
    config_type: ClassVar[type[ResNetVAEConfig]] = ResNetVAEConfig
    spec: ClassVar[ModelSpec] = ModelSpec(
        summary="residual VAE with a long latent vector; generates pictures, trades by beta",
        can_sample=True,
        can_export=True,
        training=TrainingDefaults(learning_rate=1e-4, schedule="constant", beta=0.1, clip_grad_norm=10_000.0),
    )

    def __init__(self, config: ResNetVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ResNetEncoder(config)
        self.decoder = ResNetDecoder(config)

    def decode_logits(self, z: Tensor, features: list[Tensor]) -> Tensor:  # noqa: ARG002 (there are none)
        """Decode (N, D) to logits."""
        logits: Tensor = self.decoder(z)
        return logits
