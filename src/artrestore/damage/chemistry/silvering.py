"""Silvering, or silver mirroring, of gelatin photographs.

Silver of the image oxidises, its ions wander to the surface and become metal again: a bluish mirror over the dark
parts, where there was most silver. It comes with the air, so from the edges and the corners, and in patches.

Source: Hendriks, "Fundamentals of Photograph Conservation: A Study Guide" (1991); Lavédrine, "Photographs of the
Past: Process and Preservation" (2009).
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import to_density, to_linear, to_srgb
from artrestore.damage.fields import smooth
from artrestore.damage.places import margins

# The mirror's reflection in linear light: mostly steel blue, here and there bronze.
_STEEL = np.array([0.68, 0.82, 1.0], np.float32)[:, None, None]
_BRONZE = np.array([1.0, 0.86, 0.64], np.float32)[:, None, None]


@parameters
class Silvering(Damage):
    """Silver mirroring.

    Attributes:
        sheen: light that the mirror adds over full black at the edges.
        width: how far it reaches in from the edges, thousandths of the long side.
        inside: how strong it is away from the edges.
        patchy: how much it varies from place to place.
        bronze: its colour, from steel blue to bronze.
    """

    group = "chemistry"
    imitates = "the bluish mirror of silver over the dark parts of old gelatin prints, from the edges inwards"

    sheen: Fraction
    width: Annotated[float, Field(gt=0, le=400)]
    inside: Fraction = 0.1
    patchy: Fraction = 0.5
    bronze: Fraction = 0.0

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        return cls(
            sheen=0.42 * strength * rng.uniform(0.6, 1),
            width=rng.uniform(15, 70) + 110 * strength * rng.random(),
            inside=0.2 * strength * rng.random(),
            patchy=rng.uniform(0.3, 1),
            bronze=rng.uniform(0, 0.5) ** 1.5,
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        amount = np.float32(self.sheen) * self._reach(rng, view)
        silver = np.clip(to_density(picture).mean(0) / 2, 0, 1) ** 1.4
        warm = np.clip(self.bronze * (1 + smooth(view, rng, 4)), 0, 1)
        mirror = amount * silver * (_STEEL + warm * (_BRONZE - _STEEL))
        return Damaged.between(picture, to_srgb(to_linear(picture) + mirror))

    def _reach(self, rng: np.random.Generator, view: View) -> Array:
        """How much mirror there is (H, W): 1 at an edge on average, more in the corners."""
        wavy = np.exp(0.5 * self.patchy * smooth(view, rng, 5))
        edges = np.zeros(view.shape, np.float32)
        for margin in margins(view):
            depth = margin * wavy / (self.width * rng.uniform(0.5, 1.2))
            edges += rng.uniform(0.3, 1.1) * np.exp(-np.minimum(depth, 40))
        cloudy = 0.5 * smooth(view, rng, 6) + 0.18 * smooth(view, rng, 25) + 0.15 * smooth(view, rng, 90)
        return np.asarray((self.inside + np.minimum(edges, 1.6)) * np.clip(1 + self.patchy * cloudy, 0, 2.5))
