"""Lacunae: islands where paint has flaked off and the ground or the support shows.

Paint lets go along its cracks, so holes are angular where it is brittle and rounded where it powders, and small
flakes go around large ones. The layers beneath show in steps: white or grey gesso, ochre or red bole, bare canvas
or wood, with dirt in the corners. The layer's thickness catches the light on one edge and shades the other.

Source: Nicolaus, "The Restoration of Paintings" (1999), on flaking and losses of ground and paint.
"""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import LOST_COVER, Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import cover, light_up, tint
from artrestore.damage.fields import texture
from artrestore.damage.filters import blur, relief
from artrestore.damage.patterns import cells, weave
from artrestore.damage.places import around
from artrestore.damage.strokes import wander

Layer = Literal["gesso", "bole", "underpaint", "canvas", "wood"]
_COLOURS: dict[Layer, tuple[tuple[float, float, float], ...]] = {
    "gesso": ((0.76, 0.74, 0.68), (0.62, 0.60, 0.56), (0.69, 0.63, 0.51)),
    "bole": ((0.47, 0.24, 0.16), (0.60, 0.43, 0.25), (0.38, 0.27, 0.20)),
    "underpaint": ((0.45, 0.42, 0.36), (0.30, 0.25, 0.20), (0.58, 0.52, 0.42)),
    "canvas": ((0.62, 0.53, 0.38), (0.48, 0.40, 0.29), (0.34, 0.28, 0.21)),
    "wood": ((0.50, 0.36, 0.22), (0.36, 0.25, 0.16), (0.62, 0.48, 0.32)),
}
_SUPPORTS: tuple[Layer, ...] = ("canvas", "wood")


