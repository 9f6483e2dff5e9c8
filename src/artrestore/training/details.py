"""Fine things that are sound but look like damage: hairs, lights, grain of wood, glints of paint, faint noise.

A restorer that learns from few pictures takes a cat's whiskers for scratches, the lights on a cup for flakes of
paint that fell, the grain of a table for noise, paint that shines for dust, and a sliver of white wall at the
edge for a loss. Damage is drawn on top of these and the target keeps them, so it has to look closer: a scratch
is broken where the grain skipped, a whisker tapers, glints follow the brush. The faint noise and the blocks of
the file itself stay too: where they are taken away, the tooth of canvas and paper goes along.
"""

import cv2
import numpy as np

from artrestore.damage.base import Array, View
from artrestore.damage.capture.jpeg import Jpeg
from artrestore.damage.capture.noise import Noise
from artrestore.damage.fields import texture
from artrestore.damage.strokes import Points, Stroke, paint, wander
from artrestore.training.crops import Pixels

_MOST_GROUPS = 4
# Parts of the pictures that get a grained place, glints, a plain strip along a side, and faint noise. With glints
# in as many as 0.3, a network took dust for glints and mended hardly anything; in 0.08, it took glints for dust.
_GRAINED, _GLINTING, _EDGED, _NOISY = 0.3, 0.14, 0.12, 0.5
_FAINT = (1.0, 4.0)  # standard deviations in levels of 255


