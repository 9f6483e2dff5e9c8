"""Restoring one picture of any size with a network that takes tiles."""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from artrestore.errors import PictureError, UnsupportedError, UsageError
from artrestore.io.pictures import Array
from artrestore.models.base import Surroundings, TileRule, thumbnail
from artrestore.models.devices import Precision, autocast, uses_bf16
from artrestore.models.loading import LoadedModel
from artrestore.models.noise import NoiseField
from artrestore.tiling import Corner, pad_to, restore_tiled
from artrestore.uncertainty import Calibration

Mask: TypeAlias = npt.NDArray[np.bool_]
# What a network makes of tiles (N, 3, h, w) at some corners, knowing what is around them: (N, channels, h, w).
_Run = Callable[[Tensor, Surroundings | None, list[Corner]], Tensor]


class Restorer:
    """A loaded model with its tile geometry, precision and calibration; holds no state between pictures.

    In all that it does, a picture is RGB float32 in [0, 1], (3, H, W), and `lost` a mask (H, W), true where
    nothing of the original is left, as far as that is known. A network that does not see its surroundings makes
    no use of `lost`. Tiles on which bf16 fails are done again in float32.

    Args:
        loaded: what `load_model` returned.
        tile_size: side of the tiles in pixels; None takes the network's own, as for the next two.
        overlap: least overlap of tiles in pixels.
        batch_size: tiles that go through the network together.
        precision: `auto` takes bf16 where the device has it.

    Raises:
        UsageError: a tile size or overlap that the network cannot take.
        DeviceError: a precision that the device cannot take.
        WeightsError: a damaged calibration in the weight file.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        *,
        tile_size: int | None = None,
        overlap: int | None = None,
        batch_size: int | None = None,
        precision: Precision = "auto",
    ) -> None:
        rule = loaded.model.tile_rule
        self.model = loaded.model.to(memory_format=torch.channels_last)
        self.loaded = loaded
        self.path = loaded.path
        self.device = loaded.device
        self.rule = rule
        self.tile_size, self.overlap = _geometry(rule, tile_size, overlap)
        self.batch_size = batch_size or rule.batch_size
        self.bf16 = uses_bf16(precision, loaded.device)
        stored = loaded.header.calibration
        self.calibration = None if stored is None else Calibration.from_header(stored)

    def restore(self, picture: Array, *, lost: Mask | None = None) -> Array:
        """The posterior mean: (3, H, W) in [0, 1]; the same in gives the same out.

        Raises:
            PictureError: the network gave NaN or infinity, or the mask has another size.
        """
        return _clipped(self._tiled(picture, lost, 3, lambda tiles, around, _: self.model(tiles, around)))

    def quantify(self, picture: Array, *, lost: Mask | None = None) -> tuple[Array, Array]:
        """What `restore` gives, and the scale b of a Laplace distribution around it, as predicted: (3, H, W) each.

        Raises:
            UnsupportedError: the network cannot tell how sure it is.
            PictureError: see `restore`.
        """
        _require_doubt(self.loaded)

        def run(tiles: Tensor, around: Surroundings | None, _: list[Corner]) -> Tensor:
            return torch.cat(self.model.quantify(tiles, around), dim=1)

        both = self._tiled(picture, lost, 6, run)
        return _clipped(both[:3]), np.ascontiguousarray(both[3:].numpy())

    def half_width(self, scale: Array) -> Array:
        """Of the 90 % interval for scales b, (3, H, W) in [0, 1]: calibrated, or else Laplace's own b ln 10."""
        if self.calibration:
            return self.calibration.half_width(scale)
        half_width: Array = np.minimum(scale * np.float32(math.log(10)), np.float32(1))
        return half_width

    def draw(
        self,
        picture: Array,
        *,
        seed: int,
        index: int = 0,
        lost: Mask | None = None,
        temperature: float | None = None,
    ) -> Array:
        """A plausible restoration, (3, H, W) in [0, 1]; see `NoiseField` for what it depends on.

        Args:
            picture: the damaged one.
            seed: not negative; together with `index` it says which restoration this is.
            index: the number of the draw, not negative.
            lost: see the class.
            temperature: of the noise; None takes that of the calibration, or 1. At 0 the mean is drawn.

        Raises:
            UnsupportedError: the network has but one restoration.
            PictureError: see `restore`.
        """
        _require_doubt(self.loaded)
        if temperature is None:
            temperature = self.calibration.temperature if self.calibration else 1.0
        field = NoiseField(shape=self.model.noise_shape, seed=seed, index=index, temperature=temperature)

        def run(tiles: Tensor, around: Surroundings | None, corners: list[Corner]) -> Tensor:
            noise = field.cut(corners, (tiles.shape[2], tiles.shape[3]))
            return self.model.draw(tiles, [values.to(self.device) for values in noise], around)

        return _clipped(self._tiled(picture, lost, 3, run))

    def _tiled(self, picture: Array, lost: Mask | None, channels: int, run: _Run) -> Tensor:
        """Run the network over the whole picture: (channels, H, W), as it came out."""
        damaged = torch.from_numpy(picture)
        height, width = damaged.shape[1:]
        if lost is not None and lost.shape != (height, width):
            raise PictureError(
                f"The mask is {lost.shape[1]} x {lost.shape[0]}, but its picture is {width} x {height}"
            )
        small = thumbnail(damaged[None]) if self.model.spec.sees_surroundings else None
        if small is not None:
            told = torch.zeros(1, height, width) if lost is None else torch.from_numpy(lost)[None].float()
            damaged = torch.cat([damaged, told])

        def network(tiles: Tensor, corners: list[Corner]) -> Tensor:
            around = None if small is None else _around(tiles, corners, small, (height, width))
            return self._checked(tiles[:, :3], around, corners, run)

        multiple = self.rule.multiple
        tile = self._tile_side(height), self._tile_side(width)
        padded = pad_to(damaged, max(tile[0], _up_to(height, multiple)), max(tile[1], _up_to(width, multiple)))
        whole = restore_tiled(
            padded, network, tile_size=tile, overlap=self.overlap, batch_size=self.batch_size,
            multiple=multiple, channels=channels,
        )  # fmt: skip
        return whole[:, :height, :width]

    def _tile_side(self, length: int) -> int:
        """A small picture is one tile on that axis."""
        if self.rule.fixed:
            return self.tile_size
        return min(self.tile_size, _up_to(length, self.rule.multiple))

    def _checked(self, tiles: Tensor, around: Surroundings | None, corners: list[Corner], run: _Run) -> Tensor:
        on_device = tiles.to(self.device).contiguous(memory_format=torch.channels_last)
        around = around and Surroundings(*(values.to(self.device) for values in around))
        for bf16 in (True, False) if self.bf16 else (False,):
            with torch.inference_mode(), autocast(self.device, bf16=bf16):
                output = run(on_device, around, corners).float().cpu()
            if torch.isfinite(output).all():
                return output
        raise PictureError("The network gave values that are no numbers for this picture")


