"""A decoded picture and what must be put back when it is written."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from artrestore.io.colour import finish, to_working
from artrestore.io.formats import Levels
from artrestore.io.forms import Array, Form, Native, encode
from artrestore.io.metadata import Metadata


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A decoded picture.

    Attributes:
        rgb: sRGB, float32 in [0, 1], (3, H, W); a grey picture has three equal channels.
        native: the same pixels as the file has them, (H, W, channels) in `form`; made from `rgb` if left out.
        form: how they are kept; by default 8-bit sRGB.
        metadata: what is put back beside the pixels.
        notes: what could not be kept, in words for the user.
    """

    rgb: Array
    native: Native | None = None
    form: Form = field(default_factory=Form)
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.rgb.shape[2], self.rgb.shape[1]

    @property
    def grey(self) -> bool:
        """Whether the file is greyscale, and is written so."""
        return self.form.space == "grey"

    @property
    def alpha(self) -> npt.NDArray[np.generic] | None:
        """Transparency as the file has it, (H, W), which is written untouched; None if there is none."""
        return self.as_stored()[..., self.form.colours] if self.form.alpha else None

    def as_stored(self) -> Native:
        """The pixels as the file has them, (H, W, channels) in `form`."""
        if self.native is not None:
            return self.native
        rgb = self.rgb.transpose(1, 2, 0)
        colours = rgb.mean(axis=2, keepdims=True) if self.grey else rgb
        return encode(colours, np.empty((*rgb.shape[:2], 0), dtype=self.form.levels), self.form)

    def with_rgb(self, rgb: Array, *, bit_depth: Literal[8, 16] | None = None) -> "Picture":
        """The same picture with other colours, sRGB (3, H, W), as its file can hold them.

        Where they are as they were, the stored pixels are kept to the bit; so are those wholly transparent.

        Args:
            rgb: in [0, 1].
            bit_depth: of the levels to which they are rounded; None keeps the picture's.
        """
        levels: Levels = self.form.levels if bit_depth is None else "uint8" if bit_depth == 8 else "uint16"
        form = replace(self.form, levels=levels)
        native = finish(self.as_stored(), np.clip(rgb, 0, 1), self.form, form)
        return replace(self, rgb=to_working(native, form), native=native, form=form)
