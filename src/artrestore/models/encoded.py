"""What lies between the two halves of `hierarchical-vae`."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from artrestore.models.tone import Tone


class Encoded(NamedTuple):
    """What the decoder needs of tiles: see `HierarchicalVAE.encode`."""

    damaged: Tensor
    corrected: Tensor
    coarse: Tensor
    skips: tuple[Tensor, ...]
    middle: Tensor
    tone: Tone
    place: Tensor

    def repeated(self, times: int) -> "Encoded":
        """The same tiles several times over, for as many decodings in one pass."""
        # This keeps the memory format, as `Tensor.repeat` does not.
        return self._each(lambda part: torch.cat([part] * times))

    def first(self, count: int) -> "Encoded":
        """The first tiles of a batch."""
        return self._each(lambda part: part[:count])

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Encoded":
        skips, tone = tuple(map(change, self.skips)), Tone(*map(change, self.tone))
        damaged, corrected, coarse = change(self.damaged), change(self.corrected), change(self.coarse)
        return Encoded(damaged, corrected, coarse, skips, change(self.middle), tone, change(self.place))
