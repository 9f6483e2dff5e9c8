"""Fading: dyes and silver lose their density.

Each dye fades at its own rate, in proportion to what is left of it. In the dark the cyan dye of old chromogenic
prints goes first, and they turn red; light takes magenta and yellow first, and what hung in the sun turns
blue-green. The silver of a black-and-white print oxidises to a yellow-brown, from the edges inwards. The whites
turn yellow.

Source: Wilhelm and Brower, "The Permanence and Care of Color Photographs" (1993); Lavédrine, "Photographs of the
Past: Process and Preservation" (2009).
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import from_density, to_density
from artrestore.damage.fields import smooth
from artrestore.damage.places import margins

# Density in red, green and blue (rows) of a unit of cyan, magenta and yellow (columns): no dye is pure.
_DYES = np.array([[1.0, 0.08, 0.01], [0.18, 1.0, 0.06], [0.08, 0.28, 1.0]], np.float32)
_UNMIX = np.linalg.inv(_DYES)
_STAIN = np.array([0.08, 0.3, 1.0], np.float32)[:, None, None]
# How much faster than the others cyan, magenta and yellow go.
_CHARACTERS = {
    "kept in the dark": (1.0, 0.3, 0.5),
    "hung in the light": (0.3, 1.0, 0.8),
    "pale": (0.9, 1.0, 0.9),
    "silver": (1.0, 0.85, 0.6),
}

Loss = Annotated[float, Field(ge=0, le=0.95)]


@parameters
class Fading(Damage):
    """Fading.

    Attributes:
        cyan: part of the dye that is lost, where the loss is average.
        magenta: the same of magenta.
        yellow: the same of yellow.
        stain: density that the whites gain in blue.
        uneven: how much the fading varies over the picture.
        edges: how much faster the edges fade.
    """

    group = "chemistry"
    imitates = "faded dyes: the red of old colour prints, the blue-green of sunned ones, pale and yellowed silver"

    cyan: Loss
    magenta: Loss
    yellow: Loss
    stain: Annotated[float, Field(ge=0, le=0.6)] = 0.0
    uneven: Fraction = 0.2
    edges: Fraction = 0.0

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        rates = np.array(list(_CHARACTERS.values())[int(rng.integers(len(_CHARACTERS)))])
        loss = 0.85 * strength**0.9 * rng.uniform(0.65, 1) * np.clip(rates * rng.uniform(0.8, 1.15, 3), 0, 1)
        cyan, magenta, yellow = loss.tolist()
        return cls(
            cyan=cyan,
            magenta=magenta,
            yellow=yellow,
            stain=0.3 * strength * rng.random(),
            uneven=rng.uniform(0.05, 0.4),
            edges=rng.uniform(0, 0.8) if rng.random() < 0.4 else 0.0,
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        advance = self._advance(rng, view)
        loss = np.array([self.cyan, self.magenta, self.yellow], np.float32)[:, None, None]
        dyes = np.einsum("ij,jhw->ihw", _UNMIX, to_density(picture))
        # What is left falls off exponentially: twice the exposure leaves the square of the part.
        dyes *= np.exp(np.log1p(-loss) * advance)
        density = np.einsum("ij,jhw->ihw", _DYES, dyes) + _STAIN * (np.float32(self.stain) * advance)
        return Damaged.everywhere(from_density(density))

    def _advance(self, rng: np.random.Generator, view: View) -> Array:
        """How far the fading has gone at each place (H, W), 1 on average."""
        top, bottom, left, right = margins(view)
        wavy = smooth(view, rng, 4)
        edge = np.minimum(np.minimum(top, bottom), np.minimum(left, right)) * np.exp(0.3 * wavy)
        advance = 1 + self.uneven * smooth(view, rng, 2.5) + 1.5 * self.edges * np.exp(-edge / 50)
        return np.asarray(np.clip(advance, 0.1, 3), np.float32)
