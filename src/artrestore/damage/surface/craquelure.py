"""Craquelure: the network of cracks that age, drying and blows leave in paint and varnish.

Paint that has grown brittle cracks across its tension: a first generation parts it into islands, later ones part
the islands and end where they meet older cracks. Canvas gives polygons, wood cracks along its grain, a blow gives
arcs around a centre, and paint that dried too fast gapes. Islands cup: their edges rise and catch the light.
Cracks fill with dirt; where cleaned or chalky, they are pale.

Source: Bucklow, "The Description of Craquelure Patterns", Studies in Conservation 42 (1997); Keck, "Mechanical
Alteration of the Paint Film", Studies in Conservation 14 (1969).
"""

from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from artrestore.damage.base import LOST_COVER, Array, Damage, Damaged, Fraction, Mask, View, parameters
from artrestore.damage.colour import cover, light_up, tint
from artrestore.damage.fields import smooth, texture
from artrestore.damage.filters import relief, step_at
from artrestore.damage.patterns import cells
from artrestore.damage.places import places

Index = npt.NDArray[np.int32]
Pattern = Literal["polygons", "ladder", "grain", "drying", "arcs"]
_DIRT, _GROUND = (0.08, 0.065, 0.05), (0.70, 0.65, 0.55)
# Of each pattern: how often it is drawn, how many times as long as wide its islands are, how wide its cracks.
_PATTERNS: dict[Pattern, tuple[float, tuple[float, float], float]] = {
    "polygons": (0.4, (1.0, 1.7), 1.0),
    "ladder": (0.2, (2.0, 4.0), 1.0),
    "grain": (0.15, (4.0, 9.0), 1.1),
    "drying": (0.15, (1.0, 1.4), 2.6),
    "arcs": (0.1, (1.0, 2.0), 0.9),
}
_LOST_WIDTH = 2.0  # a crack that wide, in pixels, is a loss if it is also dark
_AROUND = 32  # radial cracks of a blow: a part of the 64 after which cells repeat, so that the circle closes


