"""Generated pictures: dead leaves, which never repeat and belong to nobody.

Opaque shapes of power-law sizes fall on each other until all is covered. That alone has the statistics of edges
and of scales that natural pictures have (Lee, Mumford & Huang 2001). Networks trained on it restore those almost
as well as networks that saw them, if leaves have shapes, textures and gradients of their own (VibrantLeaves,
Achddou et al. 2025, arXiv 2504.10201). The shapes here are blobs, polygons and brush strokes; colours come from
palettes of a few related hues, mostly muted, as in paintings and photographs.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from artrestore.damage.fields import texture
from artrestore.training.crops import Pixels

Array = npt.NDArray[np.float32]

_LAYERS = 3.0  # times that the leaves' area would cover the picture
_MOST_LEAVES = 700
_POINTS = 32  # of an outline
_TEXTURED = 5.0  # radius in pixels from which a leaf has a texture and a gradient
_SHIFT = 4  # outlines are drawn to a sixteenth of a pixel
_MATERIALS = 4
_WOVEN = 0.15  # part of the materials that have stripes


class _Leaves(NamedTuple):
    """Outlines (N, 32, 2) as (x, y) in pixels, radii (N,), and colours at both ends of a texture, (N, 3) each."""

    outlines: Array
    radii: Array
    colours: Array
    seconds: Array


def dead_leaves(side: int, rng: np.random.Generator) -> Pixels:
    """A picture of dead leaves.

    Args:
        side: in pixels.
        rng: decides all; the same state gives the same picture.

    Returns:
        sRGB, uint8 (side, side, 3).
    """
    palette = _palette(rng)
    materials = [_material(side, rng) for _ in range(_MATERIALS)]
    leaves = _fall(side, palette, rng)
    picture = _background(palette, materials[0], rng)
    contrast = rng.gamma(1.5, 0.2, len(leaves.radii)).clip(0, 1)
    choice = rng.integers(_MATERIALS, size=len(leaves.radii))
    shifts = rng.random((len(leaves.radii), 2))
    slopes = rng.normal(0, 25, (len(leaves.radii), 2))
    for index, radius in enumerate(leaves.radii):
        if radius < _TEXTURED:
            points = np.rint(leaves.outlines[index] * (1 << _SHIFT)).astype(np.int32)
            cv2.fillPoly(picture, [points], leaves.colours[index].tolist(), cv2.LINE_AA, _SHIFT)
        else:
            _lay(
                picture, leaves, index, materials[choice[index]],
                contrast=contrast[index], shift=shifts[index], slope=slopes[index],
            )  # fmt: skip
    return _photographed(picture, rng)


def _palette(rng: np.random.Generator) -> Array:
    """Colours (K, 3), sRGB in [0, 255]: a few families of hues in CIELAB, of all lightnesses, mostly muted."""
    count = int(rng.integers(5, 16))
    families = rng.uniform(0, 2 * np.pi, int(rng.integers(1, 4)))
    hues = rng.choice(families, count) + rng.normal(0, 0.35, count)
    chroma = np.minimum(rng.gamma(1.6, rng.uniform(4, 16), count), 90)
    lightness = rng.uniform(rng.uniform(0, 35), rng.uniform(65, 100), count)
    lab = np.stack([lightness, chroma * np.cos(hues), chroma * np.sin(hues)], axis=1).astype(np.float32)
    colours = cv2.cvtColor(lab[None], cv2.COLOR_LAB2RGB)[0]
    return np.asarray(colours.clip(0, 1) * 255, np.float32)


def _material(side: int, rng: np.random.Generator) -> Array:
    """A texture (side, side), about N(0, 1): cloudy, grained, brushed or woven."""
    if rng.random() < _WOVEN:
        return _stripes(side, rng)
    wavelength = float(np.exp(rng.uniform(np.log(2), np.log(side / 3))))
    stretch = float(np.exp(rng.uniform(0, np.log(12)))) if rng.random() < 0.4 else 1.0
    grain = texture((side, side), rng, wavelength, octaves=4, gain=rng.uniform(0.4, 0.9), stretch=stretch)
    return grain if rng.integers(2) else np.ascontiguousarray(grain.T)


def _stripes(side: int, rng: np.random.Generator) -> Array:
    """Waves that bend, and are strong in some places only."""
    bend = texture((side, side), rng, side / 2, octaves=2)
    angle, period = rng.uniform(0, np.pi), rng.uniform(3, 16)
    line = np.arange(side, dtype=np.float32) * np.float32(2 * np.pi / period)
    phase = np.add.outer(np.float32(np.sin(angle)) * line, np.float32(np.cos(angle)) * line)
    return np.asarray(
        np.sin(phase + np.float32(rng.uniform(0, 2)) * bend) * (np.float32(0.9) + 0.6 * bend), np.float32
    )


def _fall(side: int, palette: Array, rng: np.random.Generator) -> _Leaves:
    """Leaves enough to cover the picture, in the order in which they fall."""
    smallest = float(np.exp(rng.uniform(np.log(1.5), np.log(max(2.0, side / 12)))))
    power = rng.uniform(2.2, 3.2)  # of the density of radii; at 3 pictures look alike at all scales
    radii = _radii(4 * _MOST_LEAVES, smallest, 0.7 * side, power, rng)
    enough = int(np.searchsorted(np.cumsum(np.pi * radii**2), _LAYERS * side * side)) + 1
    radii = radii[: min(enough, _MOST_LEAVES)]
    count = len(radii)
    centres = rng.uniform(-0.1 * side, 1.1 * side, (count, 1, 2))
    colours = palette[rng.integers(len(palette), size=(2, count))] + rng.normal(0, 6, (2, count, 3))
    first, second = colours.clip(0, 255).astype(np.float32)
    outlines = (centres + radii[:, None, None] * _shapes(count, rng)).astype(np.float32)
    return _Leaves(outlines=outlines, radii=radii.astype(np.float32), colours=first, seconds=second)


def _radii(
    count: int, smallest: float, largest: float, power: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Drawn with a density of r^-power between two limits."""
    low, high = smallest ** (1 - power), largest ** (1 - power)
    return np.asarray((low + rng.random(count) * (high - low)) ** (1 / (1 - power)), np.float64)


