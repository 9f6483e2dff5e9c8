"""Noise of sensors and grain of film.

A sensor counts photons (Poisson: variance proportional to light) and its electronics add Gaussian noise. Film
grain is a structure in the emulsion: correlated over a few pixels, the same in all colours of a black-and-white
film, and strongest in the mid-tones.

Source: Foi et al., "Practical Poissonian-Gaussian noise modeling", IEEE TIP 17 (2008); Newson et al., "Realistic
film grain rendering", IPOL 7 (2017).
"""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from artrestore.damage.base import Array, Damage, Damaged, Fraction, View, parameters
from artrestore.damage.colour import to_linear, to_srgb
from artrestore.damage.filters import blur

_MID_LIGHT = np.float32(to_linear(0.5))


def _bent() -> tuple[Array, Array]:
    # Standard deviations of normal noise on mid-grey in linear light, and what the sRGB curve makes of them. The
    # curve's slope there, 1.055 / 2.4 * L ** (1 / 2.4 - 1) = 1.08, holds for faint noise only.
    sigmas = np.linspace(0, 0.5, 101, dtype=np.float32)
    normal = np.linspace(-4, 4, 201, dtype=np.float32)
    weight = np.exp(-(normal**2) / 2)
    values = to_srgb(_MID_LIGHT + sigmas[:, None] * normal)
    mean = np.average(values, axis=1, weights=weight)
    spread = np.average((values - mean[:, None]) ** 2, axis=1, weights=weight)
    return sigmas, np.asarray(np.sqrt(spread), np.float32)


_LIGHT_SIGMA, _SRGB_SIGMA = _bent()


@parameters
class Noise(Damage):
    """Noise.

    Attributes:
        model: `gaussian` (added to sRGB), `poisson` (in linear light) or `grain` (correlated, mid-tones most).
        sigma: standard deviation in levels of 255; of `poisson` and `grain` at mid-grey.
        size: of the grain in pixels (standard deviation of its smoothing).
        coloured: part of the noise that differs between the channels.
    """

    group = "capture"
    imitates = "sensor noise, even or strongest in the light, and the clumped grain of film"

    model: Literal["gaussian", "poisson", "grain"]
    sigma: Annotated[float, Field(ge=0, le=55)]
    size: Annotated[float, Field(ge=0, le=4)] = 0.7
    coloured: Fraction = 1.0

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> Self:
        """Draw parameters for a strength in (0, 1]."""
        model = rng.choice(["gaussian", "poisson", "grain"], p=[0.45, 0.25, 0.3]).item()
        return cls(
            model=model,
            # Clumps of grain show more than single pixels do.
            sigma=(30 if model == "grain" else 55) * strength * rng.uniform(0.6, 1),
            size=rng.uniform(0.5, 1.6),
            coloured=rng.uniform(0, 0.5) if model == "grain" else rng.uniform(0.7, 1),
        )

    def apply(self, picture: Array, rng: np.random.Generator, view: View) -> Damaged:
        """Damage a picture (3, H, W) in [0, 1]."""
        noise, sigma = self._unit_noise(rng, view), np.float32(self.sigma / 255)
        if self.model == "gaussian":
            noisy = picture + sigma * noise
        elif self.model == "grain":
            # Grain shows most where about half of it is developed.
            noisy = picture + sigma * noise * (0.35 + 2.6 * picture * (1 - picture))
        else:
            noisy = to_srgb(self._shot_noise(to_linear(picture), noise))
        return Damaged.everywhere(np.clip(noisy, 0, 1).astype(np.float32))

    def _unit_noise(self, rng: np.random.Generator, view: View) -> Array:
        """Noise (3, H, W) of unit variance."""
        alone = rng.standard_normal((3, *view.shape), np.float32)
        common = rng.standard_normal(view.shape, np.float32)
        noise = np.sqrt(np.float32(self.coloured)) * alone + np.sqrt(np.float32(1 - self.coloured)) * common
        if self.model != "grain" or self.size < 0.1:
            return np.asarray(noise, np.float32)
        # Of white noise's standard deviation a filter keeps the root of its squares' sum, in both directions.
        reach = int(np.ceil(4 * self.size))
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / self.size) ** 2)
        kept = np.sum(weights**2) / np.sum(weights) ** 2
        return np.asarray(blur(noise, self.size) / np.float32(kept), np.float32)

    def _shot_noise(self, light: Array, noise: Array) -> Array:
        # The normal limit of Poisson counts: variance in proportion to the light.
        sigma = np.float32(np.interp(self.sigma / 255, _SRGB_SIGMA, _LIGHT_SIGMA))
        return np.asarray(light + sigma * np.sqrt(light / _MID_LIGHT) * noise, np.float32)
