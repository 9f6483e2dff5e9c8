"""Write the damage gallery: every kind at three strengths, and its parameters, from the program itself.

    python docs/make_gallery.py            the page and its pictures
    python docs/make_gallery.py --text     the page alone

The picture is scikit-image's `astronaut`, a photograph by NASA in the public domain.
"""

import argparse
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PIL import Image
from skimage import data

from artrestore.damage.base import Array, Damage, parameters_of
from artrestore.damage.compose import damage
from artrestore.damage.kinds import KINDS, kind

DOCS = Path(__file__).parent
PAGE, PICTURES = DOCS / "reference" / "damage-gallery.md", DOCS / "images" / "damage"
STRENGTHS = (0.2, 0.5, 1.0)
GROUPS = {
    "surface": "Surface",
    "chemistry": "Chemistry, light and water",
    "capture": "Printing, photographing, scanning, saving",
}
SEED = 11
SIDE = 360  # of each picture in a strip; they are damaged at this size, so that cracks and grain stay to be seen
SIGNS = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}


def page() -> str:
    """The text of the page."""
    parts = [
        "# Damage gallery",
        "*Written by `python docs/make_gallery.py` from the program itself.* Every kind on scikit-image's "
        "`astronaut` (NASA, public domain) at strengths "
        + ", ".join(map(str, STRENGTHS))
        + "; the first picture is clear. Each draw differs; these are the first ones, not chosen. "
        "Lengths are thousandths of the picture's long side unless pixels are named. "
        "[Recipes](recipes.md) say which kinds happen together.",
        *(part for group in GROUPS for part in _group(group)),
    ]
    return "\n\n".join(parts) + "\n"


def _group(group: str) -> Iterator[str]:
    yield f"## {GROUPS[group]}"
    for name in KINDS:
        cls = kind(name)
        if cls.group == group:
            yield f"### {name}"
            yield f"{cls.imitates[0].upper()}{cls.imitates[1:]}."
            yield f"![{name} at three strengths](../images/damage/{name}.webp)"
            yield _module_text(cls)
            yield "\n".join(["| parameter | range | meaning |", "| --- | --- | --- |", *_parameters(cls)])


def _module_text(cls: type[Damage]) -> str:
    """The module's docstring without its title: what happens, and the source."""
    text = inspect.cleandoc(inspect.getmodule(cls).__doc__ or "")
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    return "\n\n".join(paragraphs[1:])


def _parameters(cls: type[Damage]) -> Iterator[str]:
    meanings = attribute_texts(inspect.getdoc(cls) or "")
    for name, field in parameters_of(cls).items():
        yield f"| `{name}` | {_legal(field)} | {meanings[name]} |"


def attribute_texts(docstring: str) -> dict[str, str]:
    """The texts below `Attributes:`, by name."""
    section = docstring.partition("Attributes:\n")[2]
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def _legal(field: Any) -> str:
    if words := get_args(field.annotation):
        return ", ".join(f"`{word}`" for word in words)
    if field.annotation is bool:
        return "`true`, `false`"
    limits = {
        sign: getattr(m, sign) for m in field.metadata for sign in SIGNS if getattr(m, sign, None) is not None
    }
    return " ".join(f"{SIGNS[sign]} {limits[sign]:g}" for sign in SIGNS if sign in limits)


def strip(picture: Array, name: str) -> Image.Image:
    """The picture and its damaged versions, side by side."""
    cells = [picture] + [
        damage(picture, name, strength, np.random.default_rng((SEED, index))).picture
        for index, strength in enumerate(STRENGTHS)
    ]
    white = np.ones((3, picture.shape[1], 6), np.float32)
    joined = np.concatenate([part for cell in cells for part in (cell, white)][:-1], axis=2)
    return Image.fromarray(np.rint(joined * 255).astype(np.uint8).transpose(1, 2, 0))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the damage gallery.")
    parser.add_argument("--text", action="store_true", help="the page alone, without its pictures")
    arguments = parser.parse_args()
    PAGE.write_text(page(), encoding="utf-8")
    if arguments.text:
        return
    PICTURES.mkdir(exist_ok=True)
    small = Image.fromarray(data.astronaut()).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    picture = np.ascontiguousarray(np.asarray(small, dtype=np.float32).transpose(2, 0, 1)) / 255
    for name in KINDS:
        strip(picture, name).save(PICTURES / f"{name}.webp", quality=80, method=6)


if __name__ == "__main__":
    main()
