"""Adhesive tape: strips still attached, the residue they leave, and the paper they took with them.

The rubber adhesive of tape oxidises: it yellows, turns brown, soaks into the paper and makes it translucent. It is
uneven, because it was pressed unevenly and flowed, and darkest along the strip's edges where it oozed out and
gathered dirt. The carrier shrinks and lets go; where somebody pulled it off, it skinned the paper.

Source: Smith, Jones, Page and Dirda, "Pressure-Sensitive Tape and Techniques for its Removal from Paper", Journal
of the American Institute for Conservation 23 (1984).
"""

from dataclasses import replace
from typing import Annotated, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import LOST_COVER, Array, Damage, Damaged, Fraction, Mask, View, parameters
from artrestore.damage.colour import absorb, cover, tint
from artrestore.damage.fields import smooth, texture
from artrestore.damage.filters import blur, step_at
from artrestore.damage.places import around, places

# Optical density in red, green and blue, relative to blue: oxidised rubber.
_AMBER = np.array([0.16, 0.42, 1.0], np.float32)[:, None, None]
_SKINNED, _VEIL = (0.85, 0.81, 0.72), (0.90, 0.87, 0.76)


@parameters
class Tape(Damage):
    """Adhesive tape.

    Attributes:
        strips: in the whole picture.
        width: of a strip, thousandths of the long side.
        length: of the longest, thousandths of the long side.
        density: optical density of the adhesive in blue.
        attached: part of each strip's length where the carrier is still there.
        skinned: part of a strip's area where the paper's surface went with it.
        pinked: height of the teeth that a dispenser cut, thousandths of the long side; 0 for torn ends.
    """

    group = "surface"
    imitates = (
        "strips of adhesive tape: yellowed mottled residue, veiling carrier, skinned paper where it was pulled"
    )

    strips: Annotated[int, Field(ge=0, le=10)]
    width: Annotated[float, Field(gt=0, le=200)]
    length: Annotated[float, Field(gt=0, le=1500)]
    density: Annotated[float, Field(ge=0, le=1.5)]
    attached: Fraction = 0.3
    skinned: Fraction = 0.1
    pinked: Annotated[float, Field(ge=0, le=10)] = 1.5

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        strength **= 0.65  # what is small and sparse shows only when there is more of it
        return cls(
            strips=1 + round(4.5 * strength * rng.uniform(0.4, 1)),
            width=rng.uniform(30, 60) + 45 * strength * rng.random(),
            length=120 + 600 * strength * rng.uniform(0.3, 1),
            density=0.05 + 1.05 * strength * rng.uniform(0.5, 1),
            attached=float(rng.choice([0.0, rng.uniform(0.2, 0.7), 1.0], p=[0.5, 0.3, 0.2])),
            skinned=0.55 * strength * rng.random() ** 2,
            pinked=float(rng.choice([0.0, rng.uniform(0.8, 2)])),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        damaged, lost = picture.copy(), np.zeros(view.shape, bool)
        for y, x in self._centres(rng, view).tolist():
            turn = (
                rng.choice([0, np.pi / 2]) + rng.normal(0, 0.15) if rng.random() < 0.6 else rng.uniform(0, np.pi)
            )
            size = self.length * rng.uniform(0.35, 1), self.width * rng.uniform(0.85, 1)
            own = np.random.default_rng(rng.integers(2**63))
            middle, reach = (y * view.unit - view.top, x * view.unit - view.left), np.hypot(*size) / 2 + 20
            if not (part := around(view.shape, *middle, reach * view.unit)):
                continue
            piece = (slice(None), *part)
            damaged[piece], gone = self._strip(
                damaged[piece], own, _view_of(view, part), (y, x), float(turn), size
            )
            lost[part] |= gone
        return Damaged.between(picture, damaged, lost)

    def _centres(self, rng: np.random.Generator, view: View) -> Array:
        """Middles (strips, 2) of the strips in thousandths of the long side: most of them near an edge."""
        size = np.array([view.full_height, view.full_width]) / view.unit
        centres = rng.random((self.strips, 2))
        for centre in centres[rng.random(self.strips) < 0.65]:
            inside = abs(rng.normal(0, 0.1))
            centre[int(rng.integers(2))] = inside if rng.random() < 0.5 else 1 - inside
        return np.asarray(centres * size, np.float32)

    def _strip(
        self,
        picture: Array,
        rng: np.random.Generator,
        view: View,
        centre: tuple[float, float],
        turn: float,
        size: tuple[float, float],
    ) -> tuple[Array, Mask]:
        """Lay on one strip of (length, width); returns the picture and what is lost."""
        rows, columns = places(view)
        sine, cosine = np.float32(np.sin(turn)), np.float32(np.cos(turn))
        along = (columns - centre[1]) * cosine + (rows - centre[0]) * sine
        across = (rows - centre[0]) * cosine - (columns - centre[1]) * sine
        wavy, fine = smooth(view, rng, 25), texture(view.shape, rng, max(2.0, 6 * view.unit))
        within = self._within(rng, along, across, size, 0.5 * wavy + 0.15 * fine)
        edge = 0.6 / view.unit
        # What oozes out of the edges spreads a little into the paper.
        ooze = step_at(within + 1.2 * fine + 1.5 * wavy, -1.5, 2.5)
        mottled = np.clip(0.75 + 0.3 * smooth(view, rng, 14) + 0.22 * fine, 0.08, 1.5)
        rim = np.exp(-np.maximum(within, 0) / rng.uniform(1.5, 4)) * np.clip(0.7 + 0.6 * wavy, 0, 2)
        density = self.density * np.float32(rng.uniform(0.6, 1)) * ooze * (0.7 * mottled + 0.6 * rim)
        stained = absorb(picture, _AMBER * density)
        on = step_at(within, 0, edge)
        carrier = on * step_at(along / size[0] + 0.02 * wavy, 0.7 - 1.4 * self.attached, 0.001 + edge / size[0])
        veiled = self._veil(stained, rng, view, carrier, across, within)
        # Skinning starts where the adhesive held best and stops in a ragged line.
        patchy = smooth(view, rng, 15) + 0.4 * wavy + 0.07 * fine
        least = _upper_share(self.skinned)
        torn = step_at(patchy, least, 0.16) * step_at(within, 0.8, edge) * (carrier < 0.05)
        fibrous = texture(view.shape, rng, max(3.0, 5 * view.unit), stretch=2)
        paper = np.asarray(tint(rng, _SKINNED, 0.03))[:, None, None] * (1 + 0.035 * fibrous + 0.04 * wavy)
        paper = absorb(np.clip(paper, 0, 1).astype(np.float32), _AMBER * (0.3 * density))
        return cover(veiled, paper, torn), torn > LOST_COVER

    def _within(
        self, rng: np.random.Generator, along: Array, across: Array, size: tuple[float, float], ragged: Array
    ) -> Array:
        """Distance (H, W) to the strip's outline, thousandths of the long side, positive inside."""
        period, phase = rng.uniform(2.5, 5), rng.random()
        teeth = self.pinked * (2 * np.abs((across / period + phase) % 1 - 0.5) - 0.5)
        slant = rng.normal(0, 0.12) * across if self.pinked else rng.normal(0, 0.3) * across
        ends = size[0] / 2 - np.abs(along + slant) + teeth + (1 if self.pinked else 5) * ragged
        # A strip stretches and is not quite as wide everywhere.
        sides = size[1] / 2 - np.abs(across + 0.004 * rng.normal() * along) + 0.8 * ragged
        return np.asarray(np.minimum(ends, sides), np.float32)

    def _veil(
        self, picture: Array, rng: np.random.Generator, view: View, carrier: Array, across: Array, within: Array
    ) -> Array:
        """The carrier's dull gloss: a pale veil with streaks along it, bubbles, and a thin bright cut edge."""
        if not carrier.any():
            return picture
        streaks = np.interp(across, np.linspace(-200, 200, 160), rng.normal(0, 1, 160)).astype(np.float32)
        bubbles = step_at(texture(view.shape, rng, max(3.0, 5 * view.unit)), 1.3, 0.9)
        sheen = np.clip(0.5 + 0.5 * smooth(view, rng, 8) + 0.2 * streaks, 0, 1.5)
        cut = np.exp(-((within / 0.8) ** 2).clip(0, 60))
        haze = carrier * np.clip(0.02 + 0.1 * sheen + 0.05 * bubbles + 0.12 * cut, 0, 0.4)
        shadow = 0.25 * (blur(carrier, max(0.7, 1.2 * view.unit)) - carrier).clip(0, 1)
        strength = np.float32(min(1.0, 0.15 + 2 * self.density))
        return cover(
            absorb(picture, (shadow * strength).astype(np.float32)), tint(rng, _VEIL, 0.03), haze * strength
        )


def _view_of(view: View, part: tuple[slice, slice]) -> View:
    rows, columns = part
    size = {"height": rows.stop - rows.start, "width": columns.stop - columns.start}
    return replace(view, **size, top=view.top + rows.start, left=view.left + columns.start)


def _upper_share(share: float) -> float:
    """The value that about this share of a normal field exceeds (a logistic fit of its quantile)."""
    share = min(max(share, 1e-4), 1 - 1e-4)
    return float(np.log((1 - share) / share) / 1.7)
