"""`artrestore calibrate CLEAR [DISTORTED]`."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from artrestore.cli.options import Device, Offline, PrecisionChoice, Verbose, Weights
from artrestore.damage import DEFAULT_RECIPE, RECIPES
from artrestore.errors import InputError, OutputError, PartialFailureError, PictureError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from artrestore.models.loading import LoadedModel
    from artrestore.restoration.calibration import CalibrationPlan, Case, Temperature
    from artrestore.restoration.restorer import Restorer
    from artrestore.uncertainty.conformal import GroupCheck, Measured

_FAILURES_SHOWN = 20


def calibrate(
    clear: Annotated[
        Path | None, typer.Argument(metavar="[CLEAR]", help="Folder of clear pictures.", show_default=False)
    ] = None,
    distorted: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DISTORTED]", help="Folder of distorted ones, named after them.", show_default=False
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(help="A folder that holds both, as clear/ and distorted/.", show_default=False),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help=f"Damage CLEAR on the fly: {', '.join(RECIPES)}, or a TOML file. "
            f"Default without DISTORTED: {DEFAULT_RECIPE}.",
            show_default=False,
        ),
    ] = None,
    variants: Annotated[
        int | None,
        typer.Option(
            min=1, help="With --recipe: damaged versions of each picture. Default: 300 in all.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the damage.")] = 0,
    weights: Weights = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The new weight file. Default: NAME-calibrated.safetensors, here.", show_default=False),
    ] = None,
    device: Device = "auto",
    precision: Annotated[
        PrecisionChoice, typer.Option(help="As you will restore; auto takes bf16 where it is faster.")
    ] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the weight file --out.")] = False,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Make the uncertainty of restorations right for pictures like yours, from pairs whose truth is known.

    Writes a copy of the weights with the new calibration; the network itself stays as it is.
    """
    from artrestore.cli.console import console, note
    from artrestore.cli.weights.shared import fetched
    from artrestore.io.atomic import require_writable
    from artrestore.io.weights_file import write_with_calibration
    from artrestore.models.loading import load_model
    from artrestore.restoration.calibration import find_temperature
    from artrestore.restoration.restorer import Restorer, require_learnt_doubt
    from artrestore.uncertainty.conformal import calibrate as calibrate_on
    from artrestore.uncertainty.conformal import check_groups

    plan = _plan(*_folders(clear, distorted, pairs), recipe, variants, seed)
    loaded = load_model(fetched(weights), device=device)
    require_learnt_doubt(loaded)
    target = _target(out, loaded, overwrite=overwrite)
    require_writable(target.parent)
    restorer = Restorer(loaded, precision=precision)
    _announce(plan, restorer)
    done, failed = _measure(plan, restorer)
    measured = list(done.values())
    calibration = calibrate_on(measured, source=plan.source, digest=plan.digest)
    with console.status("Looking for the temperature of drawn restorations"):
        temperature = find_temperature(restorer, list(done), plan.recipe)
    calibration = replace(calibration, temperature=temperature.value)
    write_with_calibration(target, loaded.path, calibration.as_header())
    console.print(_table(check_groups(measured, calibration), calibration.thresholds))
    _conclude(temperature, target)
    if failed:
        raise PartialFailureError(
            f"{len(failed)} of {len(plan.cases)} pictures failed; the others were calibrated on",
            hint="The warnings say why.",
        )
    note(f"Restore with: artrestore restore IN OUT --uncertainty --weights {target}")


def _folders(clear: Path | None, distorted: Path | None, pairs: Path | None) -> tuple[Path, Path | None]:
    if pairs is None:
        if clear is None:
            raise UsageError(
                "There is nothing to calibrate on", hint="Name folders: artrestore calibrate CLEAR DISTORTED"
            )
        return clear, distorted
    if clear is not None:
        raise UsageError("The pictures are named twice", hint="Leave out --pairs, or the folders before it.")
    folders = pairs / "clear", pairs / "distorted"
    if missing := [str(folder) for folder in folders if not folder.is_dir()]:
        raise InputError(
            f"{pairs} does not hold the folders clear and distorted",
            hint="Or name the two yourself: artrestore calibrate CLEAR DISTORTED",
            details=[f"missing: {folder}" for folder in missing],
        )
    return folders


def _plan(
    clear: Path, distorted: Path | None, recipe: str | None, variants: int | None, seed: int
) -> "CalibrationPlan":
    from artrestore.damage.recipes import load_recipe
    from artrestore.restoration.calibration import plan_pairs, plan_recipe

    if distorted is None:
        return plan_recipe(clear, load_recipe(recipe or DEFAULT_RECIPE), variants=variants, seed=seed)
    if recipe or variants:
        raise UsageError(
            "Distorted pictures are calibrated on as they are",
            hint="Leave out --recipe and --variants, or the folder of distorted pictures.",
        )
    return plan_pairs(clear, distorted)


