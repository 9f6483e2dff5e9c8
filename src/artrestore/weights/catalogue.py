"""What every name stands for: weights that come with the package, cached ones, and those that manifests list."""

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from artrestore.errors import ArtRestoreError, ChecksumError, NetworkError, OutputError
from artrestore.io.atomic import write_text
from artrestore.io.locations import data_folder
from artrestore.io.settings import is_offline, read_settings
from artrestore.weights.cache import all_cached
from artrestore.weights.entries import (
    MOST_MANIFEST_BYTES,
    Entry,
    own_manifest,
    parse_manifest,
    read_manifest,
)
from artrestore.weights.http import FetchError, Patience, fetch_text
from artrestore.weights.references import Address, Remote, is_remote, parse_remote

Where = Literal["bundled", "cached", "outdated", "available"]
_PATIENCE = Patience(connect_seconds=5, stall_seconds=10)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Weights that have a name.

    Attributes:
        entry: what is known of them.
        where: `bundled` with the package, `cached`, `outdated` (cached, and a manifest lists others by this name),
            or `available` to be downloaded.
    """

    entry: Entry
    where: Where


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """All weights that have a name, by name, and which manifests could not be read, and why."""

    weights: dict[str, Listed]
    problems: tuple[ArtRestoreError, ...] = ()


def catalogue() -> Catalogue:
    """Everything: bundled, cached, and what all manifests list.

    Raises:
        WeightsError: the package's own manifest cannot be read.
        UsageError: the user's settings cannot be.
    """
    offered, problems = _offered()
    return Catalogue(weights=combine(own_manifest(), all_cached(), offered), problems=problems)


def combine(own: Sequence[Entry], kept: Sequence[Entry], offered: Sequence[Entry]) -> dict[str, Listed]:
    """All entries by name: what is bundled wins over the cache, that over offers, and the first offer counts.

    Args:
        own: of the package's manifest; without an address, they are bundled.
        kept: of the cache.
        offered: of other manifests, in order.
    """
    offers: dict[str, Entry] = {}
    for entry in (*own, *offered):
        if entry.urls:
            offers.setdefault(entry.name, entry)
    found = {name: Listed(entry=entry, where="available") for name, entry in offers.items()}
    for entry in kept:
        current = offers.get(entry.name, entry).sha256 == entry.sha256
        found[entry.name] = Listed(entry=entry, where="cached" if current else "outdated")
    found |= {entry.name: Listed(entry=entry, where="bundled") for entry in own if not entry.urls}
    return dict(sorted(found.items()))


def offered(name: str) -> Entry | None:
    """What the manifests list by a name, the package's own first; None if none does.

    Raises:
        ArtRestoreError: none does, and one of them could not be read.
    """
    entries, problems = _offered()
    for entry in (*own_manifest(), *entries):
        if entry.name == name:
            return entry
    if problems:
        raise problems[0]
    return None


def _offered() -> tuple[list[Entry], tuple[ArtRestoreError, ...]]:
    """The entries of the user's manifests, in order, and what is wrong with those that could not be read."""
    entries: list[Entry] = []
    problems = []
    for source in read_settings().manifests:
        try:
            entries += _read(source)
        except ArtRestoreError as error:
            problems.append(error)
    return entries, tuple(problems)


def _read(source: str) -> tuple[Entry, ...]:
    """A manifest from its file; or from its address, or else as it was the last time."""
    if not is_remote(source):
        return read_manifest(Path(source).expanduser())
    address = parse_remote(source)
    kept = data_folder() / "manifests" / f"{hashlib.sha256(source.encode()).hexdigest()[:16]}.toml"
    try:
        text = _fetched(address)
    except NetworkError:
        if not kept.is_file():
            raise
        return read_manifest(kept)
    found = parse_manifest(text, source=str(address))
    _keep(kept, text)
    return found


def _fetched(address: Remote) -> str:
    if not isinstance(address, Address):
        raise NetworkError(f"The manifest {address} is no web address", hint="artrestore config set manifests ...")
    if is_offline():
        raise NetworkError(
            f"The manifest {address} cannot be fetched: this is offline",
            hint="Leave out --offline and ARTRESTORE_OFFLINE; weights that are in the cache can be used.",
        )
    try:
        text = fetch_text(address.url, most_bytes=MOST_MANIFEST_BYTES, patience=_PATIENCE)
    except FetchError as error:
        raise NetworkError(
            f"The manifest {address} could not be fetched: {error}", hint="artrestore config show"
        ) from None
    found = hashlib.sha256(text.encode()).hexdigest()
    if address.sha256 not in (None, found):
        raise ChecksumError(
            f"The manifest {address} is not what its address promises: its SHA-256 is {found}",
            hint="Ask who offers it for the right hash: artrestore config set manifests ...",
        )
    return text


def _keep(kept: Path, text: str) -> None:
    """For the next time without a connection; where it cannot be kept, nothing is lost now."""
    with contextlib.suppress(OutputError):
        write_text(kept, text)
