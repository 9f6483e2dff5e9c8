"""What `artrestore restore` prints and writes at its end."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artrestore.io.tables import read_csv, write_csv

if TYPE_CHECKING:
    from rich.table import Table

    from artrestore.restoration.batch import JobResult
    from artrestore.restoration.options import RestoreOptions

REPORT = "artrestore-report.csv"
_ROWS_SHOWN = 30
_WORST_SHOWN = 10


def conclude(results: "list[JobResult]", options: "RestoreOptions") -> None:
    """Print the table, what failed and why, and write the report."""
    from artrestore.cli.console import console, note

    target = options.target
    restored = [result for result in results if result.outcome == "restored"]
    if restored:
        console.print(_table(restored, options))
    for result in results:
        if result.outcome == "failed":
            note(f"failed: {result.job.name}: {result.reason}")
        elif result.outcome == "restored" and result.reason:
            note(f"note: {result.job.name}: {result.reason}")
    counts = Counter(result.outcome for result in results)
    note(f"{counts['restored']} restored, {counts['skipped']} skipped (already there), {counts['failed']} failed")
    if results:
        write_csv(target / REPORT, _report_rows(results, target / REPORT))
        note(f"Pictures: {target}; all figures: {target / REPORT}")


def _report_rows(results: "list[JobResult]", report: Path) -> list[dict[str, Any]]:
    """A row per picture; one that was skipped because it is done keeps the figures of the run that did it."""
    earlier = {row["picture"]: row for row in read_csv(report)}
    return [
        earlier.get(str(row["picture"]), row) if result.outcome == "skipped" else row
        for result in results
        for row in [result.as_row()]
    ]


def _table(restored: "list[JobResult]", options: "RestoreOptions") -> "Table":
    """Every picture of a short run; of a long one the worst, and always the mean."""
    from rich import box
    from rich.table import Table

    from artrestore.cli.console import plain

    shown = restored if len(restored) <= _ROWS_SHOWN else _worst(restored)
    title = "Restored" if shown is restored else f"The {len(shown)} worst of {len(restored)} restored"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Picture", overflow="fold", min_width=10)
    for heading in ("Size", *_columns(restored, options)):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in shown:
        width, height = result.size or (0, 0)
        table.add_row(plain(result.job.name), f"{width} x {height}", *_columns([result], options).values())
    table.add_section()
    table.add_row("Mean", "", *_columns(restored, options).values(), style="bold")
    table.caption = "Change: RMS difference from the input, in levels of 255"
    if options.uncertainty:
        table.caption += "\nUnsure: half-width of the 90 % interval, in the same levels"
    table.caption_justify = "left"
    return table


def _worst(restored: "list[JobResult]") -> "list[JobResult]":
    def badness(result: "JobResult") -> float:
        return -result.after.psnr if result.after else result.change

    return sorted(restored, key=badness, reverse=True)[:_WORST_SHOWN]


def _columns(results: "list[JobResult]", options: "RestoreOptions") -> dict[str, str]:
    """The columns after the size, with means over `results` as text."""

    def mean(values: list[float], digits: int = 2) -> str:
        return f"{sum(values) / len(values):.{digits}f}" if values else "-"

    columns = {"Time, s": mean([r.seconds for r in results]), "Change": mean([r.change for r in results])}
    if options.uncertainty:
        columns["Unsure"] = mean([r.unsure for r in results if r.unsure is not None])
    if options.clear:
        sides = [[r.before for r in results if r.before], [r.after for r in results if r.after]]
        columns["PSNR"] = " → ".join(mean([m.psnr for m in side]) for side in sides)
        columns["SSIM"] = " → ".join(mean([m.ssim for m in side], 3) for side in sides)
    return columns