def require_learnt_doubt(loaded: LoadedModel) -> None:
    """Refuse weights that do not know how sure they are, and so have but one restoration.

    Raises:
        UnsupportedError: the architecture cannot tell, or it was not trained to.
    """
    _require_doubt(loaded)
    if loaded.header.training.get("stage") == "restore":
        raise UnsupportedError(
            f"{loaded.path} was trained to restore, and not yet to say how sure it is",
            hint=f"Train it on: artrestore train CLEAR --from {loaded.path} --stages uncertainty",
        )


def _require_doubt(loaded: LoadedModel) -> None:
    if not loaded.model.spec.can_quantify:
        name = loaded.model.name
        raise UnsupportedError(
            f"{loaded.path} holds a {name}, which has one restoration and cannot tell how sure it is",
            hint="Use weights of hierarchical-vae, such as the bundled ones: --weights default",
        )


def _around(tiles: Tensor, corners: list[Corner], small: Tensor, size: tuple[int, int]) -> Surroundings:
    """What tiles (N, 4, h, w), whose last channel is the mask, know of their picture of a given size."""
    height, width = tiles.shape[2:]
    edges = torch.tensor([[top, left, top + height, left + width] for top, left in corners])
    return Surroundings(
        thumbnail=small.expand(len(tiles), -1, -1, -1),
        place=edges / torch.tensor([*size, *size]),
        lost=tiles[:, 3:],
    )


def _clipped(picture: Tensor) -> Array:
    return np.ascontiguousarray(picture.clamp(0, 1).numpy())


def _up_to(length: int, multiple: int) -> int:
    return math.ceil(length / multiple) * multiple


def _geometry(rule: TileRule, tile_size: int | None, overlap: int | None) -> tuple[int, int]:
    size = rule.tile_size if tile_size is None else tile_size
    if rule.fixed and size != rule.tile_size:
        raise UsageError(
            f"This network takes tiles of {rule.tile_size} pixels only, not {size}",
            hint="Leave out --tile-size.",
        )
    if size < rule.multiple or size % rule.multiple:
        raise UsageError(f"The tile size must be a multiple of {rule.multiple}, not {size}")
    most = size - rule.multiple
    lap = min(rule.overlap, size // 2, most) if overlap is None else overlap
    if not 0 <= lap <= most:
        raise UsageError(f"The overlap must be from 0 to {most} for tiles of {size} pixels, not {lap}")
    return size, lap
