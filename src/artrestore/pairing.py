"""Matching distorted or restored files to their clear pictures by name."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from artrestore.errors import PairingError

_Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A clear picture and one other version of it, as paths relative to their own folders."""

    clear: PurePosixPath
    other: PurePosixPath


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """All pairs, in the order of the other files, and the clear pictures that none belongs to."""

    pairs: tuple[Pair, ...]
    unpaired_clear: tuple[PurePosixPath, ...]


def pair_by_name(
    clear: Sequence[PurePosixPath], others: Sequence[PurePosixPath], *, whole_names: bool = False
) -> Pairing:
    """Find the clear picture of every other file.

    Both lie in the same relative folder. The names are equal, or equal but for the suffix, or else the clear
    stem is the longest that begins the other stem and is followed there by a character that is no letter or
    digit: `ship (12).jpg` owns `ship (12)_noise.png` but not `ship (123).png`. Of `whole_names` the last does not
    hold. Names are compared in Unicode NFC, since file systems differ in how they store accents.

    Raises:
        PairingError: some files have no clear picture, or two equally good ones; `details` names them all.
    """
    by_stem: dict[_Key, list[PurePosixPath]] = defaultdict(list)
    for path in clear:
        by_stem[_key(path, path.stem)].append(path)
    exact = set(clear)
    pairs, orphans, ambiguous = [], [], []
    for path in others:
        candidates = [path] if path in exact else _candidates(path, by_stem, whole_names=whole_names)
        if len(candidates) == 1:
            pairs.append(Pair(clear=candidates[0], other=path))
        elif candidates:
            ambiguous.append(f"{path}: {' and '.join(map(str, candidates))} fit equally well")
        else:
            orphans.append(f"{path}: no clear picture begins its name")
    if orphans or ambiguous:
        count = len(orphans) + len(ambiguous)
        raise PairingError(
            f"{count} of {len(others)} files cannot be paired with a clear picture",
            hint="Name each after its clear picture (ship.jpg: ship_noise.png) in the same sub-folder.",
            details=ambiguous + orphans,
        )
    return Pairing(pairs=tuple(pairs), unpaired_clear=_missing(clear, pairs))


def _candidates(
    path: PurePosixPath, by_stem: dict[_Key, list[PurePosixPath]], *, whole_names: bool
) -> list[PurePosixPath]:
    stem = unicodedata.normalize("NFC", path.stem)
    for end in range(len(stem), len(stem) - 1 if whole_names else 0, -1):
        if end < len(stem) and stem[end].isalnum():
            continue
        if found := by_stem.get(_key(path, stem[:end])):
            return found
    return []


def _key(path: PurePosixPath, stem: str) -> _Key:
    return unicodedata.normalize("NFC", str(path.parent)), unicodedata.normalize("NFC", stem)


def _missing(clear: Iterable[PurePosixPath], pairs: Iterable[Pair]) -> tuple[PurePosixPath, ...]:
    used = {pair.clear for pair in pairs}
    return tuple(path for path in clear if path not in used)
