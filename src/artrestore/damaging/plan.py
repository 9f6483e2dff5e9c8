"""Deciding what will be damaged how and written where, before anything is done."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from artrestore.damage.recipes import Recipe
from artrestore.errors import OutputError, PairingError
from artrestore.io.locations import Listing, require_apart, require_harmless, require_pictures
from artrestore.pairing import pair_by_name


@dataclass(frozen=True, kw_only=True)
class DamageJob:
    """One damaged version of one clear picture.

    Attributes:
        name: the clear picture's path relative to its folder.
        variant: from 1.
        clear: the clear picture.
        target: where the damaged one goes; a PNG.
        record: where the record of its damage goes.
        mask: where the mask of what is lost goes, if masks were asked for.
        done: all of them are there already, made with the same settings.
    """

    name: PurePosixPath
    variant: int
    clear: Path
    target: Path
    record: Path
    mask: Path | None = None
    done: bool = False


@dataclass(frozen=True, kw_only=True)
class DamagePlan:
    """All jobs in order, and what they share."""

    jobs: tuple[DamageJob, ...]
    recipe: Recipe
    seed: int


def plan_damage(
    clear: Path,
    out: Path,
    recipe: Recipe,
    *,
    variants: int = 1,
    seed: int = 0,
    masks: Path | None = None,
    overwrite: bool = False,
) -> DamagePlan:
    """List the clear pictures and name what is made of them: `ship.jpg` gives `ship_damaged1.png` and so on.

    Raises:
        InputError: there is no such folder, or no pictures in it.
        OutputError: an output would fall on an original or on another output, or is there with other settings.
    """
    folders = [out, masks] if masks else [out]
    for folder in folders:
        require_apart(clear, folder)
    if masks:
        _require_masks_apart(masks, out)
    listing = require_pictures(clear, exclude=out)
    jobs = [
        _job(listing, name, variant, out, masks) for name in listing.pictures for variant in range(1, variants + 1)
    ]
    _require_pairing(listing, jobs, out)
    for folder in folders:
        outputs = [path for job in jobs for path in (job.target, job.mask) if path and path.is_relative_to(folder)]
        require_harmless(outputs, listing, folder)
    if not overwrite:
        jobs = _find_done(jobs, recipe, seed)
    return DamagePlan(jobs=tuple(jobs), recipe=recipe, seed=seed)


def record_head(job: DamageJob, recipe: Recipe, seed: int) -> dict[str, Any]:
    """The part of a record that says by which settings a picture was made."""
    return {
        "clear": _text(job.name),
        "variant": job.variant,
        "seed": seed,
        "recipe": recipe.name,
        "recipe_digest": recipe.digest,
    }


def _text(name: PurePosixPath) -> str:
    # A name whose bytes are no UTF-8 cannot stand in JSON as it is.
    return str(name).encode("utf-8", "backslashreplace").decode("utf-8")


def _job(listing: Listing, name: PurePosixPath, variant: int, out: Path, masks: Path | None) -> DamageJob:
    damaged = name.with_name(f"{name.stem}_damaged{variant}.png")
    return DamageJob(
        name=name,
        variant=variant,
        clear=listing.root / name,
        target=out / damaged,
        record=(out / damaged).with_suffix(".json"),
        mask=masks / damaged if masks else None,
    )


def _require_masks_apart(masks: Path, out: Path) -> None:
    inner, outer = masks.resolve(), out.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise OutputError(
            f"The masks in {masks} would be taken for damaged pictures of {out}, or the other way round",
            hint="Name two folders of which neither holds the other.",
        )


def _require_pairing(listing: Listing, jobs: Sequence[DamageJob], out: Path) -> None:
    """Check that `train` will pair every output with the picture that it was made of."""
    names = {PurePosixPath(job.target.relative_to(out).as_posix()): job.name for job in jobs}
    # Two clear pictures that differ in their suffix, or in case only, share an output.
    folded = {str(name).casefold() for name in names}
    try:
        paired = {pair.other: pair.clear for pair in pair_by_name(listing.pictures, list(names)).pairs}
    except PairingError as error:
        raise _clash(error.details) from error
    strays = [
        f"{name}, made of {own}, would be paired with {paired[name]}"
        for name, own in names.items()
        if paired[name] != own
    ]
    if strays or len(folded) < len(jobs):
        raise _clash(strays)


def _clash(details: Sequence[str]) -> OutputError:
    return OutputError(
        "Some clear pictures have names so alike that their damaged versions could not be told apart",
        hint="Rename one of each (`ship.jpg` and `ship.png`, say).",
        details=details,
    )


def _find_done(jobs: Sequence[DamageJob], recipe: Recipe, seed: int) -> list[DamageJob]:
    """Mark what is there already; refuse what is there but was made with other settings."""
    marked, foreign = [], []
    for job in jobs:
        made_as = _read_record(job.record) if job.target.exists() else None
        as_planned = record_head(job, recipe, seed)
        if job.target.exists() and (
            made_as is None or {key: made_as.get(key) for key in as_planned} != as_planned
        ):
            foreign.append(str(job.target))
        complete = made_as is not None and (job.mask is None or job.mask.exists())
        marked.append(DamageJob(**(vars(job) | {"done": complete})))
    if foreign:
        raise OutputError(
            f"{len(foreign)} pictures are there already but were made with other settings",
            hint="Name another output folder, or add --overwrite.",
            details=foreign,
        )
    return marked


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None