def with_details(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Draw a few groups of fine details over a clear picture.

    Args:
        picture: uint8 (H, W, 3).
        rng: decides all.

    Returns:
        A new picture, uint8 (H, W, 3).
    """
    shape = (picture.shape[0], picture.shape[1])
    drawn = picture.astype(np.float32)
    if rng.random() < _GRAINED:
        drawn = drawn + _grain(shape, rng)[:, :, None]
    for _ in range(int(rng.integers(1, _MOST_GROUPS + 1))):
        group = (_hairs, _threads, _lights)[int(rng.choice(3, p=(0.5, 0.15, 0.35)))]
        cover = paint(shape, group(shape, rng), softness=float(rng.uniform(0.45, 1.1)))
        drawn = _covered(drawn, cover, rng)
    if rng.random() < _GLINTING:
        drawn = drawn + _glints(shape, rng)
    if rng.random() < _EDGED:
        drawn = _covered(drawn, _strip(shape, rng), rng)
    if rng.random() < _NOISY:
        drawn = _noisy(drawn, rng)
    details: Pixels = np.rint(drawn.clip(0, 255)).astype(np.uint8)
    return details


def _noisy(picture: Array, rng: np.random.Generator) -> Array:
    """With the faint noise of a good scan or photograph, half of the time saved as a good JPEG file."""
    channels = np.asarray(picture.transpose(2, 0, 1).clip(0, 255) / 255, np.float32)
    height, width = picture.shape[:2]
    down, right = map(int, rng.integers(16, size=2))  # where the file's blocks begin
    view = View(height=height, width=width, full_height=height + 16, full_width=width + 16, top=down, left=right)
    noise = Noise(
        model=rng.choice(["gaussian", "grain"]).item(), sigma=rng.uniform(*_FAINT), size=rng.uniform(0.4, 1.2),
        coloured=rng.random(),
    )  # fmt: skip
    noisy = noise.apply(channels, rng, view).picture
    if rng.integers(2):
        noisy = Jpeg(quality=int(rng.integers(75, 97))).apply(noisy, rng, view).picture
    return np.asarray(255 * noisy.transpose(1, 2, 0), np.float32)


def _covered(picture: Array, cover: Array, rng: np.random.Generator) -> Array:
    """Paint with a colour: pale, dark, or between, tinted a little, and not quite the same everywhere."""
    low, high = ((190, 256), (0, 60), (60, 190))[int(rng.choice(3, p=(0.6, 0.25, 0.15)))]
    colour = rng.uniform(low, high) + rng.normal(0, 9, 3)
    grain = 6 * texture(picture.shape[:2], rng, float(rng.uniform(3, 20)), octaves=2)
    opaque = cover * np.float32(rng.uniform(0.4, 1))
    painted = np.asarray(colour, np.float32) + grain[:, :, None]
    return np.asarray(picture + opaque[:, :, None] * (painted - picture), np.float32)


def _place(shape: tuple[int, int], rng: np.random.Generator) -> Points:
    return np.asarray(rng.uniform(-0.1, 1.1, 2) * shape, np.float64)


def _hairs(shape: tuple[int, int], rng: np.random.Generator) -> list[Stroke]:
    """Whiskers, fur, grass: from about one place into about one direction, each tapering to nothing."""
    root, heading, longest = _place(shape, rng), rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.9) * max(shape)
    width, bend = rng.uniform(0.4, 1.3), rng.uniform(0.05, 1.2)
    apart, fan = rng.uniform(1, 0.3 * max(shape)), rng.uniform(0.05, 0.7)
    strokes = []
    for _ in range(int(rng.integers(1, 16))):
        start, length = root + rng.normal(0, 0.5 * apart, 2), longest * rng.uniform(0.4, 1)
        points = wander(rng, start, heading + rng.normal(0, fan), length, bend=bend)
        radius = width * rng.uniform(0.6, 1) * np.linspace(1, 0.15, len(points))
        strokes.append(Stroke(points=points, radius=radius, opacity=np.full(len(points), rng.uniform(0.5, 1))))
    return strokes


def _threads(shape: tuple[int, int], rng: np.random.Generator) -> list[Stroke]:
    """Rigging, strings, bars: straight or nearly, of one width, from side to side."""
    heading, width = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 1.4)
    strokes = []
    for _ in range(int(rng.integers(1, 6))):
        course, length = heading + rng.normal(0, 0.15), 3.0 * max(shape)
        start = _place(shape, rng) - 0.5 * length * np.array([np.sin(course), np.cos(course)])
        points = wander(rng, start, course, length, bend=rng.uniform(0, 0.15))
        strokes.append(Stroke(points=points, radius=np.full(len(points), width), opacity=np.ones(len(points))))
    return strokes


def _lights(shape: tuple[int, int], rng: np.random.Generator) -> list[Stroke]:
    """Reflections, pearls, blossoms: small and round or drawn out, one or many close together."""
    middle, spread = _place(shape, rng), rng.uniform(0.02, 0.4) * max(shape)
    size, slender = np.exp(rng.uniform(np.log(0.7), np.log(6))), rng.uniform(0, 4)
    strokes = []
    for _ in range(int(rng.integers(1, 20))):
        radius = size * rng.uniform(0.5, 1)
        start = middle + rng.normal(0, spread, 2)
        points = wander(rng, start, rng.uniform(0, 2 * np.pi), radius * slender, bend=0.8)
        round_ends = np.sqrt(np.clip(1 - np.linspace(-1, 1, len(points)) ** 2, 0.05, 1))
        strokes.append(Stroke(points=points, radius=radius * round_ends, opacity=np.ones(len(points))))
    return strokes


def _grain(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Levels (H, W) to add: the lines of wood, cloth, fur or hatching, on some of the picture."""
    side = 2 * max(shape)
    wavelength, stretch = np.exp(rng.uniform(np.log((1.5, 6)), np.log((6, 40))))
    lines = texture((side, side), rng, float(wavelength), octaves=2, gain=0.7, stretch=float(stretch))
    turn = np.asarray(cv2.getRotationMatrix2D((side / 2, side / 2), float(rng.uniform(0, 180)), 1), np.float64)
    turn[:, 2] -= (side - np.array(shape[::-1])) / 2  # its middle, which has no corners cut off
    turned = np.asarray(cv2.warpAffine(lines, turn, shape[::-1], flags=cv2.INTER_CUBIC), np.float32)
    place = np.clip(0.5 + 2 * texture(shape, rng, 0.7 * max(shape), octaves=1), 0, 1)
    return np.asarray(np.float32(rng.uniform(6, 32)) * place * turned, np.float32)


def _glints(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Levels (H, W, 3) to add where thick paint shines or a dry brush caught the canvas; of four, one is dark."""
    woven = rng.uniform(0.2, 1)
    bumps = texture(shape, rng, float(rng.uniform(1, 2)), octaves=1)
    strokes = texture(shape, rng, float(np.exp(rng.uniform(np.log(6), np.log(60)))), octaves=3)
    relief = woven * _canvas(shape, rng) + np.sqrt(1 - woven**2) * bumps + rng.uniform(0.3, 1.5) * strokes
    least = np.quantile(relief, 1 - np.exp(rng.uniform(np.log(0.004), np.log(0.12))))
    shine = np.clip(relief - least, 0, 1.5) * rng.uniform(12, 75) * rng.choice((1, 1, 1, -1))
    return np.asarray(shine[:, :, None] * (1 + rng.normal(0, 0.12, 3)), np.float32)


def _canvas(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Height (H, W) of threads that cross, two to five pixels apart, not quite straight: mean 0, deviation 1."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    angle, apart = rng.uniform(0, np.pi), rng.uniform(2.2, 5)
    slack = 0.3 * apart * texture(shape, rng, 12 * apart, octaves=1)
    along = (np.cos(angle) * columns + np.sin(angle) * rows + slack) / apart
    across = (np.cos(angle) * rows - np.sin(angle) * columns - slack) / (apart * rng.uniform(0.8, 1.25))
    return np.asarray(np.cos(2 * np.pi * along) + np.cos(2 * np.pi * across), np.float32)


def _strip(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Coverage (H, W) of a strip along a side: the wall behind a picture, or its margin."""
    turns = int(rng.integers(4))
    height, width = shape if turns % 2 == 0 else shape[::-1]
    slope = rng.normal(0, 0.02) * np.arange(width)
    border = rng.uniform(1, 0.15 * height) + slope
    strip = np.clip(border - np.arange(height)[:, None], 0, 1).astype(np.float32)
    return np.ascontiguousarray(np.rot90(strip, turns))
