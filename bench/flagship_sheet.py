"""Pictures to look at: sheets of restorations by recipe, and full-size details of large scans.

    python bench/flagship_sheet.py paintings/val sheets/ --weights best.safetensors
    python bench/flagship_sheet.py paintings/val sheets/ --weights best.safetensors --large paintings/large

A sheet for each bundled recipe: damaged | restored | unsure | two samples | clear. Of networks that cannot tell
how sure they are: damaged | restored | clear. `unsure` is the half-width of the interval that holds nine values
in ten (that of the Laplace distribution, where the weights are not calibrated), as `artrestore restore
--uncertainty` draws it: the largest of the channels, by its square root, dark at 0, bright at 64 levels of 255.

Of each large scan a detail at full size, from the middle of the picture, once as it is and once damaged by the
recipe `painting`. The whole scan is restored, so that its tone is judged as that of a whole, and by tiles.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import matplotlib
import numpy as np
from rich.console import Console
from rich.progress import track

from artrestore.damage import RECIPES
from artrestore.errors import UnsupportedError
from artrestore.io.locations import require_pictures
from artrestore.io.pictures import Array, read_rgb
from artrestore.metrics import peak_signal_noise_ratio
from artrestore.models.loading import load_model
from artrestore.models.registry import ARCHITECTURES
from artrestore.reporting.maps import WIDEST_SHOWN
from artrestore.reporting.sheets import SheetRow, save_contact_sheet
from artrestore.restoration.restorer import Restorer, require_learnt_doubt
from flagship import UNDAMAGED, Case, damaged_case, generator
from networks import as_file, middle, read_pictures


def tells_doubt(restorer: Restorer) -> bool:
    """Whether the network was trained to say how sure it is."""
    try:
        require_learnt_doubt(restorer.loaded)
    except UnsupportedError:
        return False
    return True


def in_colour(half_width: Array) -> Array:
    """(H, W) in [0, 1] as a picture (3, H, W), in the colours of `artrestore restore --uncertainty`."""
    coloured = matplotlib.colormaps["viridis"](np.clip(np.sqrt(half_width * (255 / WIDEST_SHOWN)), 0, 1))
    return np.ascontiguousarray(coloured[..., :3].transpose(2, 0, 1), dtype=np.float32)


def restorations(restorer: Restorer, damaged: Array, *, samples: int) -> tuple[list[Array], str]:
    """What a network makes of a picture, as the sheet shows it, and how unsure it is, in words."""
    if not tells_doubt(restorer):
        return [restorer.restore(damaged)], ""
    restored, scale = restorer.quantify(damaged)
    half_width = restorer.half_width(scale).max(axis=0)
    drawn = [restorer.draw(damaged, seed=1, index=index) for index in range(samples)]
    return [restored, in_colour(half_width), *drawn], f", unsure by {255 * half_width.mean():.1f} levels"


def titles(restorer: Restorer, samples: int) -> list[str]:
    doubt = ["unsure", *(f"sample {index + 1}" for index in range(samples))]
    return ["damaged", "restored", *(doubt if tells_doubt(restorer) else []), "clear"]


def caption(name: str, case: Case, restored: Array, doubt: str) -> str:
    before, after = (
        peak_signal_noise_ratio(case.clear, picture, data_range=1.0)
        for picture in (case.damaged, as_file(restored))
    )
    return f"{name}: {before:.2f} dB, restored {after:.2f} dB{doubt}"


def rows_of_recipe(
    restorer: Restorer, pictures: Mapping[str, Array], recipe: str, arguments: argparse.Namespace
) -> Iterator[SheetRow]:
    for name, clear in pictures.items():
        case = damaged_case(clear, recipe, generator(name, 1, arguments.seed))
        shown, doubt = restorations(restorer, case.damaged, samples=2)
        yield SheetRow(pictures=[case.damaged, *shown, clear], caption=caption(name, case, shown[0], doubt))


def write_recipe_sheets(restorer: Restorer, arguments: argparse.Namespace, console: Console) -> None:
    pictures = read_pictures(arguments.clear, side=arguments.side, count=arguments.pictures)
    for recipe in track(arguments.recipes, "Sheets", console=console):
        rows = rows_of_recipe(restorer, pictures, recipe, arguments)
        path = arguments.out / f"{recipe}.png"
        save_contact_sheet(path, rows, titles(restorer, 2), cell=arguments.cell)


def write_details(restorer: Restorer, arguments: argparse.Namespace, console: Console) -> None:
    """Two sheets for each large scan: as it is, and damaged."""
    listing = require_pictures(arguments.large)
    for name in track(listing.pictures, "Large scans", console=console):
        clear = middle(read_rgb(listing.root / name), arguments.large_side)
        for condition in (UNDAMAGED, "painting"):
            case = damaged_case(clear, condition, generator(str(name), 1, arguments.seed))
            shown, doubt = restorations(restorer, case.damaged, samples=0)
            details = [middle(picture, arguments.detail) for picture in (case.damaged, *shown, clear)]
            row = SheetRow(pictures=details, caption=caption(str(name), case, shown[0], doubt))
            target = arguments.out / f"large-{name.stem}-{condition}.png"
            save_contact_sheet(target, [row], titles(restorer, 0), cell=arguments.detail)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write sheets of restorations to look at.")
    parser.add_argument("clear", type=Path, help="folder of clear pictures")
    parser.add_argument("out", type=Path, help="folder for the sheets")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--large", type=Path, help="folder of large scans")
    parser.add_argument("--recipes", nargs="*", choices=RECIPES, default=RECIPES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--side", type=int, help="only the middle square of so many pixels")
    parser.add_argument("--pictures", type=int, default=6, help="only the first so many")
    parser.add_argument("--cell", type=int, default=320, help="long side of a picture on the sheet")
    parser.add_argument("--detail", type=int, default=640, help="side of a detail of a large scan")
    parser.add_argument("--large-side", type=int, help="only the middle square of each large scan")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    arguments = parser.parse_args()
    ARCHITECTURES.setdefault("nafnet", "nafnet:NAFNet")
    restorer = Restorer(load_model(arguments.weights, device=arguments.device), precision=arguments.precision)
    arguments.out.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    write_recipe_sheets(restorer, arguments, console)
    if arguments.large:
        write_details(restorer, arguments, console)
    Console().print(f"Sheets are in {arguments.out}")


if __name__ == "__main__":
    main()
