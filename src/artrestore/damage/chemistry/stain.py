"""Stains of water, grease and splashes.

Water spreads through paper, dissolves what browns it and carries it to its front, where it evaporates: a tide
line, dark, sharp outside and soft inside. Each wetting leaves its own line inside the larger ones; the middle may
be washed paler. Grease stays where it is and makes the sheet translucent. A splash of coffee or ink dries to a
ring, with satellites.

Source: Deegan et al., "Capillary flow as the cause of ring stains from dried liquid drops", Nature 389 (1997);
Dupont, "Degradation of cellulose at the wet/dry interface", Restaurator 17 (1996).
"""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import light_up
from artrestore.damage.fields import smooth, texture
from artrestore.damage.filters import step_at
from artrestore.damage.patterns import blob
from artrestore.damage.places import around

# Optical density in red, green and blue relative to blue: degraded cellulose, grease, coffee, ink.
_BROWN, _GREASE, _COFFEE, _INK = (0.34, 0.62, 1.0), (0.75, 0.84, 1.0), (0.40, 0.68, 1.0), (1.0, 0.85, 0.6)


@parameters
class Stain(Damage):
    """Stains.

    Attributes:
        liquid: `water` (tide lines), `grease` (translucent spots) or `splash` (rings with satellites).
        stains: in the whole picture.
        size: radius of the largest, thousandths of the long side.
        density: optical density of the darkest rims in blue.
        tides: wettings, of water.
        bleached: how much paler the middle is washed.
        colour: of a splash, 0 coffee to 1 ink.
    """

    group = "chemistry"
    imitates = "water stains with lobed tide lines, translucent grease spots, and splashes dried to dark rings"

    liquid: Literal["water", "grease", "splash"]
    stains: Annotated[int, Field(ge=0, le=60)]
    size: Annotated[float, Field(gt=0, le=900)]
    density: Annotated[float, Field(ge=0, le=2)]
    tides: Annotated[int, Field(ge=1, le=8)] = 2
    bleached: Fraction = 0.0
    colour: Fraction = 0.0

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        strength **= 0.6  # what is small and sparse shows only when there is more of it
        liquid = rng.choice(["water", "grease", "splash"], p=[0.6, 0.15, 0.25]).item()
        most, large = {"water": (4, 420), "grease": (9, 90), "splash": (5, 80)}[liquid]
        return cls(
            liquid=liquid,
            stains=1 + round(most * strength * rng.uniform(0.4, 1)),
            size=large * (0.2 + 0.8 * strength * rng.uniform(0.5, 1)),
            density=0.08 + 1.1 * strength**0.7 * rng.uniform(0.5, 1),
            tides=int(rng.integers(1, 5)),
            bleached=float(rng.choice([0, 0.5 * strength * rng.random()])),
            colour=float(rng.choice([0.0, rng.random(), 1.0])),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        if self.liquid == "water":
            density, hue = self._tides(rng, view), np.array(_BROWN)
        else:
            density = self._drops(rng, view)
            splash = (1 - self.colour) * np.array(_COFFEE) + self.colour * np.array(_INK)
            hue = np.array(_GREASE) if self.liquid == "grease" else splash
        # Washed parts have a negative density: paler than before, at most tenfold.
        gain = np.float32(10) ** -(hue.astype(np.float32)[:, None, None] * np.clip(density, -1, 20))
        damaged = light_up(picture, gain)
        return Damaged.between(picture, damaged)

    def _tides(self, rng: np.random.Generator, view: View) -> Array:
        """Density (H, W) of water stains; most come in from an edge."""
        total = np.zeros(view.shape, np.float32)
        whole = (slice(0, view.height), slice(0, view.width))
        lobes, fine = (
            smooth(view, rng, 9),
            0.6 * smooth(view, rng, 40) + 0.4 * texture(view.shape, rng, 8 * view.unit),
        )
        mottled = np.clip(1 + 0.25 * smooth(view, rng, 12) + 0.12 * fine, 0.2, 2)
        for y, x in view.scatter(rng, self.stains).tolist():
            side = rng.random()
            if side < 0.3:
                x = float(rng.choice([0, view.full_width])) - view.left
            elif side < 0.6:
                y = float(rng.choice([0, view.full_height])) - view.top
            radius = self.size * view.unit * rng.uniform(0.4, 1)
            front = blob(whole, y, x, radius, rng, rough=0.25, fall=1.5) + 0.14 * lobes + 0.03 * fine
            for tide in range(self.tides):
                level = 1 - 0.85 * (tide / self.tides) * rng.uniform(0.5, 1)
                # Each wetting ran its own way.
                own = level - front - 0.12 * smooth(view, rng, 6) * (tide > 0)
                total += self._tide(rng, view, own * np.float32(radius), radius) * mottled
        return total

    def _tide(self, rng: np.random.Generator, view: View, inside: Array, radius: float) -> Array:
        """Density (H, W) of one tide; `inside` is the distance from its front in pixels, positive inside."""
        wet = step_at(inside, 0, 0.8)
        soft = max(1.0, rng.uniform(1.2, 6) * view.unit)
        depth = np.maximum(inside, 0)
        broken = np.clip(0.65 + 0.55 * smooth(view, rng, 16), 0.03, 1.6)
        line = np.exp(-np.minimum(depth / soft, 40)) + 0.35 * np.exp(-np.minimum(depth / (6 * soft), 40))
        middle = 0.3 * rng.random() - self.bleached * np.minimum(depth / (0.4 * radius + 1), 1)
        strength = self.density * rng.uniform(0.6, 1)
        return np.asarray(wet * np.float32(strength) * (line * broken + middle), np.float32)

    def _drops(self, rng: np.random.Generator, view: View) -> Array:
        """Density (H, W) of spots of grease, or of splashes with their satellites."""
        total = np.zeros(view.shape, np.float32)
        fine = texture(view.shape, rng, max(3.0, 8 * view.unit))
        for y, x in view.scatter(rng, self.stains).tolist():
            radius = self.size * view.unit * rng.uniform(0.25, 1)
            strength = self.density * rng.uniform(0.5, 1)
            self._drop(total, rng, fine, (y, x, max(radius, 0.6), strength))
            if self.liquid == "grease":
                continue
            flight, many = rng.uniform(0, 2 * np.pi), int(rng.integers(2, 30))
            for _ in range(many):
                # Satellites fly mostly one way; the farther, the smaller.
                way, far = flight + rng.normal(0, 0.7), radius * (1.1 + rng.exponential(1.2))
                small = max(0.5, 0.3 * radius * rng.random() ** 2.5)
                where = y + far * np.sin(way), x + far * np.cos(way)
                self._drop(total, rng, fine, (*where, small, strength * rng.uniform(0.3, 0.9)))
        return total

    def _drop(
        self, total: Array, rng: np.random.Generator, fine: Array, drop: tuple[float, float, float, float]
    ) -> None:
        """Add the density of one drop (y, x, radius, strength) to the total."""
        y, x, radius, strength = drop
        if not (part := around(total.shape, y, x, 3.2 * radius + 2)):
            return
        grease = self.liquid == "grease"
        distance = blob(part, y, x, radius, rng, rough=0.3 if grease else 0.16, longest=1.9, fall=1.7)
        inside = (1 - distance + (0.1 if grease else 0.02) * fine[part]) * np.float32(radius)
        depth = np.maximum(inside, 0)
        if grease:
            # Grease creeps on for years: a dense heart and a soft margin.
            filled = 0.4 * step_at(inside, 0, 0.25 * radius + 0.6) + 0.3 * step_at(
                inside, 0.45 * radius, 0.4 * radius
            )
        else:
            rim = np.exp(-np.minimum(depth / max(0.8, rng.uniform(0.04, 0.12) * radius), 40))
            filled = step_at(inside, 0, 0.8) * (
                rng.uniform(0.2, 0.7) + rim * np.clip(0.7 + 0.4 * fine[part], 0, 1.5)
            )
        total[part] += np.float32(strength) * filled * np.clip(1 + 0.15 * fine[part], 0, 2)
