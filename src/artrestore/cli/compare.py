"""`artrestore compare WEIGHTS... --damaged DIR --clear DIR`."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from artrestore.cli.options import Device, Offline, PrecisionChoice, Verbose
from artrestore.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from artrestore.comparing import Contender, Result

_DIGITS = {"mse": 4, "nrmse": 3, "psnr": 2, "ssim": 3, "hist_corr": 3}
_SHEET_ROWS = 12
_OF_A_RUN = ("best", "last")
_COLUMNS = ("damaged", "clear")  # of the sheet, beside the networks


def compare(
    weights: Annotated[
        list[str],
        typer.Argument(
            metavar="WEIGHTS...",
            help="What --weights takes: files, names ...; NAME=FILE names one in the table.",
        ),
    ],
    damaged: Annotated[Path, typer.Option(help="Folder of damaged pictures.", show_default=False)],
    clear: Annotated[Path, typer.Option(help="Folder of clear ones, paired by name.", show_default=False)],
    sheet: Annotated[
        Path | None,
        typer.Option(help="Write a contact sheet: damaged | each network | clear (PNG).", show_default=False),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all figures as JSON.", show_default=False)
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="Write the table as CSV.", show_default=False)
    ] = None,
    device: Device = "auto",
    precision: Annotated[PrecisionChoice, typer.Option(help="auto takes bf16 where it is faster.")] = "auto",
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Compare networks on the same damaged pictures: quality, size, speed, and how long they were trained."""
    from rich.progress import track

    from artrestore.cli.console import console, note, warn
    from artrestore.comparing import SHEET_CELL, Comparison, plan_comparison
    from artrestore.io.tables import write_csv, write_json
    from artrestore.reporting.sheets import save_contact_sheet

    if sheet and sheet.suffix.lower() != ".png":
        raise UsageError(f"The sheet is a PNG, and {sheet} is not named so", hint=f"--sheet {sheet}.png")
    matches = plan_comparison(damaged, clear)
    contenders = _load(_named(weights), device, precision)
    comparison = Comparison(contenders, matches, drawn=_SHEET_ROWS if sheet else 0)
    for _ in track(
        comparison.run(), "Comparing", len(matches), console=console, transient=True,
        disable=not console.is_terminal,
    ):  # fmt: skip
        pass
    console.print(_table(comparison.results))
    if len({contender.facts.data_digest for contender in contenders} - {""}) > 1:
        warn("these networks were not trained on the same pictures with the same damage")
    if json_file:
        write_json(json_file, comparison.as_json())
        note(f"Figures: {json_file}")
    if csv_file:
        write_csv(csv_file, [result.as_row() for result in comparison.results])
        note(f"Figures: {csv_file}")
    if sheet:
        save_contact_sheet(sheet, comparison.rows, comparison.titles, cell=SHEET_CELL)
        note(f"Contact sheet: {sheet}")


def _named(weights: Sequence[str]) -> dict[str, str]:
    """Weights by the names that they are shown by: NAME of `NAME=FILE`, a run folder's, or the file's own.

    Raises:
        UsageError: two have one name.
    """
    from artrestore.weights.references import is_remote

    pairs = []
    for text in weights:
        name, separator, file = text.partition("=")
        if not separator or is_remote(name) or Path(text).exists():
            name, file = _own_name(text), text
        pairs.append((name, file))
    taken = Counter([*_COLUMNS, *(name for name, _ in pairs)])
    if twice := [name for name, count in taken.items() if count > 1]:
        raise UsageError(
            f"Networks need names of their own in the table: {', '.join(twice)} would not be clear",
            hint="Give names: artrestore compare one=runs/a/best.safetensors two=runs/b/best.safetensors ...",
        )
    return dict(pairs)


def _own_name(weights: str) -> str:
    from artrestore.weights.references import NamedWeights, WeightFile, cache_name, parse_reference

    reference = parse_reference(weights)
    if isinstance(reference, WeightFile):
        path = reference.path
        return path.absolute().parent.name if path.stem in _OF_A_RUN else path.stem
    return reference.name if isinstance(reference, NamedWeights) else cache_name(reference)


def _load(weights: dict[str, str], device: str, precision: PrecisionChoice) -> "list[Contender]":
    from artrestore.cli.weights.shared import fetched
    from artrestore.comparing import Contender, facts_of
    from artrestore.models.loading import load_model
    from artrestore.restoration.restorer import Restorer

    contenders = []
    for name, file in weights.items():
        loaded = load_model(fetched(file), device=device)
        restorer = Restorer(loaded, precision=precision)
        contenders.append(
            Contender(name=name, weights=loaded.path, facts=facts_of(loaded), restore=restorer.restore)
        )
    return contenders


def _table(results: "Sequence[Result]") -> "Table":
    """A row for each network, narrow enough for 80 columns; the best of each metric in bold."""
    from rich.table import Table

    from artrestore.cli.console import duration, plain
    from artrestore.metrics import HIGHER_IS_BETTER, METRIC_NAMES, summarize

    title = f"Means over {len(results[0].metrics)} pictures"
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold dim", title=title, title_justify="left")
    table.add_column("Network", overflow="fold")
    measures = (name.replace(". ", ".\n") for name in METRIC_NAMES.values())
    for heading in (*measures, "Para-\nmet.", "kMAC/\npixel", "s/MP", "Train\ntime", "Pic-\ntures"):
        table.add_column(heading, justify="right", no_wrap=True)
    means = [{key: value.mean for key, value in summarize(result.metrics).items()} for result in results]
    best = {key: (max if up else min)(m[key] for m in means) for key, up in HIGHER_IS_BETTER.items()}
    for result, mean in zip(results, means, strict=True):
        shown = {key: f"{value:.{_DIGITS[key]}f}" for key, value in mean.items()}
        cells = [f"[bold green]{text}[/]" if mean[key] == best[key] else text for key, text in shown.items()]
        if result.contender:
            facts, seconds = result.contender.facts, result.seconds_per_megapixel or 0.0
            pictures = "-" if facts.trained_pictures is None else str(facts.trained_pictures)
            cells += [f"{facts.parameters / 1e6:.1f}M", f"{facts.multiply_adds / 1e3:.1f}", f"{seconds:.3g}"]
            cells += [duration(facts.trained_seconds), pictures]
        table.add_row(plain(result.name), *cells)
    return table
