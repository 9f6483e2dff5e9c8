"""How fast clear crops are damaged: by the training loader, and by each kind on its own.

    python bench/damage.py                   on scikit-image's photographs
    python bench/damage.py my_pictures/      on your own
    python bench/damage.py my_pictures/ --loader-only --recipes everything --size 192 --workers 7 14 --surroundings

The loader's figures are crops a second, decoding and cutting included; `none` is the same loader with a recipe
that changes nothing, so the difference is what damage costs. A network that makes S steps a second with batches
of B needs S x B of them: if the loader gives less, more workers help, and larger crops, which cost the loader less
for each pixel. With `--surroundings`, as `hierarchical-vae` is fed.

Of each kind: the milliseconds of a process for a crop and for one of a megapixel, at strengths from 0.1 to 1.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from skimage import data

from artrestore.damage import RECIPES
from artrestore.damage.base import View
from artrestore.damage.compose import damage
from artrestore.damage.kinds import KINDS
from artrestore.damage.recipes import load_recipe, parse_recipe
from artrestore.training.cropping import Cropping
from artrestore.training.data import CropDataset, EpochSampler, endless_batches
from artrestore.training.pairs import split_pairs
from artrestore.training.synthesis import Synthesis

SIZE, BATCH = 128, 32
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")


def crops_per_second(clear: Path, recipe: str, workers: int, arguments: argparse.Namespace) -> float:
    """Crops a second, after a warm-up in which the workers start."""
    chosen = (
        parse_recipe('[[steps]]\nkind = "noise"\nprobability = 0\n', name="none") if recipe == "none" else None
    )
    cropping = Cropping(
        size=arguments.size,
        synthesis=Synthesis(recipe=chosen or load_recipe(recipe)),
        surroundings=arguments.surroundings,
    )
    pairs = split_pairs(clear, None, val_fraction=0, seed=0, recipe_digest="any").train
    crops_each: int = arguments.crops_per_picture
    dataset = CropDataset(pairs, cropping, crops=crops_each, seed=(0,), generated=arguments.generated)
    sampler = EpochSampler(len(pairs), BATCH // crops_each, seed=(0,), start_step=0)
    batches = endless_batches(dataset, sampler, workers=workers, pin_memory=False)
    for _ in range(4 * workers):
        next(batches)
    crops, began = 0, time.perf_counter()
    while time.perf_counter() - began < arguments.seconds:
        crops += len(next(batches)[0])
    return crops / (time.perf_counter() - began)


def milliseconds(work: Callable[[int], object], repeats: int) -> float:
    """Mean time of a call after a first one that is not counted."""
    work(0)
    began = time.perf_counter()
    for index in range(1, repeats + 1):
        work(index)
    return (time.perf_counter() - began) / repeats * 1000


def cost_of_kind(name: str, side: int, repeats: int) -> float:
    """Milliseconds for a picture of side x side."""
    picture = np.random.default_rng(0).random((3, side, side), np.float32)
    view = View.whole(side, side)

    def work(index: int) -> object:
        return damage(picture, name, 0.1 + 0.9 * index / repeats, np.random.default_rng(index), view)

    return milliseconds(work, repeats)


def write_photographs(folder: Path) -> Path:
    """scikit-image's photographs as files."""
    folder.mkdir(exist_ok=True)
    for name in PHOTOGRAPHS:
        Image.fromarray(getattr(data, name)()[..., :3]).save(folder / f"{name}.png")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the speed of damage.")
    parser.add_argument("clear", type=Path, nargs="?", help="folder of clear pictures")
    parser.add_argument("--loader-only", action="store_true", help="leave out the kinds")
    parser.add_argument("--seconds", type=float, default=8, help="for each figure of the loader")
    parser.add_argument("--recipes", nargs="+", default=["none", *RECIPES], help="of the loader")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--size", type=int, default=SIZE, help="side of the crops")
    parser.add_argument("--crops-per-picture", type=int, choices=(1, 2, 4, 8), default=8)
    parser.add_argument("--generated", type=float, default=0.0, help="part taken from generated pictures")
    parser.add_argument("--surroundings", action="store_true", help="with thumbnails, places and masks")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        clear = arguments.clear or write_photographs(Path(folder) / "clear")
        title = f"Loader: crops of {arguments.size} x {arguments.size} a second"
        table = Table("Recipe", title=title, title_justify="left")
        for workers in arguments.workers:
            table.add_column(f"{workers} worker{'s' * (workers > 1)}", justify="right")
        for recipe in arguments.recipes:
            figures = [crops_per_second(clear, recipe, workers, arguments) for workers in arguments.workers]
            table.add_row(recipe, *(f"{figure:.0f}" for figure in figures))
        console.print(table)
    if arguments.loader_only:
        return
    table = Table("Kind", title="Each kind, one process", title_justify="left")
    table.add_column("128 x 128, ms", justify="right")
    table.add_column("1 megapixel, ms", justify="right")
    for name in KINDS:
        table.add_row(name, f"{cost_of_kind(name, SIZE, 60):.1f}", f"{cost_of_kind(name, 1000, 4):.0f}")
    console.print(table)


if __name__ == "__main__":
    main()
