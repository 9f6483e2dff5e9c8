"""Deciding what will be done to which file, before anything is done."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from artrestore.errors import OutputError
from artrestore.io.locations import Listing, require_apart, require_harmless, require_pictures
from artrestore.pairing import pair_by_name


@dataclass(frozen=True, kw_only=True)
class Job:
    """One picture to restore.

    Attributes:
        name: path relative to the input folder, which is also its path in the output folder.
        source: the damaged picture.
        target: where the restored one goes.
        clear: the clear picture to measure against, if one was asked for.
        skip_reason: why nothing is to be done; empty if it is to be restored.
    """

    name: PurePosixPath
    source: Path
    target: Path
    clear: Path | None = None
    skip_reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All jobs in order, and the number of files that are not pictures."""

    jobs: tuple[Job, ...]
    other_files: int = 0


def plan_restoration(source: Path, target: Path, *, overwrite: bool = False, clear: Path | None = None) -> Plan:
    """List the pictures of `source` and decide for each whether it is restored or skipped.

    Raises:
        InputError: no such folder, or no pictures in it.
        OutputError: the output would fall on the originals, or two inputs on one output.
        PairingError: `clear` is given and some pictures have no clear one.
    """
    require_apart(source, target)
    listing = require_pictures(source, exclude=[target])
    _require_distinct(listing.pictures)
    clear_of = _clear_pictures(listing, clear) if clear else {}
    jobs = tuple(
        Job(
            name=name,
            source=listing.root / name,
            target=target / name,
            clear=clear_of.get(name),
            skip_reason="already there" if not overwrite and (target / name).exists() else "",
        )
        for name in listing.pictures
    )
    require_harmless([job.target for job in jobs], listing, target)
    return Plan(jobs=jobs, other_files=listing.others)


def _require_distinct(names: Sequence[PurePosixPath]) -> None:
    # A file system that ignores case would write `A.png` and `a.png` to one file.
    by_output: dict[str, list[PurePosixPath]] = defaultdict(list)
    for name in names:
        by_output[str(name).casefold()].append(name)
    clashes = [" and ".join(map(str, group)) for group in by_output.values() if len(group) > 1]
    if clashes:
        raise OutputError(
            "Some inputs would share one output on a file system that ignores case",
            hint="Rename one of each pair.",
            details=clashes,
        )


def _clear_pictures(listing: Listing, clear: Path) -> dict[PurePosixPath, Path]:
    references = require_pictures(clear)
    pairing = pair_by_name(references.pictures, listing.pictures)
    return {pair.other: references.root / pair.clear for pair in pairing.pairs}
