"""From what the user typed to a weight file on the disk, fetched and checked if it was not there."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from artrestore.errors import ArtRestoreError, NetworkError, UsageError, WeightsError
from artrestore.io.settings import is_offline
from artrestore.weights import cache, catalogue
from artrestore.weights.entries import Entry, entry_of, own_manifest
from artrestore.weights.fetching import fetch
from artrestore.weights.http import OnProgress, in_silence
from artrestore.weights.references import (
    Address,
    NamedWeights,
    Remote,
    WeightFile,
    cache_name,
    parse_reference,
    public,
)

if TYPE_CHECKING:
    from artrestore.io.weights_file import WeightsHeader

# Reads a weight file's header, and refuses a file that does not fit its architecture.
Check = Callable[[Path], "WeightsHeader"]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A file to be fetched into the cache.

    Attributes:
        name: that it gets.
        mirrors: where it is.
        entry: what a manifest promises of it; None if only an address is known.
        sha256: of the file; None if nobody promised it (a file of the hub).
    """

    name: str
    mirrors: tuple[Remote, ...]
    entry: Entry | None = None
    sha256: str | None = None


def find_file(text: str, *, check: Check, on_progress: OnProgress = in_silence) -> Path:
    """The file that `--weights` means; what is not on this disk yet is fetched, checked and kept.

    Args:
        text: a name, a file, an address with its hash, or a file of the hub; not of bundled weights.
        check: what is fetched must pass it.
        on_progress: see `http.fetch`.

    Raises:
        WeightsError: there is no such name or file, or what came is not what was promised.
        UsageError: the address cannot be used.
        NetworkError: it has to be fetched, and cannot be.
        OutputError: the cache cannot be written.
    """
    reference = parse_reference(text)
    unknown = isinstance(reference, NamedWeights) and cache.cached(text) is None
    if (unknown or isinstance(reference, WeightFile)) and Path(text).is_file():
        return Path(text)
    if isinstance(reference, WeightFile):
        raise _nowhere(text)
    return obtain(text, check=check, on_progress=on_progress)


def obtain(
    text: str, *, check: Check, on_progress: OnProgress = in_silence, update: bool = False, force: bool = False
) -> Path:
    """The cached file of a name, an address or a hub file, fetched if it is not there.

    Args:
        text: what the user typed.
        check: what is fetched must pass it.
        on_progress: see `http.fetch`.
        update: fetch it too if it is there, and a manifest lists another by this name.
        force: fetch it in any case.

    Raises:
        ArtRestoreError: see `find_file`.
    """
    reference = parse_reference(text)
    if isinstance(reference, WeightFile):
        raise UsageError(f"{text} is neither a name nor an address", hint="Files: artrestore weights add FILE")
    name = reference.name if isinstance(reference, NamedWeights) else cache_name(reference)
    kept = cache.cached(name)
    if kept is not None and not (update or force):
        return cache.cached_path(name)
    wanted = _wanted(reference, kept)
    if decide(wanted, kept, offline=is_offline(), force=force) == "use":
        return cache.cached_path(name)
    return _fetch(wanted, check, on_progress, force=force)


def decide(wanted: Wanted, kept: Entry | None, *, offline: bool, force: bool) -> Literal["use", "fetch"]:
    """Whether the cached file is good enough, or another has to be fetched.

    Raises:
        NetworkError: it has to be fetched, and nothing may be.
        WeightsError: nobody offers it.
    """
    if kept is not None and not force and (offline or wanted.sha256 in (None, kept.sha256)):
        return "use"
    if not wanted.mirrors:
        raise WeightsError(
            f"Nobody offers the weights {wanted.name}: no address is known",
            hint="See what there is: artrestore weights list",
        )
    if offline:
        raise NetworkError(
            f"The weights {wanted.name} would have to be fetched, and this is offline "
            "(--offline, ARTRESTORE_OFFLINE or your settings)",
            hint="Fetch them where there is a connection, and bring the file: artrestore weights add FILE",
        )
    return "fetch"


def add_file(path: Path, entry: Entry, *, force: bool) -> Path:
    """Copy a weight file, which has been checked, into the cache.

    Raises:
        WeightsError: the name is taken.
        OutputError: the cache cannot be written.
    """
    with cache.locked(entry.name):
        kept = cache.cached(entry.name)
        if kept is not None and kept.sha256 != entry.sha256 and not force:
            raise WeightsError(
                f"There are other weights named {entry.name} already", hint="Add --force, or --name ANOTHER."
            )
        return cache.keep_copy(path, entry)


def _wanted(reference: NamedWeights | Remote, kept: Entry | None) -> Wanted:
    if not isinstance(reference, NamedWeights):
        sha256 = reference.sha256 if isinstance(reference, Address) else None
        return Wanted(name=cache_name(reference), mirrors=(reference,), sha256=sha256)
    try:
        entry = catalogue.offered(reference.name) or kept
    except ArtRestoreError:  # a manifest cannot be read
        if kept is None:
            raise
        entry = kept
    if entry is None:
        raise _nowhere(reference.name)
    return Wanted(name=entry.name, mirrors=entry.mirrors, entry=entry, sha256=entry.sha256)


def _fetch(wanted: Wanted, check: Check, on_progress: OnProgress, *, force: bool) -> Path:
    name, part = wanted.name, cache.part_path(wanted.name)
    with cache.locked(name):
        kept = cache.cached(name)  # another process may have been faster
        if kept is not None and not force and wanted.sha256 in (None, kept.sha256):
            return cache.cached_path(name)
        size = wanted.entry.bytes if wanted.entry else None
        mark, mirror = fetch(name, wanted.mirrors, part, sha256=wanted.sha256, size=size, on_progress=on_progress)
        header = _checked(name, part, check)
        entry = wanted.entry or entry_of(header, mark, name, urls=(_recorded(mirror),))
        return cache.keep(part, entry)


def _checked(name: str, part: Path, check: Check) -> "WeightsHeader":
    try:
        return check(part)
    except WeightsError as error:
        part.unlink()
        raise WeightsError(
            f"What was fetched as {name} are no weights that can be used, and was deleted",
            hint=error.hint,
            details=[error.message.replace(str(part), name), *error.details],
        ) from error


def _recorded(mirror: Remote) -> str:
    return public(mirror.url).removesuffix("?...") if isinstance(mirror, Address) else str(mirror)


def _nowhere(text: str) -> WeightsError:
    names = sorted({entry.name for entry in (*own_manifest(), *cache.all_cached())})
    near = difflib.get_close_matches(text, names, n=1)
    return WeightsError(
        f"There is no weight file {text}, nor weights of that name",
        hint=f"Did you mean {near[0]}?"
        if near
        else f"Known names: {', '.join(names)}. See: artrestore weights list",
    )
