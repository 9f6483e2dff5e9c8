"""Pictures as a network learnt to see them, and its encodings of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from artrestore.io.locations import require_pictures
from artrestore.io.pictures import Array, read_rgb
from artrestore.models.layers import DiagonalGaussian
from artrestore.models.loading import LoadedModel

_BATCH = 32
_MOST_SQUARES = 16  # of a picture
_ENOUGH = 1024  # squares of a folder
_MOST_ZOOM = 2.0


def encode(loaded: LoadedModel, pictures: Tensor) -> DiagonalGaussian:
    """The posterior of the latent vectors of pictures (N, 3, S, S): distributions over (N, D), on the CPU."""
    device = next(loaded.model.parameters()).device
    with torch.inference_mode():
        return DiagonalGaussian.joined([loaded.model.infer(part.to(device)) for part in pictures.split(_BATCH)])


def read_whole(loaded: LoadedModel, files: Sequence[Path]) -> Tensor:
    """Pictures as the network takes them, (N, 3, S, S) in [0, 1]: whole if it learnt so, else the middle square.

    Raises:
        PictureError: one cannot be read.
    """
    side = loaded.model.tile_rule.tile_size
    cut = _as_it_is if _learnt_whole(loaded.header.training) else _middle
    return torch.stack([_resized(cut(read_rgb(file)), side) for file in files])


def read_squares(loaded: LoadedModel, folder: Path, *, seed: int = 0) -> list[Tensor]:
    """Of each picture of a folder what the network sees of such in training: (n, 3, S, S) in [0, 1].

    That is the whole picture, if it learnt from whole pictures; else squares at random, some made smaller by up to
    two, as many as make about a thousand in all.

    Raises:
        InputError: the folder is missing or empty.
        PictureError: a picture cannot be read.
    """
    listing = require_pictures(folder)
    files = [listing.root / name for name in listing.pictures]
    if _learnt_whole(loaded.header.training):
        return list(read_whole(loaded, files).split(1))
    side, rng = loaded.model.tile_rule.tile_size, np.random.default_rng(seed)
    count = min(_MOST_SQUARES, -(-_ENOUGH // len(files)))
    return [torch.stack([_square(picture, side, rng) for _ in range(count)]) for picture in map(read_rgb, files)]


def _learnt_whole(record: Mapping[str, Any]) -> bool:
    return bool(record.get("settings", {}).get("fit") == "resize")


def _square(picture: Array, side: int, rng: np.random.Generator) -> Tensor:
    """A square of (3, H, W) at random, one to two times as long as `side` where there is room, at (side, side)."""
    height, width = picture.shape[1:]
    zoom = float(np.exp(rng.uniform(0, np.log(_MOST_ZOOM)))) if rng.integers(2) else 1.0
    length = min(height, width, round(side * zoom))
    y, x = (int(rng.integers(most - length + 1)) for most in (height, width))
    return _resized(picture[:, y : y + length, x : x + length], side)


def _as_it_is(picture: Array) -> Array:
    return picture


def _middle(picture: Array) -> Array:
    """The largest square in the middle of (3, H, W)."""
    length = min(picture.shape[1:])
    top, left = ((most - length) // 2 for most in picture.shape[1:])
    return picture[:, top : top + length, left : left + length]


def _resized(picture: Array, side: int) -> Tensor:
    pixels = torch.from_numpy(np.ascontiguousarray(picture))[None]
    if pixels.shape[2:] == (side, side):
        return pixels[0]
    return F.interpolate(pixels, size=(side, side), mode="bilinear", antialias=True)[0].clamp(0, 1)
