"""`artrestore restore IN OUT`."""

import contextlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from artrestore.cli.options import Device, PrecisionChoice, Verbose, Weights

if TYPE_CHECKING:
    from artrestore.restoration.batch import JobResult
    from artrestore.restoration.options import RestoreOptions
    from artrestore.restoration.plan import Plan
    from artrestore.restoration.restorer import Restorer

_RESULT, _DOUBT, _NETWORK = "What the output is", "What is written beside it", "The network and its tiles"


def restore(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of damaged pictures, or one picture.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Folder that mirrors IN with restored ones.")],
    weights: Weights = None,
    device: Device = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Restore again what is already in OUT.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    clear: Annotated[
        Path | None,
        typer.Option(help="Folder of clear pictures: measure before and after.", show_default=False),
    ] = None,
    strength: Annotated[
        float,
        typer.Option(min=0, max=1, help="How far from the input to its restoration.", rich_help_panel=_RESULT),
    ] = 1.0,
    keep_unsure: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="T",
            help="Keep the original where the 90 % interval reaches further than T levels of 255.",
            show_default=False,
            rich_help_panel=_RESULT,
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            help="Folder of masks, white where nothing of the original is left, named as the pictures.",
            show_default=False,
            rich_help_panel=_RESULT,
        ),
    ] = None,
    only_masked: Annotated[
        bool,
        typer.Option("--only-masked", help="Keep all outside the masks to the bit.", rich_help_panel=_RESULT),
    ] = False,
    average: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="K",
            help="Output the mean of K plausible restorations instead of the network's own mean.",
            show_default=False,
            rich_help_panel=_RESULT,
        ),
    ] = 0,
    creativity: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="A",
            help="How far from the mean (0) to a plausible restoration (1), which is sharper and invents more.",
            show_default=False,
            rich_help_panel=_RESULT,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(min=0, help="The same seed gives the same plausible restorations.", rich_help_panel=_RESULT),
    ] = 0,
    uncertainty: Annotated[
        bool,
        typer.Option(
            "--uncertainty", help="Maps of how far the restoration may be wrong.", rich_help_panel=_DOUBT
        ),
    ] = False,
    changes: Annotated[
        bool, typer.Option("--changes", help="A map of what was altered.", rich_help_panel=_DOUBT)
    ] = False,
    samples: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="K",
            help="K plausible restorations.",
            show_default=False,
            rich_help_panel=_DOUBT,
        ),
    ] = 0,
    precision: Annotated[
        PrecisionChoice,
        typer.Option(help="auto takes bf16 where the device has it.", rich_help_panel=_NETWORK),
    ] = "auto",
    tile_size: Annotated[
        int | None,
        typer.Option(
            help="Side of the tiles in pixels. Default: the network's.",
            show_default=False,
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    overlap: Annotated[
        int | None,
        typer.Option(
            help="Least overlap of tiles in pixels. Default: the network's.",
            show_default=False,
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Tiles that are restored together. Default: the network's.",
            show_default=False,
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Restore every picture below IN into the same place below OUT, and say how much was changed."""
    from artrestore.restoration.options import resolve_options
    from artrestore.restoration.plan import plan_batch

    options = resolve_options(
        source=source, target=target, weights=weights, device=device, precision=precision,
        tile_size=tile_size, overlap=overlap, batch_size=batch_size, overwrite=overwrite, clear=clear,
        masks=masks, only_masked=only_masked, strength=strength, keep_unsure=keep_unsure, average=average,
        creativity=creativity, seed=seed, uncertainty=uncertainty, changes=changes, samples=samples,
    )  # fmt: skip
    plan = plan_batch(options)
    if dry_run:
        _show_plan(plan)
    else:
        _carry_out(plan, options)


def _carry_out(plan: "Plan", options: "RestoreOptions") -> None:
    from artrestore.cli.batches import require_complete
    from artrestore.cli.restore_table import conclude
    from artrestore.io.atomic import require_writable
    from artrestore.restoration.batch import make_restorer

    restorer = make_restorer(options)
    require_writable(options.target)
    _announce(restorer, options)
    results: list[JobResult] = []
    try:
        _run(plan, restorer, options, results)
    finally:  # whatever ended it, what was done is told
        conclude(results, options)
    outcomes = [result.outcome for result in results]
    require_complete(outcomes, len(plan.jobs), reasons="The table and the report say")


def _run(plan: "Plan", restorer: "Restorer", options: "RestoreOptions", results: "list[JobResult]") -> None:
    """Carry out the plan with a progress bar, adding to `results`; Ctrl-C ends it early."""
    from artrestore.cli.batches import batch_bar
    from artrestore.cli.console import plain
    from artrestore.restoration.batch import restore_batch

    bar = batch_bar("Restoring")
    with bar, contextlib.suppress(KeyboardInterrupt):
        task = bar.add_task("", total=len(plan.jobs))
        for result in restore_batch(plan, restorer, options):
            results.append(result)
            bar.update(task, advance=1, description=plain(result.job.name))


def _announce(restorer: "Restorer", options: "RestoreOptions") -> None:
    from artrestore.cli.console import note
    from artrestore.models.devices import describe

    precision = "bf16" if restorer.bf16 else "fp32"
    note(f"Restoring with {restorer.model.name} from {restorer.path} on {describe(restorer.device)}, {precision}")
    if options.needs_interval and restorer.calibration is None:
        note("These weights are not calibrated: the 90 % interval is the network's own guess, without a guarantee")


def _show_plan(plan: "Plan") -> None:
    from artrestore.cli.console import note

    for job in plan.jobs:
        if job.skip_reason:
            note(f"skip     {job.name} ({job.skip_reason})")
            continue
        beside = f" and {', '.join(job.companions)}" if job.companions else ""
        note(f"restore  {job.source} -> {job.target}{beside}")
        for path in job.stale:
            note(f"remove   {path} (of the restoration that is replaced)")
    counts = Counter(bool(job.skip_reason) for job in plan.jobs)
    note(f"{counts[False]} would be restored, {counts[True]} skipped; {plan.other_files} other files left out")
