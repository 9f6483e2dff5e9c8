"""`unet-vae`: a U-Net on 256 x 256 pictures whose bottleneck is a latent vector of 64.

    encoder  3 -> 64 -> 128 -> 256 -> 512 -> 512 -> 512 -> 512 -> 512   256 px -> 1 px
             convolutions 4x4, stride 2, each with batch normalisation and leaky ReLU
             512 -> mu 64, logvar 64
    decoder  64 -> 512 -> 512 -> 512 -> 512 -> 256 -> 128 -> 64 -> 3    1 px -> 256 px
             transposed convolutions 4x4, stride 2; each but the last with batch normalisation, ReLU, and the
             encoder's output of the same size behind it; sigmoid last

Kernels and widths are those of Isola et al. 2017. Edges pass by the skips, so restorations are sharp, and it does
not generate.
"""

from itertools import pairwise
from typing import Annotated, ClassVar

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from artrestore.models.base import ModelSpec, TrainingDefaults
from artrestore.models.conv_vae import Size
from artrestore.models.layers import DiagonalGaussian, DownBlock, UpBlock
from artrestore.models.vae import LatentVectorVAE

Widths = Annotated[tuple[Size, ...], Field(min_length=2, max_length=10)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class UNetVAEConfig:
    """Settings of `unet-vae`.

    Attributes:
        widths: channels of each convolution of the encoder; their number decides the side of the pictures.
        latent_dim: length of the latent vector.
        slope: of the leaky ReLU below zero.
    """

    widths: Widths = (64, 128, 256, 512, 512, 512, 512, 512)
    latent_dim: Size = 64
    slope: Annotated[float, Field(ge=0, lt=1)] = 0.2

    @property
    def picture_size(self) -> int:
        """Side of the square pictures, of which the encoder leaves one pixel."""
        return int(2 ** len(self.widths))


class UNetEncoder(nn.Module):
    """Picture (N, 3, S, S) -> posterior over z (N, D), and each convolution's output after its leaky ReLU."""

    def __init__(self, config: UNetVAEConfig) -> None:
        super().__init__()
        self.down = nn.ModuleList(DownBlock(a, b, slope=config.slope) for a, b in pairwise((3, *config.widths)))
        self.mu = nn.Linear(config.widths[-1], config.latent_dim)
        self.logvar = nn.Linear(config.widths[-1], config.latent_dim)

    def forward(self, picture: Tensor) -> tuple[DiagonalGaussian, list[Tensor]]:
        """Encode; the posterior is float32 whatever the convolutions run in."""
        h, features = picture, []
        for block in self.down:
            h = block(h)  # (N, widths[i], S / 2^(i+1), S / 2^(i+1))
            features.append(h)
        h = h.flatten(1)
        return DiagonalGaussian(self.mu(h).float(), self.logvar(h).float()), features


class UNetDecoder(nn.Module):
    """Features (N, C, 1, 1) and skips, smallest first -> logits of the picture (N, 3, S, S).

    Args:
        channels: C.
        widths: of the skips, largest picture first.
        dropout: after the first three layers.
    """

    def __init__(self, channels: int, widths: tuple[int, ...], *, dropout: float = 0.0) -> None:
        super().__init__()
        outputs = tuple(reversed(widths))
        inputs = (channels, *(2 * width for width in outputs))
        self.up = nn.ModuleList(
            UpBlock(a, b, dropout=dropout if index < 3 else 0.0)
            for index, (a, b) in enumerate(zip(inputs, outputs, strict=False))
        )
        self.last = nn.ConvTranspose2d(inputs[-1], 3, 4, 2, 1)

    def forward(self, h: Tensor, skips: list[Tensor]) -> Tensor:
        """Decode; each skip is put behind the channels of the layer of its size."""
        for block, skip in zip(self.up, skips, strict=True):
            h = torch.cat([block(h), skip], dim=1)
        logits: Tensor = self.last(h)
        return logits


class UNetVAE(LatentVectorVAE):
    """The VAE with concatenated skips; see the module's text."""

    name: ClassVar[str] = "unet-vae"
    config_type: ClassVar[type[UNetVAEConfig]] = UNetVAEConfig
    spec: ClassVar[ModelSpec] = ModelSpec(
        summary="U-Net with a latent vector as its bottleneck; sharp restorations of large tiles",
        can_sample=False,
        can_export=True,
        training=TrainingDefaults(learning_rate=1e-4, schedule="constant", batch_size=8, epochs=100),
    )

    def __init__(self, config: UNetVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = UNetEncoder(config)
        self.decoder = UNetDecoder(config.latent_dim, config.widths[:-1])

    def decode_logits(self, z: Tensor, features: list[Tensor]) -> Tensor:
        """Decode (N, D) beside all but the last of the encoder's features, deepest first."""
        logits: Tensor = self.decoder(z[:, :, None, None], features[-2::-1])
        return logits
