"""`conv-vae`: a plain convolutional VAE on 128 x 128 pictures, with a latent vector of 128.

    encoder  3 -> 32 -> 64 -> 128 -> 256   convolutions 4x4, stride 2, ReLU; 128 px -> 8 px
             256*8*8 -> 512, ReLU -> mu 128, logvar 128
    decoder  128 -> 512 -> 256*8*8, ReLU
             256 -> 128 -> 64 -> 32 -> 3   transposed convolutions 4x4, stride 2, ReLU between, sigmoid last

All that is restored passes the latent vector, so pictures come out soft; in return it can generate new ones.
"""

from itertools import pairwise
from typing import Annotated, ClassVar

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from artrestore.losses import bernoulli_nll
from artrestore.models.base import ModelSpec
from artrestore.models.layers import DiagonalGaussian
from artrestore.models.vae import LatentVectorVAE

Size = Annotated[int, Field(ge=1, le=65536)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ConvVAEConfig:
    """Settings of `conv-vae` and `skip-vae`.

    Attributes:
        picture_size: side of the square pictures; a multiple of 2 to the number of widths.
        widths: channels after each convolution of the encoder.
        hidden_dim: width of the dense layer between the features and the latent vector.
        latent_dim: length of the latent vector.
    """

    picture_size: Size = 128
    widths: Annotated[tuple[Size, ...], Field(min_length=2, max_length=8)] = (32, 64, 128, 256)
    hidden_dim: Size = 512
    latent_dim: Size = 128

    def __post_init__(self) -> None:
        if self.picture_size % 2 ** len(self.widths):
            raise ValueError(f"picture_size must be a multiple of {2 ** len(self.widths)}")

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of the encoder's last features."""
        side = self.picture_size >> len(self.widths)
        return self.widths[-1], side, side


class ConvEncoder(nn.Module):
    """Picture (N, 3, S, S) -> posterior over z (N, D), and each convolution's output after its ReLU."""

    def __init__(self, config: ConvVAEConfig) -> None:
        super().__init__()
        channels, height, width = config.feature_shape
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise((3, *config.widths)))
        self.hidden = nn.Linear(channels * height * width, config.hidden_dim)
        self.mu = nn.Linear(config.hidden_dim, config.latent_dim)
        self.logvar = nn.Linear(config.hidden_dim, config.latent_dim)

    def forward(self, picture: Tensor) -> tuple[DiagonalGaussian, list[Tensor]]:
        """Encode; the posterior is float32 whatever the convolutions run in."""
        h, features = picture, []
        for convolution in self.down:
            h = torch.relu(convolution(h))  # (N, widths[i], S / 2^(i+1), S / 2^(i+1))
            features.append(h)
        hidden = torch.relu(self.hidden(h.flatten(1)))
        return DiagonalGaussian(self.mu(hidden).float(), self.logvar(hidden).float()), features


class ConvDecoder(nn.Module):
    """Latent vector (N, D) -> logits of the picture (N, 3, S, S)."""

    def __init__(self, config: ConvVAEConfig) -> None:
        super().__init__()
        channels, height, width = self.feature_shape = config.feature_shape
        self.hidden = nn.Linear(config.latent_dim, config.hidden_dim)
        self.features = nn.Linear(config.hidden_dim, channels * height * width)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairwise((*reversed(config.widths), 3))
        )

    def forward(self, z: Tensor, skips: list[Tensor] | None = None) -> Tensor:
        """Decode; `skips`, if given, are added to the output of each transposed convolution but the last."""
        h = torch.relu(self.features(self.hidden(z))).unflatten(1, self.feature_shape)
        for index, convolution in enumerate(self.up[:-1]):
            h = convolution(h)
            h = torch.relu(h + skips[index] if skips else h)
        logits: Tensor = self.up[-1](h)
        return logits


class ConvVAE(LatentVectorVAE):
    """The plain VAE; see the module's text."""

    name: ClassVar[str] = "conv-vae"
    config_type: ClassVar[type[ConvVAEConfig]] = ConvVAEConfig
    spec: ClassVar[ModelSpec] = ModelSpec(
        summary="convolutional VAE; soft restorations, generates pictures", can_sample=True, can_export=True
    )

    def __init__(self, config: ConvVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ConvEncoder(config)
        self.decoder = ConvDecoder(config)

    def reconstruction_loss(self, logits: Tensor, clear: Tensor) -> Tensor:
        """Binary cross-entropy, sum over pixels, mean over N."""
        return bernoulli_nll(logits, clear)

    def decode_logits(self, z: Tensor, features: list[Tensor]) -> Tensor:  # noqa: ARG002 (skip-vae reads them)
        """Decode (N, D) to logits; the encoder's features are not used, so that z alone holds the picture."""
        logits: Tensor = self.decoder(z)
        return logits
