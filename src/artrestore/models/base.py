"""What every architecture promises, and what callers may know of it, as data."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from artrestore.errors import UnsupportedError

StageName = Literal["clear", "restore"]


@dataclass(frozen=True, kw_only=True)
class TrainingDefaults:
    """How an architecture is trained unless the user says otherwise.

    Attributes:
        stages: in order; `clear` learns clear to clear, `restore` learns distorted to clear.
        stage_shares: part of the budget each stage gets, when all of them run.
        clip_grad_norm: gradients are scaled down to this norm; 0 does not clip.
    """

    stages: tuple[StageName, ...] = ("restore",)
    stage_shares: tuple[float, ...] = (1.0,)
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    batch_size: int = 32
    beta: float = 1.0
    clip_grad_norm: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TileRule:
    """The picture sizes that a network takes.

    Attributes:
        tile_size: the default side of a tile in pixels; the only one if `fixed`.
        overlap: the default overlap of tiles in pixels.
        fixed: the network takes `tile_size` x `tile_size` and nothing else.
        multiple: sides must be a multiple of this, where they are not fixed.
    """

    tile_size: int
    overlap: int
    fixed: bool = False
    multiple: int = 1


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """An architecture described by data, so that no caller needs to know its class."""

    summary: str
    can_sample: bool
    can_quantify: bool = False
    training: TrainingDefaults = TrainingDefaults()


class RestorationModel(nn.Module, ABC):
    """A network that restores pictures, RGB in [0, 1], (N, 3, H, W).

    A subclass sets `name`, `spec` and `config_type` (a frozen dataclass that refuses impossible settings), and
    is built from such a config alone.
    """

    name: ClassVar[str]
    spec: ClassVar[ModelSpec]
    config_type: ClassVar[type[Any]]
    config: Any

    @property
    @abstractmethod
    def tile_rule(self) -> TileRule:
        """The picture sizes that this network takes."""

    @abstractmethod
    def forward(self, damaged: Tensor) -> Tensor:
        """Restore by the posterior mean, without sampling noise: (N, 3, H, W) in [0, 1] -> the same, float32."""

    @abstractmethod
    def training_losses(self, damaged: Tensor, clear: Tensor, *, beta: float) -> dict[str, Tensor]:
        """The scalar `loss` to minimise and its parts (`reconstruction`, `kl`), from one posterior sample."""

    def sample(
        self,
        count: int,  # noqa: ARG002
        *,
        temperature: float,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
    ) -> Tensor:
        """Draw pictures from the prior: (count, 3, H, W) in [0, 1].

        Args:
            count: how many.
            temperature: standard deviation of the prior; 1 is the trained one, less gives tamer pictures.
            generator: of the CPU, so that a seed means the same on every device.

        Raises:
            UnsupportedError: the architecture cannot generate.
        """
        raise UnsupportedError(f"{self.name} cannot generate pictures: it needs a picture to restore")

    @property
    def parameter_count(self) -> int:
        """Number of trainable values."""
        return sum(parameter.numel() for parameter in self.parameters())
