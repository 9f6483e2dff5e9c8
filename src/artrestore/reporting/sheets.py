"""Labelled contact sheets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from artrestore.io.atomic import atomic_path
from artrestore.io.pictures import Array

_MARGIN = 8
_TEXT = 14
_PAPER, _INK = (250, 250, 248), (40, 40, 40)


def to_image(picture: Array) -> Image.Image:
    """RGB float in [0, 1], (3, H, W), as an 8-bit Pillow image."""
    levels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0)))


@dataclass(frozen=True, kw_only=True)
class SheetRow:
    """Pictures that stand side by side (float (3, H, W) in [0, 1]) and the line of text under them."""

    pictures: Sequence[Array]
    caption: str


def save_contact_sheet(path: Path, rows: Iterable[SheetRow], titles: Sequence[str], *, cell: int = 360) -> None:
    """Write a labelled contact sheet: a title for each column, a caption for each row, pictures `cell` px long."""
    font = ImageFont.load_default(_TEXT)
    # Shrunk row by row: full-size pictures of one row at a time are in memory.
    shrunk = [([_fitted(picture, cell) for picture in row.pictures], row.caption) for row in rows]
    width = _MARGIN + len(titles) * (cell + _MARGIN)
    height = 2 * _MARGIN + _TEXT + sum(_row_height(images) for images, _ in shrunk)
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        draw.text((_MARGIN + column * (cell + _MARGIN), _MARGIN), title, fill=_INK, font=font)
    top = 2 * _MARGIN + _TEXT
    for images, caption in shrunk:
        for column, image in enumerate(images):
            sheet.paste(image, (_MARGIN + column * (cell + _MARGIN), top))
        draw.text((_MARGIN, top + max(image.height for image in images) + 4), caption, fill=_INK, font=font)
        top += _row_height(images)
    with atomic_path(path) as temporary:
        sheet.save(temporary)


def shrunk(picture: Array, longest: int) -> Array:
    """A picture (3, H, W), its long side no longer than some pixels: what is to be kept for a sheet."""
    if max(picture.shape[1:]) <= longest:
        return picture
    pixels = np.asarray(_fitted(picture, longest), np.float32)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1) / np.float32(255))


def _fitted(picture: Array, cell: int) -> Image.Image:
    image = to_image(picture)
    scale = cell / max(image.size)
    return image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.LANCZOS
    )


def _row_height(images: Sequence[Image.Image]) -> int:
    return max(image.height for image in images) + _TEXT + 4 * _MARGIN
