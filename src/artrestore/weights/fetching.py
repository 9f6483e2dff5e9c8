"""One file from its mirrors, in order, until one gives what was promised."""

from collections.abc import Sequence
from pathlib import Path

from artrestore.errors import ArtRestoreError, ChecksumError, DiskFullError, NetworkError
from artrestore.io.atomic import require_writable
from artrestore.io.digests import FileMark
from artrestore.weights import http
from artrestore.weights.http import FetchError, OnProgress, Patience
from artrestore.weights.hub import fetch_from_hub
from artrestore.weights.references import Address, Remote

PATIENCE = Patience()
_AGAIN = "Look at the connection and type it again: what has come is kept."
_ELSEWHERE = "Correct the address, or ask who offers them for a new one."


def fetch(
    name: str,
    mirrors: Sequence[Remote],
    part: Path,
    *,
    sha256: str | None,
    size: int | None,
    on_progress: OnProgress,
) -> tuple[FileMark, Remote]:
    """Fetch a file into `part`, and check it.

    Args:
        name: for messages.
        mirrors: where it is, in the order in which they are asked.
        part: may hold its beginning; holds the whole file at the end, or what has come for the next time.
        sha256: of the file; None if nobody promised it (a file of the hub).
        size: in bytes; None if nobody promised it.
        on_progress: see `http.fetch`.

    Returns:
        What the file is known by, and the mirror that gave it.

    Raises:
        NetworkError: no mirror gave it; `details` tell of each.
        ChecksumError: what came had another hash; it is deleted.
        OutputError: it cannot be written; a full disk is left as it was.
    """
    problems: list[tuple[Remote, FetchError]] = []
    for mirror in mirrors:
        try:
            return _fetch_whole(mirror, part, sha256, size, on_progress), mirror
        except FetchError as error:
            problems.append((mirror, error))
        except DiskFullError:
            part.unlink(missing_ok=True)
            raise
    raise _in_vain(name, sha256, problems)


class _WrongHashError(FetchError):
    """A mirror gave another file than was promised."""


def _in_vain(name: str, sha256: str | None, problems: Sequence[tuple[Remote, FetchError]]) -> ArtRestoreError:
    """What is to be told when no mirror gave the file."""
    details = [f"{mirror}: {error}" for mirror, error in problems]
    if any(isinstance(error, _WrongHashError) for _, error in problems):
        return ChecksumError(
            f"What was fetched as {name} is not what was promised, and was deleted",
            hint="Ask who offers it for the right address and hash; never use a file with another hash.",
            details=[f"SHA-256 promised: {sha256}", *details],
        )
    passing = any(error.passing for _, error in problems)
    return NetworkError(
        f"The weights {name} could not be fetched", hint=_AGAIN if passing else _ELSEWHERE, details=details
    )


def _fetch_whole(
    mirror: Remote, part: Path, sha256: str | None, size: int | None, on_progress: OnProgress
) -> FileMark:
    """Fetch from one mirror; once more from the beginning, if what was there before does not go with what came."""
    began_with = part.stat().st_size if part.exists() else 0
    if size is not None:
        require_writable(part.parent, max(0, size - began_with))
    _ask(mirror, part, size, on_progress)
    mark = FileMark.of(part)
    if began_with and sha256 not in (None, mark.sha256):
        part.unlink()
        _ask(mirror, part, size, on_progress)
        mark = FileMark.of(part)
    if sha256 in (None, mark.sha256):
        return mark
    part.unlink()
    raise _WrongHashError(f"it sent SHA-256 {mark.sha256}")


def _ask(mirror: Remote, part: Path, size: int | None, on_progress: OnProgress) -> None:
    if isinstance(mirror, Address):
        http.fetch(mirror.url, part, size=size, patience=PATIENCE, on_progress=on_progress)
    else:
        fetch_from_hub(mirror, part, on_progress=on_progress)
