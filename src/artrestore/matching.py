"""The pictures of two folders, matched by name."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from artrestore.errors import InputError
from artrestore.io.locations import require_pictures
from artrestore.io.pictures import read_size
from artrestore.pairing import pair_by_name


@dataclass(frozen=True, kw_only=True)
class Match:
    """A picture, by its name relative to its folder, and the clear one that it belongs to."""

    name: PurePosixPath
    other: Path
    clear: Path


def match_folders(others: Path, clear: Path) -> list[Match]:
    """Find the clear picture of every other one, in the order of the others' names.

    Raises:
        PairingError: one has no clear picture, or two that fit equally well.
        InputError: a folder is missing or empty.
    """
    outputs, references = require_pictures(others), require_pictures(clear)
    pairs = pair_by_name(references.pictures, outputs.pictures).pairs
    return [
        Match(name=pair.other, other=outputs.root / pair.other, clear=references.root / pair.clear)
        for pair in pairs
    ]


def require_same_sizes(pairs: Iterable[tuple[Path, Path]]) -> None:
    """Check by their headers that pictures, first of each pair, are as large as their clear ones.

    Raises:
        InputError: sizes differ; `details` names both of each.
    """
    differing = [
        f"{path} is {size[0]} x {size[1]}, {clear} is {expected[0]} x {expected[1]}"
        for path, clear in pairs
        if (size := read_size(path)) != (expected := read_size(clear))
    ]
    if differing:
        raise InputError(
            f"{len(differing)} pictures differ in size from their clear ones; nothing is resized in silence",
            hint="Bring them to one size first.",
            details=differing,
        )
