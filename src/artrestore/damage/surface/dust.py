"""Dust: specks and clumps of lint on the object, the negative or the scanner's glass.

Skin flakes, soot and textile fluff. There are very many fine specks and few large ones: the number above a size
falls as a power of it. Dust on a print is pale or dark by its own colour; dust on a negative prints white. Large
clumps stand off the surface and cast a small soft shadow; some hold short fibres.

Source: Bergman et al., "Comprehensive solutions for automatic removal of dust and scratches from images", Journal
of Electronic Imaging 17 (2008); power law of sizes after Junge, "The size distribution and aging of natural
aerosols as determined from electrical and optical data on the atmosphere", Journal of Meteorology 12 (1955).
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import LOST_COVER, Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import cover, light_up, tint
from artrestore.damage.fields import texture
from artrestore.damage.filters import blur, shifted, step_at
from artrestore.damage.patterns import blob
from artrestore.damage.places import around, gathered, near
from artrestore.damage.strokes import Stroke, paint, specks, tapered, wander

_PALE, _DARK = (0.84, 0.83, 0.80), (0.14, 0.12, 0.11)
_FINEST, _SLOPE = 0.3, 1.9  # thousandths of the long side; slope of the number above a size
_CLUMP = 1.6  # pixels: from this radius on a speck has a shape


@parameters
class Dust(Damage):
    """Dust.

    Attributes:
        specks: in the whole picture.
        size: radius of the largest, thousandths of the long side; most are far smaller.
        opacity: of the densest.
        pale: part of the specks that are pale; the others are dark.
        clusters: places where specks gather.
        softness: blur of the edges in pixels, for dust that is out of focus.
        shadow: darkness of the large clumps' shadows.
    """

    group = "surface"
    imitates = "fine specks and a few clumps of lint, pale or dark, strewn and in clusters"

    specks: Annotated[int, Field(ge=0, le=12000)]
    size: Annotated[float, Field(gt=0, le=25)]
    opacity: Fraction
    pale: Fraction = 0.8
    clusters: Annotated[int, Field(ge=1, le=40)] = 5
    softness: Annotated[float, Field(ge=0.3, le=4)] = 0.6
    shadow: Fraction = 0.3

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        strength **= 0.75  # what is small and sparse shows only when there is more of it
        return cls(
            specks=round(25 + 8000 * strength**1.2 * rng.uniform(0.4, 1)),
            size=1.2 + 7 * strength * rng.uniform(0.5, 1),
            opacity=0.35 + 0.65 * strength**0.6 * rng.uniform(0.6, 1),
            pale=float(rng.choice([0.0, 0.3, 0.9, 1.0])),
            clusters=int(rng.integers(2, 14)),
            softness=rng.uniform(0.45, 1.1),
            shadow=rng.uniform(0, 0.5),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        points = gathered(view, rng, self.specks, self.clusters, 90, alone=0.55)
        size = _FINEST * (1 - rng.random(self.specks)) ** (-1 / _SLOPE)
        radius = np.maximum(np.minimum(size, self.size * rng.uniform(0.5, 1, self.specks)) * view.unit, 0.3)
        opacity = self.opacity * rng.uniform(0.25, 1, self.specks)
        pale = rng.random(self.specks) < self.pale
        seen = near(view.shape, points, 6 * radius + 2)
        points, radius, opacity, pale = points[seen], radius[seen], opacity[seen], pale[seen]
        grain = texture(view.shape, rng, max(2.0, 2 * view.unit), octaves=3)
        fine = radius < _CLUMP
        alpha = {}
        clumps = np.zeros(view.shape, np.float32)
        for side in (True, False):
            small, large = fine & (pale == side), ~fine & (pale == side)
            dots = specks(rng, points[small], radius[small], opacity[small])
            drawn = paint(view.shape, [dots], softness=self.softness)
            lint = self._clumps(rng, points[large], np.stack([radius, opacity], 1)[large], grain)
            clumps = np.maximum(clumps, lint)
            alpha[side] = np.maximum(drawn, lint)
        shaded = self._shade(picture, clumps, rng.uniform(0, 2 * np.pi), view)
        sides = [np.asarray(tint(rng, colour, 0.06))[:, None, None] for colour in (_PALE, _DARK)]
        colour = np.where(alpha[True] >= alpha[False], *sides) * (1 + 0.05 * grain)
        covered = np.maximum(alpha[True], alpha[False])
        damaged = cover(shaded, np.clip(colour, 0, 1), covered)
        lost = covered > LOST_COVER
        return Damaged.between(picture, damaged, lost)

    def _clumps(self, rng: np.random.Generator, points: Array, traits: Array, grain: Array) -> Array:
        """Coverage (H, W) by the specks large enough to have a shape, of these radii and opacities."""
        alpha = np.zeros(grain.shape, np.float32)
        fibres = []
        for (y, x), (radius, opacity) in zip(points.tolist(), traits.tolist(), strict=True):
            if not (part := around(grain.shape, y, x, 4 * radius + 2)):
                continue
            inside = 1 - blob(part, y, x, radius, rng, rough=0.4, longest=3) + 0.3 * grain[part]
            soft = max(0.2, self.softness / radius)
            body = step_at(inside, 0, soft) * np.clip(0.85 + 0.25 * grain[part], 0.3, 1) * np.float32(opacity)
            alpha[part] = np.maximum(alpha[part], body)
            for _ in range(int(rng.integers(0, 4))):
                curve = wander(rng, (y, x), rng.uniform(0, 7), radius * rng.uniform(1.5, 5), bend=2.5)
                ends = tapered(len(curve), 0.4)
                fibres.append(
                    Stroke(points=curve, radius=0.12 * radius * ends + 0.2, opacity=0.8 * opacity * ends)
                )
        return np.maximum(alpha, paint(grain.shape, fibres, softness=self.softness))

    def _shade(self, picture: Array, clumps: Array, angle: float, view: View) -> Array:
        if not clumps.any():
            return picture
        away = max(0.8, 0.9 * view.unit)
        cast = blur(shifted(clumps, away * np.sin(angle), away * np.cos(angle)), 0.7 * away)
        return light_up(picture, 1 - self.shadow * cast)
