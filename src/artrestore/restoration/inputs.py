"""From what the user names to the pictures that are to be restored, and where each goes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from artrestore.errors import OutputError
from artrestore.io.locations import (
    PICTURE_SUFFIXES,
    READ_ONLY_SUFFIXES,
    Listing,
    is_picture_name,
    list_pictures,
    real_path,
    require_apart,
    with_format,
)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The pictures below all inputs.

    Attributes:
        pictures: the damaged file of each name, in order; names are relative to the input folder, or, of several
            inputs, begin with the folder's own name.
        listings: of each input, before the filters.
        folder: the output folder; None if the output is the file `target`.
        target: as it was named.
        filtered: pictures that the filters left out.
    """

    pictures: tuple[tuple[PurePosixPath, Path], ...]
    listings: tuple[Listing, ...]
    folder: Path | None
    target: Path
    filtered: int = 0

    @property
    def names(self) -> tuple[PurePosixPath, ...]:
        """The names alone."""
        return tuple(name for name, _ in self.pictures)

    def output(self, name: PurePosixPath, kind: str | None) -> Path:
        """Where the restored picture of a name goes, in the format `kind`; None keeps its own."""
        return self.target if self.folder is None else self.folder / with_format(name, kind)


def find_inputs(
    sources: Sequence[Path],
    target: Path,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    not_walked: Sequence[Path] = (),
) -> Inputs:
    """List the pictures of all inputs.

    A glob is compared with the whole name, or, if it has no slash, with the file's name alone; `*` stands for
    slashes, too.

    Args:
        sources: folders and pictures.
        target: a folder, or a file if the one source is a picture; see `is_one_file`.
        include: only pictures that fit one of these globs, if there are any.
        exclude: no pictures that fit one of these.
        not_walked: folders that are left out.

    Raises:
        InputError: a source is not there or cannot be read.
        OutputError: the output would fall on an original.
    """
    single = is_one_file(sources, target)
    listings, pictures = [], dict[tuple[PurePosixPath, Path], None]()
    for source in sources:
        if not single:
            require_apart(source, target)
        elif real_path(source) == real_path(target):
            raise OutputError(f"{source} is an original, which is never written over", hint="Name another output.")
        readable = PICTURE_SUFFIXES | READ_ONLY_SUFFIXES
        listing = list_pictures(source, exclude=[target, *not_walked], suffixes=readable)
        above = Path(os.path.abspath(source)).name if len(sources) > 1 and source.is_dir() else ""  # noqa: PTH100
        pictures |= {(PurePosixPath(above, name), listing.root / name): None for name in listing.pictures}
        listings.append(listing)
    kept = sorted(item for item in pictures if _wanted(item[0], include, exclude))
    return Inputs(
        pictures=tuple(kept),
        listings=tuple(listings),
        folder=None if single else target,
        target=target,
        filtered=len(pictures) - len(kept),
    )


def is_one_file(sources: Sequence[Path], target: Path) -> bool:
    """Whether the output is a file: one picture goes in, and the output is one or is named like one."""
    if len(sources) != 1 or not sources[0].is_file() or target.is_dir():
        return False
    return target.is_file() or is_picture_name(target.name)


def _wanted(name: PurePosixPath, include: Sequence[str], exclude: Sequence[str]) -> bool:
    def fits(glob: str) -> bool:
        return fnmatchcase(str(name) if "/" in glob else name.name, glob)

    return (not include or any(map(fits, include))) and not any(map(fits, exclude))
