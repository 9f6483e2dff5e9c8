"""Foxing: rust-brown spots on paper.

Iron particles and fungi oxidise cellulose in damp air. Each spot has a darker core and a halo that fades out;
spots come in clusters, many small and few large, and absorb blue most and red least. Fibres and sizing lead the
stain, so that no spot is round and its core lies off its middle.

Source: Choi, "Foxing on Paper: A Literature Review", Journal of the American Institute for Conservation 46 (2007).
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import absorb
from artrestore.damage.fields import texture
from artrestore.damage.filters import step_at
from artrestore.damage.patterns import blob
from artrestore.damage.places import around, gathered, near
from artrestore.damage.strokes import paint, specks

# Optical density in red, green and blue relative to blue: rust.
_RUST = np.array([0.28, 0.62, 1.0], np.float32)[:, None, None]
_SHAPED = 2.0  # pixels: from this radius on a spot has a shape


@parameters
class Foxing(Damage):
    """Foxing.

    Attributes:
        spots: in the whole picture.
        radius: of the largest spots, thousandths of the long side.
        density: optical density of the largest spots' cores in blue.
        clusters: places around which spots gather.
        soft: part of a spot's radius over which its outline fades.
    """

    group = "chemistry"
    imitates = "rust-brown spots that damp and iron leave on paper, with dark cores and soft halos, in clusters"

    spots: Annotated[int, Field(ge=0, le=1500)]
    radius: Annotated[float, Field(gt=0, le=40)]
    density: Annotated[float, Field(ge=0, le=1.5)]
    clusters: Annotated[int, Field(ge=1, le=20)] = 3
    soft: Fraction = 0.4

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        strength **= 0.55  # what is small and sparse shows only when there is more of it
        return cls(
            spots=round(15 + 1000 * strength**0.8 * rng.uniform(0.3, 1)),
            radius=4 + 22 * strength * rng.uniform(0.4, 1),
            density=0.12 + 0.8 * strength**0.7 * rng.uniform(0.5, 1),
            clusters=int(rng.integers(2, 9)),
            soft=rng.uniform(0.1, 0.8),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        fibres = texture(view.shape, rng, max(2.0, 4 * view.unit), octaves=4, gain=0.7)
        density = self._density(rng, view, fibres) * np.clip(1 + 0.2 * fibres, 0.2, 2)
        damaged = absorb(picture, _RUST * density)
        return Damaged.between(picture, damaged)

    def _density(self, rng: np.random.Generator, view: View, fibres: Array) -> Array:
        """Optical density (H, W) of all spots in blue."""
        points = gathered(view, rng, self.spots, self.clusters, 110, alone=0.35)
        size = np.minimum(0.15 * (1 - rng.random(self.spots)) ** (-1 / 1.7), 1)  # many small, few large
        radius = np.maximum(size * self.radius * view.unit, 0.4)
        core = self.density * np.clip(2 * size, 0.35, 1) * rng.uniform(0.3, 1, self.spots)
        seen = near(view.shape, points, 4 * radius + 2)
        points, radius, core = points[seen], radius[seen], core[seen]
        small = radius < _SHAPED
        density = paint(view.shape, [specks(rng, points[small], radius[small], core[small])], softness=0.7)
        for (y, x), r, d in zip(points[~small].tolist(), radius[~small], core[~small], strict=True):
            if part := around(view.shape, y, x, 3.5 * r + 2):
                density[part] += self._spot(part, (y, x), float(r), rng, fibres) * np.float32(d)
        return density

    def _spot(
        self,
        part: tuple[slice, slice],
        centre: tuple[float, float],
        radius: float,
        rng: np.random.Generator,
        fibres: Array,
    ) -> Array:
        """Density of one spot in a part of the picture, about 1 at its core."""
        outline = blob(part, *centre, radius, rng, rough=0.38, longest=2.2) + 0.16 * fibres[part]
        y, x = np.asarray(centre) + rng.normal(0, 0.25 * radius, 2)
        heart = blob(part, y, x, radius * rng.uniform(0.15, 0.5), rng, rough=0.45) + 0.2 * fibres[part]
        soft = np.clip(self.soft * rng.uniform(0.5, 1.5), 0.6 / radius, 0.9)
        body = step_at(-outline, -1, float(soft))
        halo = np.exp(-np.minimum(np.maximum(outline, 0) ** 2, 40))
        shares = rng.dirichlet([3, 3, 1.5]).astype(np.float32)
        return np.asarray(shares[0] * body + shares[1] * step_at(-heart, -1, 0.6) + shares[2] * halo, np.float32)
