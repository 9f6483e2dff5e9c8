"""Where artrestore keeps things, and where it finds pictures."""

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import platformdirs

from artrestore.errors import InputError, OutputError
from artrestore.io.formats import FORMATS

# Other files are left alone and counted.
PICTURE_SUFFIXES = frozenset(suffix for entry in FORMATS.values() for suffix in entry.suffixes)
# Pictures that can be read, and written in another format only.
READ_ONLY_SUFFIXES = frozenset({".avif", ".gif", ".heic", ".heif"})

# Folders in which systems keep thumbnails, forks and what was thrown away: pictures, but nobody's scans.
_SYSTEM_FOLDERS = {"@eadir", "__macosx", "$recycle.bin", "system volume information", "lost+found", "#recycle"}

# `ship.jpg.changes.png` lies beside `ship.jpg`.
_COMPANION = re.compile(r"(.+)\.(?:uncertainty|uncertainty-colour|changes|sample-[1-9][0-9]*)\.png")


def data_folder() -> Path:
    """The folder for downloaded weights: `$ARTRESTORE_HOME`, or the platform's user data folder."""
    moved = os.environ.get("ARTRESTORE_HOME")
    return Path(moved).expanduser() if moved else Path(platformdirs.user_data_dir("artrestore"))


def settings_file() -> Path:
    """The user's settings: `$ARTRESTORE_CONFIG`, `config.toml` in `$ARTRESTORE_HOME`, or the platform's place."""
    named, moved = os.environ.get("ARTRESTORE_CONFIG"), os.environ.get("ARTRESTORE_HOME")
    if named:
        return Path(named).expanduser()
    return (
        Path(moved).expanduser() if moved else Path(platformdirs.user_config_dir("artrestore"))
    ) / "config.toml"


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The pictures below a folder, as sorted paths relative to it, and how many other files were left out."""

    root: Path
    pictures: tuple[PurePosixPath, ...]
    others: int = 0


def companion(picture: Path, kind: str) -> Path:
    """The file beside a restored picture: `ship.jpg` and `changes` give `ship.jpg.changes.png`.

    Kinds are `uncertainty`, `uncertainty-colour`, `changes`, and `sample-N` from 1.
    """
    return picture.with_name(f"{picture.name}.{kind}.png")


def companion_of(name: str) -> str | None:
    """The picture that a file lies beside, if the file has a name that `companion` gives; else None."""
    match = _COMPANION.fullmatch(name)
    return match[1] if match and is_picture_name(match[1]) else None


def with_format(name: PurePosixPath, kind: str | None) -> PurePosixPath:
    """The name of a picture when it is written in a format of `FORMATS`; None, or its own, changes nothing."""
    if kind is None or name.suffix.lower() in FORMATS[kind].suffixes:
        return name
    return name.with_suffix(FORMATS[kind].suffixes[0])


def real_path(path: Path) -> Path:
    """The path with all links followed, even where they lead in a circle."""
    return Path(os.path.realpath(path))


def list_pictures(
    root: Path, *, exclude: Sequence[Path] = (), suffixes: Collection[str] = PICTURE_SUFFIXES
) -> Listing:
    """Walk `root` for pictures, by suffix.

    Passed over are hidden files and folders, systems' own folders (thumbnails, what was thrown away) and
    symlinked ones; so are the maps and samples beside a restored picture (see `companion`), which are counted as
    other files.

    Args:
        root: a folder, or one picture (its folder is then the root).
        exclude: folders below `root` that are not walked.
        suffixes: of pictures, in small letters.

    Raises:
        InputError: `root` does not exist or cannot be read.
    """
    if root.is_file():
        return Listing(root=root.parent, pictures=(PurePosixPath(root.name),))
    if not root.is_dir():
        raise InputError(f"There is no folder {root}", hint="Check the path; quote it if it has spaces.")
    pictures: list[PurePosixPath] = []
    others = 0
    excluded = {real_path(folder) for folder in exclude}
    for folder, folders, files in os.walk(root, onerror=_refuse):
        here = Path(folder)
        folders[:] = [f for f in folders if not _is_hidden(f) and real_path(here / f) not in excluded]
        beside = set(files)
        for name in files:
            if name.startswith("."):
                continue
            if Path(name).suffix.lower() in suffixes and companion_of(name) not in beside:
                pictures.append(PurePosixPath((here / name).relative_to(root).as_posix()))
            else:
                others += 1
    return Listing(root=root, pictures=tuple(sorted(pictures)), others=others)


def require_pictures(root: Path, *, exclude: Sequence[Path] = ()) -> Listing:
    """Like `list_pictures`, but an empty result is an `InputError`."""
    listing = list_pictures(root, exclude=exclude)
    if not listing.pictures:
        known = " ".join(sorted(suffix[1:] for suffix in PICTURE_SUFFIXES))
        raise InputError(f"No pictures in {root}", hint=f"Picture files end in one of: {known}")
    return listing


def require_apart(source: Path, target: Path) -> None:
    """Refuse an output folder that is, or holds, the input folder.

    Raises:
        OutputError: it is, or it is a file.
    """
    originals, outputs = real_path(source.parent if source.is_file() else source), real_path(target)
    if outputs == originals or (source.is_dir() and originals.is_relative_to(outputs)):
        raise OutputError(
            f"The output folder {target} is or holds the input folder {source}; originals are never written over",
            hint="Name another output folder.",
        )
    if target.exists() and not target.is_dir():
        raise OutputError(f"The output {target} is a file, not a folder")


def require_harmless(outputs: Sequence[Path], originals: Listing, target: Path) -> None:
    """Refuse outputs that symbolic links would lead onto originals.

    Raises:
        OutputError: one would.
    """
    files = {real_path(originals.root / name) for name in originals.pictures}
    root, target = real_path(originals.root), real_path(target)
    folders = {folder: real_path(folder) for folder in {output.parent for output in outputs}}
    for output in outputs:
        folder = folders[output.parent]
        strays = folder.is_relative_to(root) and not folder.is_relative_to(target)
        if strays or folder / output.name in files:
            raise OutputError(
                f"A link leads the output {output} onto an original; originals are never written over",
                hint="Name another output folder.",
            )


def is_picture_name(name: str) -> bool:
    """Whether a file's suffix is one that pictures have."""
    return Path(name).suffix.lower() in PICTURE_SUFFIXES


def _is_hidden(folder: str) -> bool:
    return folder.startswith(".") or folder.lower() in _SYSTEM_FOLDERS


def _refuse(error: OSError) -> None:
    raise InputError(f"Cannot read the folder {error.filename}: {error.strerror}") from error
