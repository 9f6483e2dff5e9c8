"""Whether what is in the output folder already still holds, by its journal."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from artrestore.io.digests import FileMark
from artrestore.io.locations import is_companion
from artrestore.restoration.jobs import Job
from artrestore.restoration.journal import Entry, Terms


def decide(
    job: Job, entry: Entry | None, terms: Terms | None, *, overwrite: bool = False, retry_failed: bool = False
) -> Job:
    """The job with what the plan makes of an earlier run.

    Everything that counts is compared by content, not by time: reading a file takes little beside restoring it.

    Args:
        job: without a decision.
        entry: what the journal last said of its output.
        terms: of this run; only needed if there is an entry.
        overwrite: whatever is there is replaced.
        retry_failed: only what has failed is restored.
    """
    if retry_failed and (entry is None or entry.outcome != "failed"):
        return replace(job, skip_reason="it has not failed before")
    if overwrite:
        there = job.target.exists()
        return replace(job, stale=_stale(job), again="--overwrite" if there else "")
    if entry is None or terms is None:
        if job.target.exists():
            return replace(job, skip_reason="already there, and the journal does not know it")
        return replace(job, stale=_stale(job))
    if job.target.exists() and _is_of_another(job, entry):
        return replace(job, skip_reason=f"already there, restored from another picture: {entry.source}")
    again = _changed(job, entry, terms)
    if again:
        return replace(job, stale=_stale(job), again=again)
    if _missing(job, entry):  # those that are there are added to
        return replace(job, earlier=entry, again="not all that is asked for lies beside it")
    return replace(job, earlier=entry, skip_reason="already done")


def _is_of_another(job: Job, entry: Entry) -> bool:
    """Whether the output is a restoration that nobody else has: of a picture elsewhere, with other content."""
    moved = entry.source != absolute(job.source)
    return moved and entry.outcome == "restored" and bool(entry.input) and not _fits(entry.input, job.source)


def _changed(job: Job, entry: Entry, terms: Terms) -> str:
    """Why a restoration no longer holds; empty if it does."""
    if entry.outcome == "failed":
        return "it failed before"
    if entry.outcome == "started":
        return "the run before was cut off"
    if not job.target.exists():
        return "its output is gone"
    if entry.terms.weights != terms.weights:
        return "other weights"
    # Of a setting that the line does not have, nothing was made that could be wrong.
    if names := [name for name, value in terms.settings.items() if entry.terms.settings.get(name, value) != value]:
        return f"other settings ({', '.join(names)})"
    if not _fits(entry.input, job.source):
        return "the input has changed"
    if (job.mask is None) != (entry.mask is None) or (job.mask and not _fits(entry.mask, job.mask)):
        return "the mask has changed"
    if any(mark and not mark.fits(path) for path, mark in _marks(job, entry) if path.exists()):
        return "the output has changed"
    return ""


def _missing(job: Job, entry: Entry) -> bool:
    return any(mark is None or not path.exists() for path, mark in _marks(job, entry))


def _marks(job: Job, entry: Entry) -> Sequence[tuple[Path, FileMark | None]]:
    """What is asked for, and how the journal knows it. All lies in the output's folder, so that names tell it."""
    known = {Path(name).name: mark for name, mark in entry.outputs.items()}
    return [(path, known.get(path.name)) for path in job.outputs]


def _fits(mark: FileMark | None, path: Path) -> bool:
    return mark is not None and mark.fits(path)


def absolute(path: Path) -> str:
    """The path as the journal has a source; links are not followed, since they may be the archive's own names."""
    return str(path.absolute())


def _stale(job: Job) -> tuple[Path, ...]:
    """The files that an older restoration left beside the output, and that are not written again."""
    folder = job.target.parent
    beside = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple(path for path in beside if is_companion(path.name, {job.target.name}) and path not in job.outputs)
