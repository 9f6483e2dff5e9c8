"""What `artrestore restore` prints and writes at its end."""

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artrestore.io.tables import write_csv

if TYPE_CHECKING:
    from rich.table import Table

    from artrestore.restoration.jobs import JobResult, Plan
    from artrestore.restoration.options import RestoreOptions

REPORT = "artrestore-report.csv"
_ROWS_SHOWN = 30
_WORST_SHOWN = 10
_REASONS_SHOWN = 10


def conclude(results: "list[JobResult]", plan: "Plan", options: "RestoreOptions") -> None:
    """Write the report; then print the table, what failed and why: a reader like `head` may leave in between."""
    from artrestore.cli.console import console, note, plain, stderr

    report = plan.folder / REPORT if plan.folder and results else None
    if plan.folder and report:
        write_csv(report, [*(result.as_row() for result in results), *_of_earlier_runs(results, plan)])
    restored = [result for result in results if result.outcome == "restored"]
    if restored:
        console.print(_table(restored, options))
    for result in results:
        if result.outcome == "failed":
            stderr.print(plain(f"failed: {result.job.name}: {result.reason}"), soft_wrap=True, highlight=False)
        elif result.outcome == "restored" and result.reason:
            note(f"note: {result.job.name}: {result.reason}")
    counts = Counter(result.outcome for result in results)
    rest = f", {counts['not reached']} not reached" if counts["not reached"] else ""
    note(f"{counts['restored']} restored, {counts['skipped']} skipped, {counts['failed']} failed{rest}")
    if report:
        note(f"Pictures: {plan.folder}; all figures: {report}")


def _of_earlier_runs(results: "list[JobResult]", plan: "Plan") -> "list[dict[str, Any]]":
    """The rows of pictures that this run was not about, and that are still there."""
    if plan.folder is None:
        return []
    mine = {result.job.target for result in results}
    earlier = []
    for entry in plan.history:
        output = plan.folder / entry.output
        kept = {"restored": output, "failed": Path(entry.source)}.get(entry.outcome)
        if output not in mine and kept and os.path.exists(kept):  # noqa: PTH110 (a name may be too long)
            earlier.append(entry.as_row())
    return sorted(earlier, key=lambda row: str(row["picture"]))


def show_reasons(plan: "Plan") -> None:
    """Print what is skipped and what is done again, and why, before a plan is carried out."""
    from artrestore.cli.console import note, warn

    if plan.damaged_lines:
        warn(f"{plan.damaged_lines} lines of the journal are damaged, and were left out")
    skipped = Counter(job.skip_reason for job in plan.jobs if job.skip_reason)
    again = Counter(job.again for job in plan.pending if job.again)
    for what, reasons in (("skipped", skipped), ("restored again", again)):
        for reason, count in reasons.most_common(_REASONS_SHOWN):
            note(f"{count} {what}: {reason}")


def show_plan(plan: "Plan") -> None:
    """Print what would be done."""
    from artrestore.cli.console import note, warn
    from artrestore.restoration.space import in_words

    for job in plan.jobs:
        if job.skip_reason:
            note(f"skip     {job.name} ({job.skip_reason})")
            continue
        beside = f" and {', '.join(job.companions)}" if job.companions else ""
        again = f" (again: {job.again})" if job.again else ""
        note(f"restore  {job.source} -> {job.target}{beside}{again}")
        for path in job.stale:
            note(f"remove   {path} (of the restoration that is replaced)")
    restored = len(plan.pending)
    filtered = f" and {plan.filtered} pictures" if plan.filtered else ""
    note(
        f"{restored} would be restored, {len(plan.jobs) - restored} skipped; "
        f"{plan.other_files} other files{filtered} left out"
    )
    note(f"About {in_words(plan.needed_bytes)} would be written; {in_words(plan.free_bytes)} are free")
    if plan.damaged_lines:
        warn(f"{plan.damaged_lines} lines of the journal are damaged, and were left out")
    if plan.needed_bytes > plan.free_bytes:
        warn("that is more than there is room for, so nothing would be begun")


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
