"""`artrestore score RESTORED CLEAR`."""

import math
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from artrestore.cli.options import Verbose
from artrestore.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from artrestore.reporting.sheets import SheetRow
    from artrestore.scoring import Score, Triple

_ROWS_SHOWN = 60
_DIGITS = {"mse": 5, "nrmse": 4, "psnr": 2, "ssim": 4, "hist_corr": 4}
_SHEET_ROWS = 12


def score(
    restored: Annotated[Path, typer.Argument(help="Folder of restored pictures.")],
    clear: Annotated[Path, typer.Argument(help="Folder of clear ones, paired by name.")],
    damaged: Annotated[
        Path | None,
        typer.Option(help="Folder of the damaged ones: adds before and gain.", show_default=False),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures as JSON.")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write a row per picture as CSV.")] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Write a contact sheet: damaged, restored and clear side by side (PNG).")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Measure restored pictures against clear ones: MSE, NRMSE, PSNR, SSIM and histogram correlation."""
    from rich.progress import track

    from artrestore.cli.console import console, note
    from artrestore.io.tables import write_csv, write_json
    from artrestore.scoring import plan_scores, score_pictures

    if sheet and sheet.suffix.lower() != ".png":
        raise UsageError(f"The sheet is a PNG, and {sheet} is not named so", hint=f"--sheet {sheet}.png")
    triples = plan_scores(restored, clear, damaged)
    measured = track(
        score_pictures(triples), "Measuring", len(triples), console=console, transient=True,
        disable=not console.is_terminal,
    )  # fmt: skip
    scores = list(measured)
    console.print(_table(scores))
    if damaged:
        console.print(_gain_table(scores))
    if json_file:
        write_json(json_file, _as_json(scores))
        note(f"Figures: {json_file}")
    if csv_file:
        write_csv(csv_file, [s.as_row() for s in scores])
        note(f"Figures: {csv_file}")
    if sheet:
        _draw_sheet(sheet, triples, scores)
        note(f"Contact sheet: {sheet}")


def _table(scores: "list[Score]") -> "Table":
    """A row per picture (of few) and the mean with its standard deviation."""
    from rich.table import Table

    from artrestore.cli.console import plain
    from artrestore.metrics import METRIC_NAMES, summarize

    table = Table("Picture", title=f"Restored against clear, {len(scores)} pictures", title_justify="left")
    for name in METRIC_NAMES.values():
        table.add_column(name, justify="right", no_wrap=True)
    if len(scores) <= _ROWS_SHOWN:
        for s in scores:
            table.add_row(plain(s.name), *(_number(key, getattr(s.after, key)) for key in METRIC_NAMES))
        table.add_section()
    summary = summarize([s.after for s in scores])
    table.add_row("Mean", *(_number(key, value.mean) for key, value in summary.items()), style="bold")
    table.add_row("Standard deviation", *(_number(key, value.std) for key, value in summary.items()))
    return table


def _gain_table(scores: "list[Score]") -> "Table":
    """Before, after and gain of each metric, as mean +- standard deviation; green where it got better."""
    from rich.table import Table

    from artrestore.metrics import HIGHER_IS_BETTER, METRIC_NAMES, pooled_psnr, summarize

    sides = [[s.before for s in scores if s.before], [s.after for s in scores]]
    before, after = (summarize(side) for side in sides)
    table = Table("Metric", title="Before and after", title_justify="left")
    for heading in ("Damaged", "Restored", "Gain"):
        table.add_column(heading, justify="right", no_wrap=True)
    for key, name in METRIC_NAMES.items():
        gained = after[key].mean - before[key].mean
        style = "green" if (gained > 0) == HIGHER_IS_BETTER[key] else "red"
        cells = (f"{_number(key, side[key].mean)} ± {_number(key, side[key].std)}" for side in (before, after))
        table.add_row(name, *cells, f"[{style}]{gained:+.{_DIGITS[key]}f}[/]")
    medians = [statistics.median(m.psnr for m in side) for side in sides]
    table.add_row("PSNR, median", *(_number("psnr", m) for m in medians), f"{medians[1] - medians[0]:+.2f}")
    pooled = [pooled_psnr(side) for side in sides]
    table.add_row("PSNR of the mean MSE", *(_number("psnr", p) for p in pooled), f"{pooled[1] - pooled[0]:+.2f}")
    return table


def _number(key: str, value: float) -> str:
    return f"{value:.{_DIGITS[key]}f}" if math.isfinite(value) else str(value)


def _draw_sheet(path: Path, triples: "list[Triple]", scores: "list[Score]") -> None:
    """Draw pictures spread over the whole range of restored PSNR, worst first."""
    from artrestore.reporting.sheets import save_contact_sheet

    ranked = sorted(zip(triples, scores, strict=True), key=lambda both: both[1].after.psnr)
    step = max(1.0, len(ranked) / _SHEET_ROWS)
    chosen = [ranked[int(i * step)] for i in range(min(len(ranked), _SHEET_ROWS))]
    titles = ["damaged", "restored", "clear"] if triples[0].damaged else ["restored", "clear"]
    save_contact_sheet(path, (_sheet_row(triple, s) for triple, s in chosen), titles)


def _sheet_row(triple: "Triple", score: "Score") -> "SheetRow":
    from artrestore.io.pictures import read_rgb
    from artrestore.reporting.sheets import SheetRow

    files = [file for file in (triple.damaged, triple.restored, triple.clear) if file]
    before = f" (damaged {score.before.psnr:.2f} dB, SSIM {score.before.ssim:.3f})" if score.before else ""
    caption = f"{score.name}: {score.after.psnr:.2f} dB, SSIM {score.after.ssim:.3f}{before}"
    return SheetRow(pictures=[read_rgb(file) for file in files], caption=caption)


def _as_json(scores: "list[Score]") -> dict[str, Any]:
    from dataclasses import asdict

    from artrestore.metrics import pooled_psnr, summarize

    sides = {"restored": [s.after for s in scores], "damaged": [s.before for s in scores if s.before]}
    summary = {
        side: {key: asdict(value) for key, value in summarize(metrics).items()}
        | {"pooled_psnr": pooled_psnr(metrics)}
        for side, metrics in sides.items()
        if metrics
    }
    return {"count": len(scores), "summary": summary, "pictures": [s.as_row() for s in scores]}
