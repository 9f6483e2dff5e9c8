"""PPM and PGM with 8 or 16 bits, by a stream; Pillow, which reads the other kinds, reduces 16-bit colour to 8."""

import re
from pathlib import Path

import numpy as np

from artrestore.io.forms import Form, Native
from artrestore.io.rows import Rows

_GAP = rb"(?:\s|#[^\n]*\n)+"
_HEADER = re.compile(rb"P([56])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,5})\s")
_ROWS = 256


class PnmRows:
    """Rows of a raw PPM or PGM whose highest value is 255 or 65535."""

    def __init__(self, path: Path, form: Form, width: int, height: int, start: int) -> None:
        self.path, self.form, self.width, self.height, self.start = path, form, width, height, start

    def read(self, top: int, bottom: int) -> Native:
        """See `Rows`."""
        dtype = np.dtype(self.form.levels).newbyteorder(">")
        row = self.width * self.form.channels
        count = (bottom - top) * row
        pixels = np.fromfile(self.path, dtype, count, offset=self.start + top * row * dtype.itemsize)
        if len(pixels) != count:
            raise ValueError("it is cut short")
        return pixels.astype(self.form.levels).reshape(bottom - top, self.width, self.form.channels)


def open_rows(path: Path) -> PnmRows | None:
    """The rows of a file, or None if it is of a kind that is left to Pillow."""
    with path.open("rb") as file:
        match = _HEADER.match(file.read(4096))
    if match is None or int(match[4]) not in (255, 65535):
        return None
    width, height = int(match[2]), int(match[3])
    form = Form(space="grey" if match[1] == b"5" else "rgb", levels="uint8" if int(match[4]) == 255 else "uint16")
    return PnmRows(path, form, width, height, match.end()) if width and height else None


def write(path: Path, rows: Rows, form: Form) -> None:
    """Write rows."""
    with path.open("wb") as file:
        file.write(b"P%d\n%d %d\n%d\n" % (5 if form.space == "grey" else 6, rows.width, rows.height, form.highest))
        for top in range(0, rows.height, _ROWS):
            pixels = rows.read(top, min(top + _ROWS, rows.height))
            file.write(pixels.astype(pixels.dtype.newbyteorder(">"), copy=False).tobytes())
