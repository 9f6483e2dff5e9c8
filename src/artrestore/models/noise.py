"""The noise behind a drawn restoration: one field over the whole picture, of which every tile sees its part.

A value depends on the seed, the number of the draw, the latent and its own place in the picture, and on nothing
else: not on the size of the tiles, nor on how many go through the network together, nor on the device. So tiles
agree where they overlap, and a seed gives the same restoration everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from artrestore.io.pictures import Array

_BLOCK = 64  # values along a side that are drawn together


@dataclass(frozen=True, kw_only=True)
class NoiseField:
    """Values from N(0, temperature^2) for every latent of a network, for the whole plane.

    Attributes:
        shape: `RestorationModel.noise_shape`: channels of each latent, and the pixels that a value spans.
        seed: not negative.
        index: the number of the draw, not negative.
        temperature: standard deviation; 1 is the prior's, 0 gives the mean.
    """

    shape: tuple[tuple[int, int | None], ...]
    seed: int
    index: int = 0
    temperature: float = 1.0

    def cut(self, corners: Sequence[tuple[int, int]], size: tuple[int, int]) -> list[Tensor]:
        """What tiles see of the field: a tensor for each latent, as `RestorationModel.draw` takes them.

        Args:
            corners: (top, left) of each tile, in pixels of the picture, not negative.
            size: (height, width) of the tiles in pixels.

        Raises:
            ValueError: a tile does not lie on the grid of a latent.
        """
        parts = []
        for level, (channels, span) in enumerate(self.shape):
            if span is None:
                values = [self._generator(level).standard_normal(channels, dtype=np.float32)] * len(corners)
            else:
                values = [self._window(level, channels, span, corner, size) for corner in corners]
            parts.append(torch.from_numpy(np.stack(values) * np.float32(self.temperature)))
        return parts

    def _window(
        self, level: int, channels: int, span: int, corner: tuple[int, int], size: tuple[int, int]
    ) -> Array:
        """(channels, h, w) of a latent, put together from the blocks that the tile lies in."""
        if any(value % span for value in (*corner, *size)):
            raise ValueError(f"a tile at {corner} of {size} pixels does not lie on a grid of {span}")
        (top, left), (height, width) = ([value // span for value in pair] for pair in (corner, size))
        rows, columns = (
            range(start // _BLOCK, (start + length - 1) // _BLOCK + 1)
            for start, length in ((top, height), (left, width))
        )
        blocks = [[self._block(level, channels, row, column) for column in columns] for row in rows]
        joined: Array = np.block(blocks)
        y, x = top - rows.start * _BLOCK, left - columns.start * _BLOCK
        return joined[:, y : y + height, x : x + width]

    def _block(self, level: int, channels: int, row: int, column: int) -> Array:
        return self._generator(level, row, column).standard_normal((channels, _BLOCK, _BLOCK), dtype=np.float32)

    def _generator(self, *key: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, self.index, *key))
