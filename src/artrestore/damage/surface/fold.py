"""Folds: a letter, map or print that was kept folded.

The sheet was folded at halves or thirds. Along each fold the ink is worn off the outer side in dashes and specks,
dirt lies in the inner side, most where folds cross, and the panels never lie flat again: each is a little lighter
or darker towards its folds.

Source: Banik and Brückle, "Paper and Water: A Guide for Conservators" (2011), on folding and its damage to fibres.
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import LOST_COVER, Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import absorb, cover, light_up, tint
from artrestore.damage.fields import smooth, texture
from artrestore.damage.filters import step_at
from artrestore.damage.strokes import uneven

_CORE = (0.90, 0.88, 0.82)
_DIRT = np.array([0.75, 0.9, 1.0], np.float32)[:, None, None]  # optical density in red, green and blue


@parameters
class Fold(Damage):
    """Folds.

    Attributes:
        rows: panels from top to bottom; 1 for no horizontal fold.
        columns: panels from left to right; 1 for no vertical fold.
        wear: part of a fold where the ink has gone.
        width: of the worn ridge, thousandths of the long side.
        shade: light and shade of the bent panels, as a part of the light.
        breadth: of light and shade along a fold, thousandths of the long side.
        dirt: optical density of the dirt in a fold.
    """

    group = "surface"
    imitates = "folds across the whole sheet, the ink worn off in dashes and specks, with shading and dirt"

    rows: Annotated[int, Field(ge=1, le=8)]
    columns: Annotated[int, Field(ge=1, le=8)]
    wear: Fraction
    width: Annotated[float, Field(gt=0, le=30)]
    shade: Annotated[float, Field(ge=0, le=0.8)]
    breadth: Annotated[float, Field(gt=0, le=200)] = 30.0
    dirt: Annotated[float, Field(ge=0, le=1)] = 0.1

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        rows, columns = ((2, 1), (1, 2), (3, 1), (1, 3), (2, 2), (3, 2), (2, 3), (2, 4))[rng.integers(8)]
        return cls(
            rows=rows,
            columns=columns,
            wear=0.05 + 0.8 * strength * rng.uniform(0.6, 1),
            width=0.8 + 6 * strength * rng.uniform(0.3, 1),
            shade=0.015 + 0.4 * strength * rng.uniform(0.5, 1),
            breadth=rng.uniform(6, 60),
            dirt=0.3 * strength * rng.random(),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        worn, valley = np.zeros(view.shape, np.float32), np.zeros(view.shape, np.float32)
        bent = np.ones(view.shape, np.float32)
        half, reach = max(0.5, 0.5 * self.width * view.unit), max(2.0, self.breadth * view.unit)
        for away in self._distances(rng, view):
            side, near = np.sign(away), np.abs(away)
            use = np.clip(1 + 0.45 * smooth(view, rng, 8), 0.2, 1.8)
            # Two folds add up where they cross.
            worn += use * (
                0.75 * np.exp(-np.minimum((near / half) ** 1.3, 30))
                + 0.25 * np.exp(-np.minimum(near / (4 * half), 30))
            )
            valley += use * np.exp(-np.minimum(near / (1.6 * half), 30))
            lit, dark = rng.normal(0, 1, 2)
            slope = np.where(side > 0, lit, dark - lit).astype(np.float32) * np.exp(-np.minimum(near / reach, 30))
            crest = 0.8 * rng.choice([-1, 1]) * side * np.exp(-np.minimum(near / (1.2 * half), 30))
            bent += self.shade * (slope + crest) * use
        grain = texture(view.shape, rng, max(2.0, 2.5 * view.unit), octaves=3, gain=0.8)
        dashes = texture(view.shape, rng, max(5.0, 28 * view.unit), octaves=3)
        rough = 0.42 * grain + 0.4 * dashes
        gone = step_at(
            worn * (1 + 0.5 * rough) + 0.9 * rough * np.clip(worn * 8, 0, 1), 1.6 - 1.2 * self.wear, 0.45
        )
        damaged = light_up(picture, np.clip(bent, 0.2, 1.7))
        dirt = np.float32(self.dirt) * np.clip(valley * (1 + 0.4 * rough), 0, 2)
        damaged = absorb(damaged, np.asarray(_DIRT * dirt, np.float32))
        damaged = cover(damaged, tint(rng, _CORE, 0.04), gone * np.clip(0.35 + self.wear, 0, 1))
        lost = gone * (0.35 + self.wear) > LOST_COVER
        return Damaged.between(picture, damaged, lost)

    def _distances(self, rng: np.random.Generator, view: View) -> list[Array]:
        """Of every fold, each pixel's signed distance in pixels."""
        y = np.arange(view.height, dtype=np.float32)[:, None] + np.float32(view.top + 0.5)
        x = np.arange(view.width, dtype=np.float32)[None] + np.float32(view.left + 0.5)
        horizontal = [(y, x, view.full_height, view.full_width, part / self.rows) for part in range(1, self.rows)]
        vertical = [
            (x, y, view.full_width, view.full_height, part / self.columns) for part in range(1, self.columns)
        ]
        return [self._distance(rng, view, *fold) for fold in horizontal + vertical]

    def _distance(
        self, rng: np.random.Generator, view: View, across: Array, along: Array, high: int, wide: int, part: float
    ) -> Array:
        middle = high * (part + rng.normal(0, 0.012))
        tilt = rng.normal(0, 0.008)
        # The fold wavers over the whole sheet, and by fibres.
        knots = np.linspace(0, wide, 1 + max(8, wide // 4))
        wavering = sum(
            (
                size * view.unit * uneven(rng, len(knots), len(knots) / waves)
                for size, waves in ((1.6, 4), (0.7, 14))
            ),
            0.25 * uneven(rng, len(knots), 1.5),
        )
        line = np.interp(along.ravel(), knots, wavering).astype(np.float32).reshape(along.shape)
        return np.asarray(across - np.float32(middle) - np.float32(tilt) * (along - wide / 2) - line, np.float32)
