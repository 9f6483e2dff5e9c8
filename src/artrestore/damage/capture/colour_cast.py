"""A colour cast: the wrong white balance, exposure or contrast.

Lamps and daylight lie near the Planckian locus; a camera that takes one for another turns the picture yellow or
blue, and fluorescent tubes and cheap LEDs add green or magenta. Often two lights mix, and the cast differs over
the picture.

Source: Kang et al., "Design of Advanced Color Temperature Control System for HDTV Applications", Journal of the
Korean Physical Society 41 (2002), for the locus; IEC 61966-2-1 for the primaries.
"""

from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, View, parameters
from artrestore.damage.colour import to_linear, to_srgb
from artrestore.damage.fields import smooth

_FROM_XYZ = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
_DAYLIGHT = 6504.0  # kelvin, of sRGB's white
# Mired (a million over kelvin): even steps of it look even.
_WARMEST, _COOLEST = 1e6 / 2500 - 1e6 / _DAYLIGHT, 1e6 / 10000 - 1e6 / _DAYLIGHT

Stops = Annotated[float, Field(ge=-3, le=3)]


@parameters
class ColourCast(Damage):
    """A colour cast.

    Attributes:
        kelvin: colour temperature of the light that the camera took for daylight of 6504 K.
        mixed: how much the temperature varies over the picture, mired (standard deviation).
        tint: gain of green, stops; negative is magenta.
        exposure: stops.
        gamma: exponent of the linear light; above 1 the darks sink.
    """

    group = "capture"
    imitates = "a photograph with the wrong white balance: yellow, blue, green or magenta, too dark, light or flat"

    kelvin: Annotated[float, Field(ge=2000, le=12000)]
    mixed: Annotated[float, Field(ge=0, le=80)] = 0.0
    tint: Stops = 0.0
    exposure: Stops = 0.0
    gamma: Annotated[float, Field(ge=0.4, le=2.5)] = 1.0

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        furthest = _WARMEST if rng.random() < 0.6 else _COOLEST
        return cls(
            kelvin=1e6 / (1e6 / _DAYLIGHT + furthest * strength * rng.uniform(0.4, 1)),
            mixed=25 * strength * rng.random() if rng.random() < 0.4 else 0.0,
            tint=float(np.clip(rng.normal(0, 0.4), -0.8, 0.8)) * strength,
            exposure=1.3 * strength * rng.uniform(-1, 1),
            gamma=2 ** (0.6 * strength * rng.uniform(-1, 1)),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        light = _white(self.kelvin) / _white(_DAYLIGHT) * [1, 2**self.tint, 1]
        gain = np.asarray(light / light.mean() * 2**self.exposure, np.float32)[:, None, None]
        if self.mixed:
            # The gains of a light 10 mired warmer, over and over.
            warmer = _white(1e6 / (1e6 / self.kelvin + 10)) / _white(self.kelvin)
            steps = np.clip(self.mixed / 10 * smooth(view, rng, 1.5), -8, 8)
            gain = gain * np.exp(np.log(warmer).astype(np.float32)[:, None, None] * steps)
        return Damaged.everywhere(to_srgb((to_linear(picture) * gain) ** np.float32(self.gamma)))


def _white(kelvin: float) -> npt.NDArray[np.float64]:
    """Linear RGB (3,) of a black body, at luminance 1."""
    t = 1e3 / kelvin
    if kelvin < 4000:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    return np.asarray(np.maximum(_FROM_XYZ @ [x / y, 1, (1 - x - y) / y], 1e-3))
