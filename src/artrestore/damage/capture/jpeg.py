"""JPEG compression, once or twice.

The file keeps the cosine transform of 8 x 8 blocks, coarsely rounded: blocks, ringing at borders, colours that
bleed where chroma has half the resolution. A picture that was cropped and saved again has two such grids, one
displaced.

Source: Wallace, "The JPEG still picture compression standard", IEEE Transactions on Consumer Electronics 38
(1992); ITU-T Recommendation T.81.
"""

from io import BytesIO
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, View, parameters

Quality = Annotated[int, Field(ge=1, le=100)]
Shift = Annotated[int, Field(ge=0, le=15)]
_CELL = 16  # pixels: chroma at half the resolution has blocks as wide as this


@parameters
class Jpeg(Damage):
    """JPEG compression.

    Attributes:
        quality: of the file, by the Independent JPEG Group's scale.
        chroma: whether the colours have full (`4:4:4`) or half resolution each way (`4:2:0`).
        earlier: quality of the file before; 0: there was none.
        down: how far down the earlier file's grid lies, pixels.
        right: the same to the right.
    """

    group = "capture"
    imitates = "the blocks, ringing and bleeding colours of JPEG files, saved once or twice"

    quality: Quality
    chroma: Literal["4:4:4", "4:2:0"] = "4:2:0"
    earlier: Annotated[int, Field(ge=0, le=100)] = 0
    down: Shift = 0
    right: Shift = 0

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        first, second = (round(96 - 88 * strength**0.7 * part) for part in rng.uniform(0.78, 1, 2))
        twice = rng.random() < 0.4
        return cls(
            quality=max(first, second) if twice else first,
            chroma="4:2:0" if rng.random() < min(0.7, 3 * strength) else "4:4:4",
            earlier=min(first, second) if twice else 0,
            down=int(rng.integers(16)),
            right=int(rng.integers(16)),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:  # noqa: ARG002
        """Damage a picture (3, H, W) in [0, 1]."""
        pixels = np.rint(picture.transpose(1, 2, 0) * 255).astype(np.uint8)
        # The blocks lie as in the whole picture.
        if self.earlier:
            pixels = self._saved(
                pixels, self.earlier, (view.top - self.down) % _CELL, (view.left - self.right) % _CELL
            )
        pixels = self._saved(pixels, self.quality, view.top % _CELL, view.left % _CELL)
        return Damaged.everywhere(np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) / np.float32(255))

    def _saved(self, pixels: npt.NDArray[np.uint8], quality: int, down: int, right: int) -> npt.NDArray[np.uint8]:
        """Saved and read again, the array's corner so far from a block's."""
        padded = np.pad(pixels, ((down, 0), (right, 0), (0, 0)), mode="edge")
        file = BytesIO()
        Image.fromarray(padded).save(file, "JPEG", quality=quality, subsampling=self.chroma)
        with Image.open(file) as image:
            return np.asarray(image)[down:, right:]
