"""`artrestore damage CLEAR OUT`."""

import contextlib
import math
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from artrestore.cli.options import Verbose
from artrestore.damage import DEFAULT_RECIPE, RECIPES
from artrestore.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from artrestore.damaging.batch import DamageResult
    from artrestore.damaging.plan import DamagePlan

_FAILURES_SHOWN = 20


def damage(
    clear: Annotated[Path, typer.Argument(metavar="CLEAR", help="Folder of clear pictures, or one picture.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for damaged ones; it mirrors CLEAR.")],
    recipe: Annotated[
        str, typer.Option(help=f"{', '.join(RECIPES[:-1])} or {RECIPES[-1]}; or a TOML file of yours.")
    ] = DEFAULT_RECIPE,
    variants: Annotated[int, typer.Option(min=1, help="Damaged versions of each picture.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same files.")] = 0,
    masks: Annotated[
        Path | None, typer.Option(help="Folder for masks of what is lost (white).", show_default=False)
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(help="Draw every kind and recipe on the first picture (PNG).", show_default=False),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: one for each core.", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Make again what is already in OUT.")] = False,
    verbose: Verbose = False,
) -> None:
    """Damage clear pictures as age, accidents and cameras do, so that `train` can learn from the pairs.

    `ship.jpg` becomes `ship_damaged1.png` and so on, each with a record of its damage in a JSON file.
    """
    from artrestore.cli.batches import require_complete
    from artrestore.cli.console import console, note
    from artrestore.damage.recipes import load_recipe
    from artrestore.damaging.plan import plan_damage
    from artrestore.io.atomic import require_writable

    if sheet and sheet.suffix.lower() != ".png":
        raise UsageError(f"The sheet is a PNG, and {sheet} is not named so", hint=f"--sheet {sheet}.png")
    plan = plan_damage(
        clear,
        out,
        load_recipe(recipe),
        variants=variants,
        seed=seed,
        masks=masks,
        sheet=sheet,
        overwrite=overwrite,
    )
    for folder in filter(None, (out, masks, sheet and sheet.parent)):
        require_writable(folder)
    results: list[DamageResult] = []
    try:
        _run(plan, workers, results)
    finally:  # whatever ended it, what was done is told
        _conclude(results, out)
    readable = [result.job.clear for result in results if result.outcome != "failed"]
    if sheet and readable and len(results) == len(plan.jobs):
        from artrestore.damaging.sheet import save_damage_sheet

        with console.status("Drawing the contact sheet"):
            save_damage_sheet(sheet, readable[0], plan.recipe, seed=seed)
        note(f"Contact sheet: {sheet}")
    require_complete([result.outcome for result in results], len(plan.jobs), reasons="The warnings say")


def _run(plan: "DamagePlan", workers: int | None, results: "list[DamageResult]") -> None:
    """Carry out the plan with a progress bar, adding to `results`; Ctrl-C ends it early."""
    from artrestore.cli.batches import batch_bar
    from artrestore.damaging.batch import damage_batch

    bar = batch_bar("Damaging")
    with bar, _interrupted_by_sigterm(), contextlib.suppress(KeyboardInterrupt):
        task = bar.add_task("", total=len(plan.jobs))
        for result in damage_batch(plan, workers=workers):
            results.append(result)
            bar.update(task, advance=1)


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Take SIGTERM for Ctrl-C: the processes that damage pictures are ended too, and what was done is told."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _conclude(results: "list[DamageResult]", out: Path) -> None:
    from artrestore.cli.console import console, note, warn

    counts = Counter(result.outcome for result in results)
    damaged = [result for result in results if result.outcome == "damaged"]
    if damaged:
        console.print(_table(damaged))
        note(f"Against the clear ones: {_extent(damaged)}")
    skipped = f"; {counts['skipped']} were there already" if counts["skipped"] else ""
    note(f"{len(damaged)} damaged pictures in {out}{skipped}")
    failed = [result for result in results if result.outcome == "failed"]
    for result in failed[:_FAILURES_SHOWN]:
        warn(f"{result.job.target}: {result.reason}")
    if len(failed) > _FAILURES_SHOWN:
        warn(f"and {len(failed) - _FAILURES_SHOWN} more")


def _table(damaged: "list[DamageResult]") -> "Table":
    """How often each kind happened, and how strong the whole is."""
    from rich import box
    from rich.table import Table

    table = Table(title="Damage", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Kind")
    table.add_column("Pictures", justify="right")
    kinds = Counter(kind for result in damaged for kind in set(result.kinds))
    for name, count in kinds.most_common():
        table.add_row(name, str(count))
    table.add_row("none", str(sum(not result.kinds for result in damaged)))
    return table


def _extent(damaged: "list[DamageResult]") -> str:
    """The mean strength of all damage, in words; pictures that were left as they are do not count in the PSNR."""
    finite = [result.psnr for result in damaged if math.isfinite(result.psnr)]
    mean = f"mean PSNR {sum(finite) / len(finite):.2f} dB, " if finite else ""
    lost = sum(result.lost for result in damaged) / len(damaged)
    return f"{mean}{100 * lost:.2f} % of the pixels lost"
