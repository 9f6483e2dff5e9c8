"""Bleaching by light, with the shadow of what kept it off.

Under a frame's rebate or a mount the colours stay as they were; in the window they fade. The border is a little
soft, never quite parallel to the edge, and an acid mount leaves its own brown on what it covered, most along its
bevel. What lay on the picture leaves its shape too.

Source: Thomson, "The Museum Environment" (2nd ed., 1986); Saunders and Kirby, "Light-induced colour changes in red
and yellow lake pigments", National Gallery Technical Bulletin 15 (1994).
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, View, parameters
from artrestore.damage.colour import from_density, to_density
from artrestore.damage.fields import smooth
from artrestore.damage.filters import step_at
from artrestore.damage.places import margins, places

_BROWN = np.array([0.3, 0.6, 1.0], np.float32)[:, None, None]
# How much faster than the others the densities in red, green and blue go: all alike, red lakes first, yellow ones.
_CHARACTERS = ((1.0, 1.0, 1.0), (0.8, 1.0, 0.85), (0.85, 0.9, 1.0), (1.0, 0.85, 0.75))

Loss = Annotated[float, Field(ge=0, le=0.95)]


@parameters
class Bleaching(Damage):
    """Bleaching by light.

    Attributes:
        red: part of the density in red that is lost in the light.
        green: the same in green.
        blue: the same in blue.
        sides: edges of the picture that were covered.
        frame: how broad the covered strip is, thousandths of the long side.
        oval: whether the window was an oval; then `sides` does not count.
        objects: things that lay on the picture for some time.
        softness: half the width of the border, thousandths of the long side.
        brown: density in blue that the cover left on what it covered.
    """

    group = "chemistry"
    imitates = "colours bleached in a frame's or mount's window, the covered strip darker and browner"

    red: Loss
    green: Loss
    blue: Loss
    sides: Annotated[int, Field(ge=0, le=4)] = 4
    frame: Annotated[float, Field(ge=0, le=200)] = 25.0
    oval: bool = False
    objects: Annotated[int, Field(ge=0, le=10)] = 0
    softness: Annotated[float, Field(gt=0, le=50)] = 2.0
    brown: Annotated[float, Field(ge=0, le=0.8)] = 0.0

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        rates = np.array(_CHARACTERS[int(rng.integers(len(_CHARACTERS)))]) * rng.uniform(0.85, 1, 3)
        red, green, blue = (0.7 * strength**0.9 * rng.uniform(0.65, 1) * rates).tolist()
        return cls(
            red=red,
            green=green,
            blue=blue,
            sides=int(rng.choice([1, 2, 3, 4, 4, 4])),
            frame=rng.uniform(8, 60),
            oval=bool(rng.random() < 0.15),
            objects=int(rng.integers(1, 3)) if rng.random() < 0.25 else 0,
            softness=rng.uniform(0.8, 6),
            brown=0.35 * strength * rng.random(),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        inside = self._oval(rng, view) if self.oval else self._window(rng, view)
        rough = 1.2 * smooth(view, rng, 5) + 0.4 * smooth(view, rng, 40)
        border = (inside + rough) / (self.softness * np.exp(0.4 * smooth(view, rng, 3)))
        # Light creeps in under the edge: a sharper step and a wide one.
        light = 0.7 * step_at(border, 0, 1) + 0.3 * step_at(border, 0, 4)
        bevel = 0.5 * np.exp(-np.minimum((border + 0.7) ** 2, 40))
        brown = np.float32(self.brown) * (1 - light + bevel) * (1 + 0.2 * smooth(view, rng, 12))
        for _ in range(self.objects):
            light = light * (1 - self._object(rng, view, rough))
        exposure = light * (1 + 0.12 * smooth(view, rng, 2))
        loss = np.array([self.red, self.green, self.blue], np.float32)[:, None, None]
        density = to_density(picture) * np.exp(np.log1p(-loss) * exposure)
        return Damaged.everywhere(from_density(density + _BROWN * brown))

    def _window(self, rng: np.random.Generator, view: View) -> Array:
        """Distance to the nearest covered strip, in thousandths (H, W); negative under it."""
        y, x = places(view)
        most = 0.2 * min(view.full_height, view.full_width) / view.unit
        inside = np.full(view.shape, 1e4, np.float32)
        distances, alongs = margins(view), (x, x, y, y)
        for side in rng.permutation(4)[: self.sides].tolist():
            width = min(self.frame * rng.uniform(0.6, 1.4), most)
            slope = rng.normal(0, 0.008)
            inside = np.minimum(inside, distances[side] - width - slope * (alongs[side] - 500))
        return np.asarray(inside, np.float32)

    def _oval(self, rng: np.random.Generator, view: View) -> Array:
        """The same distance, about, for an oval window."""
        y, x = places(view)
        half = np.array([view.full_height, view.full_width]) / view.unit / 2
        axes = half * np.maximum(0.35, 0.92 - self.frame / 200) * rng.uniform(0.95, 1.05, 2)
        centre = half + rng.normal(0, 6, 2)
        away = np.hypot((y - centre[0]) / axes[0], (x - centre[1]) / axes[1])
        return np.asarray((1 - away) * min(axes), np.float32)

    def _object(self, rng: np.random.Generator, view: View, rough: Array) -> Array:
        """How much of the light a thing kept off (H, W): a card or a leaflet, laid askew."""
        y, x = places(view)
        extent = np.array([view.full_height, view.full_width]) / view.unit
        centre, half = rng.random(2) * extent, rng.uniform(20, 110, 2)
        angle, kept = rng.normal(0, 0.3), rng.uniform(0.3, 0.9)
        down, right = y - centre[0], x - centre[1]
        inside = np.minimum(
            half[0] - np.abs(np.cos(angle) * down + np.sin(angle) * right),
            half[1] - np.abs(np.cos(angle) * right - np.sin(angle) * down),
        )
        return np.asarray(kept * step_at(inside + 0.7 * rough, 0, self.softness * rng.uniform(0.7, 2)), np.float32)
