"""The maps of `reporting.maps`, written by rows as a large picture is restored."""

import contextlib
import math
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from artrestore.io.pictures import Array, Blank, PictureWriter
from artrestore.reporting.maps import change_levels, save_uncertainty_colour

_LONGEST_SHOWN = 4096  # pixels of a side of the map in colours, which is to be looked at


class MapRows:
    """Writes maps by rows; use it in a `with` block, at whose good end they appear, whole.

    The map in colours is averaged down until no side is longer than 4096 pixels; the others are as large as the
    picture.

    Args:
        size: (width, height) of the picture.
        uncertainty: file for `save_uncertainty`'s map, or None.
        colour: file for `save_uncertainty_colour`'s map, or None.
        changes: file for `save_changes`'s map, or None.
    """

    def __init__(
        self, size: tuple[int, int], *, uncertainty: Path | None, colour: Path | None, changes: Path | None
    ) -> None:
        width, height = size
        self._colour = colour
        self._shrunk = _Shrunk(math.ceil(max(size) / _LONGEST_SHOWN))
        self._files = contextlib.ExitStack()
        grey, rgb = Blank(width=width, height=height), Blank(width=width, height=height, grey=False, bit_depth=8)
        self._uncertainty = PictureWriter(uncertainty, grey) if uncertainty else None
        self._changes = PictureWriter(changes, rgb) if changes else None

    def __enter__(self) -> Self:
        for writer in (self._uncertainty, self._changes):
            if writer:
                self._files.enter_context(writer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.__exit__(kind, error, trace)
        if kind is None and self._colour:
            save_uncertainty_colour(self._colour, self._shrunk.finished())

    def write(self, top: int, half_width: Array | None, change: Array) -> None:
        """Take rows.

        Args:
            top: the first row's place; rows come in order.
            half_width: (n, W) in [0, 1]; None if no map needs it.
            change: restored - damaged, (3, n, W).
        """
        if half_width is not None:
            if self._uncertainty:
                self._uncertainty.write_rows(0, top, half_width[None])
            if self._colour:
                self._shrunk.add(half_width)
        if self._changes:
            self._changes.write_rows(0, top, change_levels(change).astype(np.float32) / np.float32(255))


class _Shrunk:
    """Rows (n, W) averaged over squares; at the right and lower border over what is there."""

    def __init__(self, side: int) -> None:
        self.side = side
        self._pending: list[Array] = []
        self._done: list[Array] = []

    def add(self, rows: Array) -> None:
        self._pending.append(rows)
        held = np.concatenate(self._pending)
        whole = len(held) // self.side * self.side
        self._done += [self._mean(held[start : start + self.side]) for start in range(0, whole, self.side)]
        self._pending = [held[whole:]]

    def finished(self) -> Array:
        last = [rows for rows in self._pending if len(rows)]
        return np.stack([*self._done, *(self._mean(rows) for rows in last)])

    def _mean(self, rows: Array) -> Array:
        starts = np.arange(0, rows.shape[1], self.side)
        counts = np.diff([*starts, rows.shape[1]])
        means: Array = (np.add.reduceat(rows.mean(axis=0), starts) / counts).astype(np.float32)
        return means
