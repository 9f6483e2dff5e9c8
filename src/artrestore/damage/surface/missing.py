"""Missing parts: broken corners, torn-out bites and nibbled edges.

Card and glass snap along nearly straight lines with small teeth, paper tears in curves. The image layer tears
before the paper does, so that a pale fibrous rim of the sheet's core shows along the break, wide where the tear
ran at a slant. Through the hole one sees the scanner's bed or the mount, with the object's soft shadow on it.

Source: Lavédrine, "Photographs of the Past: Process and Preservation" (Getty Conservation Institute, 2009).
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import LOST_COVER, Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import cover, light_up, tint
from artrestore.damage.fields import smooth, texture
from artrestore.damage.filters import blur, shifted, step_at
from artrestore.damage.places import places

_BEDS = ((0.03, 0.03, 0.03), (0.96, 0.96, 0.95), (0.88, 0.83, 0.72), (0.55, 0.54, 0.52), (0.30, 0.25, 0.20))
_CORE = (0.89, 0.86, 0.79)


@parameters
class Missing(Damage):
    """Missing parts.

    Attributes:
        corners: that are gone.
        bites: torn out of the edges.
        size: of the largest, thousandths of the long side.
        nibbled: depth to which the edges are nibbled, thousandths of the long side.
        jagged: roughness of the breaks, 0 for cut, 1 for badly torn.
        rim: greatest width of the pale fibrous rim, thousandths of the long side.
        bed: what shows behind, sRGB lightness and colour: 0 black, 1 white, 2 cream, 3 grey, 4 brown.
        shadow: darkness of the object's shadow on it.
    """

    group = "surface"
    imitates = "corners broken off, bites torn out of edges, edges nibbled, with a pale fibrous rim"

    corners: Annotated[int, Field(ge=0, le=4)]
    bites: Annotated[int, Field(ge=0, le=20)]
    size: Annotated[float, Field(gt=0, le=600)]
    nibbled: Annotated[float, Field(ge=0, le=100)]
    jagged: Fraction = 0.5
    rim: Annotated[float, Field(ge=0, le=60)] = 6
    bed: Annotated[int, Field(ge=0, le=4)] = 0
    shadow: Fraction = 0.4

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        whole = strength * rng.uniform(0.5, 1)
        return cls(
            corners=int(rng.binomial(4, 0.05 + 0.65 * strength)),
            bites=min(12, int(rng.poisson(0.2 + 4 * strength))),
            size=3 + 300 * whole,
            nibbled=0.4 + 16 * whole * rng.uniform(0.1, 1),
            jagged=rng.uniform(0.15, 1),
            rim=float(rng.choice([0.3, 1])) * (0.5 + 14 * strength**0.7 * rng.random()),
            bed=int(rng.integers(len(_BEDS))),
            shadow=rng.uniform(0, 0.6),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        unit, edge = view.unit, 0.6 / view.unit
        left = self._left(rng, view)
        if left.min() > 2 * self.rim + 2 * edge + 2:
            return Damaged.nowhere(picture)
        there = step_at(left, 0, edge)
        fibres = texture(view.shape, rng, max(3.0, 4 * unit), octaves=3)
        # The rim widens and vanishes along the break.
        width = self.rim * np.clip(0.35 + 0.5 * smooth(view, rng, 18) + 0.15 * fibres, 0, 1.6)
        bare = step_at(width + 0.35 * fibres * np.minimum(width, 2) - left, 0, 2 * edge) * (width > 0)
        core = np.asarray(tint(rng, _CORE, 0.03))[:, None, None] * (1 + 0.035 * fibres)
        # Layers of the core lie in steps: paler at the very edge, greyer towards the picture.
        core = core * (1 - 0.12 * np.clip(left / max(self.rim, 1), 0, 1))
        damaged = cover(picture, np.clip(core, 0, 1), bare)
        damaged = cover(damaged, self._backing(rng, view, there), 1 - there)
        lost = np.maximum(1 - there, bare) > LOST_COVER
        return Damaged.between(picture, damaged, lost)

    def _left(self, rng: np.random.Generator, view: View) -> Array:
        """Distance (H, W) from the breaks, thousandths of the long side; positive where the object is left."""
        rows, columns = places(view)
        high, wide = view.full_height / view.unit, view.full_width / view.unit
        coarse, teeth = smooth(view, rng, 8), smooth(view, rng, 35)
        rough = 3 * teeth + 1.3 * texture(view.shape, rng, max(1.5, 8 * view.unit))
        left = np.full(view.shape, np.inf, np.float32)
        for corner in rng.permutation(4)[: self.corners].tolist():
            down = rows if corner & 1 else high - rows
            right = columns if corner & 2 else wide - columns
            angle = np.clip(rng.normal(np.pi / 4, 0.25), 0.25, 1.32)
            slope = np.float32(np.sin(angle)) * down + np.float32(np.cos(angle)) * right
            deep = np.float32(self.size * rng.uniform(0.2, 0.7))
            left = np.minimum(left, slope - deep + (0.02 + 0.1 * self.jagged) * deep * coarse)
        for _ in range(self.bites):
            left = np.minimum(left, self._bite(rng, rows, columns, high, wide))
        left += np.float32(0.1 + self.jagged) * rough + np.float32(0.03 * self.size) * smooth(view, rng, 14)
        # Along the edges single nicks, where the object was handled most.
        rim = np.minimum(np.minimum(rows, high - rows), np.minimum(columns, wide - columns))
        worn = 0.8 * smooth(view, rng, 7) + 0.6 * smooth(view, rng, 30) + 0.12 * rough - 0.9
        # Where the edge is whole there is no break to be near to.
        nicks = rim - self.nibbled * np.clip(worn, 0, 1.5) + 60 * np.maximum(-worn, 0)
        return np.asarray(np.minimum(left, nicks), np.float32)

    def _bite(self, rng: np.random.Generator, rows: Array, columns: Array, high: float, wide: float) -> Array:
        """Distance (H, W) from a bite out of an edge: a tongue, lopsided and lobed."""
        at, on_side, far = rng.random(), rng.random() < high / (high + wide), rng.random() < 0.5
        inward = columns if on_side else rows
        inward = (wide if on_side else high) - inward if far else inward
        beside = (rows - at * high) if on_side else (columns - at * wide)
        deep = self.size * rng.uniform(0.1, 0.75) ** 1.5
        broad = deep * rng.uniform(0.5, 2.2)
        lean = rng.normal(0, 0.5)
        beside = (beside + lean * inward) / np.float32(broad)
        # Two arcs meet at the bite's tip, or off its middle.
        power = rng.uniform(1, 2.5)
        skew = np.where(beside > 0, np.float32(rng.uniform(0.7, 1.5)), 1)
        reach = deep * (1 - np.clip(np.abs(beside) * skew, 0, 3) ** power)
        return np.asarray((inward - reach) * min(1.0, broad / deep), np.float32)

    def _backing(self, rng: np.random.Generator, view: View, there: Array) -> Array:
        """What shows behind the object, (3, H, W)."""
        grain = texture(view.shape, rng, max(1.5, 2 * view.unit), octaves=3)
        bed = np.asarray(tint(rng, _BEDS[self.bed], 0.02), np.float32)[:, None, None]
        bed = np.clip(bed * (1 + 0.008 * grain + 0.02 * smooth(view, rng, 4)), 0, 1)
        angle, away = rng.uniform(0, 2 * np.pi), 2.2 * view.unit
        cast = blur(shifted(there, away * np.sin(angle), away * np.cos(angle)), 1.2 * away)
        return light_up(bed, 1 - self.shadow * cast)
