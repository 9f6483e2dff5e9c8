"""Yellowed varnish: aged resin that absorbs blue light.

Natural resins (dammar, mastic) oxidise and turn yellow, then brown. The layer is as thick as the brush left it: in
streaks, puddles and runs. Moisture and fine cracks scatter light in it, a milky bloom that lifts the darks. A half
cleaned picture shows a window where the varnish is gone.

Source: Feller, Stolow and Jones, "On Picture Varnishes and Their Solvents" (1985); de la Rie, "The influence of
varnishes on the appearance of paintings", Studies in Conservation 32 (1987).
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import to_linear, to_srgb
from artrestore.damage.fields import smooth, streaks
from artrestore.damage.filters import step_at
from artrestore.damage.places import places

# Optical density in red, green and blue relative to blue: of a young varnish and of an old one.
_YELLOW = np.array([0.03, 0.22, 1.0], np.float32)[:, None, None]
_BROWN = np.array([0.26, 0.52, 1.0], np.float32)[:, None, None]
_MILK = np.array([0.50, 0.48, 0.42], np.float32)[:, None, None]


@parameters
class YellowedVarnish(Damage):
    """Yellowed varnish.

    Attributes:
        density: optical density in blue where the layer is as thick as on average.
        brown: its colour, from yellow to brown.
        uneven: how much the thickness varies over wide areas.
        streaks: how much it varies from brush mark to brush mark.
        heading: of the brush, radians, 0 towards the right, growing downwards.
        width: of the brush marks, thousandths of the long side.
        runs: drips in the whole picture.
        milk: part of each pixel that the bloom hides, where it is strongest.
        cleaned: size of a cleaned window, thousandths of the long side; 0 for none.
    """

    group = "chemistry"
    imitates = "an aged resin varnish: yellow to brown, streaky from the brush, with a milky bloom over the darks"

    density: Annotated[float, Field(ge=0, le=2)]
    brown: Fraction = 0.4
    uneven: Fraction = 0.4
    streaks: Fraction = 0.3
    heading: float = 0.0
    width: Annotated[float, Field(ge=2, le=100)] = 12.0
    runs: Annotated[int, Field(ge=0, le=20)] = 0
    milk: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    cleaned: Annotated[float, Field(ge=0, le=700)] = 0.0

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        return cls(
            density=1.25 * strength * rng.uniform(0.6, 1),
            brown=min(1, rng.uniform(0, 0.5) + 0.5 * strength * rng.random()),
            uneven=rng.uniform(0.1, 0.7),
            streaks=rng.choice([0.1, 0.3, 0.6]) * rng.uniform(0.5, 1),
            heading=rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)]) + rng.normal(0, 0.1),
            width=rng.uniform(4, 30),
            runs=int(rng.integers(1, 6)) if rng.random() < 0.2 else 0,
            milk=0.16 * strength * rng.random(),
            cleaned=rng.uniform(80, 400) if rng.random() < 0.08 else 0,
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        thickness = self._thickness(rng, view)
        colour = _YELLOW + np.float32(self.brown) * (_BROWN - _YELLOW)
        through = np.exp(np.float32(-np.log(10) * self.density) * colour * thickness)
        bloom = np.clip(0.5 + 0.3 * smooth(view, rng, 3) + 0.15 * smooth(view, rng, 14), 0, 1) * thickness
        milk = np.float32(self.milk) * np.minimum(bloom, 1)
        light = to_linear(picture) * through
        return Damaged.everywhere(to_srgb(light + milk * (_MILK - light)))

    def _thickness(self, rng: np.random.Generator, view: View) -> Array:
        """Thickness of the layer (H, W), 1 on average."""
        wide = 0.45 * smooth(view, rng, 2.5) + 0.2 * smooth(view, rng, 8)
        marks = 0.22 * streaks(view, rng, self.heading, self.width)
        marks += 0.13 * streaks(view, rng, self.heading, self.width / 2.5)
        thickness = np.exp(self.uneven * wide + self.streaks * marks)
        for _ in range(self.runs):
            thickness += self._run(rng, view)
        if self.cleaned:
            thickness *= 1 - 0.92 * self._window(rng, view)
        return np.asarray(np.minimum(thickness, 4), np.float32)

    def _run(self, rng: np.random.Generator, view: View) -> Array:
        """A drip (H, W): a thin trail that wavers, with a thicker drop at its end."""
        y, x = places(view)
        extent = view.full_height / view.unit, view.full_width / view.unit
        start, place = rng.random(2) * extent
        length, width, depth = rng.uniform(60, 350), rng.uniform(2.5, 6), rng.uniform(0.3, 0.9)
        along = (y - start) / length
        sway = np.interp(along, np.linspace(-0.2, 1.2, 12), rng.normal(0, 0.8 * width, 12))
        broad = width * (0.6 + 0.5 * np.clip(along, 0, 1) ** 3)
        across = (x - place - sway) / broad
        ends = step_at(along, 0.1, 0.15) * (
            1 - step_at(along + 0.5 * across**2 * width / length, 1, 1.5 * width / length)
        )
        deep = depth * (0.5 + 0.5 * np.clip(along, 0, 1) ** 2) * ends
        return np.asarray(deep * np.exp(-np.minimum(across**4, 40)), np.float32)

    def _window(self, rng: np.random.Generator, view: View) -> Array:
        """The cleaned part (H, W): a rectangle as swabs leave it, its borders neither straight nor sharp."""
        y, x = places(view)
        extent = np.array([view.full_height, view.full_width]) / view.unit
        centre, half = rng.random(2) * extent, self.cleaned / 2 * rng.uniform(0.5, 1, 2)
        angle = rng.normal(0, 0.05)
        down, right = y - np.float32(centre[0]), x - np.float32(centre[1])
        inside = np.minimum(
            half[0] - np.abs(np.cos(angle) * down + np.sin(angle) * right),
            half[1] - np.abs(np.cos(angle) * right - np.sin(angle) * down),
        )
        inside = inside + 3 * smooth(view, rng, 15) + 1.5 * smooth(view, rng, 60)
        return step_at(inside, 0, rng.uniform(1.5, 7))
