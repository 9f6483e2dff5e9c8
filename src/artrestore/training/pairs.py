"""Which pictures are trained on: pairs by name, clear pictures to damage, and their split."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from artrestore.errors import PictureError
from artrestore.io.locations import require_pictures
from artrestore.io.pictures import read_size
from artrestore.pairing import Pair, Pairing, pair_by_name


@dataclass(frozen=True, kw_only=True)
class PicturePair:
    """A clear picture's file and the file that the network is given for it; None: damaged anew each time."""

    clear: Path
    given: Path | None


@dataclass(frozen=True, kw_only=True)
class Split:
    """Pairs to train on and pairs held out.

    Attributes:
        train: pairs to train on.
        val: pairs held out.
        unpaired_clear: number of clear pictures that no pair uses.
        digest: of the names of all pairs, relative to their folders, and of the recipe.
    """

    train: tuple[PicturePair, ...]
    val: tuple[PicturePair, ...]
    unpaired_clear: int = 0
    digest: str = ""


def split_pairs(
    clear: Path,
    distorted: Path | None,
    *,
    val_fraction: float,
    seed: int,
    exclude: Path | None = None,
    recipe_digest: str = "",
) -> Split:
    """Pair the files of two folders and split them by clear picture, so that no picture is on both sides.

    With a recipe, clear pictures without a distorted version are used too, to be damaged by it. Without one and
    without `distorted`, every clear picture is paired with itself. Pictures below `exclude` are not there; nor
    are those below `distorted` taken for clear ones.

    Raises:
        InputError: a folder is missing or empty.
        PairingError: distorted files without a clear one, or with two.
    """
    runs = [exclude] if exclude else []
    references = require_pictures(clear, exclude=[*runs, distorted] if distorted else runs)
    others = require_pictures(distorted, exclude=runs) if distorted else references
    if distorted:
        pairing = pair_by_name(references.pictures, others.pictures)
    elif recipe_digest:
        pairing = Pairing(pairs=(), unpaired_clear=references.pictures)
    else:
        pairing = Pairing(pairs=tuple(Pair(clear=p, other=p) for p in references.pictures), unpaired_clear=())
    listed: list[tuple[PurePosixPath, PurePosixPath | None]] = [(pair.clear, pair.other) for pair in pairing.pairs]
    if recipe_digest:
        listed += [(name, None) for name in pairing.unpaired_clear]
    names = sorted({name for name, _ in listed})
    held_out = {names[index] for index in _held_out(len(names), val_fraction, seed)}
    train, val = (
        tuple(
            PicturePair(clear=references.root / name, given=others.root / other if other else None)
            for name, other in listed
            if (name in held_out) == is_val
        )
        for is_val in (False, True)
    )
    unused = 0 if recipe_digest else len(pairing.unpaired_clear)
    return Split(train=train, val=val, unpaired_clear=unused, digest=_digest(listed, recipe_digest))


def _digest(listed: Sequence[tuple[PurePosixPath, PurePosixPath | None]], recipe_digest: str) -> str:
    lines = [f"{name}\t{other or ''}" for name, other in listed]
    text = "\n".join([*lines, recipe_digest] if recipe_digest else lines)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def clear_pairs(pairs: Sequence[PicturePair]) -> tuple[PicturePair, ...]:
    """Each clear picture once, paired with itself: the data of the stage `clear`."""
    return tuple(PicturePair(clear=path, given=path) for path in sorted({pair.clear for pair in pairs}))


def require_same_sizes(pairs: Sequence[PicturePair]) -> None:
    """Check by the files' headers, before training, that both pictures of every pair can be cropped alike.

    Raises:
        PictureError: a file is no picture, or sizes differ; `details` names them.
    """
    sizes = {
        path: read_size(path) for path in {path for pair in pairs for path in (pair.given, pair.clear) if path}
    }
    differing = [
        f"{pair.given} is {sizes[pair.given][0]} x {sizes[pair.given][1]}, "
        f"{pair.clear} is {sizes[pair.clear][0]} x {sizes[pair.clear][1]}"
        for pair in pairs
        if pair.given and sizes[pair.given] != sizes[pair.clear]
    ]
    if differing:
        raise PictureError(
            f"{len(differing)} of {len(pairs)} pairs differ in size",
            hint="Make both of a pair the same size, or train with --fit resize.",
            details=differing,
        )


def _held_out(count: int, fraction: float, seed: int) -> list[int]:
    if fraction == 0 or count < 2:
        return []
    held = min(count - 1, max(1, round(fraction * count)))
    chosen: list[int] = np.random.default_rng((seed, 1)).permutation(count)[:held].tolist()
    return chosen
