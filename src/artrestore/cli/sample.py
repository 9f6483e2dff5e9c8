"""`artrestore sample -n 16`."""

import math
from pathlib import Path
from typing import Annotated

import typer

from artrestore.cli.options import Device, Verbose, Weights


def sample(
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=4096, help="How many pictures to draw.")] = 16,
    out: Annotated[Path, typer.Option(help="The grid, a PNG.")] = Path("samples.png"),
    separate: Annotated[
        Path | None, typer.Option(help="A folder for each picture on its own, too.", show_default=False)
    ] = None,
    weights: Weights = None,
    device: Device = "auto",
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same pictures.")] = 0,
    temperature: Annotated[
        float, typer.Option(min=0, help="Standard deviation of the prior; below 1: tamer pictures.")
    ] = 1.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    verbose: Verbose = False,
) -> None:
    """Draw new pictures from a model's prior."""
    from artrestore.cli.console import note
    from artrestore.errors import OutputError, UsageError
    from artrestore.models.devices import describe
    from artrestore.models.loading import load_model
    from artrestore.reporting.grids import save_grid
    from artrestore.sampling import draw_samples

    if out.suffix.lower() != ".png":
        raise UsageError(f"The grid is a PNG, and {out} is not named so", hint=f"--out {out.with_suffix('.png')}")
    singles = [separate / f"sample-{index + 1:04d}.png" for index in range(count)] if separate else []
    there = [str(path) for path in (out, *singles) if path.exists()]
    if there and not overwrite:
        raise OutputError("Files are already there", hint="Add --overwrite or name others.", details=there)
    loaded = load_model(weights, device=device)
    pictures = draw_samples(loaded, count, seed=seed, temperature=temperature)
    save_grid(out, pictures, columns=math.ceil(math.sqrt(count)))
    for path, picture in zip(singles, pictures, strict=bool(singles)):
        save_grid(path, picture[None], columns=1)
    note(f"{count} pictures from {loaded.model.name} ({loaded.path}) on {describe(loaded.device)}: {out}")
    if separate:
        note(f"Each on its own: {separate}")
