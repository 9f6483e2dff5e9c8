"""Blur: out of focus, moved, or a poor lens.

A lens out of focus spreads each point over a disc, the image of its aperture. A hand that shakes draws each point
along a short curved path, slower here and faster there. Simple lenses are sharp in the middle only, and magnify
the colours differently, so that borders near the corners show coloured fringes.

Source: Ray, "Applied Photographic Optics" (3rd ed., 2002); for shake, Boracchi and Foi, "Modeling the Performance
of Image Restoration from Motion Blur", IEEE TIP 21 (2012).
"""

from typing import Annotated, Literal, Self

import cv2
import numpy as np
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import to_linear, to_srgb
from artrestore.damage.filters import blur
from artrestore.damage.places import places
from artrestore.damage.strokes import uneven, wander

_FINER = 5  # samples of a kernel per pixel and axis
_LEVELS = 4  # blurred copies between which a lens's blur is interpolated


@parameters
class Blur(Damage):
    """Blur.

    Attributes:
        model: `defocus` (a disc), `motion` (a path) or `lens` (Gaussian, grows towards the corners).
        radius: of the disc, half the path's length, or twice the Gaussian's sigma at the corners; pixels.
        heading: of the path, radians, 0 towards the right, growing downwards.
        bend: how far the path's heading wanders, radians (standard deviation).
        rim: softness of the disc's rim, part of the radius.
        middle: blur of the lens in the middle, part of that at the corners.
        fringe: how far red and blue are displaced at the corners, pixels; only of `lens`.
    """

    group = "capture"
    imitates = "a photograph out of focus, shaken, or soft towards the corners with coloured fringes"

    model: Literal["defocus", "motion", "lens"]
    radius: Annotated[float, Field(ge=0, le=30)]
    heading: float = 0.0
    bend: Annotated[float, Field(ge=0, le=6)] = 0.5
    rim: Fraction = 0.2
    middle: Fraction = 0.2
    fringe: Annotated[float, Field(ge=0, le=8)] = 0.0

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        return cls(
            model=rng.choice(["defocus", "motion", "lens"], p=[0.4, 0.3, 0.3]).item(),
            radius=0.45 + 7.5 * strength * rng.uniform(0.6, 1),
            heading=rng.uniform(0, 2 * np.pi),
            bend=rng.uniform(0.1, 2),
            rim=rng.uniform(0.1, 0.8),
            middle=rng.uniform(0, 0.6),
            fringe=2 * strength * rng.random() if rng.random() < 0.5 else 0.0,
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        light = to_linear(picture)
        if self.model == "lens":
            return Damaged.everywhere(to_srgb(self._lens(light, view)))
        kernel = self._disc() if self.model == "defocus" else self._path(rng)
        spread = [cv2.filter2D(channel, -1, kernel, borderType=cv2.BORDER_REFLECT) for channel in light]
        return Damaged.everywhere(to_srgb(np.stack(spread)))

    def _disc(self) -> Array:
        """A disc with a soft rim, the mean of finer samples."""
        reach = int(np.ceil(self.radius * (1 + self.rim / 2)))
        count = (2 * reach + 1) * _FINER
        place = np.abs(np.arange(count) - (count - 1) / 2) / _FINER
        away = np.hypot(place[:, None], place[None])
        soft = max(self.rim * self.radius, 1 / _FINER)
        disc = np.clip((self.radius - away) / soft + 0.5, 0, 1)
        # Of a tiny disc at least the middle.
        disc[count // 2, count // 2] = 1
        kernel = disc.reshape(2 * reach + 1, _FINER, 2 * reach + 1, _FINER).sum((1, 3))
        return np.asarray(kernel / kernel.sum(), np.float32)

    def _path(self, rng: np.random.Generator) -> Array:
        """A path, each place as dark as the hand was slow there; its centre of gravity is in the middle."""
        path = wander(rng, (0, 0), self.heading, 2 * self.radius, bend=self.bend, step=1 / _FINER)
        time = np.exp(0.7 * uneven(rng, len(path), max(2, len(path) / 5)))
        path -= (path * time[:, None]).sum(0) / time.sum()
        reach = int(np.ceil(np.abs(path).max())) + 1
        kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
        corner = np.floor(path).astype(np.int64)
        part = path - corner
        for down in (0, 1):
            for right in (0, 1):
                share = np.abs(1 - down - part[:, 0]) * np.abs(1 - right - part[:, 1])
                np.add.at(kernel, (corner[:, 0] + reach + down, corner[:, 1] + reach + right), time * share)
        return np.asarray(kernel / kernel.sum(), np.float32)

    def _lens(self, light: Array, view: View) -> Array:
        half = np.array([view.full_height, view.full_width]) / view.unit / 2
        y, x = places(view)
        away = ((y - half[0]) ** 2 + (x - half[1]) ** 2) / float((half**2).sum())
        variance = ((self.middle + (1 - self.middle) * away) * self.radius / 2) ** 2
        least, most = float(variance.min()), float(variance.max())
        steps = np.linspace(least, most, _LEVELS)
        position = (variance - least) / max(most - least, 1e-9) * (_LEVELS - 1)
        light = self._fringed(light, view)
        result = np.zeros_like(light)
        for level, step in enumerate(steps):
            weight = np.maximum(1 - np.abs(position - level), 0).astype(np.float32)
            result += weight * blur(light, float(np.sqrt(step)))
        return result

    def _fringed(self, light: Array, view: View) -> Array:
        """Red a little larger and blue a little smaller than green, about the whole picture's middle."""
        if not self.fringe:
            return light
        size, middle = (view.full_height, view.full_width), (view.top, view.left)
        y, x = (0.5 * (full - 1) - start for full, start in zip(size, middle, strict=True))
        shares = self.fringe / np.hypot(*size) * 2
        fringed = light.copy()
        for channel, scale in ((0, 1 + shares), (2, 1 - shares)):
            warp = np.array([[scale, 0, x * (1 - scale)], [0, scale, y * (1 - scale)]])
            fringed[channel] = cv2.warpAffine(
                light[channel], warp, view.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
        return fringed
