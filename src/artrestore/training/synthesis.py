"""Damaging clear crops on the fly."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from artrestore.damage.base import View
from artrestore.damage.compose import damage_by_recipe
from artrestore.damage.recipes import Recipe

# A crop is taken as a part of a picture up to so many times as long as itself.
_MOST_PARTS = 8.0


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """How crops are damaged.

    Attributes:
        recipe: what may happen to a crop.
        share: part of the crops that are damaged anew although a distorted version is there.
    """

    recipe: Recipe
    share: float = 1.0

    def damage(self, clear: Tensor, rng: np.random.Generator) -> Tensor:
        """Damage a clear crop, uint8 (3, size, size), as a part of a larger picture or as a whole one."""
        picture = clear.numpy().astype(np.float32) / np.float32(255)
        view = random_view(picture.shape[1], picture.shape[2], rng)
        damaged = damage_by_recipe(picture, self.recipe, rng, view).picture
        return torch.from_numpy(np.rint(damaged * 255).astype(np.uint8))


def random_view(height: int, width: int, rng: np.random.Generator) -> View:
    """A place for a crop in a picture between once and eight times as long as itself.

    Real scans differ as much in size, and so do the tiles that a network sees of them: a loss may be a speck, or
    wider than the tile. A crop that stands for a whole picture gets corners and edges too.
    """
    parts = np.exp(rng.uniform(0, np.log(_MOST_PARTS)))
    full_height, full_width = round(height * parts), round(width * parts)
    return View(
        height=height,
        width=width,
        full_height=full_height,
        full_width=full_width,
        top=int(rng.integers(full_height - height + 1)),
        left=int(rng.integers(full_width - width + 1)),
    )
