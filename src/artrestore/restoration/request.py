"""What a restorer is given and asked for: a picture by its rows, and what to make of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from artrestore.errors import PictureError
from artrestore.io.pictures import Array

Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A damaged picture that is read from top to bottom, once or more often.

    Attributes:
        size: (H, W).
        rows: gives rows from one to another as RGB float32 in [0, 1], (3, n, W); may begin anew at 0.
        lost: the same of the mask of what is lost, (n, W), true where nothing of the original is left; None if
            that is not known.
        in_memory: the picture is held in memory, where its restoration has room, too.
    """

    size: tuple[int, int]
    rows: Callable[[int, int], Array]
    lost: Callable[[int, int], Mask] | None = None
    in_memory: bool = False

    @classmethod
    def of(cls, picture: Array, lost: Mask | None = None) -> "Source":
        """A picture in memory, (3, H, W), and its mask, (H, W).

        Raises:
            PictureError: the mask has another size.
        """
        height, width = picture.shape[1:]
        if lost is not None and lost.shape != (height, width):
            raise PictureError(
                f"The mask is {lost.shape[1]} x {lost.shape[0]}, but its picture is {width} x {height}"
            )
        return cls(
            size=(height, width),
            rows=lambda top, bottom: picture[:, top:bottom],
            lost=None if lost is None else lambda top, bottom: lost[top:bottom],
            in_memory=True,
        )


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to make of a picture: by default the posterior mean.

    Attributes:
        interval: also tell how sure the network is.
        average: instead, the mean of so many draws.
        creativity: instead, so far from the mean (0) to a draw (1); None: the mean.
        draw: instead, the draw of this number, from 0.
        seed: of the draws, not negative; see `NoiseField` for what else they depend on.
        temperature: of the draws; None takes that of the calibration, or 1. At 0 each is the mean.
    """

    interval: bool = False
    average: int = 0
    creativity: float | None = None
    draw: int | None = None
    seed: int = 0
    temperature: float | None = None

    @property
    def needs_doubt(self) -> bool:
        """Whether the network must know more than its mean."""
        return self.interval or bool(self.average) or self.creativity is not None or self.draw is not None


class Band(NamedTuple):
    """Some rows of a picture, over its whole width.

    Attributes:
        damaged: (3, n, W) in [0, 1].
        lost: what is known to be lost, (n, W); nothing if nothing is known.
        restored: (3, n, W) in [0, 1].
        scale: b of a Laplace distribution around the mean, as predicted, (3, n, W); None if it was not asked for.
    """

    damaged: Array
    lost: Mask
    restored: Array
    scale: Array | None

    @classmethod
    def joined(cls, bands: "Sequence[Band]") -> "Band":
        """Bands, from top to bottom, as one."""
        if len(bands) == 1:
            return bands[0]
        scales = [band.scale for band in bands if band.scale is not None]
        return cls(
            damaged=np.concatenate([band.damaged for band in bands], axis=1),
            lost=np.concatenate([band.lost for band in bands], axis=0),
            restored=np.concatenate([band.restored for band in bands], axis=1),
            scale=np.concatenate(scales, axis=1) if scales else None,
        )

    def part(self, first: int, last: int) -> "Band":
        """The rows from `first` to before `last`."""
        return Band(
            damaged=self.damaged[:, first:last],
            lost=self.lost[first:last],
            restored=self.restored[:, first:last],
            scale=None if self.scale is None else self.scale[:, first:last],
        )
