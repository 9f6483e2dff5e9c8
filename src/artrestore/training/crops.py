"""Cutting crops out of decoded pictures: uint8 (H, W, 3) arrays in, uint8 (3, size, size) tensors out."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

Pixels = npt.NDArray[np.uint8]
_MOST_ZOOM = 2.0


def random_crop(given: Pixels, clear: Pixels, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """The same square of both pictures, mirrored at random; a smaller picture is reflected."""
    height, width = clear.shape[:2]
    y = int(rng.integers(max(1, height - size + 1)))
    x = int(rng.integers(max(1, width - size + 1)))
    mirrored = bool(rng.integers(2))
    first, second = (_cut(pixels, y, x, size, mirrored=mirrored) for pixels in (given, clear))
    return first, second


def varied_crop(pixels: Pixels, size: int, rng: np.random.Generator) -> Tensor:
    """A square of a clear picture, half of the time made smaller by up to two, turned and mirrored at random.

    Only for pictures that are damaged afterwards: a damaged pair keeps its own pixels, since resizing would smooth
    its noise. Crops are never enlarged, which would teach blur.
    """
    most = max(1.0, min(_MOST_ZOOM, min(pixels.shape[:2]) / size))
    zoom = float(np.exp(rng.uniform(0, np.log(most)))) if rng.integers(2) else 1.0
    side = round(size * zoom)
    y, x = (int(rng.integers(max(1, length - side + 1))) for length in pixels.shape[:2])
    crop = _cut(pixels, y, x, side, mirrored=bool(rng.integers(2)))
    if side > size:
        crop = transforms.resize(crop, [size, size], antialias=True)
    return torch.rot90(crop, int(rng.integers(4)), dims=(1, 2)).contiguous()


def middle_crop(pixels: Pixels, size: int) -> Tensor:
    """The middle square of a picture; a smaller picture is reflected."""
    height, width = pixels.shape[:2]
    return _cut(pixels, max(0, (height - size) // 2), max(0, (width - size) // 2), size, mirrored=False)


def resize(pixels: Pixels, size: int) -> Tensor:
    """The whole picture at (size, size), antialiased; its proportions are not kept."""
    picture = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    resized: Tensor = transforms.resize(picture, [size, size], antialias=True)
    return resized


def _cut(pixels: Pixels, y: int, x: int, size: int, *, mirrored: bool) -> Tensor:
    crop = pixels[y : y + size, x : x + size]
    missing = [(0, size - crop.shape[0]), (0, size - crop.shape[1]), (0, 0)]
    if any(after for _, after in missing):
        crop = np.pad(crop, missing, mode="reflect")
    if mirrored:
        crop = crop[:, ::-1]
    return torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))
