"""Maps that lie beside a restored picture: how unsure it is, and what was altered."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from artrestore.io.atomic import atomic_path
from artrestore.io.pictures import Array

WIDEST_SHOWN = 64  # levels of 255; the colour map's end, the same for all pictures
_TICKS = (0, 4, 16, 36, 64)  # evenly spaced on the scale of square roots
_CAPTION = "Half-width of the 90 % interval, in levels of 255"
_BAR, _LEGEND, _MARGIN, _TEXT = 12, 62, 8, 12
_LEAST_WIDTH = 320  # for the legend to be read
_PAPER, _INK = (250, 250, 248), (40, 40, 40)


def save_uncertainty(path: Path, half_width: Array) -> None:
    """Write a half-width, (H, W) in [0, 1] of the full range, as a 16-bit grey PNG: a pixel is 65535 times it.

    Raises:
        OutputError: the file cannot be written.
    """
    levels = np.rint(np.clip(half_width, 0, 1) * 65535).astype(np.uint16)
    _save(path, Image.fromarray(levels), "Half-width of the 90 % interval: value / 65535 of the full range")


def save_uncertainty_colour(path: Path, half_width: Array) -> None:
    """Write a half-width, (H, W) in [0, 1], in colours with a legend below: 0 to 64 levels of 255.

    Colours follow the square root, to show differences among small half-widths, which are the most common.

    Raises:
        OutputError: the file cannot be written.
    """
    shown = _coloured(np.sqrt(half_width * (255 / WIDEST_SHOWN)))
    sheet = Image.new("RGB", (max(shown.width, _LEAST_WIDTH), shown.height + _LEGEND), _PAPER)
    sheet.paste(shown, (0, 0))
    _draw_legend(sheet, shown.height + _MARGIN)
    _save(path, sheet, f"{_CAPTION}; from dark (0) to bright ({WIDEST_SHOWN} and more)")


def save_changes(path: Path, before: Array, after: Array) -> None:
    """Write what was altered between (3, H, W) pictures in [0, 1]: mid-grey (128) is unchanged.

    A pixel is 128 + after - before in levels of 255, channel by channel, so lighter than mid-grey where it was
    made lighter; more than 127 levels are shown as 127.

    Raises:
        OutputError: the file cannot be written.
    """
    levels = np.ascontiguousarray(change_levels(after - before).transpose(1, 2, 0))
    _save(path, Image.fromarray(levels), "128 + restored - damaged, in levels of 255, limited to 127 either way")


def change_levels(change: Array) -> npt.NDArray[np.uint8]:
    """What `save_changes` writes for a difference, of the same shape."""
    return (128 + np.clip(np.rint(change * 255), -127, 127)).astype(np.uint8)


def _coloured(values: Array) -> Image.Image:
    """(H, W), 0 to 1 and beyond, by matplotlib's `viridis`."""
    from matplotlib import colormaps

    coloured = colormaps["viridis"](np.clip(values, 0, 1), bytes=True)
    return Image.fromarray(np.ascontiguousarray(coloured[..., :3]))


def _draw_legend(sheet: Image.Image, top: int) -> None:
    font = ImageFont.load_default(_TEXT)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, top), _CAPTION, fill=_INK, font=font)
    length = min(sheet.width, 2 * _LEAST_WIDTH) - 4 * _MARGIN
    ramp = np.tile(np.linspace(0, 1, length, dtype=np.float32), (_BAR, 1))
    top += _TEXT + 6
    sheet.paste(_coloured(ramp), (_MARGIN, top))
    for tick in _TICKS:
        label = f"{tick}+" if tick == WIDEST_SHOWN else str(tick)
        x = _MARGIN + round(math.sqrt(tick / WIDEST_SHOWN) * (length - 1))
        draw.line([(x, top + _BAR), (x, top + _BAR + 3)], fill=_INK)
        draw.text((x, top + _BAR + 4), label, fill=_INK, font=font, anchor="ma" if tick else "la")


def _save(path: Path, image: Image.Image, description: str) -> None:
    text = PngInfo()
    text.add_text("Description", description)
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG", pnginfo=text)
