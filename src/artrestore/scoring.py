"""Scoring restored pictures against clear ones."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from artrestore.errors import InputError, PairingError
from artrestore.io.locations import require_pictures
from artrestore.io.pictures import read_rgb, read_size
from artrestore.metrics import METRIC_NAMES, Metrics, measure
from artrestore.pairing import pair_by_name


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


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Mean and standard deviation (of the population) over pictures."""

    mean: float
    std: float


def plan_scores(restored: Path, clear: Path, damaged: Path | None = None) -> list[Triple]:
    """Pair the folders by name and check that all sizes agree, before anything is measured.

    Raises:
        PairingError: a restored picture has no clear or no damaged one.
        InputError: a folder is missing or empty, or sizes differ; `details` names both sizes of each.
    """
    outputs, references = require_pictures(restored), require_pictures(clear)
    clear_of = {
        pair.other: references.root / pair.clear
        for pair in pair_by_name(references.pictures, outputs.pictures).pairs
    }
    damaged_of = _damaged_pictures(outputs.pictures, damaged) if damaged else {}
    triples = [
        Triple(name=name, restored=outputs.root / name, clear=clear_of[name], damaged=damaged_of.get(name))
        for name in outputs.pictures
    ]
    _require_same_sizes(triples)
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


def summarize(metrics: Sequence[Metrics]) -> dict[str, Summary]:
    """Mean and standard deviation of every metric."""
    columns = {key: np.array([getattr(m, key) for m in metrics], dtype=np.float64) for key in METRIC_NAMES}
    return {key: _summary(values) for key, values in columns.items()}


def pooled_psnr(metrics: Sequence[Metrics]) -> float:
    """PSNR in dB of the mean MSE: unlike the mean of PSNRs, not ruled by pictures with hardly any damage."""
    mse = float(np.mean([m.mse for m in metrics]))
    return math.inf if mse == 0 else -10 * math.log10(mse)


def gain(score: Score, key: str) -> float:
    """After minus before; 0 where both are infinite."""
    if score.before is None:
        return math.nan
    before, after = getattr(score.before, key), getattr(score.after, key)
    return 0.0 if before == after else float(after - before)


def _summary(values: np.ndarray[Any, np.dtype[np.float64]]) -> Summary:
    # The deviation of values among which one is infinite is not defined; say so by NaN, without a warning.
    finite = bool(np.isfinite(values).all())
    return Summary(mean=float(values.mean()), std=float(values.std()) if finite else math.nan)


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


def _require_same_sizes(triples: Sequence[Triple]) -> None:
    differing = [
        f"{path} is {size[0]} x {size[1]}, {triple.clear} is {expected[0]} x {expected[1]}"
        for triple in triples
        for expected in [read_size(triple.clear)]
        for path in (triple.restored, triple.damaged)
        if path and (size := read_size(path)) != expected
    ]
    if differing:
        raise InputError(
            f"{len(differing)} pictures differ in size from their clear ones; nothing is resized in silence",
            hint="Bring them to one size first.",
            details=differing,
        )
