"""Creases: local wrinkles and dents in paper, photographs and soft canvas.

A sheet that was bent keeps a ridge: bright on the flank that faces the light, dark on the other, sharp at the
ridge and soft beyond. Wrinkles bend, branch off in fans from where the sheet was gripped, and fade out. On a sharp
ridge ink and emulsion break off in a dotted line.

Source: Banik and Brückle, "Paper and Water: A Guide for Conservators" (2011), on creasing and planar distortion.
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import cover, light_up, tint
from artrestore.damage.fields import texture
from artrestore.damage.filters import broad_blur, relief, step_at
from artrestore.damage.strokes import Points, Stroke, paint, tapered, uneven, wander

_CORE = (0.88, 0.86, 0.80)


@parameters
class Crease(Damage):
    """Creases.

    Attributes:
        fans: groups of creases in the whole picture.
        in_fan: most creases in a group.
        length: of the longest, thousandths of the long side.
        breadth: of the soft flanks, thousandths of the long side.
        depth: light and shade on the flanks, as a part of the light.
        broken: part of the ridges where ink is lost.
        bend: how far a crease turns over its length, radians.
    """

    group = "surface"
    imitates = "soft bent wrinkles, bright on one flank and dark on the other, ink flaked off along the ridge"

    fans: Annotated[int, Field(ge=0, le=40)]
    in_fan: Annotated[int, Field(ge=1, le=20)]
    length: Annotated[float, Field(gt=0, le=1200)]
    breadth: Annotated[float, Field(gt=0, le=60)]
    depth: Annotated[float, Field(ge=0, le=1)]
    broken: Fraction = 0.3
    bend: Annotated[float, Field(ge=0, le=3)] = 0.5

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        strength **= 0.6  # what is small and sparse shows only when there is more of it
        return cls(
            fans=1 + round(11 * strength * rng.uniform(0.4, 1)),
            in_fan=1 + round(5 * strength**0.5 * rng.random()),
            length=60 + 740 * strength**0.7 * rng.uniform(0.4, 1),
            breadth=rng.uniform(4, 16),
            depth=0.06 + 0.65 * strength * rng.uniform(0.5, 1),
            broken=strength * rng.uniform(0.3, 1),
            bend=rng.uniform(0.2, 0.9),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        strokes = [stroke for place in view.scatter(rng, self.fans) for stroke in self._fan(rng, view, place)]
        ridge = paint(view.shape, strokes)
        shade = self._shade(rng, view, ridge)
        damaged = light_up(picture, 1 + np.clip(self.depth * shade, -0.75, 0.75))
        if self.broken > 0:
            grain = texture(view.shape, rng, max(2.0, 2 * view.unit), octaves=2, gain=0.8)
            patches = texture(view.shape, rng, max(6.0, 30 * view.unit), octaves=3)
            flaked = step_at(0.6 * grain + 0.8 * patches, 1.2 - 2.4 * self.broken, 0.5)
            damaged = cover(damaged, tint(rng, _CORE, 0.04), 0.9 * flaked * ridge)
        return Damaged.between(picture, damaged)

    def _shade(self, rng: np.random.Generator, view: View, ridge: Array) -> Array:
        """Light and shade, about 1 on the flanks: of the sharp ridge and of the bent sheet around it."""
        angle, total = rng.uniform(0, 2 * np.pi), np.zeros(view.shape, np.float32)
        if not ridge.any():
            return total
        for sigma, weight in ((0.7, 0.8), (0.3 * self.breadth * view.unit, 1.0), (self.breadth * view.unit, 1.2)):
            wide = max(sigma, 0.7)
            # A line spread to `wide` has slopes that fall with the square of that.
            total += weight * 10 * wide**2 * relief(broad_blur(ridge, wide), angle)
        return total

    def _fan(self, rng: np.random.Generator, view: View, place: Points) -> list[Stroke]:
        heading, unit = rng.uniform(0, 2 * np.pi), view.unit
        length = max(4.0, self.length * unit * rng.uniform(0.5, 1))
        strokes = []
        for _ in range(int(rng.integers(1, self.in_fan + 1))):
            start = place + rng.normal(0, 0.03 * length, 2)
            jitter = 0.25 + 0.25 * unit
            points = wander(
                rng,
                start,
                heading + rng.normal(0, 0.5),
                length * rng.uniform(0.5, 1),
                bend=self.bend,
                jitter=jitter,
            )
            count = len(points)
            height = (
                rng.uniform(0.4, 1) * np.clip(0.8 + 0.3 * uneven(rng, count, 40), 0.1, 1) * tapered(count, 0.35)
            )
            radius = max(0.45, 0.5 * unit) * np.clip(0.9 + 0.25 * uneven(rng, count, 15), 0.4, 1.5)
            strokes.append(Stroke(points=points, radius=radius, opacity=height))
        return strokes