def _target(out: Path | None, loaded: "LoadedModel", *, overwrite: bool) -> Path:
    from artrestore.models.loading import BUNDLED_FOLDER

    target = out or Path(f"{loaded.path.stem}-calibrated.safetensors")
    if target.suffix != ".safetensors":
        raise UsageError(
            f"Weight files end in .safetensors, and {target} does not", hint=f"--out {target}.safetensors"
        )
    if target.resolve().is_relative_to(BUNDLED_FOLDER.resolve()):
        raise OutputError("The bundled weights are never written over", hint="Name another file with --out.")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} is already there", hint="Add --overwrite or name another with --out.")
    return target


def _announce(plan: "CalibrationPlan", restorer: "Restorer") -> None:
    from artrestore.cli.console import note, warn
    from artrestore.models.devices import describe
    from artrestore.uncertainty.conformal import least_count

    precision = "bf16" if restorer.bf16 else "fp32"
    device = describe(restorer.device)
    note(f"Calibrating {restorer.model.name} from {restorer.path} on {device}, {precision}")
    note(f"{len(plan.cases)} damaged versions of {plan.pictures} clear pictures ({plan.source})")
    if plan.pictures < least_count():
        warn(
            f"{plan.pictures} clear pictures are few: the promise is for new damage to pictures like these, "
            "and less sure for others"
        )


def _measure(
    plan: "CalibrationPlan", restorer: "Restorer"
) -> "tuple[dict[Case, Measured], list[tuple[Case, PictureError]]]":
    """Restore and compare every picture with a progress bar; one that cannot be read stops no other."""
    from artrestore.cli.batches import batch_bar
    from artrestore.cli.console import warn
    from artrestore.restoration.calibration import measure_case

    done: dict[Case, Measured] = {}
    failed: list[tuple[Case, PictureError]] = []
    with batch_bar("Measuring") as bar:
        task = bar.add_task("", total=len(plan.cases))
        for case in plan.cases:
            try:
                done[case] = measure_case(restorer, case, plan.recipe)
            except PictureError as error:
                failed.append((case, error))
            bar.update(task, advance=1)
    for case, reason in failed[:_FAILURES_SHOWN]:
        warn(f"{case.name}: {reason.message}")
    if len(failed) > _FAILURES_SHOWN:
        warn(f"and {len(failed) - _FAILURES_SHOWN} more")
    return done, failed


def _table(checks: "Sequence[GroupCheck]", thresholds: Sequence[float]) -> "Table":
    """A row for each group, from pictures that are thought to be good to ruined ones, and one for all."""
    from rich import box
    from rich.table import Table

    from artrestore.uncertainty.calibration import COVERAGE, laplace_factor

    table = Table(title="Calibration", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Mean scale")
    for heading in ("Pictures", "Factor", "Covered, %", "Half-width"):
        table.add_column(heading, justify="right", no_wrap=True)
    raw = laplace_factor(COVERAGE)
    for name, check in zip(_group_names(thresholds), checks, strict=True):
        widths = [255 * check.scale * factor for factor in (raw, check.factor)]
        table.add_row(
            name, str(check.count), f"{raw:.2f} → {check.factor:.2f}", _coverages([check]),
            " → ".join(f"{width:.1f}" for width in widths),
        )  # fmt: skip
    if len(checks) > 1:
        table.add_section()
        table.add_row("all", str(sum(check.count for check in checks)), "", _coverages(checks), "", style="bold")
    table.caption = (
        f"Before → after, of intervals that are to cover {100 * COVERAGE:.0f} %; after: of each fifth of the "
        "pictures, with the factor of the others. Scale and half-width in levels of 255"
    )
    table.caption_justify = "left"
    return table


def _group_names(thresholds: Sequence[float]) -> list[str]:
    levels = [f"{255 * threshold:.2f}" for threshold in thresholds]
    if not levels:
        return ["any"]
    between = [f"{low} to {high}" for low, high in pairwise(levels)]
    return [f"below {levels[0]}", *between, f"from {levels[-1]}"]


def _coverages(checks: "Sequence[GroupCheck]") -> str:
    """What the intervals covered before and after, of all these groups together."""
    total = sum(check.count for check in checks)
    before = sum(check.count * check.before for check in checks) / total
    known = [check.count * check.after for check in checks if check.after is not None]
    after = f"{100 * sum(known) / total:.1f}" if len(known) == len(checks) else "-"
    return f"{100 * before:.1f} → {after}"


def _conclude(temperature: "Temperature", target: Path) -> None:
    from artrestore.cli.console import note

    note(
        f"Temperature of drawn restorations: {temperature.value:.2f}; their spread over their error is "
        f"{temperature.ratio:.2f} ({temperature.ratio_at_one:.2f} at 1)"
    )
    note(f"Calibrated weights: {target}")