@parameters
class Lacuna(Damage):
    """Lacunae.

    Attributes:
        clusters: groups of losses in the whole picture.
        radius: of the largest losses, thousandths of the long side.
        scatter: how far small losses lie around the large ones, as a part of these.
        angular: how far the edges follow cracks, 0 for rounded ones.
        ground: the layer beneath the paint.
        support: the layer beneath the ground.
        deep: part of a loss where the ground has gone too.
        thickness: of the paint: light and shadow at the edges, as a part of the light.
    """

    group = "surface"
    imitates = "ragged islands of lost paint that show gesso, bole, canvas or wood, with lit and shadowed edges"

    clusters: Annotated[int, Field(ge=0, le=60)]
    radius: Annotated[float, Field(gt=0, le=150)]
    scatter: Fraction
    angular: Fraction
    ground: Layer = "gesso"
    support: Layer = "canvas"
    deep: Fraction = 0.3
    thickness: Annotated[float, Field(ge=0, le=1)] = 0.3

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        ground: Layer = rng.choice(["gesso", "bole", "underpaint"], p=[0.55, 0.3, 0.15]).item()
        support: Layer = rng.choice(list(_SUPPORTS), p=[0.7, 0.3]).item()
        return cls(
            clusters=1 + round(40 * strength * rng.uniform(0.4, 1)),
            radius=3 + 60 * strength * rng.uniform(0.35, 1),
            scatter=rng.uniform(0.1, 1),
            angular=float(rng.choice([0.0, rng.uniform(0.3, 1)], p=[0.3, 0.7])),
            ground=ground,
            support=support,
            deep=rng.uniform(0, 0.8) if rng.random() < 0.6 else 0.0,
            thickness=rng.uniform(0.2, 1),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        depth = self._depth(rng, view)
        if depth is None:
            return Damaged.nowhere(picture)
        hole = blur(np.clip(depth + 0.5, 0, 1), 0.45)
        beneath, deeper = self._layer(self.ground, rng, view), np.zeros_like(hole)
        if self.deep > 0:
            rim = max(1.5, self.radius * view.unit * (0.75 - 0.7 * self.deep))
            uneven = np.exp2(0.7 * texture(view.shape, rng, max(4, 8 * view.unit), octaves=3))
            deeper = blur(np.clip(depth - rim * uneven, 0, 1), 0.45)
            beneath = cover(beneath, self._layer(self.support, rng, view), deeper)
        # Dirt gathers under the edges, and unevenly everywhere.
        dirt = 0.75 + 0.25 * np.clip(depth / max(2.5, 2 * view.unit), 0, 1)
        dirt *= np.clip(0.92 + 0.13 * texture(view.shape, rng, max(6, 20 * view.unit)), 0.5, 1.1)
        damaged = cover(picture, light_up(beneath, dirt), hole)
        step = blur(-(hole + 0.6 * deeper), max(0.6, 0.5 * view.unit))
        edge = relief(step, rng.uniform(0, 2 * np.pi)) * 2.2 * self.thickness
        damaged = light_up(damaged, 1 + np.clip(edge, -0.85, 0.8))
        return Damaged.between(picture, damaged, hole > LOST_COVER)

    def _depth(self, rng: np.random.Generator, view: View) -> Array | None:
        """How far inside a loss every pixel lies, in pixels, about; negative outside. None where none is near."""
        wide = 1.3 + 1.5 * self.scatter
        found = [
            (place, around(view.shape, *place[:2], place[2] * place[3] * wide))
            for place in self._places(rng, view)
        ]
        near = [(place, part) for place, part in found if part is not None]
        if not near:
            return None
        largest = self.radius * view.unit
        ragged = texture(view.shape, rng, max(2.5, 0.9 * largest), octaves=6, gain=0.62)
        if self.angular > 0:
            ragged = ragged + 1.3 * self.angular * self._flakes(rng, view)
        depth = np.full(view.shape, np.float32(-9))
        for (y, x, radius, stretch, angle), part in near:
            down = np.arange(part[0].start, part[0].stop, dtype=np.float32)[:, None] + np.float32(0.5 - y)
            right = np.arange(part[1].start, part[1].stop, dtype=np.float32)[None] + np.float32(0.5 - x)
            cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
            away = np.hypot((cosine * right + sine * down) / stretch, cosine * down - sine * right) / radius
            # Beyond the loss itself only the noise's peaks reach through: a few flakes around it.
            slope = np.where(
                away > 1, (0.9 - 0.55 * self.scatter) * (away - 1) + 0.55 * (away > 1), away**2 - 0.45
            )
            inside = (0.6 * ragged[part] - slope) * radius * 0.7
            inside -= 9 * np.clip(away - (1.1 + 1.4 * self.scatter), 0, 9)
            np.maximum(depth[part], inside, out=depth[part])
        return depth

    def _flakes(self, rng: np.random.Generator, view: View) -> Array:
        """Noise that is constant on each island between the paint's cracks, about N(0, 1)."""
        size = max(3.0, self.radius * view.unit * rng.uniform(0.25, 0.6))
        y, x = (
            line + 0.35 * size * texture(view.shape, rng, 2 * size, octaves=5)
            for line in (
                np.arange(view.height, dtype=np.float32)[:, None],
                np.arange(view.width, dtype=np.float32),
            )
        )
        corner, turn = rng.uniform(0, 64, 2).astype(np.float32), rng.uniform(0, np.pi)
        cosine, sine = np.float32(np.cos(turn) / size), np.float32(np.sin(turn) / size)
        _, _, island = cells(cosine * x + sine * y + corner[0], cosine * y - sine * x + corner[1], rng)
        return rng.standard_normal(4096, np.float32)[island]

    def _places(self, rng: np.random.Generator, view: View) -> list[tuple[float, float, float, float, float]]:
        """(y, x, radius, stretch, angle) of losses: single ones, and chains along a crack."""
        places = []
        for y, x in view.scatter(rng, self.clusters):
            radius = max(0.8, self.radius * view.unit * max(0.1, rng.random() ** 2))
            angle = rng.uniform(0, 2 * np.pi)
            if rng.random() < 0.7:
                places.append((y, x, radius, rng.uniform(1, 2.2), angle))
                continue
            links = wander(rng, (y, x), angle, radius * rng.uniform(4, 14), bend=0.8, step=1.7 * radius)
            for link in links + rng.normal(0, 0.4 * radius, links.shape):
                turned = angle + rng.normal(0, 0.5)
                places.append((*link.tolist(), radius * rng.uniform(0.15, 0.7), rng.uniform(1, 2.5), turned))
        return places

    def _layer(self, layer: Layer, rng: np.random.Generator, view: View) -> Array:
        """A layer beneath the paint, sRGB (3, H, W)."""
        colour = np.asarray(tint(rng, _COLOURS[layer][rng.integers(3)], 0.03), np.float32)[:, None, None]
        if layer == "canvas":
            height = weave(view, rng, max(3.0, rng.uniform(2.2, 5) * view.unit))
            worn = texture(view.shape, rng, max(3.0, 6 * view.unit), octaves=3)
            return light_up(
                np.broadcast_to(colour, (3, *view.shape)), np.maximum(0.45 + 0.65 * height + 0.12 * worn, 0.1)
            )
        stretch = rng.uniform(6, 14) if layer == "wood" else 1.0
        grain = texture(view.shape, rng, max(2.0, 1.5 * view.unit), octaves=2, stretch=stretch)
        broad = texture(view.shape, rng, max(8.0, 25 * view.unit), octaves=3, stretch=stretch)
        return light_up(
            np.broadcast_to(colour, (3, *view.shape)), np.clip(1 + 0.12 * grain + 0.12 * broad, 0.3, 1.6)
        )
