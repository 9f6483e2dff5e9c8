"""Halftone: a printed picture, as its screens of dots.

Presses print ink or none. An amplitude-modulated screen makes tones of dots on a square grid that grow until they
merge; four inks have screens at different angles, which together form rosettes. Where inks overlap they multiply;
the dots spread on the paper and gain area. A scanner blurs them, and descreening leaves a rest of them.

Source: Kang, "Digital Color Halftoning" (1999); Demichel's and Neugebauer's equations after Wyble and Berns, "A
critical review of spectral models applied to binary color printing", Color Research & Application 25 (2000).
"""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import to_linear, to_srgb
from artrestore.damage.fields import texture
from artrestore.damage.filters import blur

# Linear light that solid cyan, magenta, yellow and black ink let through.
_INKS = np.array([[0.10, 0.62, 0.86], [0.80, 0.08, 0.42], [0.95, 0.86, 0.08], [0.025, 0.024, 0.023]], np.float32)
_ANGLES = np.radians([15.0, 75.0, 0.0, 45.0])


def _spread() -> tuple[Array, Array]:
    """Values of the spot function, in order, and the part of a cell that lies below each."""
    turn = np.cos(2 * np.pi * (np.arange(64) + 0.5) / 64)
    values = np.sort(((turn[:, None] + turn[None]) / 2).reshape(-1))[::16]
    return values.astype(np.float32), np.linspace(0, 1, len(values), dtype=np.float32)


_VALUES, _BELOW = _spread()


@parameters
class Halftone(Damage):
    """Halftone.

    Attributes:
        inks: `cmyk`, or `black`: one screen of black over the picture's pure colours.
        period: of the screens, pixels.
        angle: by which the whole print is turned, radians.
        contrast: of the dots, 0 for a picture that was descreened and 1 for one that was not.
        hard: how sharp the dots are.
        gain: area that a half-covered cell gains.
        softness: of the scan, pixels (standard deviation).
        newsprint: how grey and yellow the paper is.
    """

    group = "capture"
    imitates = "a print's dots: four screens in rosettes or one black one, on white paper or newsprint"

    inks: Literal["cmyk", "black"]
    period: Annotated[float, Field(ge=2, le=24)]
    angle: float = 0.0
    contrast: Fraction = 1.0
    hard: Fraction = 0.5
    gain: Annotated[float, Field(ge=0, le=0.3)] = 0.05
    softness: Annotated[float, Field(ge=0, le=3)] = 0.5
    newsprint: Fraction = 0.0

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        return cls(
            inks="black" if rng.random() < 0.35 else "cmyk",
            period=2.5 + 5.5 * strength * rng.random(),
            angle=rng.normal(0, 0.05) if rng.random() < 0.7 else rng.uniform(0, np.pi / 2),
            contrast=min(1, strength**0.8 * rng.uniform(0.7, 1.2)),
            hard=strength * rng.random(),
            gain=0.12 * strength * rng.random(),
            softness=rng.uniform(0.4, 0.9),
            newsprint=strength * rng.random() if rng.random() < 0.4 else 0.0,
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        light = to_linear(picture)
        coverage, printed = (_separated if self.inks == "cmyk" else _key_alone)(light)
        fibres = 0.06 * texture(view.shape, rng, 3, octaves=2)
        for angle, area, ink in zip(_ANGLES[-len(coverage) :], coverage, _INKS[-len(coverage) :], strict=True):
            dots = self._dots(area, angle + self.angle, fibres, rng, view)
            printed = printed * (1 - dots * (1 - ink[:, None, None]))
        paper = 1 - np.float32(self.newsprint) * np.array([0.22, 0.28, 0.42], np.float32)[:, None, None]
        grey = 1 + np.float32(self.newsprint) * fibres
        scanned = blur(printed * (paper * grey), self.softness)
        return Damaged.everywhere(to_srgb(light + np.float32(self.contrast) * (scanned - light)))

    def _dots(self, area: Array, angle: float, fibres: Array, rng: np.random.Generator, view: View) -> Array:
        """Where an ink lies (H, W): dots whose area is `area` of each cell, and the gain."""
        turns = 2 * np.pi / self.period
        y, x = turns * (view.top + np.arange(view.height)), turns * (view.left + np.arange(view.width))
        spot = np.zeros(view.shape, np.float32)
        for heading in (angle, angle + np.pi / 2):
            # cos(a + b) as two products: one cosine per row and column instead of one per pixel.
            down, right = np.sin(heading) * y + rng.uniform(0, 2 * np.pi), np.cos(heading) * x
            lines = ((np.cos(down), np.cos(right)), (-np.sin(down), np.sin(right)))
            for row, column in lines:
                spot += row.astype(np.float32)[:, None] * (column / 2).astype(np.float32)
        threshold = np.interp(spot, _VALUES, _BELOW).astype(np.float32) + fibres
        # A pixel sees about this much of the thresholds' range; less would alias.
        width = np.float32(min(1, 1.7 / self.period * (1.4 - 0.4 * self.hard)))
        grown = area + 4 * np.float32(self.gain) * area * (1 - area)
        return np.clip((_level(grown, width) - threshold) / width + np.float32(0.5), 0, 1)


def _level(area: Array, width: np.float32) -> Array:
    """The level whose soft threshold, `width` wide, covers `area` on average."""
    least = np.minimum(area, 1 - area)
    low = np.sqrt(np.maximum(2 * width * least, 0)) - width / 2
    level = np.where(least < width / 2, low, least)
    return np.asarray(np.where(area < 0.5, level, 1 - level), np.float32)


def _separated(light: Array) -> tuple[list[Array], Array]:
    """Areas of cyan, magenta, yellow and black whose mean is the picture, on white."""
    most = light.max(0)
    # Black takes over from the three colours only in the darks.
    black = (1 - most ** np.float32(0.4)) ** np.float32(2.5)
    left = np.minimum(light / (1 - black * (1 - _INKS[3, :, None, None])), 1)
    areas = [np.zeros_like(most) for _ in range(3)]
    for _ in range(2):
        for ink in range(3):
            others = np.float32(1)
            for other in range(3):
                if other != ink:
                    others = others * (1 - areas[other] * (1 - _INKS[other, ink]))
            areas[ink] = np.clip((1 - left[ink] / others) / (1 - _INKS[ink, ink]), 0, 1)
    return [*areas, black], np.ones_like(light)


def _key_alone(light: Array) -> tuple[list[Array], Array]:
    """The area of black, and the pure colours that lie under it."""
    most = light.max(0)
    return [np.asarray(np.clip((1 - most) / (1 - _INKS[3, 1]), 0, 1))], light / np.maximum(most, np.float32(1e-4))
