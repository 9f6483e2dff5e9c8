"""Scoring restored pictures against clear ones."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from artrestore.errors import PairingError
from artrestore.io.locations import require_pictures
from artrestore.io.pictures import read_rgb
from artrestore.matching import match_folders, require_same_sizes
from artrestore.metrics import METRIC_NAMES, Metrics, measure


@dataclass(frozen=True, kw_only=True)
class Triple:
    """The files of one score."""

    name: PurePosixPath
    restored: Path
    clear: Path
    damaged: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Score:
    """The metrics of one restored picture and, if it was given, of the damaged one before."""

    name: str
    after: Metrics
    before: Metrics | None = None

    def as_row(self) -> dict[str, Any]:
        """The score as one flat row of a table."""
        row: dict[str, Any] = {"picture": self.name, **self.after.as_dict()}
        if self.before:
            row |= {f"before_{key}": value for key, value in self.before.as_dict().items()}
            row |= {f"gain_{key}": gain(self, key) for key in METRIC_NAMES}
        return row


def plan_scores(restored: Path, clear: Path, damaged: Path | None = None) -> list[Triple]:
    """Pair the folders by name and check that all sizes agree, before anything is measured.

    Raises:
        PairingError: a restored picture has no clear or no damaged one.
        InputError: a folder is missing or empty, or sizes differ; `details` names both sizes of each.
    """
    matches = match_folders(restored, clear)
    damaged_of = _damaged_pictures([match.name for match in matches], damaged) if damaged else {}
    triples = [
        Triple(name=match.name, restored=match.other, clear=match.clear, damaged=damaged_of.get(match.name))
        for match in matches
    ]
    require_same_sizes(
        (path, triple.clear) for triple in triples for path in (triple.restored, triple.damaged) if path
    )
    return triples


def score_pictures(triples: Sequence[Triple]) -> Iterator[Score]:
    """Measure each planned picture, in order.

    Raises:
        PictureError: one cannot be read, or is too small for SSIM.
    """
    for triple in triples:
        clear = read_rgb(triple.clear)
        yield Score(
            name=str(triple.name),
            after=measure(clear, read_rgb(triple.restored)),
            before=measure(clear, read_rgb(triple.damaged)) if triple.damaged else None,
        )


def score_folders(restored: Path | str, clear: Path | str, damaged: Path | str | None = None) -> list[Score]:
    """Score a folder in one call, for scripts.

    Raises:
        InputError: see `plan_scores` and `score_pictures`.
    """
    return list(score_pictures(plan_scores(Path(restored), Path(clear), Path(damaged) if damaged else None)))


def gain(score: Score, key: str) -> float:
    """After minus before; 0 where both are infinite."""
    if score.before is None:
        return math.nan
    before, after = getattr(score.before, key), getattr(score.after, key)
    return 0.0 if before == after else float(after - before)


def _damaged_pictures(names: Sequence[PurePosixPath], damaged: Path) -> dict[PurePosixPath, Path]:
    """The damaged file of each restored one: the same relative path, but for the suffix."""
    listing = require_pictures(damaged)
    by_stem = {path.with_suffix(""): path for path in listing.pictures}
    exact = set(listing.pictures)
    found = {name: name if name in exact else by_stem.get(name.with_suffix("")) for name in names}
    missing = [str(name) for name, path in found.items() if path is None]
    if missing:
        raise PairingError(
            f"{len(missing)} restored pictures have no damaged one of the same name in {damaged}",
            details=missing,
        )
    return {name: listing.root / path for name, path in found.items() if path is not None}
