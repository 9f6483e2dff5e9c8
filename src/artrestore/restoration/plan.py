"""Deciding what will be done to which file, before anything is done."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from artrestore.errors import OutputError, PairingError, UsageError
from artrestore.io.locations import (
    Listing,
    companion,
    is_companion,
    require_apart,
    require_harmless,
    require_pictures,
)
from artrestore.pairing import pair_by_name
from artrestore.restoration.options import RestoreOptions


@dataclass(frozen=True, kw_only=True)
class Job:
    """One picture to restore.

    Attributes:
        name: path relative to the input folder, which is also its path in the output folder.
        source: the damaged picture.
        target: where the restored one goes.
        clear: the clear picture to measure against, if one was asked for.
        mask: the mask of what is lost, if masks were given.
        companions: what is written beside the restored one: kinds that `io.locations.companion` names.
        stale: files beside an older restoration that go when it is replaced.
        skip_reason: why nothing is to be done; empty if it is to be restored.
    """

    name: PurePosixPath
    source: Path
    target: Path
    clear: Path | None = None
    mask: Path | None = None
    companions: tuple[str, ...] = ()
    stale: tuple[Path, ...] = ()
    skip_reason: str = ""

    @property
    def outputs(self) -> tuple[Path, ...]:
        """All files that are written; the restored picture comes last."""
        return (*(companion(self.target, kind) for kind in self.companions), self.target)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All jobs in order, and the number of files that are not pictures."""

    jobs: tuple[Job, ...]
    other_files: int = 0


def plan_batch(options: RestoreOptions) -> Plan:
    """The plan of a batch: see `plan_restoration`."""
    return plan_restoration(
        options.source,
        options.target,
        overwrite=options.overwrite,
        clear=options.clear,
        masks=options.masks,
        companions=options.companions,
    )


def plan_restoration(
    source: Path,
    target: Path,
    *,
    overwrite: bool = False,
    clear: Path | None = None,
    masks: Path | None = None,
    companions: tuple[str, ...] = (),
) -> Plan:
    """List the pictures of `source` and decide for each whether it is restored or skipped.

    A picture is skipped if it and all that shall lie beside it are there.

    Raises:
        InputError: no such folder, or no pictures in it.
        OutputError: the output would fall on the originals, or two inputs on one output.
        PairingError: `clear` or `masks` is given and some pictures have none there.
        UsageError: the masks are the pictures themselves.
    """
    require_apart(source, target)
    listing = require_pictures(source, exclude=[folder for folder in (target, masks) if folder])
    clear_of = _clear_pictures(listing, clear) if clear else {}
    mask_of = _masks(listing, masks) if masks else {}
    jobs = tuple(
        Job(
            name=name,
            source=listing.root / name,
            target=target / name,
            clear=clear_of.get(name),
            mask=mask_of.get(name),
            companions=companions,
        )
        for name in listing.pictures
    )
    _require_distinct(jobs)
    require_harmless([path for job in jobs for path in job.outputs], listing, target)
    return Plan(jobs=tuple(_decided(job, overwrite=overwrite) for job in jobs), other_files=listing.others)


def _decided(job: Job, *, overwrite: bool) -> Job:
    if not overwrite and job.target.exists():
        done = all(path.exists() for path in job.outputs)
        # Where only files beside it are missing, those that are there are added to.
        return replace(job, skip_reason="already there") if done else job
    return replace(job, stale=_stale(job))


def _stale(job: Job) -> tuple[Path, ...]:
    """The files that an older restoration left beside the output, and that are not written again."""
    folder = job.target.parent
    beside = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple(path for path in beside if is_companion(path.name, {job.target.name}) and path not in job.outputs)


def _require_distinct(jobs: Sequence[Job]) -> None:
    # A file system that ignores case would write `A.png` and `a.png` to one file.
    by_output: dict[str, list[PurePosixPath]] = defaultdict(list)
    for job in jobs:
        for path in job.outputs:
            by_output[str(path).casefold()].append(job.name)
    clashes = [" and ".join(map(str, group)) for group in by_output.values() if len(group) > 1]
    if clashes:
        raise OutputError(
            "Some inputs would share one output on a file system that ignores case",
            hint="Rename one of each pair.",
            details=dict.fromkeys(clashes),
        )


def _clear_pictures(listing: Listing, clear: Path) -> dict[PurePosixPath, Path]:
    references = require_pictures(clear)
    pairing = pair_by_name(references.pictures, listing.pictures)
    return {pair.other: references.root / pair.clear for pair in pairing.pairs}


def _masks(listing: Listing, masks: Path) -> dict[PurePosixPath, Path]:
    if masks.resolve() == listing.root.resolve():
        raise UsageError(f"{masks} holds the pictures themselves", hint="Put the masks into their own folder.")
    found = require_pictures(masks)
    try:
        pairing = pair_by_name(found.pictures, listing.pictures)
    except PairingError as error:
        raise PairingError(
            f"{len(error.details)} of {len(listing.pictures)} pictures cannot be paired with a mask in {masks}",
            hint="Name each mask as its picture, in the same sub-folder; one that is all black marks no loss.",
            details=(detail.replace("clear picture", "mask") for detail in error.details),
        ) from error
    return {pair.other: found.root / pair.clear for pair in pairing.pairs}
