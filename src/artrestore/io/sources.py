"""What pictures that are written by rows are made from: what a source must tell, and one that is black."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from artrestore.io.forms import Form, Native
from artrestore.io.metadata import Metadata


class SourcePage(Protocol):
    """What a page must tell for its restoration to be written by rows; `reading.Page` does."""

    @property
    def width(self) -> int:
        """In pixels."""

    @property
    def height(self) -> int:
        """In pixels."""

    @property
    def form(self) -> Form:
        """How its pixels are kept."""

    @property
    def metadata(self) -> Metadata:
        """What is beside them."""

    def native(self, top: int, bottom: int) -> Native:
        """Rows of the source, (h, W, channels) in `form`."""


class Source(Protocol):
    """What a picture written by rows is made from: `reading.PictureFile`, or a `Blank`."""

    @property
    def pages(self) -> int:
        """How many there are."""

    def page(self, index: int) -> SourcePage:
        """One of the pages, from 0."""


@dataclass(frozen=True, kw_only=True)
class Blank:
    """A source that is black, for a map that is written by rows: grey or sRGB, of 8 or 16 bits.

    Attributes:
        width: in pixels.
        height: in pixels.
        grey: in one channel.
        bit_depth: of the levels.
        metadata: beside the pixels.
    """

    width: int
    height: int
    grey: bool = True
    bit_depth: Literal[8, 16] = 16
    metadata: Metadata = field(default_factory=Metadata)
    pages: int = 1

    @property
    def form(self) -> Form:
        """How the pixels are kept."""
        return Form(space="grey" if self.grey else "rgb", levels="uint8" if self.bit_depth == 8 else "uint16")

    def page(self, index: int) -> "Blank":  # noqa: ARG002 (there is but one)
        """Itself."""
        return self

    def native(self, top: int, bottom: int) -> Native:
        """Rows of zeros."""
        return np.zeros((bottom - top, self.width, self.form.channels), dtype=self.form.levels)
