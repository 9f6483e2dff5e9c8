"""Hairs and fibres on the object, the negative or the glass.

A hair is long and smooth: its curvature changes slowly, so that it bows and sometimes loops; it thins towards its
tip. A textile fibre is short and curly. Both lie partly above the surface: they are a little out of focus and cast
a soft shadow; a thick hair has a glint along it.

Source: Bergman et al., "Comprehensive solutions for automatic removal of dust and scratches from images", Journal
of Electronic Imaging 17 (2008).
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import LOST_COVER, Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import cover, light_up, tint
from artrestore.damage.filters import blur, relief, shifted
from artrestore.damage.places import around
from artrestore.damage.strokes import Points, Stroke, paint, tapered, uneven

_PALE, _DARK = (0.85, 0.83, 0.78), (0.13, 0.10, 0.08)
_FIBRE = 60  # thousandths of the long side: the longest fibre


@parameters
class Hair(Damage):
    """Hairs and fibres.

    Attributes:
        hairs: long ones in the whole picture.
        fibres: short curly ones in the whole picture.
        width: of the thickest, thousandths of the long side.
        length: of the longest, thousandths of the long side.
        opacity: of the densest.
        pale: part of them that is pale; the others are dark.
        softness: blur of the edges in pixels.
        shadow: darkness of the shadow.
    """

    group = "surface"
    imitates = "hairs and lint fibres, bowed, looped and curly, with tapering ends, slightly out of focus"

    hairs: Annotated[int, Field(ge=0, le=60)]
    fibres: Annotated[int, Field(ge=0, le=400)]
    width: Annotated[float, Field(gt=0, le=8)]
    length: Annotated[float, Field(gt=0, le=2000)]
    opacity: Fraction
    pale: Fraction = 0.5
    softness: Annotated[float, Field(ge=0.3, le=5)] = 0.7
    shadow: Fraction = 0.3

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        strength **= 0.55  # what is small and sparse shows only when there is more of it
        return cls(
            hairs=round(0.7 + 20 * strength * rng.uniform(0.4, 1)),
            fibres=round(3 + 130 * strength * rng.uniform(0.2, 1) ** 1.5),
            width=0.8 + 2.0 * strength * rng.uniform(0.4, 1),
            length=100 + 600 * strength**0.7 * rng.uniform(0.4, 1),
            opacity=0.3 + 0.7 * strength**0.5 * rng.uniform(0.6, 1),
            pale=float(rng.choice([0.0, 0.0, 0.4, 1.0])),
            softness=rng.uniform(0.5, 1.6),
            shadow=rng.uniform(0, 0.5),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        sides: dict[bool, list[Stroke]] = {True: [], False: []}
        long = np.arange(self.hairs + self.fibres) < self.hairs
        for start, is_hair in zip(view.scatter(rng, len(long)), long.tolist(), strict=True):
            pale, length = bool(rng.random() < self.pale), self.length if is_hair else _FIBRE
            if around(view.shape, start[0], start[1], length * view.unit):
                sides[pale].append(self._strand(rng, start, view.unit, is_hair))
        angle = rng.uniform(0, 2 * np.pi)
        alpha = {pale: paint(view.shape, strands, softness=self.softness) for pale, strands in sides.items()}
        covered = np.maximum(alpha[True], alpha[False])
        away = max(1.0, 1.3 * view.unit)
        # The light comes from `angle`, counter-clockwise from the right; the shadow falls to the other side.
        cast = blur(shifted(covered, away * np.sin(angle), -away * np.cos(angle)), 0.8 * away)
        shaded = light_up(picture, 1 - self.shadow * cast)
        glint = np.clip(1 + 0.5 * relief(blur(covered, 0.7), angle), 0, 2)
        colours = [np.asarray(tint(rng, colour, 0.08))[:, None, None] for colour in (_PALE, _DARK)]
        colour = np.clip(np.where(alpha[True] > alpha[False], *colours) * glint, 0, 1)
        damaged = cover(shaded, colour, covered)
        lost = covered > LOST_COVER
        return Damaged.between(picture, damaged, lost)

    def _strand(self, rng: np.random.Generator, start: Points, unit: float, is_hair: bool) -> Stroke:
        """One hair, or one fibre: a tenth as long, thinner and curlier."""
        if is_hair:
            length, width, curl = self.length * rng.uniform(0.3, 1), rng.uniform(0.4, 1), rng.uniform(1, 5)
        else:
            length, width, curl = rng.uniform(0.15, 1) * _FIBRE, rng.uniform(0.25, 0.6), rng.uniform(2, 9)
        curve = _bowed(rng, start, length * unit, curl)
        count = len(curve)
        # A hair thins towards its tip over much of its length; its root ends bluntly.
        slim = tapered(count, 0.25) * (np.linspace(1, rng.uniform(0.2, 0.9), count) if is_hair else 1)
        thick = np.clip(1 + 0.12 * uneven(rng, count, 40), 0.6, 1.4)
        radius = np.maximum(0.5 * width * self.width * unit * slim * thick, 0.22)
        # Where it rises off the surface or sinks into grime it fades.
        seen = np.clip(0.9 + 0.2 * uneven(rng, count, 60), 0.35, 1) * np.sqrt(tapered(count, 0.06))
        return Stroke(points=curve, radius=radius, opacity=self.opacity * rng.uniform(0.5, 1) * seen)


def _bowed(rng: np.random.Generator, start: Points, length: float, curl: float, step: float = 0.7) -> Points:
    """A curve from `start` whose curvature changes smoothly and adds up to about `curl` radians."""
    count = max(2, int(length / step) + 1)
    knots = int(rng.integers(4, 10))
    # Its own bias makes one hair a bow or a loop, its changes make another an S.
    turn = rng.normal(0, 0.5) * curl + rng.normal(0, 1.3 * curl, knots)
    curvature = np.interp(np.linspace(0, knots - 1, count), np.arange(knots), turn) / count
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(curvature)
    return np.asarray(start + step * np.cumsum(np.stack([np.sin(heading), np.cos(heading)], 1), 0), np.float64)
