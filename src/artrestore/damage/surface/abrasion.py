"""Abrasion: paint worn off the high points of the surface by cleaning, rubbing and frames.

What stands out wears first: the tops of the canvas threads, ridges of impasto, the grain of paper. So the layer
beneath shows as grains, threads and streaks, dense in the middle of a worn place and thinning out around it, and
along the picture's edges, where a frame rubbed.

Source: Nicolaus, "The Restoration of Paintings" (1999), on overcleaning and abrasion of paint.
"""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import cover, luminance, tint
from artrestore.damage.fields import rubbed, smooth, texture
from artrestore.damage.filters import blur, step_at
from artrestore.damage.patterns import weave
from artrestore.damage.places import places

Surface = Literal["canvas", "impasto", "paper", "rubbed"]
_BENEATH = ((0.78, 0.74, 0.65), (0.66, 0.60, 0.50), (0.58, 0.45, 0.33), (0.52, 0.52, 0.50))


@parameters
class Abrasion(Damage):
    """Abrasion.

    Attributes:
        surface: what stands out: threads of `canvas`, the picture's own `impasto`, grains of `paper`, or streaks
            in one direction, `rubbed`.
        spread: part of the picture that is worn.
        wear: how far down it is worn where it is worn most: the part of the paint that is gone there.
        edges: how much more the picture's edges are worn.
        grain: size of the grains, thousandths of the long side.
    """

    group = "surface"
    imitates = "paint worn thin by rubbing and cleaning, the ground showing on threads, ridges and grains"

    surface: Surface
    spread: Fraction
    wear: Fraction
    edges: Fraction = 0.3
    grain: Annotated[float, Field(gt=0, le=20)] = 2.0

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        surface: Surface = rng.choice(["canvas", "impasto", "paper", "rubbed"], p=[0.35, 0.2, 0.2, 0.25]).item()
        return cls(
            surface=surface,
            spread=0.1 + 0.75 * strength * rng.uniform(0.5, 1),
            wear=0.03 + 0.87 * strength * rng.uniform(0.6, 1),
            edges=strength**0.5 * rng.uniform(0.3, 1) if rng.random() < 0.5 else 0.0,
            grain=rng.uniform(1.2, 5),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        worn = self._worn(rng, view)
        fine = texture(view.shape, rng, max(1.6, 0.5 * self.grain * view.unit), octaves=2, gain=0.8)
        height = self._height(picture, rng, view) + 0.5 * fine
        # The deeper the wear, the more of the surface lies above it: heights are about N(0, 1).
        gone = step_at(height + 3.7 * self.wear * worn, 2.7, 1.4)
        ground = np.asarray(tint(rng, _BENEATH[rng.integers(len(_BENEATH))], 0.06), np.float32)[:, None, None]
        mottled = 0.04 * texture(view.shape, rng, max(3.0, 12 * view.unit), octaves=3)
        # Thin remains of the paint tint the ground, so nothing is lost for good.
        remains = rng.uniform(0.1, 0.5)
        alpha = (1 - remains) * gone * np.float32(0.3 + 0.65 * self.wear) * np.clip(0.3 + worn, 0, 1)
        return Damaged.between(picture, cover(picture, np.clip(ground + mottled, 0, 1), alpha))

    def _worn(self, rng: np.random.Generator, view: View) -> Array:
        """How much each place is worn, in [0, 1]: patches with ragged borders, and the edges."""
        patches = smooth(view, rng, rng.uniform(2, 6)) + 0.35 * texture(view.shape, rng, 60 * view.unit, octaves=4)
        worn = step_at(patches, 1.3 - 2.6 * self.spread, 1.0)
        if self.edges > 0:
            y, x = places(view)
            high, wide = view.full_height / view.unit, view.full_width / view.unit
            away = np.minimum(np.minimum(y, high - y), np.minimum(x, wide - x))
            worn = np.maximum(worn, self.edges * np.clip(1.2 - away / 45 + 0.4 * patches, 0, 1))
        return worn

    def _height(self, picture: Array, rng: np.random.Generator, view: View) -> Array:
        """How far the surface stands out, about N(0, 1)."""
        size = max(2.0, self.grain * view.unit)
        if self.surface == "canvas":
            return 3.2 * (weave(view, rng, max(2.6, size)) - 0.5)
        if self.surface == "rubbed":
            angle = rng.uniform(0, np.pi)
            return 0.8 * rubbed(view, rng, angle, 0.35 * size, size * rng.uniform(3, 9))
        if self.surface == "impasto":
            light = luminance(picture)
            detail = light - blur(light, 2.5 * size)
            return detail / np.float32(max(0.02, float(detail.std())))
        return texture(view.shape, rng, max(1.6, 0.5 * size), octaves=2, gain=0.9)
