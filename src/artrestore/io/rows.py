"""Pixels by rows, wherever they are: in memory, in a file of raw pixels, or in a picture that is decoded."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from artrestore.errors import PictureError
from artrestore.io import libvips
from artrestore.io.forms import Form, Native

_CHUNK = 128  # rows that are decoded at once
_IN_MEMORY = 1 << 28  # bytes of a turned picture that are held in memory rather than in a temporary file


class Rows(Protocol):
    """Pixels (height, width, channels), a few rows at a time."""

    width: int
    height: int

    def read(self, top: int, bottom: int) -> Native:
        """Rows from `top` to before `bottom`. From top to bottom is cheap; going back may begin again."""


class ArrayRows:
    """Rows of an array (H, W, channels)."""

    def __init__(self, pixels: Native) -> None:
        self.pixels = pixels
        self.height, self.width = pixels.shape[:2]

    def read(self, top: int, bottom: int) -> Native:
        """See `Rows`."""
        return self.pixels[top:bottom]


class FileRows:
    """Rows of an open file that holds raw pixels. They are read, not mapped, so that they take no memory.

    Args:
        file: open for reading and writing.
        width: in pixels.
        height: in pixels.
        form: of the pixels.
        start: bytes before the first pixel.
    """

    def __init__(self, file: IO[bytes], width: int, height: int, form: Form, start: int = 0) -> None:
        self.file, self.width, self.height, self.form, self.start = file, width, height, form, start
        self.row_bytes = width * form.channels * np.dtype(form.levels).itemsize

    def read(self, top: int, bottom: int) -> Native:
        """See `Rows`."""
        self.file.seek(self.start + top * self.row_bytes)
        content = self.file.read((bottom - top) * self.row_bytes)
        return np.frombuffer(content, self.form.levels).reshape(bottom - top, self.width, self.form.channels)

    def write(self, top: int, pixels: Native) -> None:
        """Put rows (h, width, channels) in their place."""
        self.file.seek(self.start + top * self.row_bytes)
        self.file.write(np.ascontiguousarray(pixels).data)


class VipsRows:
    """Rows of an image of libvips that can be read from top to bottom only; it is opened again to go back."""

    def __init__(self, reopen: Callable[[], Any], form: Form) -> None:
        self.reopen, self.form = reopen, form
        self.image = reopen()
        self.width, self.height = self.image.width, self.image.height
        self.position = 0

    def read(self, top: int, bottom: int) -> Native:
        """See `Rows`."""
        if top < self.position:
            self.image, self.position = self.reopen(), 0
            if (self.image.width, self.image.height) != (self.width, self.height):
                raise PictureError("the file was changed while it was read")
        pixels = np.empty((bottom - top, self.width, self.form.channels), dtype=self.form.levels)
        for start in range(top, bottom, _CHUNK):
            end = min(start + _CHUNK, bottom)
            pixels[start - top : end - top] = self._native(libvips.fetch(self.image, start, end))
            self.position = end
        return pixels

    def _native(self, pixels: Native) -> Native:
        if self.form.space != "lab":
            return pixels
        lightness = pixels[..., :1].astype(np.uint16) << 1  # libvips keeps 15 bits of it
        around = (pixels[..., 1:3].astype(np.int32) + 32768).astype(np.uint16)
        rest = pixels[..., 3:].astype(np.uint16)
        return np.concatenate([lightness, around, rest], axis=2)


class UprightRows:
    """Rows of a picture that is stored turned or mirrored: it is turned once, when they are first asked for.

    Args:
        stored: the rows as they are in the file.
        form: theirs.
        orientation: EXIF's, 2 to 8.
        scratch: folder for the temporary file of a large picture; None takes the system's.
        closing: what closes that file.
    """

    def __init__(
        self, stored: Rows, form: Form, orientation: int, scratch: Path | None, closing: ExitStack
    ) -> None:
        self.stored, self.form, self.orientation = stored, form, orientation
        self.scratch, self.closing = scratch, closing
        turned = orientation >= 5
        self.width, self.height = (stored.height, stored.width) if turned else (stored.width, stored.height)
        self._rows: Rows | None = None

    def read(self, top: int, bottom: int) -> Native:
        """See `Rows`."""
        if self._rows is None:
            self._rows = self._turn()
        return self._rows.read(top, bottom)

    def _turn(self) -> Rows:
        shape = self.height, self.width, self.form.channels
        if np.prod(shape, dtype=np.int64) * np.dtype(self.form.levels).itemsize <= _IN_MEMORY:
            upright = np.empty(shape, dtype=self.form.levels)
            _as_stored(upright, self.orientation)[:] = self.stored.read(0, self.stored.height)
            return ArrayRows(upright)
        file = self.closing.enter_context(tempfile.TemporaryFile(dir=self.scratch))  # noqa: SIM115
        rows = FileRows(file, self.width, self.height, self.form)
        file.truncate(self.height * rows.row_bytes)
        for top in range(0, self.stored.height, _CHUNK):
            bottom = min(top + _CHUNK, self.stored.height)
            # Mapped anew for each strip, because what has been touched counts as memory until it is unmapped.
            upright = np.memmap(file, dtype=self.form.levels, mode="r+", shape=shape)
            _as_stored(upright, self.orientation)[top:bottom] = self.stored.read(top, bottom)
            del upright
        return rows


def _as_stored(upright: Native, orientation: int) -> Native:
    """A view of upright pixels in the order of a file with this orientation."""
    mirrored = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}
    down, across = mirrored[orientation]
    view = upright[::down, ::across]
    return view.transpose(1, 0, 2) if orientation >= 5 else view
