"""What every kind of damage is: parameters, drawn for a strength, and a pure function that applies them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self, TypeVar, dataclass_transform

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked_dataclass
from pydantic.fields import FieldInfo

# Pictures are shared out among processes, not rows among threads; and threads do not outlive a fork.
cv2.setNumThreads(1)

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
_HALF_A_LEVEL = 1 / 510
LOST_COVER = 0.99  # where a layer covers so much of a pixel, nothing of the original is left to see
Group = Literal["surface", "chemistry", "capture"]
Fraction = Annotated[float, Field(ge=0, le=1)]

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, frozen_default=True)
def parameters(cls: type[T]) -> type[T]:
    """Make a kind's parameters a frozen dataclass that refuses impossible values when it is made."""
    config = ConfigDict(extra="forbid", allow_inf_nan=False)
    checked: type[T] = checked_dataclass(cls, frozen=True, kw_only=True, config=config)  # type: ignore[assignment]
    return checked


@dataclass(frozen=True, kw_only=True)
class View:
    """Where an array of pixels lies in the picture it is a part of; all in pixels.

    Sizes of damage are given in thousandths of the whole picture's long side, and what depends on the place (a
    frame's edge, uneven light) on the place in the whole picture. So a crop is damaged as a part of its picture.
    """

    height: int
    width: int
    full_height: int
    full_width: int
    top: int = 0
    left: int = 0

    @classmethod
    def whole(cls, height: int, width: int) -> Self:
        """The view of a whole picture."""
        return cls(height=height, width=width, full_height=height, full_width=width)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the array."""
        return self.height, self.width

    @property
    def unit(self) -> float:
        """A thousandth of the whole picture's long side, in pixels."""
        return max(self.full_height, self.full_width) / 1000

    def scatter(self, rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
        """Points (count, 2) as (y, x), uniform over the whole picture, in the array's pixels: often outside."""
        inside = rng.random((count, 2)) * (self.full_height, self.full_width)
        return np.asarray(inside - (self.top, self.left), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A damaged picture and where it was damaged.

    Attributes:
        picture: RGB in [0, 1], float32 (3, H, W), in sRGB.
        touched: (H, W), true wherever the picture changed by more than half an 8-bit level.
        lost: (H, W), true where nothing of the original is left to see: what has to be filled in.
    """

    picture: Array
    touched: Mask
    lost: Mask

    @classmethod
    def everywhere(cls, picture: Array) -> Self:
        """Damage that touches every pixel and loses none."""
        return cls(
            picture=picture, touched=np.ones(picture.shape[1:], bool), lost=np.zeros(picture.shape[1:], bool)
        )

    @classmethod
    def nowhere(cls, picture: Array) -> Self:
        """No damage at all."""
        none = np.zeros(picture.shape[1:], bool)
        return cls(picture=picture, touched=none, lost=none.copy())

    @classmethod
    def between(cls, before: Array, after: Array, lost: Mask | None = None) -> Self:
        """Damage that touches what it lost and what it changed by over half a level; the rest stays as it was."""
        touched = np.abs(after - before).max(axis=0) > _HALF_A_LEVEL
        lost = np.zeros_like(touched) if lost is None else lost
        touched |= lost
        return cls(picture=np.where(touched, after, before), touched=touched, lost=lost)


class Damage(ABC):
    """A kind of damage with its parameters; the subclasses are frozen dataclasses.

    Attributes:
        group: where it comes from: the object's surface, its chemistry, or how it was photographed.
        imitates: what it looks like, in a conservator's words.
    """

    group: ClassVar[Group]
    imitates: ClassVar[str]

    @classmethod
    @abstractmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]: barely to be seen, to the worst that is met."""

    @abstractmethod
    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture.

        Args:
            picture: RGB in [0, 1], float32 (3, H, W), in sRGB; not changed.
            rng: where and what shape; the same generator state gives the same result.
            view: the array's place in the whole picture.
        """


def parameters_of(cls: type[Damage]) -> Mapping[str, FieldInfo]:
    """The parameters of a kind by name, with their types and legal ranges."""
    fields: Mapping[str, FieldInfo] = vars(cls)["__pydantic_fields__"]
    return fields
