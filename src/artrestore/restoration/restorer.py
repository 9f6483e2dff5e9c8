"""Restoring one picture of any size with a network that takes tiles."""

import math

import numpy as np
import torch
from torch import Tensor

from artrestore.errors import PictureError, UsageError
from artrestore.io.pictures import Array
from artrestore.models.base import TileRule
from artrestore.models.devices import Precision, autocast, uses_bf16
from artrestore.models.loading import LoadedModel
from artrestore.tiling import pad_to, restore_tiled


class Restorer:
    """A loaded model with its tile geometry and precision; holds no state between pictures.

    Raises:
        UsageError: a tile size or overlap that the network cannot take.
        DeviceError: a precision that the device cannot take.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        *,
        tile_size: int | None = None,
        overlap: int | None = None,
        batch_size: int = 16,
        precision: Precision = "fp32",
    ) -> None:
        rule = loaded.model.tile_rule
        self.model = loaded.model.to(memory_format=torch.channels_last)
        self.path = loaded.path
        self.device = loaded.device
        self.rule = rule
        self.tile_size, self.overlap = _geometry(rule, tile_size, overlap)
        self.batch_size = batch_size
        self.bf16 = uses_bf16(precision, loaded.device)

    def restore(self, picture: Array) -> Array:
        """Restore RGB float32 in [0, 1], (3, H, W), by the posterior mean; the same in gives the same out.

        Tiles on which bf16 fails are done again in float32.

        Raises:
            PictureError: the network gave NaN or infinity.
        """
        damaged = torch.from_numpy(picture)
        height, width = damaged.shape[1:]
        tile = self._tile_side(height), self._tile_side(width)
        # A small picture is one tile on that axis; an overlap must stay below the tile it lies in.
        overlap = min(self.overlap, *(side - 1 for side in tile))
        restored = restore_tiled(
            pad_to(damaged, *tile), self._network, tile_size=tile, overlap=overlap, batch_size=self.batch_size
        )
        clipped = restored[:, :height, :width].clamp(0, 1)
        return np.ascontiguousarray(clipped.numpy())

    def _tile_side(self, length: int) -> int:
        if self.rule.fixed:
            return self.tile_size
        return min(self.tile_size, math.ceil(length / self.rule.multiple) * self.rule.multiple)

    def _network(self, tiles: Tensor) -> Tensor:
        restored = self._run(tiles, bf16=self.bf16)
        if self.bf16 and not torch.isfinite(restored).all():
            restored = self._run(tiles, bf16=False)
        if not torch.isfinite(restored).all():
            raise PictureError("The network gave values that are no numbers for this picture")
        return restored

    def _run(self, tiles: Tensor, *, bf16: bool) -> Tensor:
        on_device = tiles.to(self.device).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), autocast(self.device, bf16=bf16):
            restored: Tensor = self.model(on_device)
        return restored.float().cpu()


def _geometry(rule: TileRule, tile_size: int | None, overlap: int | None) -> tuple[int, int]:
    size = rule.tile_size if tile_size is None else tile_size
    if rule.fixed and size != rule.tile_size:
        raise UsageError(
            f"This network takes tiles of {rule.tile_size} pixels only, not {size}",
            hint="Leave out --tile-size.",
        )
    if size < rule.multiple or size % rule.multiple:
        raise UsageError(f"The tile size must be a multiple of {rule.multiple}, not {size}")
    lap = min(rule.overlap, size // 2) if overlap is None else overlap
    if not 0 <= lap < size:
        raise UsageError(f"The overlap must be at least 0 and less than the tile's {size} pixels, not {lap}")
    return size, lap
