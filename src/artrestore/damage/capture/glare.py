"""Glare: lamps and windows mirrored in varnish or glass.

A smooth surface mirrors the lamp as a bright soft shape; brush marks and the canvas tilt it piece by piece, so
that the reflection widens and breaks up into glints. Stray light lies over a wide area as a veil. All of it is
added to the picture's own light; where the sensor saturates, the picture is lost.

Source: Ashikhmin, Premože and Shirley, "A microfacet-based BRDF generator", SIGGRAPH (2000), for the glints; Frey
et al., "The AIC Guide to Digital Photography and Conservation Documentation" (2nd ed., 2011).
"""

from dataclasses import replace
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import luminance, to_linear, to_srgb
from artrestore.damage.fields import rubbed, smooth, texture
from artrestore.damage.filters import blur, relief, step_at
from artrestore.damage.patterns import weave
from artrestore.damage.places import places

# A lamp's light, from warm to cool.
_WARM = np.array([1.0, 0.86, 0.66], np.float32)[:, None, None]
_COOL = np.array([0.90, 0.96, 1.0], np.float32)[:, None, None]


@parameters
class Glare(Damage):
    """Glare.

    Attributes:
        lamps: reflections in the whole picture.
        shape: a lamp's round blob, a tube or a window.
        size: of a reflection, thousandths of the long side.
        light: that is added in its middle; 1 is white paper.
        rough: how much the surface breaks the reflection up; 0 is glass.
        surface: what the relief is of: brush marks or canvas.
        grain: width of the brush marks or threads, thousandths of the long side.
        veil: light that is added over a wide area.
        warm: colour of the light, from cool to warm.
    """

    group = "capture"
    imitates = (
        "lamps and windows mirrored in varnish or glass, broken into glints by brush marks, with a pale veil"
    )

    lamps: Annotated[int, Field(ge=0, le=12)]
    shape: Literal["lamp", "tube", "window"] = "lamp"
    size: Annotated[float, Field(ge=5, le=600)] = 80.0
    light: Annotated[float, Field(ge=0, le=6)] = 0.5
    rough: Fraction = 0.5
    surface: Literal["brush", "canvas"] = "brush"
    grain: Annotated[float, Field(gt=0, le=40)] = 5.0
    veil: Fraction = 0.0
    warm: Fraction = 0.5

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        return cls(
            lamps=1 + int(rng.integers(0, 1 + round(3 * strength))),
            shape=rng.choice(["lamp", "tube", "window"], p=[0.5, 0.2, 0.3]).item(),
            size=rng.uniform(25, 70) + 110 * strength * rng.random(),
            light=2.2 * strength**1.2 * rng.uniform(0.5, 1),
            rough=rng.choice([0.05, 0.5, 0.9]) + rng.uniform(-0.05, 0.1),
            surface=rng.choice(["brush", "canvas"], p=[0.65, 0.35]).item(),
            grain=rng.uniform(1.5, 6),
            veil=0.16 * strength * rng.random(),
            warm=rng.random(),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        veil = self.veil * np.clip(1 + 0.6 * smooth(view, rng, 1.5), 0, 2.5)
        mirrored = np.zeros(view.shape, np.float32)
        for _ in range(self.lamps):
            mirrored = np.maximum(mirrored, self._reflection(rng, view))
        own = to_linear(picture)
        added = self.light * self._broken(mirrored, luminance(own), rng, view) + veil
        light = own + (_COOL + np.float32(self.warm) * (_WARM - _COOL)) * np.asarray(added, np.float32)
        saturated = (light.min(0) >= 1) & (own.min(0) < 0.98)
        lost = saturated & (blur(saturated.astype(np.float32), 1.5) > 0.5)
        return replace(Damaged.everywhere(to_srgb(light)), lost=lost)

    def _reflection(self, rng: np.random.Generator, view: View) -> Array:
        """One reflection in a smooth surface (H, W), 1 in its middle, with long tails."""
        y, x = places(view)
        centre = rng.random(2) * np.array([view.full_height, view.full_width]) / view.unit
        angle, strength = rng.uniform(-0.5, 0.5), rng.uniform(0.6, 1)
        size = self.size * (1 + 0.5 * self.rough) * rng.uniform(0.6, 1) * np.array([1, rng.uniform(0.5, 1.6)])
        cells, sway = 1000 / self.size, self.size * (0.05 if self.shape == "tube" else 0.15)
        down = y - centre[0] + sway * smooth(view, rng, cells)
        right = x - centre[1] + sway * smooth(view, rng, cells)
        v, u = np.cos(angle) * down + np.sin(angle) * right, np.cos(angle) * right - np.sin(angle) * down
        v = v + 0.3 * rng.normal() * u
        if self.shape == "tube":
            size = size * (0.25, 2.2)
        if self.shape == "window":
            soft = self.size * (0.2 * self.rough + rng.uniform(0.03, 0.15))
            pane = np.minimum(size[0] / 2 - np.abs(v), size[1] / 2 - np.abs(u))
            bars = np.minimum(np.abs(v + 0.15 * size[0]), np.abs(u)) - 0.035 * self.size
            body = step_at(np.minimum(pane, bars), 0, soft)
        else:
            body = np.exp(-np.minimum(1.3 * ((2 * v / size[0]) ** 2 + (2 * u / size[1]) ** 2) ** 1.2, 60))
        glow = ((v / size[0]) ** 2 + (u / size[1]) ** 2 + 0.5) ** -1.5
        return np.asarray(strength * (0.8 * body + 0.07 * glow), np.float32)

    def _broken(self, mirrored: Array, own: Array, rng: np.random.Generator, view: View) -> Array:
        """The reflection as the surface's relief leaves it: facets that face the lamp shine, the others do not."""
        angle, grain = rng.uniform(0, 2 * np.pi), max(2.0, self.grain * view.unit)
        if self.surface == "canvas":
            grain = max(2.5, 0.5 * grain)
            marks = 4 * weave(view, rng, grain) - 2.2
        else:
            marks = 0.8 * rubbed(view, rng, angle, grain, grain * rng.uniform(3, 10))
        marks = marks + 0.6 * texture(view.shape, rng, 3 * grain, octaves=5, gain=0.8)
        # Paint stands up where its colour changes: brush marks show in the picture itself.
        brush = np.clip(15 * relief(blur(own, 0.7), angle), -2, 2)
        tilt = np.float32(1.1 * self.rough) * (0.7 * np.minimum(marks, 3) + 0.7 * brush)
        return np.asarray(mirrored * np.exp(tilt - 0.4 * np.float32(self.rough)), np.float32)
