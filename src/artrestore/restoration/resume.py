"""Whether what is in the output folder already still holds, by its journal."""

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from artrestore.io.digests import FileMark
from artrestore.io.locations import companion_of
from artrestore.restoration.jobs import Job
from artrestore.restoration.journal import Entry, Terms


class Beside:
    """The maps and samples that lie beside pictures; each folder is listed once."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, list[Path]]] = {}

    def of(self, picture: Path) -> list[Path]:
        """Those of one picture, in order."""
        folder = picture.parent
        if folder not in self._folders:
            found = self._folders[folder] = defaultdict(list)
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if owner := companion_of(path.name):
                    found[owner].append(path)
        return self._folders[folder].get(picture.name, [])


def decide(
    job: Job,
    entry: Entry | None,
    terms: Terms | None,
    beside: Beside,
    *,
    overwrite: bool = False,
    retry_failed: bool = False,
) -> Job:
    """The job with what the plan makes of an earlier run.

    Everything that counts is compared by content, not by time: reading a file takes little beside restoring it.

    Args:
        job: without a decision.
        entry: what the journal last said of its output.
        terms: of this run; only needed if there is an entry.
        beside: what lies in the output's folder.
        overwrite: whatever is there is replaced.
        retry_failed: only what has failed is restored.
    """
    stale = tuple(path for path in beside.of(job.target) if path not in job.outputs)
    if retry_failed and (entry is None or entry.outcome != "failed"):
        earlier = entry if entry and entry.outcome == "restored" else None
        return replace(job, earlier=earlier, skip_reason="it has not failed before")
    if overwrite:
        return replace(job, stale=stale, again="--overwrite" if _exists(job.target) else "")
    if entry is None or terms is None:
        if _exists(job.target):
            return replace(job, skip_reason="already there, and the journal does not know it")
        return replace(job, stale=stale)
    if _exists(job.target) and _is_of_another(job, entry):
        return replace(job, skip_reason=f"already there, restored from another picture: {entry.source}")
    again = _changed(job, entry, terms)
    if again:
        return replace(job, stale=stale, again=again)
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
    if not _exists(job.target):
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
    if any(mark and not mark.fits(path) for path, mark in _marks(job, entry) if _exists(path)):
        return "the output has changed"
    return ""


def _missing(job: Job, entry: Entry) -> bool:
    return any(mark is None or not _exists(path) for path, mark in _marks(job, entry))


def _marks(job: Job, entry: Entry) -> Sequence[tuple[Path, FileMark | None]]:
    """What is asked for, and how the journal knows it. All lies in the output's folder, so that names tell it."""
    known = {Path(name).name: mark for name, mark in entry.outputs.items()}
    return [(path, known.get(path.name)) for path in job.outputs]


def _fits(mark: FileMark | None, path: Path) -> bool:
    return mark is not None and mark.fits(path)


def absolute(path: Path) -> str:
    """The path as the journal has a source; links are not followed, since they may be the archive's own names."""
    return str(path.absolute())


def _exists(path: Path) -> bool:
    """Whether there is such a file; one whose name is too long is none, as writing it will tell."""
    return os.path.exists(path)  # noqa: PTH110 (`Path.exists` raises there before Python 3.12)
