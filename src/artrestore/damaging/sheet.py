"""A contact sheet of every kind of damage and every recipe, on one picture."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from artrestore.damage import RECIPES
from artrestore.damage.base import Array
from artrestore.damage.compose import damage, damage_by_recipe
from artrestore.damage.kinds import KINDS, kind
from artrestore.damage.recipes import Recipe, load_recipe
from artrestore.io.pictures import read_rgb
from artrestore.reporting.sheets import SheetRow, save_contact_sheet

STRENGTHS = (0.2, 0.5, 1.0)
_LONGEST = 720


def save_damage_sheet(path: Path, clear: Path, recipe: Recipe, *, seed: int) -> None:
    """Draw a picture damaged by every kind at three strengths, and by every recipe three times.

    Args:
        path: the PNG to write.
        clear: the clear picture; made smaller if it is large.
        recipe: a user's own, drawn too.
        seed: of everything.

    Raises:
        PictureError: the picture cannot be read.
        OutputError: the sheet cannot be written.
    """
    picture = _shrunk(read_rgb(clear))
    recipes = {name: load_recipe(name) for name in RECIPES} | {recipe.name: recipe}
    titles = ("clear", *(f"strength {strength}" for strength in STRENGTHS))
    rows = [*kind_rows(picture, seed=seed), *recipe_rows(picture, recipes, seed=seed)]
    save_contact_sheet(path, rows, titles)


def kind_rows(picture: Array, *, seed: int) -> Iterator[SheetRow]:
    """A row for every kind: the picture (3, H, W), and damaged at three strengths."""
    for name in KINDS:
        damaged = [
            damage(picture, name, strength, np.random.default_rng((seed, index))).picture
            for index, strength in enumerate(STRENGTHS)
        ]
        yield SheetRow(pictures=[picture, *damaged], caption=f"{name}: {kind(name).imitates}")


def recipe_rows(picture: Array, recipes: dict[str, Recipe], *, seed: int) -> Iterator[SheetRow]:
    """A row for every recipe: the picture (3, H, W), and three draws."""
    for name, recipe in recipes.items():
        draws = [
            damage_by_recipe(picture, recipe, np.random.default_rng((seed, index))).picture
            for index in range(len(STRENGTHS))
        ]
        yield SheetRow(pictures=[picture, *draws], caption=f"recipe {name}, three draws: {recipe.description}")


def _shrunk(picture: Array) -> Array:
    height, width = picture.shape[1:]
    scale = _LONGEST / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(np.ascontiguousarray(picture.transpose(1, 2, 0)), size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.transpose(2, 0, 1), np.float32)
