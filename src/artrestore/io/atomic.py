"""Writes that are all or nothing, and the checks that come before them."""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from artrestore.errors import DiskFullError, OutputError

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; rename it to `target` when the block ends well.

    The temporary file has the target's suffix (encoders look at it) and normal permissions. It is flushed
    to the disk before the rename, and removed on any exception, so that the target is whole or absent.

    Raises:
        OutputError: the folder cannot be written or the disk is full.
    """
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp{target.suffix}")
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
        if error.errno in _NO_SPACE:
            raise DiskFullError(
                f"No space left to write {target}", hint="Free some space or choose another output folder."
            ) from error
        raise OutputError(
            f"Cannot write {target}: {error.strerror or error}",
            hint="Choose an output folder that you may write to.",
        ) from error


def require_writable(folder: Path, needed_bytes: int = 0) -> None:
    """Make `folder` and prove that `needed_bytes` can be written there, by reserving and freeing them.

    Raises:
        OutputError: the folder cannot be made or written, or has not that much space.
    """
    probe = folder / f".probe.{secrets.token_hex(4)}.tmp"
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


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
