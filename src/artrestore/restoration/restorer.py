"""Restoring one picture of any size with a network that takes tiles."""

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from artrestore.errors import UnsupportedError, UsageError
from artrestore.io.pictures import Array
from artrestore.models.base import THUMBNAIL_SIZE, Surroundings, TileRule
from artrestore.models.devices import Precision
from artrestore.models.loading import LoadedModel
from artrestore.restoration.answer import Answer
from artrestore.restoration.request import Band, Mask, Request, Source
from artrestore.restoration.tiles import TileRunner
from artrestore.tiling import Corner, padded_rows, restore_bands
from artrestore.uncertainty import Calibration

_ROWS = 128  # read at once for the thumbnail


class Restorer:
    """A loaded model with its tile geometry, precision and calibration.

    In all that it does, a picture is RGB float32 in [0, 1], (3, H, W), and `lost` a mask (H, W), true where
    nothing of the original is left, as far as that is known. A network that does not see its surroundings makes
    no use of `lost`. The same in gives the same out, unless memory ran short: see `TileRunner`, which remembers
    that, and nothing else is kept between pictures.

    Args:
        loaded: what `load_model` returned.
        tile_size: side of the tiles in pixels; None takes the network's own, as for the next two.
        overlap: least overlap of tiles in pixels.
        batch_size: tiles that go through the network together.
        precision: `auto` takes bf16 where it is faster.

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
        self.runner = TileRunner(loaded.model, loaded.device, precision)
        self.model = loaded.model
        self.loaded = loaded
        self.path = loaded.path
        self.rule = rule
        self.tile_size, self.overlap = _geometry(rule, tile_size, overlap)
        self.batch_size = batch_size or rule.batch_size
        stored = loaded.header.calibration
        self.calibration = None if stored is None else Calibration.from_header(stored)

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        return self.runner.device

    @property
    def bf16(self) -> bool:
        """Whether it runs in bf16."""
        return self.runner.bf16

    @property
    def remarks(self) -> tuple[str, ...]:
        """What had to be done differently so far, in words for the user."""
        return tuple(self.runner.remarks)

    def restore(self, picture: Array, *, lost: Mask | None = None) -> Array:
        """The posterior mean: (3, H, W) in [0, 1].

        Raises:
            PictureError: the network gave NaN or infinity, or the mask has another size.
        """
        return self._whole(Source.of(picture, lost), Request()).restored

    def quantify(self, picture: Array, *, lost: Mask | None = None) -> tuple[Array, Array]:
        """What `restore` gives, and the scale b of a Laplace distribution around it, as predicted: (3, H, W) each.

        Raises:
            UnsupportedError: the network cannot tell how sure it is.
            PictureError: see `restore`.
        """
        band = self._whole(Source.of(picture, lost), Request(interval=True))
        assert band.scale is not None  # noqa: S101 (it was asked for)
        return band.restored, band.scale

    def draw(
        self,
        picture: Array,
        *,
        seed: int,
        index: int = 0,
        lost: Mask | None = None,
        temperature: float | None = None,
    ) -> Array:
        """A plausible restoration, (3, H, W) in [0, 1]; see `Request` for what the rest says.

        Raises:
            UnsupportedError: the network has but one restoration.
            PictureError: see `restore`.
        """
        request = Request(draw=index, seed=seed, temperature=temperature)
        return self._whole(Source.of(picture, lost), request).restored

    @property
    def has_groups(self) -> bool:
        """Whether intervals depend on the mean of a whole picture's scales."""
        return self.calibration is not None and bool(self.calibration.thresholds)

    def half_width(self, scale: Array, *, mean_scale: float | None = None) -> Array:
        """Of the 90 % interval for scales b, (3, H, W) in [0, 1]: calibrated, or else Laplace's own b ln 10.

        The scales are a whole picture's, or some rows of them if `mean_scale`, the mean of all, is given.
        """
        if self.calibration:
            return self.calibration.half_width(scale, mean_scale=mean_scale)
        half_width: Array = np.minimum(scale * np.float32(math.log(10)), np.float32(1))
        return half_width

    def bands(self, source: Source, request: Request) -> Iterator[Band]:
        """Restore a picture from top to bottom, holding no more of it than a row of tiles.

        A network that sees its surroundings reads the picture once more before, for the thumbnail.

        Raises:
            UnsupportedError: the network cannot do what is asked for.
            PictureError: the network gave NaN or infinity, or not even small tiles fit into memory.
        """
        if request.needs_doubt:
            _require_doubt(self.loaded)
        height, width = source.size
        small = _thumbnail(source) if self.model.spec.sees_surroundings else None
        channels = 6 if request.interval else 3
        run = Answer(self.model, request, self._temperature(request))

        def around(tiles: Tensor, corners: list[Corner]) -> Surroundings | None:
            return None if small is None else _around(tiles, corners, small, source.size)

        def network(tiles: Tensor, corners: list[Corner]) -> Tensor:
            return self.runner(tiles, corners, run=run, around=around, channels=channels, overlap=self.overlap)

        multiple = self.rule.multiple
        tile = self._tile_side(height), self._tile_side(width)
        padded = max(tile[0], _up_to(height, multiple)), max(tile[1], _up_to(width, multiple))
        rows = padded_rows(lambda top, bottom: _with_mask(source, top, bottom), source.size, padded)
        top = 0
        for given, result in restore_bands(
            rows, padded, network, tile_size=tile, overlap=self.overlap, batch_size=self.batch_size,
            multiple=multiple, channels=channels,
        ):  # fmt: skip
            if top < height:
                inside = slice(0, height - top), slice(0, width)
                yield _band(given[:, *inside], result[:, *inside])
            top += given.shape[1]

    def _whole(self, source: Source, request: Request) -> Band:
        return Band.joined(list(self.bands(source, request)))

    def _temperature(self, request: Request) -> float:
        if request.temperature is not None:
            return request.temperature
        return self.calibration.temperature if self.calibration else 1.0

    def _tile_side(self, length: int) -> int:
        """A small picture is one tile on that axis."""
        if self.rule.fixed:
            return self.tile_size
        return min(self.tile_size, _up_to(length, self.rule.multiple))


