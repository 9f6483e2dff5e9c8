"""Mould: colonies of fungi on paper, canvas and emulsion.

A colony grows outwards from a spore in fine branching threads (hyphae); where it fruits it is dark grey, greenish,
black, or purple. Some colonies are densest in the middle, older ones in a ring. They come in clusters where it was
damp, small specks around larger ones. On a varnished painting a thin growth shows as a grey bloom.

Source: Florian, "Fungal Facts: Solving Fungal Problems in Heritage Collections" (Archetype, 2002).
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import cover, tint
from artrestore.damage.fields import smooth, texture
from artrestore.damage.filters import blur, step_at
from artrestore.damage.patterns import blob
from artrestore.damage.places import around, gathered, near
from artrestore.damage.strokes import Stroke, paint, specks

_COLOURS = ((0.16, 0.16, 0.15), (0.25, 0.28, 0.20), (0.05, 0.05, 0.05), (0.36, 0.20, 0.33), (0.62, 0.62, 0.57))
_BLOOM = (0.70, 0.71, 0.70)
_FUZZY = 2.5  # pixels: from this radius on a colony shows its threads


@parameters
class Mould(Damage):
    """Mould.

    Attributes:
        colonies: in the whole picture, most of them specks.
        radius: of the largest, thousandths of the long side.
        density: how much the densest cover.
        clusters: damp places where they gather.
        hue: 0 dark grey, 1 greenish, 2 black, 3 purple, 4 pale grey.
        ring: how much denser the margin is than the middle; 0 for dense middles.
        bloom: how much the grey haze around them veils.
    """

    group = "chemistry"
    imitates = "clusters of dark specks and fuzzy colonies with radial threads, and a grey bloom around them"

    colonies: Annotated[int, Field(ge=0, le=3000)]
    radius: Annotated[float, Field(gt=0, le=80)]
    density: Fraction
    clusters: Annotated[int, Field(ge=1, le=30)] = 3
    hue: Annotated[int, Field(ge=0, le=4)] = 0
    ring: Fraction = 0.2
    bloom: Fraction = 0.0

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        return cls(
            colonies=round(20 + 2600 * strength * rng.uniform(0.3, 1)),
            radius=4 + 26 * strength * rng.uniform(0.4, 1),
            density=0.2 + 0.75 * strength**0.6 * rng.uniform(0.6, 1),
            clusters=int(rng.integers(1, 8)),
            hue=int(rng.integers(len(_COLOURS))),
            ring=float(rng.choice([0.0, rng.random()])),
            bloom=float(rng.choice([0.0, 0.3 * strength * rng.uniform(0.3, 1)])),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        points = gathered(view, rng, self.colonies, self.clusters, 85, alone=0.12)
        size = np.minimum(0.1 * (1 - rng.random(self.colonies)) ** (-1 / 1.5), 1)
        radius = np.maximum(self.radius * size * view.unit, 0.35)
        density = self.density * rng.uniform(0.3, 1, self.colonies)
        seen = near(view.shape, points, 4 * radius + 2)
        points, radius, density = points[seen], radius[seen], density[seen]
        fine = radius < _FUZZY
        dots = specks(rng, points[fine], radius[fine], density[fine], grains=4)
        alpha = paint(view.shape, [dots], softness=0.7)
        grain = texture(view.shape, rng, max(3.5, 3 * view.unit), octaves=3, gain=0.6)
        threads: list[Stroke] = []
        for (y, x), r, d in zip(points[~fine].tolist(), radius[~fine], density[~fine], strict=True):
            if part := around(view.shape, y, x, 3.5 * r + 2):
                alpha[part] = np.maximum(alpha[part], self._colony(part, (y, x), r, d, grain, rng))
                threads += self._hyphae(rng, (y, x), r, d)
        alpha = np.maximum(alpha, paint(view.shape, threads, softness=0.6))
        colour = np.asarray(tint(rng, _COLOURS[self.hue], 0.03))[:, None, None] * (1 + 0.12 * grain)
        hazed = cover(picture, tint(rng, _BLOOM, 0.04), self._haze(rng, view, alpha)) if self.bloom else picture
        damaged = cover(hazed, np.clip(colour, 0, 1), alpha)
        return Damaged.between(picture, damaged)

    def _colony(
        self,
        part: tuple[slice, slice],
        centre: tuple[float, float],
        radius: float,
        density: float,
        grain: Array,
        rng: np.random.Generator,
    ) -> Array:
        """Coverage of a part of the picture by one fuzzy colony."""
        distance = blob(part, *centre, radius, rng, rough=0.25, longest=1.5)
        rays: Array | float = 1.0
        if radius >= 2 * _FUZZY:
            # A rougher outline within the same disc: its ratio to the first is a pattern of rays.
            finer = blob(part, *centre, radius, rng, rough=0.45, longest=1.5)
            rays = np.asarray(distance / np.maximum(finer, 1e-3), np.float32)
        envelope = step_at(-distance - 0.25 * grain[part], -0.9, 0.55)
        middle = np.exp(-np.minimum(3 * distance**2, 40))
        margin = np.exp(-np.minimum(((distance - 0.75) / 0.2) ** 2, 40))
        profile = 0.4 + (1 - self.ring) * 0.7 * middle + self.ring * 0.6 * margin
        mottled = np.clip(0.8 + 0.35 * grain[part], 0.1, 1.4) * np.clip(rays, 0.45, 1.2)
        return np.asarray(np.clip(np.float32(density) * envelope * profile * mottled, 0, 0.95), np.float32)

    def _hyphae(
        self, rng: np.random.Generator, centre: tuple[float, float], radius: float, density: float
    ) -> list[Stroke]:
        """Threads that grow out of a colony, winding and fading; all in one stroke."""
        threads, steps = min(40, int(1.6 * radius)), max(4, int(radius))
        if radius < 1.5 * _FUZZY:
            return []
        way = rng.uniform(0, 2 * np.pi, (threads, 1))
        heading = way + rng.normal(0, 0.3, way.shape) + np.cumsum(rng.normal(0, steps**-0.5, (threads, steps)), 1)
        pace = radius * rng.uniform(0.3, 1, way.shape) / steps
        out = radius * rng.uniform(0.2, 0.6, way.shape)
        down = centre[0] + out * np.sin(way) + np.cumsum(pace * np.sin(heading), 1)
        right = centre[1] + out * np.cos(way) + np.cumsum(pace * np.cos(heading), 1)
        fading = np.broadcast_to(np.linspace(1, 0.1, steps), heading.shape)
        opacity = density * rng.uniform(0.2, 0.7, way.shape) * fading
        points = np.stack([down.ravel(), right.ravel()], 1)
        return [Stroke(points=points, radius=0.2 + 0.02 * radius * fading.ravel(), opacity=opacity.ravel())]

    def _haze(self, rng: np.random.Generator, view: View, alpha: Array) -> Array:
        """Coverage (H, W) by bloom: patchy, densest near the colonies."""
        close = blur(alpha, 12 * view.unit)
        patches = step_at(smooth(view, rng, 5) + 0.4 * smooth(view, rng, 20), 0.9, 0.9)
        grain = 1 + 0.08 * texture(view.shape, rng, max(3.0, 5 * view.unit))
        return np.asarray(self.bloom * np.clip((0.7 * patches + 2 * close) * grain, 0, 1), np.float32)
