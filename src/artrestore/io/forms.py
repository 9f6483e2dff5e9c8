"""How the pixels of a file are kept: its colour space, the kind of its values, channels beside the colours."""

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from artrestore.io.formats import Format, Levels, SaveOptions, Space

Array: TypeAlias = npt.NDArray[np.float32]
Native: TypeAlias = npt.NDArray[Any]  # (H, W, channels) as a `Form` says

_COLOURS = {"grey": 1, "rgb": 3, "cmyk": 4, "lab": 3}


@dataclass(frozen=True, kw_only=True)
class Form:
    """How pixels (H, W, channels) are to be understood.

    Attributes:
        space: of the colours. Lab has L from 0 to the highest level, and a and b around the middle one.
        levels: the NumPy type; floating-point values mean 0 to 1, and may lie outside.
        extra: channels behind the colours.
        alpha: the first of them is transparency.
        profile: ICC profile of the colours; None is sRGB, its grey, or the CMYK of libvips.
    """

    space: Space = "rgb"
    levels: Levels = "uint8"
    extra: int = 0
    alpha: bool = False
    profile: bytes | None = None

    @property
    def colours(self) -> int:
        """How many channels are colours."""
        return _COLOURS[self.space]

    @property
    def channels(self) -> int:
        """Colours and others."""
        return self.colours + self.extra

    @property
    def highest(self) -> int:
        """The level that stands for 1."""
        return {"uint8": 255, "uint16": 65535, "float32": 1}[self.levels]


def decode(native: Native, form: Form) -> Array:
    """The colours of pixels as (H, W, colours) in [0, 1], a and b of Lab in [-1, 1]."""
    colours = native[..., : form.colours].astype(np.float32)
    if form.levels != "float32":
        colours /= np.float32(form.highest)
    if form.space == "lab":
        middle = np.float32(((form.highest + 1) // 2) / form.highest)
        colours[..., 1:] = (colours[..., 1:] - middle) * np.float32(2)
    return colours


def encode(colours: Array, extra: Native, form: Form) -> Native:
    """The inverse of `decode`, rounded to the form's levels; `extra` is (H, W, extra) in these levels already."""
    if form.space == "lab":
        middle = np.float32(((form.highest + 1) // 2) / form.highest)
        colours = colours.copy()
        colours[..., 1:] = colours[..., 1:] / np.float32(2) + middle
    if form.levels != "float32":
        highest = np.float32(form.highest)
        colours = np.rint(np.clip(np.nan_to_num(colours, posinf=1, neginf=0), 0, 1) * highest)
    kept = extra[..., : form.extra]
    return (
        np.concatenate([colours.astype(form.levels), kept], axis=2) if form.extra else colours.astype(form.levels)
    )


def converted_extra(extra: Native, levels: Levels, target: Levels) -> Native:
    """Channels beside the colours in other levels; the same ones come back as they are."""
    if levels == target:
        return extra
    ends = Form(levels=levels).highest, Form(levels=target).highest
    values = extra.astype(np.float64) / ends[0]
    if target != "float32":
        values = np.rint(np.clip(np.nan_to_num(values), 0, 1) * ends[1])
    return values.astype(target)


def target_form(form: Form, target: Format, options: SaveOptions) -> tuple[Form, tuple[str, ...]]:
    """The form in which pixels are written, and what is lost by it, in words for the user."""
    wanted = form
    notes = []
    levels = _levels(form, target, options)
    if levels != form.levels:
        if Form(levels=levels).highest < form.highest or form.levels == "float32":
            kind = "floating-point values were" if form.levels == "float32" else "16 bits were"
            notes.append(f"{kind} reduced to {np.dtype(levels).itemsize * 8} bits")
        wanted = replace(wanted, levels=levels)
    if form.extra > (most := _most_extra(form, target)):
        # Its colours are flattened onto white by `colour.finish`.
        notes.append("transparency was put on white" if form.alpha else "extra channels were left out")
        wanted = replace(wanted, extra=most, alpha=form.alpha and most > 0)
    if form.space not in target.spaces and form.space != "grey":
        notes.append(f"{'Lab' if form.space == 'lab' else form.space.upper()} was converted to sRGB")
        wanted = replace(wanted, space="rgb", profile=None)
    elif form.profile and (not target.profile or form.space not in target.spaces):
        notes.append("colours were converted from the file's profile to sRGB")
        wanted = replace(wanted, profile=None)
    if wanted.space == "grey" and "grey" not in target.spaces:
        wanted = replace(wanted, space="rgb", profile=None)  # the same colours, in three channels
    return wanted, tuple(notes)


def _levels(form: Form, target: Format, options: SaveOptions) -> Levels:
    wanted: Levels = (
        form.levels if options.bit_depth is None else ("uint8" if options.bit_depth == 8 else "uint16")
    )
    if target.name == "jp2" and form.space != "grey":
        return "uint8"  # all that Pillow writes of it in colour
    if wanted in target.levels:
        return wanted
    return "uint16" if "uint16" in target.levels else "uint8"


def _most_extra(form: Form, target: Format) -> int:
    if target.name == "tiff":
        return form.extra
    return 1 if target.alpha and form.alpha else 0
