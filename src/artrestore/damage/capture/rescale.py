"""Rescaling: a picture made small and large again.

Pictures from the web were shrunk to fit a page and are enlarged for print. Each program has its filter: the mean
of an area, linear or cubic interpolation, or the nearest pixel, with softness, ringing, moiré and stairs of their
own.

Source: Keys, "Cubic convolution interpolation for digital image processing", IEEE Transactions on Acoustics,
Speech, and Signal Processing 29 (1981); Wolberg, "Digital Image Warping" (1990).
"""

from typing import Annotated, Literal, Self

import cv2
import numpy as np
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, View, parameters

_FILTERS = {
    "area": cv2.INTER_AREA,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "nearest": cv2.INTER_NEAREST_EXACT,
}


@parameters
class Rescale(Damage):
    """Rescaling.

    Attributes:
        factor: how many times smaller the picture was.
        smaller: the filter that made it so.
        larger: the filter that brought it back.
    """

    group = "capture"
    imitates = "a small file enlarged: soft, ringing or stepped, fine detail gone"

    factor: Annotated[float, Field(ge=1, le=8)]
    smaller: Literal["area", "linear", "cubic", "nearest"] = "area"
    larger: Literal["linear", "cubic", "nearest"] = "cubic"

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        smaller = rng.choice(["area", "linear", "cubic", "nearest"], p=[0.4, 0.2, 0.3, 0.1]).item()
        larger = rng.choice(["linear", "cubic", "nearest"], p=[0.35, 0.5, 0.15]).item()
        if strength < 0.1:
            # However near the factor is to 1, the softer filters blur by half a pixel.
            smaller = larger = "cubic"
        return cls(factor=1 + 3 * strength * rng.uniform(0.5, 1), smaller=smaller, larger=larger)

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:  # noqa: ARG002
        """Damage a picture (3, H, W) in [0, 1]."""
        size = view.shape[::-1]
        small = (max(1, round(size[0] / self.factor)), max(1, round(size[1] / self.factor)))
        planes = []
        for channel in picture:
            shrunk = cv2.resize(channel, small, interpolation=_FILTERS[self.smaller])
            planes.append(cv2.resize(shrunk, size, interpolation=_FILTERS[self.larger]))
        return Damaged.everywhere(np.clip(np.stack(planes), 0, 1).astype(np.float32))
