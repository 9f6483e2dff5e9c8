"""What is planned, and how each picture of the plan ended, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from artrestore.errors import ArtRestoreError
from artrestore.io.locations import companion
from artrestore.metrics import Metrics
from artrestore.restoration.journal import Entry

Outcome = Literal["restored", "skipped", "failed", "not reached"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One picture to restore.

    Attributes:
        name: path relative to the input folder, which is also its path in the output folder, but for its suffix
            if the format is changed. Of several inputs, each folder's own name comes first.
        source: the damaged picture.
        target: where the restored one goes.
        clear: the clear picture to measure against, if one was asked for.
        mask: the mask of what is lost, if masks were given.
        companions: what is written beside the restored one: kinds that `io.locations.companion` names.
        stale: files beside an older restoration that go when it is replaced.
        skip_reason: why nothing is to be done; empty if it is to be restored.
        again: why it is restored although it was before; empty if it was not.
        earlier: what the journal says of the output, if that still holds.
    """

    name: PurePosixPath
    source: Path
    target: Path
    clear: Path | None = None
    mask: Path | None = None
    companions: tuple[str, ...] = ()
    stale: tuple[Path, ...] = ()
    skip_reason: str = ""
    again: str = ""
    earlier: Entry | None = None

    @property
    def outputs(self) -> tuple[Path, ...]:
        """All files that are written; the restored picture comes last."""
        return (*(companion(self.target, kind) for kind in self.companions), self.target)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All jobs in order.

    Attributes:
        jobs: in order.
        folder: the output folder, which has a journal; None if the one output is a file by itself.
        other_files: files in the input that are not pictures.
        filtered: pictures that the filters left out.
        needed_bytes: what the outputs will take, about; 0 if it was not asked for.
        free_bytes: what is free on their disk.
        journal_length: of the journal that was read, in bytes.
        damaged_lines: of the journal, which were left out.
        history: the last line of the journal about each output, of other pictures too.
    """

    jobs: tuple[Job, ...]
    folder: Path | None = None
    other_files: int = 0
    filtered: int = 0
    needed_bytes: int = 0
    free_bytes: int = 0
    journal_length: int = 0
    damaged_lines: int = 0
    history: tuple[Entry, ...] = ()

    @property
    def pending(self) -> tuple[Job, ...]:
        """Those that are to be restored."""
        return tuple(job for job in self.jobs if not job.skip_reason)


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """How one job ended.

    Attributes:
        job: what was to be done.
        outcome: `restored`, `skipped`, `failed` or `not reached`.
        reason: why it was skipped or failed, or what could not be kept.
        size: (width, height) in pixels.
        seconds: reading, restoring and writing together.
        change: RMS difference from the input, in levels of 255.
        unsure: mean of the map of uncertainty, in levels of 255, if it was written.
        before: the damaged picture's metrics, if a clear one was given.
        after: the restored picture's, on the levels that are written (but before any lossy encoding).
        fatal: the failure that ended the whole run.
    """

    job: Job
    outcome: Outcome
    reason: str = ""
    size: tuple[int, int] | None = None
    seconds: float = 0.0
    change: float = 0.0
    unsure: float | None = None
    before: Metrics | None = None
    after: Metrics | None = None
    fatal: ArtRestoreError | None = None

    def as_row(self) -> dict[str, Any]:
        """The result as one flat row of a table; what was done in an earlier run has the figures of that run."""
        if self.outcome == "skipped" and self.job.earlier:
            return self.job.earlier.as_row()
        row = {"picture": str(self.job.name), "outcome": self.outcome, "reason": self.reason}
        return row | self.figures()

    def figures(self) -> dict[str, Any]:
        """The columns of the row that are measured."""
        width, height = self.size or ("", "")
        row: dict[str, Any] = {
            "width": width, "height": height, "seconds": round(self.seconds, 3) or "",
            "change": round(self.change, 3) if self.outcome == "restored" else "",
        }  # fmt: skip
        if self.unsure is not None:
            row["unsure"] = round(self.unsure, 3)
        for prefix, metrics in (("before", self.before), ("after", self.after)):
            if self.job.clear:
                names = Metrics.__dataclass_fields__
                row |= {f"{prefix}_{key}": getattr(metrics, key) if metrics else "" for key in names}
        return row


def with_not_reached(results: Sequence[JobResult], jobs: Sequence[Job]) -> list[JobResult]:
    """A result for every job of a plan: those that an interrupted run did not come to are `not reached`."""
    rest = jobs[len(results) :]
    return [*results, *(JobResult(job=job, outcome="not reached", reason="the run was stopped") for job in rest)]
