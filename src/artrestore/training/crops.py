"""Cutting crops out of decoded pictures: uint8 (H, W, 3) arrays in, uint8 (3, size, size) tensors out."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from artrestore.damage.base import View
from artrestore.models.base import THUMBNAIL_SIZE

Pixels = npt.NDArray[np.uint8]
Palette = npt.NDArray[np.float64]
# By how much crops are made smaller; more in scenes, as networks that see a scene mend it in small first
# (`models.coarse`), at a quarter of its sides.
_MOST_ZOOM, _MOST_ZOOM_OF_SCENES = 2.0, 6.0
_SCALES = (0.6, 3.0)
_NEARLY_ALL, _LEAST_PART = 0.8, 0.25
_GAIN, _GAMMA = 0.05, 0.2  # standard deviations of their logarithms
_CONTRAST, _SATURATION = (0.9, 1.0), (0.6, 1.3)
_RANKS = np.linspace(0, 1, 33)
_INCREASING = 1e-6 * np.arange(33)  # where quantiles are equal


class Scene(NamedTuple):
    """A crop, uint8 (3, size, size); its place; and its whole picture, uint8 (h, w, 3), made small."""

    crop: Tensor
    view: View
    small: Pixels


def mirrored(given: Pixels, clear: Pixels, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Both pictures, half of the time mirrored."""
    return (given[:, ::-1], clear[:, ::-1]) if rng.integers(2) else (given, clear)


