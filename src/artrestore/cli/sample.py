"""`artrestore sample -n 16`."""

from pathlib import Path
from typing import Annotated

import typer

from artrestore.cli.options import Device, Offline, Verbose, Weights


def sample(
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=4096, help="How many pictures to draw.")] = 16,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="PICTURE", help="Draw plausible restorations of this picture.", show_default=False
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The grid, a PNG.")] = Path("samples.png"),
    separate: Annotated[
        Path | None, typer.Option(help="A folder for each picture on its own, too.", show_default=False)
    ] = None,
    weights: Weights = None,
    device: Device = "auto",
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same pictures.")] = 0,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Standard deviation of the noise; less: tamer pictures. Default: 1, or as calibrated.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Draw new pictures from a model's prior, or several restorations of one damaged picture."""
    from artrestore.cli.console import note
    from artrestore.cli.weights.shared import fetched
    from artrestore.errors import OutputError, UsageError
    from artrestore.io.settings import read_settings
    from artrestore.models.devices import describe
    from artrestore.models.loading import load_model
    from artrestore.models.registry import GENERATIVE_WEIGHTS

    if out.suffix.lower() != ".png":
        raise UsageError(f"The grid is a PNG, and {out} is not named so", hint=f"--out {out.with_suffix('.png')}")
    singles = [separate / f"sample-{index + 1:04d}.png" for index in range(count)] if separate else []
    there = [str(path) for path in (out, *singles) if path.exists()]
    if there and not overwrite:
        raise OutputError("Files are already there", hint="Add --overwrite or name others.", details=there)
    if start is None:
        from artrestore.sampling import save_samples

        loaded = load_model(fetched(weights or GENERATIVE_WEIGHTS), device=device)
        save_samples(loaded, out, singles, count=count, seed=seed, temperature=temperature)
    else:
        from artrestore.restoration.drawing import save_restorations

        loaded = load_model(fetched(weights or read_settings().weights), device=device)
        save_restorations(loaded, start, out, singles, count=count, seed=seed, temperature=temperature)
    what = f"restorations of {start}" if start else "pictures"
    note(f"{count} {what} from {loaded.model.name} ({loaded.path}) on {describe(loaded.device)}: {out}")
    if separate:
        note(f"Each on its own: {separate}")
