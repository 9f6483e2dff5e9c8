"""Writes that are all or nothing, what killed ones leave behind, and the checks that come before them."""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from artrestore.errors import DiskFullError, OutputError

NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LEFTOVER = re.compile(r"\.([0-9a-f]{12})-[0-9a-f]{8}\.tmp(\..*)?", re.DOTALL)


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; rename it to `target` when the block ends well.

    The temporary file has the target's suffix (encoders look at it) and normal permissions. It is flushed
    to the disk before the rename, and removed on any exception, so that the target is whole or absent.

    Raises:
        OutputError: the folder cannot be written or the disk is full.
    """
    temporary = temporary_beside(target, target.suffix)
    try:
        with output_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.touch()
            normal_mode = temporary.stat().st_mode
            yield temporary
            temporary.chmod(normal_mode)  # some writers put a file in its place that only its owner reads
            _flush_to_disk(temporary)
            temporary.replace(target)
    finally:
        with contextlib.suppress(OSError):  # it must not hide what went wrong before
            temporary.unlink()


def temporary_beside(target: Path, suffix: str = "") -> Path:
    """A new hidden name beside `target`, or beside its temporary file, that `remove_leftovers` knows again."""
    match = _LEFTOVER.fullmatch(target.name)
    # Says what it is to become, however long that is named.
    digest = match[1] if match else hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]
    return target.with_name(f".{digest}-{secrets.token_hex(4)}.tmp{suffix}")


def remove_leftovers(folder: Path) -> int:
    """Remove what killed runs left below a folder that nobody else writes to now; tells how many files it was."""
    return sum(
        _removed(Path(here, name))
        for here, _, names in os.walk(folder)
        for name in names
        if _LEFTOVER.fullmatch(name)
    )


def remove_leftovers_of(target: Path) -> int:
    """Like `remove_leftovers`, but only what was to become `target`: others may be writing beside it."""
    try:
        names = [path.name for path in target.parent.iterdir()]
    except OSError:
        return 0
    begin = temporary_beside(target).name.split("-")[0]
    ours = [name for name in names if name.startswith(begin) and _LEFTOVER.fullmatch(name)]
    return sum(_removed(target.with_name(name)) for name in ours)


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 text, all or nothing; bytes of file names that are not UTF-8 are written as escapes."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))


@contextlib.contextmanager
def output_errors(target: Path) -> Iterator[None]:
    """Turn an `OSError` inside the block into an `OutputError` that names `target`."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise DiskFullError(
                f"No space left to write {target}", hint="Free some space or choose another output folder."
            ) from error
        raise OutputError(
            f"Cannot write {target}: {error.strerror or error}",
            hint="Choose an output folder that you may write to.",
        ) from error


def require_place(folder: Path) -> None:
    """Refuse an output folder that could not be made or written to, as far as that is told without making it.

    Raises:
        OutputError: a file is in its place, or the folder above it may not be written to.
    """
    above = nearest_folder(folder)
    if above != folder.absolute() and os.path.lexists(_below(above, folder)):
        raise OutputError(f"Cannot write {folder}: {_below(above, folder)} is no folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise OutputError(f"Cannot write {folder}: you may not write to {above}", hint="Choose another folder.")


def nearest_folder(path: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _below(above: Path, path: Path) -> Path:
    """The first step from a folder towards a path that is below it."""
    return above / path.absolute().relative_to(above).parts[0]


def require_writable(folder: Path, needed_bytes: int = 0) -> None:
    """Make `folder` and prove that `needed_bytes` can be written there, by reserving and freeing them.

    Raises:
        OutputError: the folder cannot be made or written, or has not that much space.
    """
    probe = temporary_beside(folder / "probe")
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with probe.open("wb") as file:
                _reserve(file.fileno(), folder, needed_bytes)
        finally:
            probe.unlink(missing_ok=True)


def _reserve(descriptor: int, folder: Path, needed_bytes: int) -> None:
    if shutil.disk_usage(folder).free < needed_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    # Reserving finds quotas too, which the free space of the disk does not show.
    if needed_bytes and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, needed_bytes)


def _removed(path: Path) -> int:
    with contextlib.suppress(OSError):
        path.unlink()
        return 1
    return 0


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