def random_crop(
    given: Pixels, clear: Pixels, size: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """The same square of both pictures, and its place; a smaller picture is mirrored."""
    height, width = clear.shape[:2]
    y, x = _corner(clear, size, rng)
    return _cut(given, y, x, size), _cut(clear, y, x, size), _place(y, x, size, height, width)


def varied_crop(pixels: Pixels, size: int, rng: np.random.Generator) -> Tensor:
    """A square of a clear picture, half of the time made smaller by up to two, turned and mirrored at random.

    Only for pictures that are damaged afterwards: a damaged pair keeps its own pixels, since resizing would smooth
    its noise. Crops are never enlarged, which would teach blur.
    """
    side = round(size * _zoom(pixels, size, _MOST_ZOOM, rng))
    y, x = _corner(pixels, side, rng)
    crop = _cut(pixels, y, x, side)
    if rng.integers(2):
        crop = crop.flip(2)
    if side > size:
        crop = transforms.resize(crop, [size, size], antialias=True)
    return torch.rot90(crop, int(rng.integers(4)), dims=(1, 2)).contiguous()


def random_part(pixels: Pixels, least: int, rng: np.random.Generator) -> Pixels:
    """Half of the time nearly all of a picture, else any part of it down to a quarter of its sides.

    A detail is a picture as well, and its colours are less mixed than those of whole ones.

    Args:
        pixels: the picture.
        least: no side becomes shorter than this.
        rng: decides which part.
    """
    part = _NEARLY_ALL if rng.integers(2) else _LEAST_PART
    lengths = pixels.shape[:2]
    height, width = (min(n, max(least, round(n * rng.uniform(part, 1)))) for n in lengths)
    y, x = (int(rng.integers(n - side + 1)) for n, side in zip(lengths, (height, width), strict=True))
    return pixels[y : y + height, x : x + width]


def varied_scene(pixels: Pixels, size: int, rng: np.random.Generator) -> Scene:
    """A crop, varied as `varied_crop` does it but made smaller by up to six, and its whole picture, turned alike.

    The view says that the picture is 0.6 to 3 times as large as it is, as real scans are larger and smaller; so
    damage comes in all sizes.

    Args:
        pixels: the picture.
        size: side of the crop in pixels.
        rng: decides all.
    """
    pixels, small = _turned([pixels, shrunk_whole(pixels)], rng)  # shrinking what is turned already copies it
    zoom = _zoom(pixels, size, _MOST_ZOOM_OF_SCENES, rng)
    side = round(size * zoom)
    y, x = _corner(pixels, side, rng)
    crop = _shrink(_square(pixels, y, x, side), (size, size))
    scale = float(np.exp(rng.uniform(*np.log(_SCALES)))) / zoom
    full = [max(size, round(length * scale)) for length in pixels.shape[:2]]
    # The crop's middle stays where it is in the picture.
    top, left = (
        min(length - size, max(0, round((start + side / 2) / was * length - size / 2)))
        for start, was, length in zip((y, x), pixels.shape[:2], full, strict=True)
    )
    view = View(height=size, width=size, full_height=full[0], full_width=full[1], top=top, left=left)
    return Scene(crop=_tensor(crop), view=view, small=small)


def shrunk_whole(pixels: Pixels) -> Pixels:
    """The whole picture in its proportions, its long side at most that of a thumbnail."""
    factor = min(1.0, THUMBNAIL_SIZE / max(pixels.shape[:2]))
    height, width = (max(1, round(length * factor)) for length in pixels.shape[:2])
    return _shrink(pixels, (width, height))


def varied_whole(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """A part of a picture, turned and mirrored, made small as by `shrunk_whole`."""
    (small,) = _turned([shrunk_whole(random_part(pixels, 1, rng))], rng)
    return np.ascontiguousarray(small)


def recoloured(pictures: Sequence[Pixels], rng: np.random.Generator) -> list[Pixels]:
    """Pictures, all alike, in colours that they might have had: paler, darker, warmer, more or less of them.

    For clear pictures, before they are damaged: not all that looks faded or has a cast was ever otherwise.
    """
    gains = np.exp(rng.normal(0, _GAIN, 3))
    levels = (np.arange(256) / 255) ** np.exp(rng.normal(0, _GAMMA))
    span = rng.uniform(*_CONTRAST)
    levels = levels * span + (1 - span) * rng.random()
    table = np.rint(255 * np.clip(levels[:, None] * gains, 0, 1)).astype(np.uint8)[None]
    saturation = rng.uniform(*_SATURATION)
    mixing = saturation * np.eye(3) + (1 - saturation) / 3
    return [cv2.transform(cv2.LUT(np.ascontiguousarray(each), table), mixing) for each in pictures]  # type: ignore[misc]


def palette_of(pixels: Pixels) -> Palette:
    """Which values the colours of a picture have, in order: 33 quantiles of each, float64 (3, 33)."""
    quantiles: Palette = np.quantile(shrunk_whole(pixels).reshape(-1, 3), _RANKS, axis=0).T
    return quantiles


def in_palette(pixels: Pixels, palette: Palette, rng: np.random.Generator) -> Pixels:
    """A picture, part of the way to another one's palette: values are mapped rank by rank, each colour alone."""
    part, values = rng.random(), np.arange(256)
    tables = [
        (1 - part) * values + part * np.interp(np.interp(values, own + _INCREASING, _RANKS), _RANKS, other)
        for own, other in zip(palette_of(pixels), palette, strict=True)
    ]
    mapped: Pixels = cv2.LUT(np.ascontiguousarray(pixels), np.rint(np.stack(tables, 1)).astype(np.uint8)[None])  # type: ignore[assignment]
    return mapped


def place_of(view: View) -> Tensor:
    """The place of a square view in its picture: see `_place`."""
    return _place(view.top, view.left, view.height, view.full_height, view.full_width)


def square_thumbnail(pixels: Pixels) -> Tensor:
    """The whole picture, averaged down to a square whatever its proportions: uint8 (3, 128, 128)."""
    return _tensor(_shrink(pixels, (THUMBNAIL_SIZE, THUMBNAIL_SIZE)))


def middle_crop(pixels: Pixels, size: int) -> tuple[Tensor, Tensor]:
    """The middle square of a picture and its place; a smaller picture is mirrored."""
    height, width = pixels.shape[:2]
    y, x = max(0, (height - size) // 2), max(0, (width - size) // 2)
    return _cut(pixels, y, x, size), _place(y, x, size, height, width)


def resize(pixels: Pixels, size: int) -> Tensor:
    """The whole picture at (size, size), antialiased; its proportions are not kept."""
    resized: Tensor = transforms.resize(_tensor(pixels), [size, size], antialias=True)
    return resized


def _turned(pictures: Sequence[Pixels], rng: np.random.Generator) -> list[Pixels]:
    """All alike, by quarters, and half of the time mirrored; views, no copies."""
    turns, flipped = int(rng.integers(4)), bool(rng.integers(2))
    return [np.rot90(pixels[:, ::-1] if flipped else pixels, turns) for pixels in pictures]


def _zoom(pixels: Pixels, size: int, most: float, rng: np.random.Generator) -> float:
    """By how much a crop is made smaller: half of the time not at all, else by up to `most`."""
    most = max(1.0, min(most, min(pixels.shape[:2]) / size))
    return float(np.exp(rng.uniform(0, np.log(most)))) if rng.integers(2) else 1.0


def _corner(pixels: Pixels, side: int, rng: np.random.Generator) -> tuple[int, int]:
    y, x = (int(rng.integers(max(1, length - side + 1))) for length in pixels.shape[:2])
    return y, x


def _place(y: int, x: int, size: int, height: int, width: int) -> Tensor:
    """Top, left, bottom and right as fractions of the picture's sides: float32 (4,)."""
    return torch.tensor([y / height, x / width, (y + size) / height, (x + size) / width])


def _shrink(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """At (width, height), by averaging."""
    if pixels.shape[1::-1] == size:
        return pixels
    shrunk: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return shrunk


def _square(pixels: Pixels, y: int, x: int, side: int) -> Pixels:
    crop = pixels[y : y + side, x : x + side]
    missing = [(0, side - crop.shape[0]), (0, side - crop.shape[1]), (0, 0)]
    return np.pad(crop, missing, mode="symmetric") if any(after for _, after in missing) else crop


def _cut(pixels: Pixels, y: int, x: int, side: int) -> Tensor:
    return _tensor(_square(pixels, y, x, side))


def _tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
