"""Scratches: what hard grains and edges do to varnish, paint and emulsion.

A scratch that stays in the varnish scatters light and looks pale; one through the paint shows the ground, pale or
dark, and loses what was there; an old one has filled with dirt. A grain that is dragged skips: the line is broken,
its width and depth vary, and grains come together, so scratches lie in sheaves. A blunt edge gouges: a wide furrow
with crumbled sides, at whose bottom the ground shows; it throws up a burr that catches light on one side.

Source: Nicolaus, "The Restoration of Paintings" (1999), on mechanical damage; for film, Kokaram, "Motion Picture
Restoration" (1998), on line scratches.
"""

from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from artrestore.damage.base import LOST_COVER, Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import cover, light_up, tint
from artrestore.damage.fields import texture
from artrestore.damage.filters import blur, relief, step_at
from artrestore.damage.places import around
from artrestore.damage.strokes import Stroke, paint, tapered, uneven, wander

_PALE, _DARK = (0.86, 0.84, 0.78), (0.10, 0.08, 0.06)
# A scratch at least this wide and opaque has lost what lay there.
_LOST_WIDTH = 2.0  # pixels


@parameters
class Scratch(Damage):
    """Scratches.

    Attributes:
        sheaves: groups of scratches in the whole picture.
        in_sheaf: most scratches in a group.
        width: of the widest, thousandths of the long side; each has its own, most are finer.
        length: of the longest, thousandths of the long side.
        opacity: of the deepest.
        pale: part of the groups that are pale; the others are dark.
        gaps: how broken they are, 0 for not at all.
        gouges: wide furrows in the whole picture.
        gouge: width of the widest furrow, thousandths of the long side.
        burr: how much the burr of what is deep is lit and shaded.
    """

    group = "surface"
    imitates = (
        "fine scratches in sheaves, pale or dark, broken where the grain skipped, and wide gouges with a burr"
    )

    sheaves: Annotated[int, Field(ge=0, le=60)]
    in_sheaf: Annotated[int, Field(ge=1, le=40)]
    width: Annotated[float, Field(gt=0, le=20)]
    length: Annotated[float, Field(gt=0, le=1500)]
    opacity: Fraction
    pale: Fraction = 0.7
    gaps: Fraction = 0.5
    gouges: Annotated[int, Field(ge=0, le=20)] = 0
    gouge: Annotated[float, Field(gt=0, le=60)] = 6
    burr: Fraction = 0.4

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        strength **= 0.65  # what is small and sparse shows only when there is more of it
        return cls(
            sheaves=3 + round(32 * strength * rng.uniform(0.5, 1)),
            in_sheaf=2 + round(10 * strength * rng.random()),
            width=1.2 + 7 * strength * rng.uniform(0.5, 1),
            length=100 + 800 * strength * rng.uniform(0.2, 1),
            opacity=0.4 + 0.6 * strength**0.5 * rng.uniform(0.75, 1),
            pale=float(rng.choice([0.1, 0.7, 1.0])),
            gaps=rng.uniform(0.2, 0.9),
            gouges=min(12, int(rng.poisson(5 * strength))),
            gouge=3 + 11 * strength * rng.uniform(0.3, 1),
            burr=rng.uniform(0.1, 0.8),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        sides: dict[bool, list[Stroke]] = {True: [], False: []}
        for y, x in view.scatter(rng, self.sheaves):
            pale = bool(rng.random() < self.pale)
            sides[pale] += self._sheaf(rng, view, (y, x))
        furrows = [self._furrow(rng, view, start) for start in view.scatter(rng, self.gouges)]
        deep, damaged, lost = np.zeros(view.shape, np.float32), picture, np.zeros(view.shape, bool)
        for pale, strokes in sides.items():
            if not strokes and not furrows:
                continue
            alpha = paint(view.shape, strokes)
            wide = paint(view.shape, [s for s in strokes if 2 * s.radius.max() >= _LOST_WIDTH])
            if pale == (self.pale >= 0.5):
                cut = self._cut(rng, view, furrows)
                alpha, wide = np.maximum(alpha, cut), np.maximum(wide, cut)
            damaged = cover(damaged, self._ground(rng, view, pale), alpha)
            deep, lost = np.maximum(deep, wide), lost | (wide > LOST_COVER)
        if deep.any():
            damaged = light_up(damaged, self._lit(rng, view, deep))
        return Damaged.between(picture, damaged, lost)

    def _ground(self, rng: np.random.Generator, view: View, pale: bool) -> Array:
        """Colour (3, H, W) at the bottom of the scratches, not quite the same everywhere."""
        grain = texture(view.shape, rng, max(2.0, 4 * view.unit), octaves=3)
        colour = np.asarray(tint(rng, _PALE if pale else _DARK, 0.09), np.float32)[:, None, None]
        return np.clip(colour * (1 + 0.07 * grain), 0, 1)

    def _furrow(self, rng: np.random.Generator, view: View, start: npt.NDArray[np.float64]) -> Stroke:
        length = self.length * view.unit * rng.uniform(0.05, 0.45)
        points = wander(rng, start, rng.uniform(0, 2 * np.pi), length, bend=0.25)
        count = len(points)
        pressed = np.clip(0.8 + 0.3 * uneven(rng, count, 50) + 0.2 * uneven(rng, count, 17), 0.25, 1.5)
        # It starts wide, where the edge struck, and runs out.
        wide = 0.5 * self.gouge * view.unit * rng.uniform(0.4, 1) * np.linspace(1, rng.uniform(0.2, 1), count)
        return Stroke(
            points=points, radius=np.maximum(wide * pressed * tapered(count, 0.15), 0.3), opacity=np.ones(count)
        )

    def _cut(self, rng: np.random.Generator, view: View, furrows: list[Stroke]) -> Array:
        """Coverage (H, W) by gouges: their sides crumble."""
        if not furrows:
            return np.zeros(view.shape, np.float32)
        spread = max(0.8, 2.2 * view.unit)
        profile = paint(view.shape, furrows, softness=spread)
        crumbs = texture(view.shape, rng, max(4.0, 14 * view.unit), gain=0.65)
        return np.where(profile > 0, step_at(profile + 0.22 * crumbs, 0.55, 0.4 / spread), 0).astype(np.float32)

    def _lit(self, rng: np.random.Generator, view: View, deep: Array) -> Array:
        """Gain (H, W) of the light on the burr of deep scratches."""
        slope = relief(blur(-deep, max(0.7, 0.9 * view.unit)), rng.uniform(0, 2 * np.pi))
        gain = np.clip(1 + 5 * self.burr * max(0.7, 0.9 * view.unit) * slope * (1 - 0.4 * deep), 0.25, 1.8)
        return np.asarray(gain, np.float32)

    def _sheaf(self, rng: np.random.Generator, view: View, centre: tuple[float, float]) -> list[Stroke]:
        heading, unit = rng.uniform(0, 2 * np.pi), view.unit
        length = self.length * unit * rng.uniform(0.2, 1)
        strokes = []
        for _ in range(int(rng.integers(1, self.in_sheaf + 1))):
            start = np.asarray(centre) + rng.normal(0, 0.12 * length, 2)
            angle = heading + rng.normal(0, 0.06)
            own = length * rng.uniform(0.3, 1)
            y, x = start + 0.5 * own * np.array([np.sin(angle), np.cos(angle)])
            if not around(view.shape, y, x, 0.7 * own):
                continue
            points = wander(rng, start, angle, own, bend=0.12, jitter=0.15)
            count = len(points)
            # Most are fine: the width falls off steeply below the widest.
            radius = max(0.5 * self.width * unit * rng.random() ** 1.6, 0.25)
            pressure = np.clip(0.75 + 0.35 * uneven(rng, count, 25), 0.15, 1.2) * tapered(count, 0.3)
            skipped = uneven(rng, count, 12) < 2.2 * self.gaps - 1.8
            opacity = self.opacity * rng.uniform(0.55, 1) * np.clip(pressure, 0, 1) * np.where(skipped, 0.12, 1)
            strokes.append(Stroke(points=points, radius=radius * np.clip(pressure, 0.2, 1), opacity=opacity))
        return strokes
