"""The folder of fetched and added weights: `NAME.safetensors`, and beside it `NAME.toml`, its entry.

What has no record, or another size than its record says, is not there as far as anybody is told: a file is put in
its place before its record is written, and the old record goes before the old file. So neither two processes nor
one that is killed give half a file.
"""

import contextlib
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import filelock
import tomlkit

from artrestore.errors import OutputError, WeightsError
from artrestore.io.atomic import atomic_path, output_errors, write_text
from artrestore.io.locations import data_folder
from artrestore.weights.entries import Entry, parse_entry
from artrestore.weights.references import SUFFIX, is_name

_MOVE_IT = "Make room there, or name another folder with the environment variable ARTRESTORE_HOME."


def cache_folder() -> Path:
    """Where fetched weights are kept."""
    return data_folder() / "weights"


def cached_path(name: str) -> Path:
    """Where weights of that name are kept, if they are.

    Raises:
        WeightsError: it is no name, and might lead out of the folder.
    """
    if not is_name(name):
        raise WeightsError(f"{name} cannot be the name of weights")
    return cache_folder() / f"{name}{SUFFIX}"


def part_path(name: str) -> Path:
    """Where what has been fetched of them so far is kept."""
    return cached_path(name).with_name(f".{name}.part")


def cached(name: str) -> Entry | None:
    """The record of weights that are there whole; None if they are not."""
    path = cached_path(name)
    try:
        entry = parse_entry(tomllib.loads(_record(path).read_text(encoding="utf-8")))
        size = path.stat().st_size
    except (OSError, ValueError, RecursionError):
        return None
    return entry if entry is not None and (entry.name, entry.bytes) == (name, size) else None


def all_cached() -> list[Entry]:
    """The records of all that are there, by name."""
    names = sorted(path.stem for path in cache_folder().glob(f"*{SUFFIX}") if is_name(path.stem))
    return [entry for name in names if (entry := cached(name))]


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Be the only one who changes weights of that name; waits for others, who may be fetching them.

    Raises:
        OutputError: the folder cannot be made or written, or the block could not write.
    """
    folder = cache_folder()
    try:
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(folder / f".{name}.lock").acquire()  # dropped by the system if we die
        with lock:
            yield
    except OutputError as error:
        raise type(error)(error.message, hint=_MOVE_IT, details=error.details) from error


def keep(part: Path, entry: Entry) -> Path:
    """Move a whole file into its place, and write its record; the caller holds the lock.

    Raises:
        OutputError: it cannot be written.
    """
    path = cached_path(entry.name)
    with output_errors(path):
        _record(path).unlink(missing_ok=True)
        part.replace(path)
    write_text(_record(path), tomlkit.dumps(entry.as_table()))
    return path


def keep_copy(source: Path, entry: Entry) -> Path:
    """Like `keep`, but of a copy: the source stays.

    Raises:
        OutputError: it cannot be written.
    """
    part = part_path(entry.name)
    with atomic_path(part) as temporary:
        shutil.copyfile(source, temporary)
    return keep(part, entry)


def forget(name: str) -> bool:
    """Remove weights, and what was fetched of them; tells whether anything was there.

    Raises:
        OutputError: it cannot be removed.
    """
    path = cached_path(name)
    with locked(name), output_errors(path):
        there = [p for p in (_record(path), path, part_path(name)) if p.exists()]
        for each in there:
            each.unlink()
    return bool(there)


def _record(path: Path) -> Path:
    return path.with_suffix(".toml")
