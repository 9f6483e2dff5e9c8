"""Colours to the working space and back.

Networks work in sRGB. A picture's own colours are not converted there and back, which would round every pixel and
clip colours that sRGB lacks; what the restoration changed is converted, and added to the pixels as they were:

    written = own + (back(restored) - back(working)),    working = to_srgb(own)

So whatever was not changed is kept to the bit, whatever the profile. Conversions are in 16 bits.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from artrestore.io.formats import Space
from artrestore.io.forms import Array, Form, Native, converted_extra, decode, encode
from artrestore.io.libvips import (
    VipsError,
    built_in_profile,
    fetch,
    from_array,
    lab_array,
    with_profile,
)

_SPACES: dict[Space, bytes] = {"grey": b"GRAY", "rgb": b"RGB ", "cmyk": b"CMYK"}
# sRGB profiles differ by so much among each other, in levels of 65535; other common ones by ten times that.
_SAME_AS_SRGB = 400
_INTENT = "relative"
_LAB_SCALE = np.array([100, 128, 128], dtype=np.float32)


def to_working(native: Native, form: Form) -> Array:
    """Pixels (H, W, channels) as sRGB in [0, 1], (3, H, W); NaN is 0."""
    colours = _to_srgb(decode(native, form), form)
    if form.levels == "float32":
        colours = np.clip(np.nan_to_num(colours, posinf=1, neginf=0), 0, 1)
    planes = colours.transpose(2, 0, 1)
    return np.array(np.broadcast_to(planes, (3, *planes.shape[1:])), order="C")  # a copy: writable


def finish(native: Native, restored: Array | None, form: Form, target: Form) -> Native:
    """Pixels as they are to be written.

    Args:
        native: as they were, (H, W, channels) in `form`.
        restored: sRGB in [0, 1], (3, H, W), or (1, H, W) for grey; None changes nothing. What is wholly
            transparent, and values that are no numbers, stay as they were.
        form: of `native`.
        target: what is wanted.
    """
    if restored is None and form == target:
        return native
    colours = decode(native, form)
    if restored is not None:
        colours = colours + _change(native, restored, form)
    if (form.space, form.profile) != (target.space, target.profile):
        colours = _to_srgb(colours, form)
        if target.space == "grey":
            colours = colours.mean(axis=2, keepdims=True)
        else:
            colours = np.broadcast_to(colours, (*colours.shape[:2], 3))
    extra = native[..., form.colours :]
    if form.alpha and not target.alpha:
        colours = _on_white(colours, converted_extra(extra[..., :1], form.levels, "float32"), target)
    return encode(colours, converted_extra(extra, form.levels, target.levels), target)


def profile_note(form: Form) -> str:
    """What is to be said of a profile that is embedded again but cannot be used, or nothing."""
    if form.profile and form.space in _SPACES and usable_profile(form.space, form.profile) is None:
        fits = form.profile[16:20] == _SPACES[form.space]
        return "its colour profile cannot be used; restored in its own colours" if fits else ""
    return ""


@lru_cache(maxsize=64)
def usable_profile(space: Space, profile: bytes | None) -> bytes | None:
    """The profile, if it is whole, is for this colour space, and works both ways."""
    if profile is None or len(profile) < 132 or profile[36:40] != b"acsp" or profile[16:20] != _SPACES.get(space):
        return None
    try:
        _from_profile(_to_profile(np.full((1, 1, 3), 0.5, dtype=np.float32), profile), space, profile)
    except VipsError:
        return None
    return profile


@lru_cache(maxsize=64)
def is_plain(space: Space, profile: bytes | None) -> bool:
    """Whether colours are sRGB's own, or grey's, so that nothing is to be converted."""
    if space not in ("grey", "rgb"):
        return False
    if usable_profile(space, profile) is None:
        return True
    steps = np.linspace(0, 1, 9, dtype=np.float32)
    if space == "grey":
        probe = steps[None, :, None]
    else:
        probe = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    assert profile is not None  # noqa: S101 (for the type checker: it is usable)
    difference = np.abs(_from_profile(probe, space, profile) - probe).max()
    return bool(difference * 65535 <= _SAME_AS_SRGB)


def _to_srgb(colours: Array, form: Form) -> Array:
    """(H, W, colours) to sRGB, (H, W, 3), or (H, W, 1) for grey that is plain."""
    if form.space == "lab":
        return _rgb(lab_array(colours * _LAB_SCALE))
    if is_plain(form.space, form.profile):
        return colours
    return _from_profile(colours, form.space, _profile(form))


def _from_srgb(rgb: Array, form: Form) -> Array:
    """The colours of a form, (H, W, colours), of sRGB (H, W, 3), or (H, W, 1) for grey."""
    if form.space == "lab":
        image = _srgb_image(rgb).icc_import(input_profile="srgb", intent=_INTENT, pcs="lab")
        lab: Array = (fetch(image, 0, len(rgb)) / _LAB_SCALE).astype(np.float32)
        return lab
    if is_plain(form.space, form.profile):
        return rgb.mean(axis=2, keepdims=True) if form.space == "grey" else rgb
    return _to_profile(np.broadcast_to(rgb, (*rgb.shape[:2], 3)), _profile(form))


def _profile(form: Form) -> bytes:
    profile = usable_profile(form.space, form.profile)
    return built_in_profile("cmyk") if profile is None else profile


def _change(native: Native, restored: Array, form: Form) -> Array:
    """What is to be added to the colours of `native`, (H, W, colours)."""
    working = to_working(native, form)
    if len(restored) == 1:
        working = working[:1]
    back, before = (_from_srgb(planes.transpose(1, 2, 0), form) for planes in (restored, working))
    change = back - before
    if form.alpha:
        change = change * (native[..., form.colours] != 0)[..., None]
    return change


def _on_white(colours: Array, alpha: Native, form: Form) -> Array:
    white = np.float32(0 if form.space == "cmyk" else 1)
    share = np.clip(alpha, 0, 1).astype(np.float32)
    mixed: Array = colours * share + white * (1 - share)
    return mixed


def _levels16(colours: Array) -> Native:
    return np.rint(np.clip(np.nan_to_num(colours, posinf=1, neginf=0), 0, 1) * 65535).astype(np.uint16)


def _srgb_image(rgb: Array) -> Any:
    return from_array(_levels16(rgb), Form(levels="uint16"))


def _from_profile(colours: Array, space: Space, profile: bytes) -> Array:
    image = with_profile(from_array(_levels16(colours), Form(space=space, levels="uint16")), profile)
    return _rgb(image.icc_import(embedded=True, intent=_INTENT, pcs="lab"))


def _to_profile(rgb: Array, profile: bytes) -> Array:
    image = _srgb_image(rgb).icc_import(input_profile="srgb", intent=_INTENT, pcs="lab")
    back = with_profile(image, profile).icc_export(depth=16, intent=_INTENT, pcs="lab")
    return fetch(back, 0, len(rgb)).astype(np.float32) / np.float32(65535)


def _rgb(image: Any) -> Array:
    """An image in the space that connects profiles, as sRGB (H, W, 3)."""
    exported = image.icc_export(output_profile="srgb", depth=16, intent=_INTENT)
    return fetch(exported, 0, exported.height).astype(np.float32) / np.float32(65535)