def _shapes(count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Outlines (count, 32, 2) about the origin with a radius of about 1: blobs, polygons, and bent strokes."""
    angles = np.linspace(0, 2 * np.pi, _POINTS, endpoint=False) + rng.uniform(0, 2 * np.pi, (count, 1))
    waves = np.arange(1, 6)[:, None, None]
    amplitudes = rng.normal(0, 0.3, (5, count, 1)) / waves * rng.random((count, 1)) * 1.6
    blobs = np.exp((amplitudes * np.cos(waves * angles + rng.uniform(0, 2 * np.pi, (5, count, 1)))).sum(0))
    corners = rng.integers(3, 8, (count, 1))
    sector = np.pi / corners
    polygons = np.cos(sector) / np.cos(np.mod(angles, 2 * sector) - sector)
    radius = np.where(rng.random((count, 1)) < 0.35, polygons, blobs)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=2) * radius[:, :, None]
    # Some are drawn out, and a few of these bent, like grass and the strokes of a brush.
    length = np.exp(np.abs(rng.normal(0, 0.5, (count, 1))) * rng.choice([0.3, 1, 2.5], (count, 1)))
    x, y = points[:, :, 0] * np.sqrt(length), points[:, :, 1] / np.sqrt(length)
    y = y + rng.normal(0, 0.25, (count, 1)) * np.square(x) * (length > 3)
    turn = rng.uniform(0, 2 * np.pi, (count, 1))
    return np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], axis=2)


def _background(palette: Array, material: Array, rng: np.random.Generator) -> Pixels:
    first, second = palette[rng.integers(len(palette), size=2)]
    part = (0.5 + 0.25 * material).clip(0, 1)[:, :, None]
    mixed: Pixels = np.rint(first + part * (second - first)).astype(np.uint8)
    return mixed


def _lay(
    picture: Pixels,
    leaves: _Leaves,
    index: int,
    material: Array,
    *,
    contrast: float,
    shift: npt.NDArray[np.float64],
    slope: npt.NDArray[np.float64],
) -> None:
    """Paint one large leaf: two colours mixed by a texture, and lighter towards one side."""
    side = len(picture)
    outline = leaves.outlines[index]
    left, top = np.floor(outline.min(0)).astype(int).clip(0, side)
    right, bottom = (np.ceil(outline.max(0)).astype(int) + 1).clip(0, side)
    height, width = bottom - top, right - left
    if height < 1 or width < 1:
        return
    mask = np.zeros((height, width), np.uint8)
    points = np.rint((outline - (left, top)) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, _SHIFT)
    dy, dx = (shift * (side - height, side - width)).astype(int)  # so that no two leaves show the same part
    part = np.float32(contrast) * material[dy : dy + height, dx : dx + width]
    radius = leaves.radii[index]
    down, across = (slope / radius).astype(np.float32)
    light = np.add.outer(
        down * (np.arange(height, dtype=np.float32) - height / 2),
        across * (np.arange(width, dtype=np.float32) - width / 2),
    )
    first, second = leaves.colours[index], leaves.seconds[index]
    painted = cv2.merge([first[c] + part * (second[c] - first[c]) + light for c in range(3)])
    region = picture[top:bottom, left:right]
    under = region.astype(np.float32)
    covered = cv2.merge([mask, mask, mask]).astype(np.float32) * np.float32(1 / 255)
    region[:] = (under + covered * (painted.clip(0, 255) - under) + np.float32(0.5)).astype(np.uint8)


def _photographed(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Lit a little unevenly, and as sharp as one lens or another would have it."""
    side = len(picture)
    light = np.exp(rng.normal(0, 0.12, (3, 3))).astype(np.float32)
    lit = np.asarray(
        picture * cv2.resize(light, (side, side), interpolation=cv2.INTER_CUBIC)[:, :, None], np.float32
    )
    softness = rng.uniform(0, 0.9)
    if softness > 0.3:
        lit = np.asarray(cv2.GaussianBlur(lit, (0, 0), softness), np.float32)
    photographed: Pixels = np.rint(lit.clip(0, 255)).astype(np.uint8)
    return photographed
