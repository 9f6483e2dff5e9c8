"""Every kind of damage, by the name that recipes use. One line each; modules are imported when they are needed."""

from functools import cache

from artrestore.damage.base import Damage
from artrestore.lookup import find

KINDS = {
    "craquelure": "artrestore.damage.surface.craquelure:Craquelure",
    "lacuna": "artrestore.damage.surface.lacuna:Lacuna",
    "scratch": "artrestore.damage.surface.scratch:Scratch",
    "abrasion": "artrestore.damage.surface.abrasion:Abrasion",
    "tear": "artrestore.damage.surface.tear:Tear",
    "crease": "artrestore.damage.surface.crease:Crease",
    "fold": "artrestore.damage.surface.fold:Fold",
    "dust": "artrestore.damage.surface.dust:Dust",
    "hair": "artrestore.damage.surface.hair:Hair",
    "tape": "artrestore.damage.surface.tape:Tape",
    "missing": "artrestore.damage.surface.missing:Missing",
    "fading": "artrestore.damage.chemistry.fading:Fading",
    "yellowed-varnish": "artrestore.damage.chemistry.yellowed_varnish:YellowedVarnish",
    "stain": "artrestore.damage.chemistry.stain:Stain",
    "foxing": "artrestore.damage.chemistry.foxing:Foxing",
    "mould": "artrestore.damage.chemistry.mould:Mould",
    "silvering": "artrestore.damage.chemistry.silvering:Silvering",
    "bleaching": "artrestore.damage.chemistry.bleaching:Bleaching",
    "halftone": "artrestore.damage.capture.halftone:Halftone",
    "uneven-light": "artrestore.damage.capture.uneven_light:UnevenLight",
    "glare": "artrestore.damage.capture.glare:Glare",
    "colour-cast": "artrestore.damage.capture.colour_cast:ColourCast",
    "blur": "artrestore.damage.capture.blur:Blur",
    "noise": "artrestore.damage.capture.noise:Noise",
    "rescale": "artrestore.damage.capture.rescale:Rescale",
    "jpeg": "artrestore.damage.capture.jpeg:Jpeg",
}


@cache
def kind(name: str) -> type[Damage]:
    """The class of a kind of damage.

    Raises:
        UsageError: there is no such kind.
    """
    found: type[Damage] = find(KINDS, name, what="kind of damage")
    return found
