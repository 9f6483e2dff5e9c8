"""Tears: paper or canvas ripped from the edge inwards, or pierced.

A tear wavers at every scale, gapes where it began and ends in a hairline. Paper parts in its thickness, so one
side shows a rim of pale, fibrous core where the printed face has gone; canvas frays, and its threads hang into the
gap. Behind lies the backing, in the shadow of the edges, which curl a little.

Source: Banik and Brückle, "Paper and Water: A Guide for Conservators" (2011), on the structure of paper; Hackney,
"On Canvas: Preserving the Structure of Paintings" (2020), on tears.
"""

from typing import Annotated, Literal, Self

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from artrestore.damage.base import LOST_COVER, Array, Damage, Damaged, View, parameters
from artrestore.damage.colour import cover, light_up, tint
from artrestore.damage.fields import texture
from artrestore.damage.filters import blur, broad_blur, relief, step_at
from artrestore.damage.strokes import Points, Stroke, paint, tapered, uneven, wander

_CORE = {"paper": (0.90, 0.88, 0.82), "canvas": (0.60, 0.52, 0.40)}
_BACKINGS = ((0.07, 0.06, 0.05), (0.26, 0.19, 0.13), (0.55, 0.46, 0.35), (0.86, 0.84, 0.79))


@parameters
class Tear(Damage):
    """Tears.

    Attributes:
        support: `paper` with a rim of pale core, or `canvas` with frayed threads.
        tears: in the whole picture.
        length: of the longest, thousandths of the long side.
        opening: where a tear gapes most, thousandths of the long side.
        rim: width of the bare core along one side, thousandths of the long side.
        curl: light and shade on the raised edges, as a part of the light.
    """

    group = "surface"
    imitates = "jagged tears from the edge inwards, the backing in shadow behind them, with a rim of bare fibres"

    support: Literal["paper", "canvas"]
    tears: Annotated[int, Field(ge=0, le=20)]
    length: Annotated[float, Field(gt=0, le=1000)]
    opening: Annotated[float, Field(ge=0, le=100)]
    rim: Annotated[float, Field(ge=0, le=40)] = 3.0
    curl: Annotated[float, Field(ge=0, le=1)] = 0.2

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        paper = rng.random() < 0.7
        return cls(
            support="paper" if paper else "canvas",
            tears=1 + round(7 * strength * rng.uniform(0.3, 1)),
            length=25 + 650 * strength * rng.uniform(0.5, 1),
            opening=0.3 + 40 * strength**1.3 * rng.uniform(0.25, 1),
            rim=(0.5 + 12 * strength * rng.uniform(0.2, 1)) * (1 if paper else 0.35),
            curl=0.4 * strength**0.5 * rng.random(),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        gap, bare, threads = self._outlines(rng, view)
        if not gap.any() and not bare.any():
            return Damaged.nowhere(picture)
        fine = texture(view.shape, rng, max(2.0, 1.5 * view.unit), octaves=3, gain=0.7)
        fibrous = step_at(blur(bare, max(0.5, 0.5 * view.unit)) + 0.16 * fine, 0.5, 0.25)
        fibrous = np.maximum(np.where(bare > 0, fibrous, 0), gap)
        core, behind = (
            np.asarray(tint(rng, colour, 0.04), np.float32)[:, None, None]
            for colour in (_CORE[self.support], _BACKINGS[rng.integers(len(_BACKINGS))])
        )
        damaged = cover(picture, np.clip(core + 0.05 * fine, 0, 1), fibrous)
        broad = texture(view.shape, rng, max(4.0, 30 * view.unit))
        depth = broad_blur(gap, max(1.0, 3 * view.unit))
        shadow = np.asarray(np.clip(0.3 + 0.75 * depth + 0.1 * broad, 0, 1.2), np.float32)
        backing = light_up(np.broadcast_to(behind, picture.shape), shadow)
        damaged = cover(cover(damaged, backing, gap), np.clip(core - 0.08, 0, 1), threads)
        angle = rng.uniform(0, 2 * np.pi)
        reach = max(1.5, 7 * view.unit)
        raised = relief(reach * broad_blur(-gap, reach) + np.float32(0.7) * blur(-fibrous, 0.7), angle)
        damaged = light_up(damaged, 1 + np.clip(np.float32(1.6 * self.curl) * raised, -0.6, 0.5))
        lost = np.maximum(fibrous, threads) > LOST_COVER
        return Damaged.between(picture, damaged, lost)

    def _outlines(self, rng: np.random.Generator, view: View) -> tuple[Array, Array, Array]:
        """The covered part (H, W) of each pixel of the gaps, of gaps with their rims, and of hanging threads."""
        gap, bare = np.zeros(view.shape, np.uint8), np.zeros(view.shape, np.uint8)
        threads: list[Stroke] = []
        for _ in range(self.tears):
            middle, across, width = self._course(rng, view)
            count = len(middle)
            rim = self.rim * view.unit * np.clip(0.45 + 0.5 * uneven(rng, count, 14 * view.unit + 4), 0, 2)
            rim = (rim * np.clip(0.75 + 0.5 * uneven(rng, count, 4), 0.1, 2)) * tapered(count, 0.15)
            side = 1 if rng.random() < 0.5 else -1
            one = middle + across * (side * 0.5 * width)[:, None]
            other = middle - across * (side * 0.5 * width)[:, None]
            _fill(gap, one, other)
            _fill(bare, one, other - across * (side * rim)[:, None])
            if self.support == "canvas":
                threads += self._threads(rng, view, one, other)
        whole = np.float32(255)
        return (
            np.asarray(gap / whole, np.float32),
            np.asarray(bare / whole, np.float32),
            paint(view.shape, threads),
        )

    def _course(self, rng: np.random.Generator, view: View) -> tuple[Points, Points, Points]:
        """A tear's middle line (N, 2), the direction across it (N, 2) and how wide it gapes (N,), in pixels."""
        unit = view.unit
        start, heading = _start(rng, view)
        from_edge = rng.random() < 0.75
        if not from_edge:
            start = view.scatter(rng, 1)[0]
        middle = wander(rng, start, heading, max(3.0, self.length * unit * rng.uniform(0.3, 1)), bend=0.7)
        count = len(middle)
        along = np.linspace(0, 1, count)
        step = np.gradient(middle, axis=0)
        across = np.stack([step[:, 1], -step[:, 0]], axis=1) / np.maximum(np.hypot(*step.T), 1e-9)[:, None]
        # Waves of every length, in points 0.7 px apart, the long ones highest.
        jagged = sum((0.16 * size**0.8 * uneven(rng, count, size) for size in (3, 8, 24, 70)), np.zeros(count))
        middle = middle + across * (jagged * min(1.0, 0.5 + 0.5 * unit))[:, None]
        profile = (1 - along) ** rng.uniform(0.8, 2) if from_edge else (4 * along * (1 - along)) ** 0.9
        width = (
            self.opening
            * unit
            * rng.uniform(0.3, 1)
            * profile
            * np.clip(1 + 0.25 * uneven(rng, count, 30), 0.2, 2)
        )
        return middle, across, np.maximum(width + 0.5 * uneven(rng, count, 4) * np.minimum(width, 1), 0)

    def _threads(self, rng: np.random.Generator, view: View, one: Points, other: Points) -> list[Stroke]:
        threads = []
        for _ in range(min(80, int(len(one) * 0.12))):
            at = int(rng.integers(len(one)))
            edge, opposite = (one[at], other[at]) if rng.random() < 0.5 else (other[at], one[at])
            towards = opposite - edge
            length = float(np.hypot(*towards)) * rng.uniform(0.15, 0.9)
            if length < 1:
                continue
            heading = np.arctan2(*towards) + rng.normal(0, 0.5)
            points = wander(rng, edge, heading, length, bend=0.35)
            radius = np.full(len(points), max(0.3, 0.45 * view.unit * rng.uniform(0.5, 1)))
            threads.append(Stroke(points=points, radius=radius, opacity=np.linspace(1, 0.3, len(points))))
        return threads


def _start(rng: np.random.Generator, view: View) -> tuple[Points, float]:
    """A place on the whole picture's edge, in this array's pixels, and a heading inwards."""
    side, along = int(rng.integers(4)), rng.random()
    y = (along, 0.0, along, 1.0)[side] * view.full_height
    x = (0.0, along, 1.0, along)[side] * view.full_width
    inwards = (0.0, np.pi / 2, np.pi, -np.pi / 2)[side]
    return np.array([y - view.top, x - view.left]), inwards + rng.normal(0, 0.45)


def _fill(mask: npt.NDArray[np.uint8], one: Points, other: Points) -> None:
    """Fill between two lines, antialiased."""
    outline = np.concatenate([one, other[::-1]])[:, ::-1] - 0.5
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
