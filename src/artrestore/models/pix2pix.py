"""`pix2pix`: the conditional GAN of Isola et al. 2017 on 256 x 256 pictures, to compare the VAEs with.

    generator      3 -> 64 -> 128 -> 256 -> 512 -> 512 -> 512 -> 512 -> 512   256 px -> a vector of 512
                   512 -> 512 -> 512 -> 512 -> 512 -> 256 -> 128 -> 64 -> 3   and back to 256 px
                   as the U-Net of `unet-vae`, with dropout in the first three layers up, and tanh last
    discriminator  (damaged, candidate) 6 -> 64 -> 128 -> 256 -> 512          256 px -> 16 px
                   512*16*16 -> 128 -> 1 logit: is the candidate the clear picture?

DCGAN style (Radford et al. 2016): strided convolutions for pooling, batch normalisation but where a network begins
and ends, leaky ReLU, weights from N(0, 0.02^2), Adam with beta1 = 0.5. The discriminator is part of the training
only; weight files leave it out. Dropout, the only noise, is off where pictures are restored.
"""

from itertools import pairwise
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from artrestore.losses import judged
from artrestore.models.base import (
    ModelSpec,
    RestorationModel,
    StageName,
    Surroundings,
    TileRule,
    TrainingDefaults,
)
from artrestore.models.conv_vae import Size
from artrestore.models.layers import DownBlock
from artrestore.models.unet_vae import UNetDecoder, Widths

_PREFIX = "discriminator."


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Pix2PixConfig:
    """Settings of `pix2pix`.

    Attributes:
        widths: channels of each layer down; their number decides the side of the pictures.
        slope: of the leaky ReLU below zero.
        dropout: part of the values that the first three layers up lose in training.
        discriminator_widths: channels of its convolutions.
        discriminator_hidden: width of its dense layer.
        lambda_l1: weight of the mean absolute error beside the adversarial loss; 0 is purely adversarial.
        init_std: standard deviation of the first weights.
    """

    widths: Widths = (64, 128, 256, 512, 512, 512, 512, 512)
    slope: Annotated[float, Field(ge=0, lt=1)] = 0.2
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    discriminator_widths: Widths = (64, 128, 256, 512)
    discriminator_hidden: Size = 128
    lambda_l1: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 100.0
    init_std: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.02

    def __post_init__(self) -> None:
        if len(self.discriminator_widths) > len(self.widths):
            raise ValueError("discriminator_widths can be no longer than widths: no pixels would be left")

    @property
    def picture_size(self) -> int:
        """Side of the square pictures, of which the generator's lower half leaves one pixel."""
        return int(2 ** len(self.widths))


class Discriminator(nn.Module):
    """(damaged, candidate), (N, 6, S, S) -> one logit, (N, 1): above zero it takes the candidate for real."""

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        widths = config.discriminator_widths
        side = config.picture_size >> len(widths)
        self.down = nn.Sequential(
            *(DownBlock(a, b, slope=config.slope, normalised=a != 6) for a, b in pairwise((6, *widths)))
        )
        self.hidden = nn.Linear(widths[-1] * side * side, config.discriminator_hidden)
        self.verdict = nn.Linear(config.discriminator_hidden, 1)
        self.slope = config.slope

    def forward(self, both: Tensor) -> Tensor:
        """Judge."""
        hidden = F.leaky_relu(self.hidden(self.down(both).flatten(1)), self.slope)
        logit: Tensor = self.verdict(hidden)
        return logit


class Pix2Pix(RestorationModel):
    """The GAN; see the module's text."""

    name: ClassVar[str] = "pix2pix"
    config_type: ClassVar[type[Pix2PixConfig]] = Pix2PixConfig
    spec: ClassVar[ModelSpec] = ModelSpec(
        summary="conditional GAN, no VAE; sharp restorations that may invent",
        can_sample=False,
        can_export=True,
        training=TrainingDefaults(
            learning_rate=2e-4, adam_beta1=0.5, schedule="constant", batch_size=4, epochs=100
        ),
    )

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        last = len(widths)
        self.down = nn.ModuleList(
            DownBlock(a, b, slope=config.slope, normalised=1 < number < last)
            for number, (a, b) in enumerate(pairwise((3, *widths)), start=1)
        )
        self.up = UNetDecoder(widths[-1], widths[:-1], dropout=config.dropout)
        self.discriminator: Discriminator | None = None
        _initialise(self, config.init_std)

    @property
    def tile_rule(self) -> TileRule:
        """Fixed-size tiles that overlap by half: the vector in the middle makes neighbours disagree."""
        return TileRule(tile_size=self.config.picture_size, overlap=self.config.picture_size // 2, fixed=True)

    def forward(self, damaged: Tensor, around: Surroundings | None = None) -> Tensor:  # noqa: ARG002
        """Restore: (N, 3, S, S) in [0, 1] -> the same."""
        h, features = _centred(damaged), []
        for block in self.down:
            h = block(h)
            features.append(h)
        logits = self.up(h, features[-2::-1]).float()
        return 0.5 + 0.5 * torch.tanh(logits)

    def prepare_training(self) -> None:
        """Add the discriminator."""
        self.discriminator = Discriminator(self.config)
        _initialise(self.discriminator, self.config.init_std)

    def weights(self) -> dict[str, Tensor]:
        """The tensors that restoring needs: the generator's."""
        return {name: tensor for name, tensor in self.state_dict().items() if not name.startswith(_PREFIX)}

    def trained_parameters(self, stage: StageName) -> list[nn.Parameter]:  # noqa: ARG002
        """The generator's."""
        return [parameter for name, parameter in self.named_parameters() if not name.startswith(_PREFIX)]

    def adversary_parameters(self) -> list[nn.Parameter]:
        """The discriminator's."""
        return list(self.discriminator.parameters()) if self.discriminator else []

    def training_losses(
        self,
        damaged: Tensor,
        clear: Tensor,
        *,
        beta: float,  # noqa: ARG002
        free_bits: float = 0.0,  # noqa: ARG002
        stage: StageName = "restore",  # noqa: ARG002
        around: Surroundings | None = None,  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """The generator's loss, -log D(restored) + lambda_l1 * mean absolute error, and the discriminator's.

        The first is the form that does not saturate (Goodfellow et al. 2014); the second is halved, so that the
        discriminator learns more slowly (Isola et al.). It is given what was restored without the way back.
        """
        if self.discriminator is None:
            raise RuntimeError("prepare_training comes first")
        restored = self(damaged)
        adversarial = judged(self._verdict(damaged, restored), 1.0)
        error = (restored - clear).abs().mean()
        caught = judged(self._verdict(damaged, restored.detach()), 0.0)
        return {
            "loss": adversarial + self.config.lambda_l1 * error,
            "reconstruction": error,
            "adversarial": adversarial,
            "discriminator": 0.5 * (judged(self._verdict(damaged, clear), 1.0) + caught),
        }

    def _verdict(self, damaged: Tensor, candidate: Tensor) -> Tensor:
        assert self.discriminator is not None  # noqa: S101 (`training_losses` has asked)
        logit: Tensor = self.discriminator(_centred(torch.cat([damaged, candidate], dim=1)))
        return logit


def _centred(pictures: Tensor) -> Tensor:
    """From [0, 1] to [-1, 1]."""
    return 2 * pictures - 1


def _initialise(network: nn.Module, deviation: float) -> None:
    """Draw the weights of convolutions and dense layers from N(0, deviation^2); biases begin at zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, std=deviation)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
