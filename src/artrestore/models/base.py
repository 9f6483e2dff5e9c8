"""What every architecture promises, and what callers may know of it, as data."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from artrestore.errors import UnsupportedError
from artrestore.models.layers import DiagonalGaussian

StageName = Literal["clear", "tone", "restore", "refine", "uncertainty"]
THUMBNAIL_SIZE = 128
_OTHER_WEIGHTS = "`artrestore models` lists the architectures and what they can do."


@dataclass(frozen=True, kw_only=True)
class TrainingDefaults:
    """How an architecture is trained unless the user says otherwise.

    Attributes:
        stages: in order; `clear` learns clear to clear, `tone` learns the colours of whole pictures from their
            thumbnails, `restore` learns distorted to clear, `refine` the same, with small errors counting
            for more, `uncertainty` learns how sure the restoration is, without changing it.
        stage_shares: part of the budget each stage gets, when all of them run.
        crop_size: side of the crops in pixels; None takes the network's tiles.
        clip_grad_norm: gradients are scaled down to this norm; 0 does not clip.
        ema: decay of the moving average of the weights, which is what is kept; 0 keeps the weights themselves.
        fine_tuning: part of the learning rate that the backbone gets if training begins from other weights.
        adam_beta1: decay of Adam's mean gradient.
        epochs: the budget if none is named; None takes the usual minutes.
    """

    stages: tuple[StageName, ...] = ("restore",)
    stage_shares: tuple[float, ...] = (1.0,)
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    batch_size: int = 32
    crop_size: int | None = None
    beta: float = 1.0
    clip_grad_norm: float = 0.0
    ema: float = 0.0
    fine_tuning: float = 1.0
    adam_beta1: float = 0.9
    epochs: int | None = None


@dataclass(frozen=True, kw_only=True)
class TileRule:
    """The picture sizes that a network takes.

    Attributes:
        tile_size: the default side of a tile in pixels; the only one if `fixed`.
        overlap: the default overlap of tiles in pixels.
        fixed: the network takes `tile_size` x `tile_size` and nothing else.
        multiple: sides must be a multiple of this, where they are not fixed, and so must places in the picture.
        crop_multiple: of crops to learn from; None: the same.
        batch_size: tiles that go through the network together, by default.
    """

    tile_size: int
    overlap: int
    fixed: bool = False
    multiple: int = 1
    crop_multiple: int | None = None
    batch_size: int = 16


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """An architecture described by data, so that no caller needs to know its class.

    Attributes:
        summary: one line for `artrestore models`.
        can_sample: it generates pictures from nothing.
        can_quantify: it tells how sure it is (`quantify`) and draws restorations (`draw`).
        sees_surroundings: it makes use of `Surroundings`.
        can_export: `forward` is made of what other programs can compute (`models.export`).
        training: see `TrainingDefaults`.
    """

    summary: str
    can_sample: bool
    can_quantify: bool = False
    sees_surroundings: bool = False
    can_export: bool = False
    training: TrainingDefaults = TrainingDefaults()


class Surroundings(NamedTuple):
    """What is known of a tile beyond its pixels.

    Attributes:
        thumbnail: (N, 3, 128, 128), the whole damaged picture in small, whatever its proportions.
        place: (N, 4), the tile's top, left, bottom and right in the picture, as fractions of its sides.
        lost: (N, 1, H, W), 1 where nothing of the original is left, as far as that is known; else 0.
    """

    thumbnail: Tensor
    place: Tensor
    lost: Tensor

    @classmethod
    def alone(cls, damaged: Tensor) -> Self:
        """Of whole pictures (N, 3, H, W), whose losses are not known."""
        place = damaged.new_tensor([0.0, 0.0, 1.0, 1.0]).expand(len(damaged), 4)
        return cls(thumbnail=thumbnail(damaged), place=place, lost=torch.zeros_like(damaged[:, :1]))


def thumbnail(picture: Tensor) -> Tensor:
    """The whole of (N, 3, H, W) averaged down to a square: (N, 3, 128, 128)."""
    return F.adaptive_avg_pool2d(picture, THUMBNAIL_SIZE)


class RestorationModel(nn.Module, ABC):
    """A network that restores pictures, RGB in [0, 1], (N, 3, H, W).

    A subclass sets `name`, `spec` and `config_type` (a frozen dataclass that refuses impossible settings), and
    is built from such a config alone; `sizes` names some of them for `--size`.
    """

    name: ClassVar[str]
    spec: ClassVar[ModelSpec]
    config_type: ClassVar[type[Any]]
    sizes: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    config: Any

    @property
    @abstractmethod
    def tile_rule(self) -> TileRule:
        """The picture sizes that this network takes."""

    @property
    def latent_dim(self) -> int | None:
        """Length D of the latent vector that stands for a picture; None: the network has none."""
        return None

    @property
    def noise_shape(self) -> tuple[tuple[int, int | None], ...]:
        """Channels of each latent of `draw`, and the pixels one of its values spans; None for a global one."""
        raise UnsupportedError(f"{self.name} cannot draw restorations", hint=_OTHER_WEIGHTS)

    @abstractmethod
    def forward(self, damaged: Tensor, around: Surroundings | None = None) -> Tensor:
        """Restore by the posterior mean, without sampling noise: (N, 3, H, W) in [0, 1] -> the same, float32.

        Without `around`, each is a whole picture, whose losses are not known.
        """

    @abstractmethod
    def training_losses(
        self,
        damaged: Tensor,
        clear: Tensor,
        *,
        beta: float,
        free_bits: float = 0.0,
        stage: StageName = "restore",
        around: Surroundings | None = None,
    ) -> dict[str, Tensor]:
        """The scalar `loss` to minimise and its parts (`reconstruction`, `kl` ...), from one posterior sample.

        A network with an adversary also gives the `discriminator`'s loss; see `adversary_parameters`.

        Args:
            damaged: (N, 3, H, W) in [0, 1].
            clear: what they were.
            beta: weight of the KL divergence.
            free_bits: what each unit of a latent vector counts at least in it, in nats.
            stage: of the training.
            around: see `forward`.
        """

    def infer(self, damaged: Tensor) -> DiagonalGaussian:  # noqa: ARG002
        """The posterior of the latent vectors of (N, 3, H, W): normal distributions over (N, D).

        Raises:
            UnsupportedError: the architecture has no latent vector.
        """
        raise UnsupportedError(f"{self.name} does not put a picture into a latent vector", hint=_OTHER_WEIGHTS)

    def generate(self, z: Tensor) -> Tensor:  # noqa: ARG002
        """Decode latent vectors (N, D) to pictures: (N, 3, H, W) in [0, 1].

        Raises:
            UnsupportedError: the architecture cannot generate.
        """
        raise UnsupportedError(
            f"{self.name} cannot generate pictures: it needs a picture to restore", hint=_OTHER_WEIGHTS
        )

    def quantify(
        self,
        damaged: Tensor,  # noqa: ARG002
        around: Surroundings | None = None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        """What `forward` returns and the scale b of a Laplace distribution around it, both (N, 3, H, W).

        Raises:
            UnsupportedError: the architecture cannot tell how sure it is.
        """
        raise UnsupportedError(f"{self.name} cannot tell how sure it is of its restorations", hint=_OTHER_WEIGHTS)

    def draw(
        self,
        damaged: Tensor,  # noqa: ARG002
        noise: list[Tensor],  # noqa: ARG002
        around: Surroundings | None = None,  # noqa: ARG002
    ) -> Tensor:
        """A plausible restoration: (N, 3, H, W) in [0, 1].

        Args:
            damaged: (N, 3, H, W) in [0, 1].
            noise: values from N(0, I), a tensor for each entry of `noise_shape`: (N, C) for a global latent, and
                (N, C, H / s, W / s) for one whose values span s pixels.
            around: see `forward`.

        Raises:
            UnsupportedError: the architecture has but one restoration.
        """
        raise UnsupportedError(f"{self.name} cannot draw restorations", hint=_OTHER_WEIGHTS)

    def keep_tone(self) -> None:
        """From now on, leave the tone of whole pictures as it is.

        Raises:
            UnsupportedError: the architecture does not judge tone apart from all else.
        """
        raise UnsupportedError(
            f"{self.name} does not correct the tone of a picture apart from all else",
            hint="Leave --keep-tone out.",
        )

    def prepare_training(self) -> None:
        """Add what only training needs."""

    def trained_parameters(self, stage: StageName) -> list[nn.Parameter]:  # noqa: ARG002
        """What a stage changes."""
        return list(self.parameters())

    def adversary_parameters(self) -> list[nn.Parameter]:
        """What an optimizer of its own changes to lessen the loss `discriminator`: nothing, but in a GAN."""
        return []

    def weights(self) -> dict[str, Tensor]:
        """The tensors that restoring needs: what goes into a weight file."""
        return self.state_dict()

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over the tensors of a weight file; what only training needs is left as it is."""
        self.load_state_dict({**self.state_dict(), **tensors})

    def sample(self, count: int, *, temperature: float, generator: torch.Generator) -> Tensor:
        """Draw z ~ N(0, temperature^2 I) and generate: (count, 3, H, W) in [0, 1].

        Args:
            count: how many.
            temperature: standard deviation of the prior; 1 is the trained one, less gives tamer pictures.
            generator: of the CPU, so that a seed means the same on every device.

        Raises:
            UnsupportedError: the architecture cannot generate.
        """
        length = self.latent_dim or 0  # without a latent vector, `generate` refuses whatever it is given
        z = torch.randn(count, length, generator=generator) * temperature
        return self.generate(z.to(next(self.parameters())))

    @property
    def parameter_count(self) -> int:
        """Number of trainable values."""
        return sum(parameter.numel() for parameter in self.parameters())
