"""Running a network on tiles whatever happens: half precision that fails, memory that runs short."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from artrestore.errors import PictureError
from artrestore.models.base import RestorationModel, Surroundings
from artrestore.models.devices import Precision, autocast, uses_bf16
from artrestore.tiling import Corner, restore_tiled

# What a network makes of tiles (N, 3, h, w) at some corners, knowing what is around them: (N, channels, h, w).
Run: TypeAlias = Callable[[Tensor, Surroundings | None, list[Corner]], Tensor]
# What the tiles at some corners, (N, 4, h, w) with the mask as the last channel, know of their picture.
Around: TypeAlias = Callable[[Tensor, list[Corner]], Surroundings | None]

_SMALLEST = 128  # side of the smallest tile that is tried on a device whose memory runs short
_SHORT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "could not create a memory")


class TileRunner:
    """Runs a network on tiles, and makes the best of what fails; remembers it for the tiles that follow.

    A tile on which bf16 gives NaN or infinity is done again in float32. Where memory runs short, tiles go one by
    one, then in halves (each half again tiled, with overlap), then on the CPU.

    Attributes:
        device: where the network is now.
        bf16: whether it runs in bf16.
        largest: longest side of tiles that fit into memory, as far as is known; None: all did.
        remarks: what had to be done differently, in words for the user, each once.
    """

    def __init__(self, model: RestorationModel, device: torch.device, precision: Precision) -> None:
        self.model = model.to(memory_format=torch.channels_last)
        self.device = device
        self.precision: Precision = precision
        self.bf16 = uses_bf16(precision, device)
        self.largest: int | None = None
        self.one_by_one = False
        self.remarks: list[str] = []

    def __call__(
        self, tiles: Tensor, corners: list[Corner], *, run: Run, around: Around, channels: int, overlap: int
    ) -> Tensor:
        """Run the network on tiles (N, C, h, w) at their corners: (N, channels, h, w), float32, on the CPU.

        Args:
            tiles: the first three channels are the picture's.
            corners: (top, left) of each in its picture.
            run: the network.
            around: what it knows of the rest of the picture.
            channels: of the result.
            overlap: of parts of a tile, if it must be taken apart.

        Raises:
            PictureError: the network gives no numbers, or even small tiles do not fit into memory.
        """

        def again(tiles: Tensor, corners: list[Corner]) -> Tensor:
            return self(tiles, corners, run=run, around=around, channels=channels, overlap=overlap)

        if len(tiles) > 1 and self.one_by_one:
            return torch.cat([again(tile[None], [corner]) for tile, corner in zip(tiles, corners, strict=True)])
        if self.largest and max(tiles.shape[2:]) > self.largest:
            whole = zip(tiles, corners, strict=True)
            return torch.stack([self._in_parts(tile, at, again, channels, overlap) for tile, at in whole])
        try:
            return self._checked(tiles[:, :3], around(tiles, corners), corners, run)
        except (RuntimeError, MemoryError) as error:
            if not _is_short_of_memory(error):
                raise
            self._spare_memory(tiles, error)
        return again(tiles, corners)

    def _spare_memory(self, tiles: Tensor, error: Exception) -> None:
        """Decide what to do differently from now on."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        multiple = self.model.tile_rule.multiple
        half = max(tiles.shape[2:]) // 2 // multiple * multiple
        if len(tiles) > 1:
            self.one_by_one = True
            remark = "tiles were restored one by one"
        elif half >= _SMALLEST and not self.model.tile_rule.fixed:
            self.largest = half
            remark = f"tiles of {half} pixels were taken"
        elif self.device.type != "cpu":
            self.device = torch.device("cpu")
            self.model.to(self.device)
            self.bf16 = uses_bf16("auto" if self.precision == "bf16" else self.precision, self.device)
            self.largest, self.one_by_one = None, False
            remark = "the CPU was taken"
        else:
            raise PictureError(f"Not enough memory even for a tile of {max(tiles.shape[2:])} pixels") from error
        self.remarks.append(f"memory ran short, so {remark}")

    def _in_parts(
        self, tile: Tensor, corner: Corner, network: Callable[..., Tensor], channels: int, overlap: int
    ) -> Tensor:
        """Run on parts of one tile (C, h, w), blended as tiles of a picture are."""
        top, left = corner
        side = self.largest or max(tile.shape[1:])
        size = min(side, tile.shape[1]), min(side, tile.shape[2])

        def shifted(parts: Tensor, corners: list[Corner]) -> Tensor:
            return network(parts, [(top + y, left + x) for y, x in corners])

        multiple = self.model.tile_rule.multiple
        lap = min(overlap, min(size) // 2 // multiple * multiple)
        return restore_tiled(
            tile, shifted, tile_size=size, overlap=lap, batch_size=1, multiple=multiple, channels=channels
        )

    def _checked(self, tiles: Tensor, around: Surroundings | None, corners: list[Corner], run: Run) -> Tensor:
        on_device = tiles.to(self.device).contiguous(memory_format=torch.channels_last)
        around = around and Surroundings(*(values.to(self.device) for values in around))
        for bf16 in (True, False) if self.bf16 else (False,):
            with torch.inference_mode(), autocast(self.device, bf16=bf16):
                output = run(on_device, around, corners).float().cpu()
            if torch.isfinite(output).all():
                return output
        raise PictureError("The network gave values that are no numbers for this picture")


def _is_short_of_memory(error: Any) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error).lower() for words in _SHORT_OF_MEMORY)
