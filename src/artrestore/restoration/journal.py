"""The journal: what was done to which picture, one line of JSON each, in the output folder.

A line is added and flushed to the disk before a picture is begun and when it is done, so that whatever ends a run,
the next one knows which outputs are whole. The format is described for users in `docs/reference/journal.md`.
"""

import contextlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import filelock

from artrestore import __version__
from artrestore.errors import OutputError
from artrestore.io.atomic import output_errors
from artrestore.io.digests import FileMark
from artrestore.io.tables import to_json

JOURNAL = "artrestore-journal.jsonl"
VERSION = 1
_LOCK = ".artrestore-lock"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What decides, together with the picture, what its output is.

    Attributes:
        weights: SHA-256 of the weight file.
        settings: see `RestoreOptions.terms`.
    """

    weights: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of the journal.

    Attributes:
        output: the restored picture, relative to the output folder; of several lines for one the last counts.
        picture: its name in the plan.
        source: the damaged picture's absolute path.
        outcome: `started`, `restored` or `failed`.
        reason: why it failed, or what could not be kept.
        input: the damaged picture, as it was read.
        mask: its mask of what is lost, if there was one.
        outputs: all that was written, by path relative to the output folder.
        terms: the weights and settings.
        seconds: reading, restoring and writing together.
        figures: the columns of the report.
        time: when the line was written, UTC, ISO 8601.
    """

    output: str
    picture: str
    source: str
    outcome: Literal["started", "restored", "failed"]
    reason: str = ""
    input: FileMark | None = None
    mask: FileMark | None = None
    outputs: Mapping[str, FileMark] = field(default_factory=dict)
    terms: Terms
    seconds: float = 0.0
    figures: Mapping[str, Any] = field(default_factory=dict)
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def as_line(self) -> bytes:
        """The line, in UTF-8; bytes of names that are no UTF-8 become JSON's own escapes."""
        values = {
            "version": VERSION, "artrestore": __version__, "time": self.time, "outcome": self.outcome,
            "output": self.output, "picture": self.picture, "source": self.source, "reason": self.reason,
            "input": self.input and vars(self.input), "mask": self.mask and vars(self.mask),
            "outputs": {name: vars(mark) for name, mark in self.outputs.items()},
            "weights": self.terms.weights, "settings": self.terms.settings,
            "seconds": round(self.seconds, 3), "figures": self.figures,
        }  # fmt: skip
        return to_json(values).encode("utf-8", "backslashreplace") + b"\n"

    def as_row(self) -> dict[str, Any]:
        """What is in the report."""
        return {"picture": self.picture, "outcome": self.outcome, "reason": self.reason, **self.figures}

    @classmethod
    def from_line(cls, line: bytes) -> "Entry":
        """Read a line.

        Raises:
            ValueError: it is damaged.
            OutputError: it is of another version.
        """
        values = json.loads(line)
        try:
            if values["version"] != VERSION:
                raise OutputError(
                    f"The journal is of version {values['version']}; this program reads version {VERSION}",
                    hint="Update with: pip install --upgrade artrestore; or name another output folder.",
                )
            marks = {name: FileMark.from_json(mark) for name, mark in values["outputs"].items()}
            return cls(
                **{name: values[name] for name in ("output", "picture", "source", "outcome", "reason", "time")},
                input=FileMark.from_json(values["input"]),
                mask=FileMark.from_json(values["mask"]),
                outputs={name: mark for name, mark in marks.items() if mark},
                terms=Terms(weights=values["weights"], settings=dict(values["settings"])),
                seconds=float(values["seconds"]),
                figures=dict(values["figures"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a line of a journal: {error!r}") from error


@dataclass(frozen=True, kw_only=True)
class History:
    """What a journal says.

    Attributes:
        entries: the last line about each output.
        length: of the file in bytes.
        damaged: lines that could not be read.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    length: int = 0
    damaged: int = 0


def read_journal(folder: Path) -> History:
    """Read the journal of an output folder; one that is not there is empty. A line cut short is left out.

    Raises:
        OutputError: it cannot be read, or is of another version.
    """
    try:
        content = (folder / JOURNAL).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return History()
    except OSError as error:
        raise OutputError(f"Cannot read {folder / JOURNAL}: {error.strerror}") from error
    entries, damaged = {}, 0
    for line in content.splitlines():
        try:
            entry = Entry.from_line(line)
        except ValueError:
            damaged += 1
        else:
            entries[entry.output] = entry
    return History(entries=entries, length=len(content), damaged=damaged)


class Journal:
    """The journal of a run under way; lines may come from several threads."""

    def __init__(self, folder: Path, terms: Terms) -> None:
        self.folder = folder
        self.terms = terms
        self.path = folder / JOURNAL
        self._adding = threading.Lock()

    def name(self, path: Path) -> str:
        """A file's path as the journal has it."""
        return path.relative_to(self.folder).as_posix()

    def add(self, entry: Entry) -> None:
        """Add a line, whole or not at all, and flush it to the disk.

        Raises:
            OutputError: it cannot be written; a `DiskFullError` if no space is left.
        """
        with self._adding, output_errors(self.path), self.path.open("ab") as file:
            end = file.tell()
            try:
                file.write(entry.as_line())
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    os.truncate(self.path, end)
                raise


@contextlib.contextmanager
def open_journal(folder: Path, terms: Terms, *, planned_at: int) -> Iterator[Journal]:
    """Keep an output folder to oneself and mend its journal, whose last line a killed run may have cut short.

    Args:
        folder: made if it is not there.
        terms: of this run.
        planned_at: the journal's length when the plan was made.

    Raises:
        OutputError: another run is at work there, or has been since the plan was made; or it cannot be written.
    """
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / _LOCK)  # the system drops it when a process dies, however that happens
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout as error:
            raise OutputError(
                f"Another run is restoring into {folder}",
                hint="Wait until it ends, or name another output folder.",
            ) from error
    try:
        journal = Journal(folder, terms)
        with output_errors(journal.path):
            if read_journal(folder).length != planned_at:
                raise OutputError(f"Another run has just changed {folder}", hint="Type the same command again.")
            _mend(journal.path)
        yield journal
    finally:
        lock.release()


def _mend(path: Path) -> None:
    """End the last line, or cut it off if it is not whole."""
    with path.open("ab+") as file:
        file.seek(0)
        content = file.read()
        if not content or content.endswith(b"\n"):
            return
        whole = content.rfind(b"\n") + 1
        try:
            json.loads(content[whole:])
            file.write(b"\n")
        except ValueError:
            file.truncate(whole)