def require_learnt_doubt(loaded: LoadedModel) -> None:
    """Refuse weights that do not know how sure they are, and so have but one restoration.

    Raises:
        UnsupportedError: the architecture cannot tell, or it was not trained to.
    """
    _require_doubt(loaded)
    if loaded.header.training.get("stage") in ("clear", "restore", "refine"):
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


def _thumbnail(source: Source) -> Tensor:
    """What `models.base.thumbnail` gives, reading a few rows at a time; averages over columns, then over rows."""
    height, _ = source.size
    shrunk = []
    for top in range(0, height, _ROWS):
        rows = torch.from_numpy(source.rows(top, min(height, top + _ROWS)))
        shrunk.append(F.adaptive_avg_pool2d(rows, (rows.shape[1], THUMBNAIL_SIZE)))
    return F.adaptive_avg_pool2d(torch.cat(shrunk, dim=1)[None], THUMBNAIL_SIZE)


def _with_mask(source: Source, top: int, bottom: int) -> Tensor:
    """Rows of the picture with the mask as the fourth channel; zeros where there is none."""
    rgb = torch.from_numpy(source.rows(top, bottom))
    if source.lost is None:
        return F.pad(rgb, (0, 0, 0, 0, 0, 1))
    return torch.cat([rgb, torch.from_numpy(source.lost(top, bottom))[None].float()])


def _band(given: Tensor, result: Tensor) -> Band:
    return Band(
        damaged=np.ascontiguousarray(given[:3].numpy()),
        lost=given[3].numpy() > 0.5,
        restored=np.ascontiguousarray(result[:3].clamp(0, 1).numpy()),
        scale=np.ascontiguousarray(result[3:].numpy()) if len(result) > 3 else None,
    )


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
        raise UsageError(
            f"The tile size must be a multiple of {rule.multiple}, not {size}",
            hint=f"Try --tile-size {_up_to(max(1, size), rule.multiple)}.",
        )
    most = size - rule.multiple
    lap = min(rule.overlap, size // 2, most) if overlap is None else overlap
    if not 0 <= lap <= most:
        raise UsageError(
            f"The overlap must be from 0 to {most} for tiles of {size} pixels, not {lap}",
            hint=f"Try --overlap {max(0, min(most, lap))}.",
        )
    return size, lap