@parameters
class Craquelure(Damage):
    """Craquelure.

    Attributes:
        pattern: `polygons`, `ladder` (with rungs), `grain` (parallel), `drying` (wide) or `arcs` (around a blow).
        scale: size of the islands, thousandths of the long side.
        stretch: how many times as long as wide the islands are.
        width: of the widest cracks, thousandths of the long side; most are finer.
        darkness: opacity of the dirt in the cracks.
        spread: part of the picture that has cracked.
        branching: part of the islands that later cracks have parted.
        cupping: light and shade at the raised edges, as a part of the light.
        pale: part of the cracks that show pale ground.
    """

    group = "surface"
    imitates = "age, drying and mechanical cracks with cupped edges, in networks that vary over the picture"

    pattern: Pattern
    scale: Annotated[float, Field(gt=0, le=200)]
    stretch: Annotated[float, Field(ge=1, le=20)]
    width: Annotated[float, Field(gt=0, le=12)]
    darkness: Fraction
    spread: Fraction
    branching: Fraction = 0.5
    cupping: Annotated[float, Field(ge=0, le=0.6)] = 0.0
    pale: Fraction = 0.1

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        chances = [often for often, _, _ in _PATTERNS.values()]
        pattern = list(_PATTERNS)[rng.choice(len(chances), p=chances)]
        _, stretch, wide = _PATTERNS[pattern]
        return cls(
            pattern=pattern,
            scale=float(np.exp(rng.uniform(np.log(11), np.log(55)))),
            stretch=rng.uniform(*stretch),
            width=(0.35 + 1.9 * strength**1.3 * rng.uniform(0.5, 1)) * (1 + (wide - 1) * strength),
            darkness=min(1.0, 0.08 + 1.0 * strength**0.75 * rng.uniform(0.65, 1)),
            spread=0.25 + 0.75 * strength**0.7 * rng.uniform(0.6, 1),
            branching=rng.uniform(0.2, 0.9),
            cupping=0.35 * strength * rng.random() ** 1.5,
            pale=float(rng.choice([0.0, 0.1, 0.3, 0.9], p=[0.6, 0.2, 0.12, 0.08])),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        scale = max(self.scale * view.unit, 5.0)
        half, covered, height = self._cracks(rng, view, scale)
        damaged = picture
        if self.cupping > 0:
            slope = np.clip(relief(height, rng.uniform(0, 2 * np.pi)), -1, 1)
            damaged = light_up(picture, 1 + np.float32(self.cupping) * slope)
        # Wide cracks are deep, so dark through and through.
        alpha = covered * np.clip(self.darkness * (0.75 + 0.5 * half), 0, 1)
        bright = (
            step_at(smooth(view, rng, 6), 1.4 - 2.8 * self.pale, 0.8)[None] if self.pale > 0 else np.float32(0)
        )
        dirt, ground = (
            np.asarray(tint(rng, colour, 0.04), np.float32)[:, None, None] for colour in (_DIRT, _GROUND)
        )
        colour = np.broadcast_to(dirt + (ground - dirt) * bright, picture.shape)
        damaged = cover(damaged, colour, alpha)
        lost = (2 * half >= _LOST_WIDTH) & (alpha > LOST_COVER)
        return Damaged.between(picture, damaged, lost)

    def _cracks(self, rng: np.random.Generator, view: View, scale: float) -> tuple[Array, Array, Array]:
        """Half the width of the nearest crack, the part of each pixel that is cracked, and the islands' height."""
        u, v, span_u, span_v = self._lattice(rng, view, scale)
        first, border, cell = cells(u, v, rng, span_u=span_u, span_v=span_v)
        widest = 0.5 * self.width * view.unit
        uneven = texture(view.shape, rng, 0.8 * scale, octaves=4, gain=0.7)
        closed = 0.9 - 1.1 * self.spread - 0.4 * smooth(view, rng, 4)
        if self.pattern == "arcs":
            closed += 0.5 * (v / max(view.unit * 240 / scale, 1)) ** 2  # cracks end far from the blow
        # Closed cracks open little by little, so that each ends in a hairline.
        open_first = _opened(border, uneven, closed)
        half = _half_width(open_first, border, uneven, widest)
        later, border, parting = self._later(rng, u, v, cell, (span_u, span_v))
        parted = closed + np.where(parting, np.float32(0.12), np.float32(1))
        open_later = _opened(border, uneven, parted)
        half_later = _half_width(open_later, border, uneven, 0.6 * widest)
        covered = np.maximum(_covered(first, half), _covered(later, half_later))
        reach = 0.22 * scale
        # Nothing is as far as 20 reaches; more would only underflow.
        rise = open_first * np.exp(-np.minimum(first / reach, 20))
        rise = np.maximum(rise, 0.6 * open_later * np.exp(-np.minimum(later / reach, 20)))
        return np.where(first < later, half, half_later), covered, reach * rise

    def _later(
        self, rng: np.random.Generator, u: Array, v: Array, cell: Index, spans: tuple[Array, Array]
    ) -> tuple[Array, Array, Mask]:
        """Later cracks' distance and number, and which islands they part.

        Every island has a lattice of its own for them, so they end where they meet its border.
        """
        finer, across = (np.float32(value) for value in (rng.uniform(1.5, 2.4), self.stretch**0.8))
        turn, shift = rng.uniform(-0.4, 0.4, 4096).astype(np.float32), rng.uniform(0, 64, 4096).astype(np.float32)
        sine, cosine = np.sin(turn)[cell], np.cos(turn)[cell]
        later_u = np.asarray(finer * across * (cosine * u + sine * v) + shift[cell], np.float32)
        later_v = np.asarray(finer * (cosine * v - sine * u), np.float32)
        distance, border, _ = cells(
            later_u, later_v, rng, span_u=spans[0] / (finer * across), span_v=spans[1] / finer
        )
        return distance, border, (rng.random(4096) < self.branching)[cell]

    def _lattice(self, rng: np.random.Generator, view: View, scale: float) -> tuple[Array, Array, Array, Array]:
        """Coordinates for `cells`, bent at every scale, and the length in pixels of their units."""
        y, x = (place * np.float32(view.unit) for place in places(view))
        bend = 0.2 if self.pattern != "grain" else 0.13
        y, x = (
            place + bend * scale * texture(view.shape, rng, 2.2 * scale, octaves=6, gain=0.5) for place in (y, x)
        )
        ones = np.ones(view.shape, np.float32)
        if self.pattern == "arcs":
            centre = rng.random(2) * (view.full_height, view.full_width)
            y, x = y - np.float32(centre[0]), x - np.float32(centre[1])
            radius = np.hypot(y, x)
            turns = np.arctan2(y, x) * np.float32(_AROUND / 2 / np.pi)
            return turns, radius / np.float32(scale), np.maximum(radius, 1) * (2 * np.pi / _AROUND), ones * scale
        angle = rng.uniform(0, np.pi)
        along, across = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        long = np.float32(scale * np.sqrt(self.stretch))
        wide = np.float32(scale / np.sqrt(self.stretch))
        corner = rng.uniform(0, 64, 2).astype(np.float32)
        u, v = (along * x + across * y) / long + corner[0], (along * y - across * x) / wide + corner[1]
        return u, v, ones * long, ones * wide


def _opened(border: Array, uneven: Array, closed: Array) -> Array:
    """How far each border has opened to a crack, in [0, 1]."""
    return np.asarray(np.clip((0.35 * border + 0.12 * uneven + 0.35 - closed) / 0.8, 0, 1), np.float32)


def _half_width(opened: Array, border: Array, uneven: Array, widest: float) -> Array:
    """Half the width of cracks in pixels: hairlines first, then wider and more uneven."""
    hairline = min(0.15, widest) * np.minimum(5 * opened, 1)
    return np.asarray(hairline + widest * opened**2 * (0.3 + 0.7 * border) * np.exp2(0.45 * uneven), np.float32)


def _covered(distance: Array, half: Array) -> Array:
    """The part of a pixel, at a distance from its middle, that a line covers."""
    overlap = np.minimum(half, distance + 0.5) - np.maximum(-half, distance - 0.5)
    return np.asarray(np.clip(overlap, 0, 1), np.float32)
