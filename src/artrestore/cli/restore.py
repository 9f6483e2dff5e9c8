"""`artrestore restore IN OUT`."""

import contextlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from artrestore.cli.options import Device, PrecisionChoice, Verbose, Weights
from artrestore.io.tables import read_csv, write_csv

if TYPE_CHECKING:
    from rich.table import Table

    from artrestore.restoration.batch import JobResult
    from artrestore.restoration.plan import Plan
    from artrestore.restoration.restorer import Restorer

REPORT = "artrestore-report.csv"
_ROWS_SHOWN = 30
_WORST_SHOWN = 10


def restore(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of damaged pictures, or one picture.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Folder that mirrors IN with restored ones.")],
    weights: Weights = None,
    device: Device = "auto",
    precision: Annotated[
        PrecisionChoice, typer.Option(help="Of the network; auto takes bf16 where the device has it.")
    ] = "fp32",
    tile_size: Annotated[
        int | None, typer.Option(help="Side of the tiles in pixels. Default: the network's.", show_default=False)
    ] = None,
    overlap: Annotated[
        int | None,
        typer.Option(help="Least overlap of tiles in pixels. Default: the network's.", show_default=False),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Tiles that are restored together.")] = 16,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Restore again what is already in OUT.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    clear: Annotated[
        Path | None,
        typer.Option(help="Folder of clear pictures: measure before and after.", show_default=False),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Restore every picture below IN into the same place below OUT, and say how much was changed."""
    from artrestore.restoration.options import RestoreOptions
    from artrestore.restoration.plan import plan_restoration

    options = RestoreOptions(
        source=source, target=target, weights=weights, device=device, precision=precision,
        tile_size=tile_size, overlap=overlap, batch_size=batch_size, overwrite=overwrite, clear=clear,
    )  # fmt: skip
    plan = plan_restoration(source, target, overwrite=overwrite, clear=clear)
    if dry_run:
        _show_plan(plan)
        return
    from artrestore.cli.batches import require_complete
    from artrestore.io.atomic import require_writable
    from artrestore.restoration.batch import make_restorer

    restorer = make_restorer(options)
    require_writable(target)
    _announce(restorer)
    results: list[JobResult] = []
    try:
        _run(plan, restorer, results)
    finally:  # whatever ended it, what was done is told
        _conclude(results, target, measured=clear is not None)
    outcomes = [result.outcome for result in results]
    require_complete(outcomes, len(plan.jobs), reasons="The table and the report say")


def _run(plan: "Plan", restorer: "Restorer", results: "list[JobResult]") -> None:
    """Carry out the plan with a progress bar, adding to `results`; Ctrl-C ends it early."""
    from artrestore.cli.batches import batch_bar
    from artrestore.cli.console import plain
    from artrestore.restoration.batch import restore_batch

    bar = batch_bar("Restoring")
    with bar, contextlib.suppress(KeyboardInterrupt):
        task = bar.add_task("", total=len(plan.jobs))
        for result in restore_batch(plan, restorer):
            results.append(result)
            bar.update(task, advance=1, description=plain(result.job.name))


def _announce(restorer: "Restorer") -> None:
    from artrestore.cli.console import note
    from artrestore.models.devices import describe

    precision = "bf16" if restorer.bf16 else "fp32"
    note(f"Restoring with {restorer.model.name} from {restorer.path} on {describe(restorer.device)}, {precision}")


def _show_plan(plan: "Plan") -> None:
    from artrestore.cli.console import note

    for job in plan.jobs:
        note(
            f"skip     {job.name} ({job.skip_reason})"
            if job.skip_reason
            else f"restore  {job.source} -> {job.target}"
        )
    counts = Counter(bool(job.skip_reason) for job in plan.jobs)
    note(f"{counts[False]} would be restored, {counts[True]} skipped; {plan.other_files} other files left out")


def _conclude(results: "list[JobResult]", target: Path, *, measured: bool) -> None:
    from artrestore.cli.console import console, note

    restored = [result for result in results if result.outcome == "restored"]
    if restored:
        console.print(_table(restored, measured=measured))
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


def _table(restored: "list[JobResult]", *, measured: bool) -> "Table":
    """Every picture of a short run; of a long one the worst, and always the mean."""
    from rich import box
    from rich.table import Table

    from artrestore.cli.console import plain

    shown = restored if len(restored) <= _ROWS_SHOWN else _worst(restored)
    title = "Restored" if shown is restored else f"The {len(shown)} worst of {len(restored)} restored"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Picture", overflow="fold", min_width=14)
    for heading in ("Size", "Time, s", "Change"):
        table.add_column(heading, justify="right", no_wrap=True)
    if measured:
        for heading in ("PSNR", "SSIM"):
            table.add_column(heading, justify="right", no_wrap=True)
    for result in shown:
        width, height = result.size or (0, 0)
        table.add_row(plain(result.job.name), f"{width} x {height}", *_figures([result], measured=measured))
    table.add_section()
    table.add_row("Mean", "", *_figures(restored, measured=measured), style="bold")
    table.caption = "Change: RMS difference from the input, in levels of 255"
    table.caption_justify = "left"
    return table


def _worst(restored: "list[JobResult]") -> "list[JobResult]":
    def badness(result: "JobResult") -> float:
        return -result.after.psnr if result.after else result.change

    return sorted(restored, key=badness, reverse=True)[:_WORST_SHOWN]


def _figures(results: "list[JobResult]", *, measured: bool) -> list[str]:
    """Means of the columns after the size, as text."""

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    figures = [f"{mean([r.seconds for r in results]):.2f}", f"{mean([r.change for r in results]):.2f}"]
    if measured:
        before, after = [r.before for r in results if r.before], [r.after for r in results if r.after]
        for key, digits in (("psnr", 2), ("ssim", 3)):
            sides = [[getattr(m, key) for m in side] for side in (before, after)]
            figures.append(" → ".join(f"{mean(side):.{digits}f}" if side else "-" for side in sides))
    return figures
