"""Every kind of damage, by the name that recipes use. One line each; modules are imported when they are needed."""

import difflib
from functools import cache
from importlib import import_module

from artrestore.damage.base import Damage
from artrestore.errors import UsageError

KINDS = {
    "craquelure": "surface.craquelure:Craquelure",
    "lacuna": "surface.lacuna:Lacuna",
    "scratch": "surface.scratch:Scratch",
    "abrasion": "surface.abrasion:Abrasion",
    "tear": "surface.tear:Tear",
    "crease": "surface.crease:Crease",
    "fold": "surface.fold:Fold",
    "dust": "surface.dust:Dust",
    "hair": "surface.hair:Hair",
    "tape": "surface.tape:Tape",
    "missing": "surface.missing:Missing",
    "fading": "chemistry.fading:Fading",
    "yellowed-varnish": "chemistry.yellowed_varnish:YellowedVarnish",
    "stain": "chemistry.stain:Stain",
    "foxing": "chemistry.foxing:Foxing",
    "mould": "chemistry.mould:Mould",
    "silvering": "chemistry.silvering:Silvering",
    "bleaching": "chemistry.bleaching:Bleaching",
    "halftone": "capture.halftone:Halftone",
    "uneven-light": "capture.uneven_light:UnevenLight",
    "glare": "capture.glare:Glare",
    "colour-cast": "capture.colour_cast:ColourCast",
    "blur": "capture.blur:Blur",
    "noise": "capture.noise:Noise",
    "rescale": "capture.rescale:Rescale",
    "jpeg": "capture.jpeg:Jpeg",
}


@cache
def kind(name: str) -> type[Damage]:
    """The class of a kind of damage.

    Raises:
        UsageError: there is no such kind.
    """
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Choose one of: {', '.join(KINDS)}"
        raise UsageError(f"There is no kind of damage named {name}", hint=hint)
    module, _, cls = KINDS[name].partition(":")
    found: type[Damage] = getattr(import_module(f"artrestore.damage.{module}"), cls)
    return found
