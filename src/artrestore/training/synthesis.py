"""Damaging clear crops on the fly."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from artrestore.damage.base import Array, View
from artrestore.damage.compose import DamagedByRecipe, damage_by_recipe
from artrestore.damage.recipes import Recipe
from artrestore.models.base import THUMBNAIL_SIZE

Pixels = npt.NDArray[np.uint8]

# A crop is taken as a part of a picture up to so many times as long as itself.
_MOST_PARTS = 8.0
# What can be told from a thumbnail: tone, and what is large. The rest averages out in it.
_TONE = ("fading", "yellowed-varnish", "bleaching", "silvering", "uneven-light", "colour-cast", "glare")
_SEEN_IN_SMALL = frozenset((*_TONE, "stain", "lacuna", "missing", "tape"))
# Known losses are told for so many of the crops; for the others the network has to find them.
_TELL_LOSSES = 0.5
_MOST_MASK_MARGIN = 3


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
        view = random_view(clear.shape[1], clear.shape[2], rng)
        return _bytes(damage_by_recipe(_floats(clear.numpy()), self.recipe, rng, view).picture)

    def damage_with_thumbnail(
        self, clear: Tensor, view: View, small: Pixels, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Damage a crop and, alike in tone, the thumbnail of its picture.

        Args:
            clear: uint8 (3, size, size).
            view: the crop's place in its picture.
            small: the whole clear picture, uint8 (h, w, 3), in its proportions.
            rng: decides the damage.

        Returns:
            The crop, uint8 (3, size, size); the thumbnail, uint8 (3, 128, 128); and what is told of the losses,
            bool (1, size, size): half of the time nothing.
        """
        seed = int(rng.integers(2**63))
        crop = damage_by_recipe(_floats(clear.numpy()), self.recipe, np.random.default_rng(seed), view)
        thumbnail = self.damage_small(small, np.random.default_rng(seed))
        return _bytes(crop.picture), thumbnail, _told_losses(crop, rng)

    def damage_small(self, small: Pixels, rng: np.random.Generator) -> Tensor:
        """Damage a whole picture that was made small, uint8 (h, w, 3), by what can be told from a thumbnail.

        Returns:
            Its thumbnail, uint8 (3, 128, 128).
        """
        whole = damage_by_recipe(_floats(small.transpose(2, 0, 1)), self.recipe, rng, only=_SEEN_IN_SMALL).picture
        side = (THUMBNAIL_SIZE, THUMBNAIL_SIZE)
        square = np.asarray(cv2.resize(whole.transpose(1, 2, 0), side, interpolation=cv2.INTER_AREA), np.float32)
        return _bytes(square.transpose(2, 0, 1))


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


def _told_losses(damaged: DamagedByRecipe, rng: np.random.Generator) -> Tensor:
    """The mask of losses as a person would draw it, somewhat too wide; or an empty one."""
    margin, told = int(rng.integers(_MOST_MASK_MARGIN + 1)), rng.random() < _TELL_LOSSES
    lost = damaged.lost.astype(np.uint8) * told
    if margin:
        lost = cv2.dilate(lost, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)).astype(np.uint8)
    return torch.from_numpy(lost.astype(bool))[None]


def _floats(pixels: npt.NDArray[np.uint8]) -> Array:
    return pixels.astype(np.float32) / np.float32(255)


def _bytes(picture: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.rint(picture * 255).astype(np.uint8)))
