"""Uneven light over the picture when it was photographed.

A lamp's light falls off with the square of the distance and with its slant; a lens darkens the corners with the
fourth power of the cosine; who or what stands in the light casts a soft shadow, a little bluer than the rest.

Source: Ray, "Applied Photographic Optics" (3rd ed., 2002); Frey et al., "The AIC Guide to Digital Photography and
Conservation Documentation" (2nd ed., 2011).
"""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import light_up
from artrestore.damage.fields import smooth
from artrestore.damage.filters import step_at
from artrestore.damage.places import places

Stops = Annotated[float, Field(ge=0, le=5)]
# How much of a shadow there is in red, green and blue: the room's own light is bluer than the lamp's.
_SHADE = np.array([1.0, 0.97, 0.9], np.float32)[:, None, None]


@parameters
class UnevenLight(Damage):
    """Uneven light.

    Attributes:
        fall_off: of the lamp from the lightest to the darkest place, stops.
        heading: where the lamp stands, radians, 0 towards the right, growing downwards.
        vignette: darkening of the corners, stops.
        cast: what casts a shadow: nothing, a straight edge, a bar or something rounded.
        shadow: part of the light that the shadow lacks.
        penumbra: half the width of its border, thousandths of the long side.
    """

    group = "capture"
    imitates = "light that falls off to one side, dark corners and the photographer's soft shadow"

    fall_off: Stops
    heading: float
    vignette: Stops = 0.0
    cast: Literal["none", "edge", "bar", "blob"] = "none"
    shadow: Fraction = 0.0
    penumbra: Annotated[float, Field(gt=0, le=300)] = 40.0

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        return cls(
            fall_off=2.6 * strength * rng.uniform(0.3, 1),
            heading=rng.uniform(0, 2 * np.pi),
            vignette=1.6 * strength * rng.random(),
            cast=rng.choice(["none", "edge", "bar", "blob"], p=[0.4, 0.2, 0.15, 0.25]).item(),
            shadow=0.75 * strength * rng.uniform(0.5, 1),
            penumbra=np.exp(rng.uniform(np.log(8), np.log(120))),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        stops = self._lamp(rng, view) * (1 + 0.1 * smooth(view, rng, 2))
        gain = np.exp2(-stops) * self._corners(rng, view)
        if self.cast != "none":
            gain = gain * (1 - _SHADE * (np.float32(self.shadow) * self._shadow(rng, view)))
        return Damaged.everywhere(light_up(picture, np.asarray(gain, np.float32)))

    def _lamp(self, rng: np.random.Generator, view: View) -> Array:
        """Stops (H, W) that the lamp's light lacks."""
        y, x = places(view)
        half = np.array([view.full_height, view.full_width]) / view.unit / 2
        foot = half * (1 + rng.uniform(0.5, 2.2) * np.array([np.sin(self.heading), np.cos(self.heading)]))
        height = rng.uniform(200, 900)

        def slant(down: Array | float, right: Array | float) -> Array:
            return np.asarray(1.5 * np.log2(1 + (np.square(down) + np.square(right)) / height**2))

        nearest = np.maximum(0, np.abs(foot - half) - half)
        farthest = np.abs(foot - half) + half
        least, most = float(slant(*nearest)), float(slant(*farthest))
        return np.asarray(self.fall_off * (slant(y - foot[0], x - foot[1]) - least) / (most - least), np.float32)

    def _corners(self, rng: np.random.Generator, view: View) -> Array:
        """Gain (H, W) of a lens: the fourth power of the cosine."""
        y, x = places(view)
        half = np.array([view.full_height, view.full_width]) / view.unit / 2
        axis = half * (1 + rng.normal(0, 0.08, 2))
        away = ((y - axis[0]) ** 2 + (x - axis[1]) ** 2) / float((half**2).sum())
        return np.asarray((1 + (2 ** (self.vignette / 2) - 1) * away) ** -2, np.float32)

    def _shadow(self, rng: np.random.Generator, view: View) -> Array:
        """How much each place (H, W) lies in the shadow."""
        y, x = places(view)
        extent = np.array([view.full_height, view.full_width]) / view.unit
        place, angle = rng.uniform(0.1, 0.9, 2) * extent, rng.uniform(0, 2 * np.pi)
        size = rng.uniform(60, 260, 2)
        across = np.cos(angle) * (y - place[0]) + np.sin(angle) * (x - place[1])
        along = np.cos(angle) * (x - place[1]) - np.sin(angle) * (y - place[0])
        if self.cast == "edge":
            inside = across
        elif self.cast == "bar":
            inside = 0.4 * size[0] * (1 + along / 2500) - np.abs(across)
        else:
            inside = (1 - np.hypot(across / size[0], along / size[1])) * size.min()
        rough = {"edge": 6, "bar": 4, "blob": 30}[self.cast]
        inside = inside + rough * smooth(view, rng, 3) + rough / 3 * smooth(view, rng, 9)
        # The further the thing stands from the picture, the softer: it differs along the border.
        return step_at(inside / (self.penumbra * np.exp(0.5 * smooth(view, rng, 1.5))), 0, 1)
