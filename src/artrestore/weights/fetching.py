"""One file from its mirrors, in order, until one gives what was promised."""

from collections.abc import Sequence
from pathlib import Path

from artrestore.errors import ChecksumError, DiskFullError, NetworkError
from artrestore.io.atomic import require_writable
from artrestore.io.digests import FileMark
from artrestore.weights import http
from artrestore.weights.http import FetchError, OnProgress, Patience
from artrestore.weights.hub import fetch_from_hub
from artrestore.weights.references import Address, Remote

PATIENCE = Patience()


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
    problems: dict[str, str] = {}
    wrong: FileMark | None = None
    for mirror in mirrors:
        try:
            mark = _fetch_whole(mirror, part, sha256, size, on_progress)
        except FetchError as error:
            problems[str(mirror)] = str(error)
            continue
        except DiskFullError:
            part.unlink(missing_ok=True)
            raise
        if sha256 in (None, mark.sha256):
            return mark, mirror
        part.unlink()
        problems[str(mirror)], wrong = f"SHA-256 {mark.sha256} ({mark.bytes:,} bytes)", mark
    details = [f"{mirror}: {problem}" for mirror, problem in problems.items()]
    if wrong:
        raise ChecksumError(
            f"What was fetched as {name} is not what was promised, and was deleted: "
            f"its SHA-256 is {wrong.sha256}, and {sha256} is right",
            hint="Ask who offers them for the right address and hash; never use a file with another hash.",
            details=details if len(mirrors) > 1 else (),
        )
    raise NetworkError(
        f"The weights {name} could not be fetched",
        hint="Look at the connection and type it again: what has come is kept, and the rest is fetched.",
        details=details,
    )


def _fetch_whole(
    mirror: Remote, part: Path, sha256: str | None, size: int | None, on_progress: OnProgress
) -> FileMark:
    """Fetch from one mirror; once more from the beginning, if what was there before does not go with what came."""
    began_with = part.stat().st_size if part.exists() else 0
    if size is not None and began_with > size:
        part.unlink()
        began_with = 0
    require_writable(part.parent, (size or 0) - began_with if size else 0)
    _ask(mirror, part, size, on_progress)
    mark = FileMark.of(part)
    if not began_with or sha256 in (None, mark.sha256):
        return mark
    part.unlink()
    _ask(mirror, part, size, on_progress)
    return FileMark.of(part)


def _ask(mirror: Remote, part: Path, size: int | None, on_progress: OnProgress) -> None:
    if isinstance(mirror, Address):
        http.fetch(mirror.url, part, size=size, patience=PATIENCE, on_progress=on_progress)
    else:
        fetch_from_hub(mirror, part, on_progress=on_progress)
