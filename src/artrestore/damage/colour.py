"""Mixing, absorbing and lighting in linear light, where the physics happens. Pictures: RGB (3, H, W) in [0, 1]."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from artrestore.damage.base import Array

Colour = Sequence[float]
# Rec. 709 luminance of linear RGB.
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
# The least that a print's black reflects, of what its paper does: a density of 2.2.
_PRINT_BLACK = np.float32(0.006)
DARKEST = 1e-4  # of linear light: no real black reflects less, and its density stays finite


def to_linear(picture: npt.ArrayLike) -> Array:
    """SRGB values in [0, 1] as linear light in [0, 1] (IEC 61966-2-1)."""
    values = np.asarray(picture, np.float32)
    curve = ((values + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(values <= 0.04045, values / np.float32(12.92), curve)


def to_srgb(light: npt.ArrayLike) -> Array:
    """Linear light, clipped to [0, 1], as sRGB values in [0, 1] (IEC 61966-2-1)."""
    values = np.clip(np.asarray(light, np.float32), 0, 1)
    curve = np.float32(1.055) * values ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(values <= 0.0031308, values * np.float32(12.92), curve)


def luminance(light: Array) -> Array:
    """Luminance (H, W) of linear light (3, H, W)."""
    red, green, blue = light * _LUMINANCE[:, None, None]
    return np.asarray(red + green + blue, np.float32)


def cover(picture: Array, colour: Colour | Array, alpha: Array) -> Array:
    """Lay an opaque layer over part of each pixel.

    Args:
        picture: sRGB (3, H, W).
        colour: the layer in sRGB, (3,) or (3, H, W).
        alpha: covered part of each pixel, (H, W) in [0, 1].
    """
    layer = to_linear(colour).reshape(3, *(np.shape(colour)[1:] or (1, 1)))
    light = to_linear(picture)
    mixed = to_srgb(light + (layer - light) * alpha)
    return np.where(alpha > 0, mixed, picture)


def absorb(picture: Array, density: Array) -> Array:
    """Look through a layer that absorbs.

    Args:
        picture: sRGB (3, H, W).
        density: optical density, log10 of the light's attenuation, (3, H, W) or (H, W), 0 or more.
    """
    return to_srgb(to_linear(picture) * np.float32(10) ** -np.asarray(density, np.float32))


def light_up(picture: Array, gain: Array) -> Array:
    """Multiply the light by `gain`, (H, W) or (3, H, W), 0 or more; 1 changes nothing."""
    return to_srgb(to_linear(picture) * np.maximum(gain, 0))


def tint(rng: np.random.Generator, colour: Colour, spread: float) -> tuple[float, float, float]:
    """A colour near `colour` (sRGB): its lightness and its hue each vary by about `spread`."""
    varied = np.asarray(colour) + rng.normal(0, spread) + rng.normal(0, spread / 3, 3)
    red, green, blue = np.clip(varied, 0, 1).tolist()
    return red, green, blue


def to_density(picture: Array) -> Array:
    """Optical density (3, H, W) of sRGB seen as a print: 0 for white paper, 2.2 for its deepest black."""
    return np.asarray(-np.log10(_PRINT_BLACK + (1 - _PRINT_BLACK) * to_linear(picture)), np.float32)


def from_density(density: Array) -> Array:
    """The print of such a density as sRGB; undoes `to_density`."""
    return to_srgb((np.exp(np.float32(-np.log(10)) * density) - _PRINT_BLACK) / (1 - _PRINT_BLACK))
