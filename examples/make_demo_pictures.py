"""Make a small set of damaged pictures to try artrestore on.

    python examples/make_demo_pictures.py demo/data
    python examples/make_demo_pictures.py demo/data --clear my_pictures/ --variants 2

Without `--clear`, scikit-image's own colour photographs serve: one is held out for the test, the others are for
training. The damages are simple on purpose: fading, a stain, blur, scratches, noise, in this order.
"""

import argparse
import functools
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter
from skimage import data, draw

PHOTOGRAPHS = {"train": ("chelsea", "coffee", "motorcycle", "rocket"), "test": ("astronaut",)}
Pixels = npt.NDArray[np.floating[Any]]
Step = Callable[[Pixels, np.random.Generator], Pixels]


def damage(picture: Pixels, rng: np.random.Generator, sigma: tuple[float, float]) -> Pixels:
    """Damage RGB in [0, 1], (H, W, 3), in ways and strengths drawn from `rng`; the noise within `sigma`."""
    grain = functools.partial(noise, sigma=sigma)
    steps: list[tuple[Step, float]] = [(fade, 0.5), (stain, 0.4), (blur, 0.5), (scratch, 0.6), (grain, 0.8)]
    chosen = [step for step, probability in steps if rng.random() < probability] or [grain]
    for step in chosen:
        picture = np.clip(step(picture, rng), 0, 1).astype(np.float32)
    return picture


def fade(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Lose contrast and colour, and turn a little yellow."""
    strength = rng.uniform(0.1, 0.4)
    grey = picture.mean(axis=2, keepdims=True)
    paper = np.array([0.80, 0.74, 0.62])
    faded: Pixels = (1 - strength) * (0.7 * picture + 0.3 * grey) + strength * paper
    return faded


def stain(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Darken a few soft round places, towards brown."""
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    for _ in range(rng.integers(1, 4)):
        radius = rng.uniform(0.05, 0.2) * max(height, width)
        distance = np.hypot(rows - rng.uniform(0, height), columns - rng.uniform(0, width)) / radius
        cover = (0.6 * np.exp(-(distance**4)))[..., None]
        picture = picture * (1 - cover * np.array([0.3, 0.5, 0.7]))
    return picture


def blur(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Blur a little, as a lens out of focus."""
    image = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
    blurred = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 1.8)))
    return np.asarray(blurred, dtype=np.float32) / 255


def scratch(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Draw thin light or dark lines."""
    height, width = picture.shape[:2]
    picture = picture.copy()
    for _ in range(rng.integers(4, 16)):
        row, column, angle = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(0, np.pi)
        length = rng.uniform(0.1, 0.5) * max(height, width)
        ends = (row, column, row + length * np.sin(angle), column + length * np.cos(angle))
        rows, columns, cover = draw.line_aa(*(int(end) for end in ends))
        tone = 0.95 if rng.random() < 0.7 else 0.05
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        rows, columns, weight = rows[inside], columns[inside], cover[inside, None]
        picture[rows, columns] = (1 - weight) * picture[rows, columns] + weight * tone
    return picture


def noise(picture: Pixels, rng: np.random.Generator, sigma: tuple[float, float]) -> Pixels:
    """Add Gaussian noise, its standard deviation drawn from `sigma`, in levels of 255."""
    return picture + rng.normal(0, rng.uniform(*sigma) / 255, picture.shape)


def write_set(name: str, pictures: dict[str, Pixels], out: Path, arguments: argparse.Namespace) -> None:
    """Write `out/NAME/clear/P.png` and `out/NAME/damaged/P_1.png` ... for every picture P."""
    for stem, picture in pictures.items():
        save(picture, out / name / "clear" / f"{stem}.png")
        for variant in range(1, arguments.variants + 1):
            rng = np.random.default_rng((arguments.seed, variant, zlib.crc32(stem.encode())))
            save(damage(picture, rng, arguments.noise), out / name / "damaged" / f"{stem}_{variant}.png")


def photographs(names: tuple[str, ...]) -> dict[str, Pixels]:
    """scikit-image's pictures by name, RGB in [0, 1]."""
    found = {}
    for name in names:
        pixels = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
        found[name] = pixels[..., :3].astype(np.float32) / 255
    return found


def read_folder(folder: Path) -> dict[str, Pixels]:
    """The pictures of one folder by stem, RGB in [0, 1]."""
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in (".jpg", ".jpeg", ".png", ".tif"))
    return {file.stem: np.asarray(Image.open(file).convert("RGB"), dtype=np.float32) / 255 for file in files}


def save(picture: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(path, compress_level=1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a small set of damaged pictures.")
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--clear", type=Path, help="folder of your own clear pictures instead")
    parser.add_argument("--variants", type=int, default=6, help="damaged versions of each picture")
    parser.add_argument(
        "--noise", type=float, nargs=2, default=(30, 60), metavar="SIGMA", help="range of the noise, levels of 255"
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.clear:
        sets = {".": read_folder(arguments.clear)}
    else:
        sets = {name: photographs(names) for name, names in PHOTOGRAPHS.items()}
    for name, pictures in sets.items():
        write_set(name, pictures, arguments.out, arguments)
        print(f"{len(pictures)} pictures, {arguments.variants} damaged versions of each: {arguments.out / name}")


if __name__ == "__main__":
    main()
