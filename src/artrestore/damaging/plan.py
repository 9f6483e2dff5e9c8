"""Deciding what will be damaged how and written where, before anything is done."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

import artrestore
from artrestore.damage.base import Mask
from artrestore.damage.recipes import Recipe
from artrestore.errors import OutputError, PairingError, PictureError
from artrestore.io.locations import Listing, require_apart, require_harmless, require_pictures
from artrestore.io.pictures import read_rgb8
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
    sheet: Path | None = None,
    overwrite: bool = False,
) -> DamagePlan:
    """List the clear pictures and name what is made of them: `ship.jpg` gives `ship_damaged1.png` and so on.

    Raises:
        InputError: there is no such folder, or no pictures in it.
        OutputError: an output would fall on an original, among pictures of another sort, or on another output; or
            it is there with other settings.
    """
    folders = {"damaged pictures": out} | ({"masks": masks} if masks else {})
    for what, folder in folders.items():
        require_apart(clear, folder)
        _require_outside(folder, clear, f"the {what}", "clear pictures")
    if masks:
        _require_outside(masks, out, "the masks", "damaged pictures")
        _require_outside(out, masks, "the damaged pictures", "masks")
    if sheet:
        for what, folder in ({"clear pictures": clear} | folders).items():
            _require_outside(sheet, folder, "the sheet", what)
    listing = require_pictures(clear)
    jobs = [
        _job(listing, name, variant, out, masks) for name in listing.pictures for variant in range(1, variants + 1)
    ]
    _require_pairing(listing, jobs, out)
    for folder in folders.values():
        outputs = [path for job in jobs for path in (job.target, job.mask) if path and path.is_relative_to(folder)]
        require_harmless(outputs, listing, folder)
    if not overwrite:
        jobs = _find_done(jobs, recipe, seed)
    return DamagePlan(jobs=tuple(jobs), recipe=recipe, seed=seed)


def record_head(job: DamageJob, recipe: Recipe, seed: int) -> dict[str, Any]:
    """The part of a record that says what a picture was made of, and by which settings."""
    return {
        "clear": _text(job.name),
        "clear_sha256": hashlib.sha256(job.clear.read_bytes()).hexdigest(),
        "variant": job.variant,
        "seed": seed,
        "recipe": recipe.name,
        "recipe_digest": recipe.digest,
        "artrestore": artrestore.__version__,
    }


def mask_digest(lost: Mask) -> str:
    """What a record tells of the mask (H, W), so that it is known again."""
    return hashlib.sha256(np.packbits(lost).tobytes()).hexdigest()


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


def _require_outside(inner: Path, outer: Path, what: str, taken_for: str) -> None:
    if inner.resolve().is_relative_to(outer.resolve()):
        raise OutputError(
            f"In {outer}, {what} {inner} would be taken for {taken_for}",
            hint="Name a place of which neither holds the other.",
        )


def _require_pairing(listing: Listing, jobs: Sequence[DamageJob], out: Path) -> None:
    """Check that `train` will pair every output with the picture that it was made of."""
    names = {PurePosixPath(job.target.relative_to(out).as_posix()): job.name for job in jobs}
    # Two clear pictures that differ in their suffix, or in case only, share an output.
    by_output: dict[str, set[str]] = defaultdict(set)
    for job in jobs:
        by_output[str(job.target).casefold()].add(str(job.name))
    shared = sorted({" and ".join(sorted(group)) for group in by_output.values() if len(group) > 1})
    if shared:
        raise _clash(shared)
    try:
        paired = {pair.other: pair.clear for pair in pair_by_name(listing.pictures, list(names)).pairs}
    except PairingError as error:
        raise _clash(error.details) from error
    strays = [
        f"{name}, made of {own}, would be paired with {paired[name]}"
        for name, own in names.items()
        if paired[name] != own
    ]
    if strays:
        raise _clash(strays)


def _clash(details: Sequence[str]) -> OutputError:
    return OutputError(
        "Some clear pictures have names so alike that their damaged versions could not be told apart",
        hint="Rename one of each (`ship.jpg` and `ship.png`, say).",
        details=details,
    )


def _find_done(jobs: Sequence[DamageJob], recipe: Recipe, seed: int) -> list[DamageJob]:
    """Mark what is there already; refuse what is there but was made otherwise, or by somebody else."""
    marked, foreign = [], []
    for job in jobs:
        there = [path for path in (job.target, job.record, job.mask) if path and path.exists()]
        record = _read_record(job.record)
        head = record_head(job, recipe, seed) if there else {}
        ours = bool(there) and {key: record.get(key) for key in head} == head
        # A picture comes last, so a mask or a record without one was interrupted.
        mask_fits = (
            job.mask is None or not job.mask.exists() or _mask_on_disk(job.mask) == record.get("mask_digest")
        )
        if there and not (ours and mask_fits):
            foreign.append(str(there[0]))
        complete = ours and job.target.exists() and (job.mask is None or job.mask.exists())
        marked.append(replace(job, done=complete))
    if foreign:
        raise OutputError(
            f"{len(foreign)} pictures are there already but were made of other pictures or with other settings",
            hint="Name another output folder, or add --overwrite.",
            details=foreign,
        )
    return marked


def _mask_on_disk(path: Path) -> str:
    try:
        return mask_digest(read_rgb8(path)[..., 0] > 127)
    except PictureError:
        return ""


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
