"""The formats of pictures: how a file is recognised, what each can hold, and how one is asked for."""

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from artrestore.errors import PictureError, UsageError

Levels: TypeAlias = Literal["uint8", "uint16", "float32"]
Space: TypeAlias = Literal["grey", "rgb", "cmyk", "lab"]

_SNIFFED = 64  # bytes at the beginning of a file that tell what it is


@dataclass(frozen=True, kw_only=True)
class Format:
    """What files of a format can hold.

    Attributes:
        name: as users type it.
        suffixes: of its files; the first is given to new ones. None are written to a format without any.
        levels: kinds of values.
        spaces: of colour.
        alpha: transparency.
        profile: an ICC profile.
        pages: more than one.
        longest: side in pixels, or 0 if there is no limit worth naming.
    """

    name: str
    suffixes: tuple[str, ...] = ()
    levels: frozenset[Levels] = frozenset({"uint8"})
    spaces: frozenset[Space] = frozenset({"grey", "rgb"})
    alpha: bool = False
    profile: bool = False
    pages: bool = False
    longest: int = 0


def _levels(*levels: Levels) -> frozenset[Levels]:
    return frozenset(levels)


_EVERY_SPACE: frozenset[Space] = frozenset({"grey", "rgb", "cmyk", "lab"})
FORMATS = {
    entry.name: entry
    for entry in (
        Format(
            name="tiff", suffixes=(".tif", ".tiff"), levels=_levels("uint8", "uint16", "float32"),
            spaces=_EVERY_SPACE, alpha=True, profile=True, pages=True,
        ),
        Format(name="png", suffixes=(".png",), levels=_levels("uint8", "uint16"), alpha=True, profile=True),
        Format(
            name="jpeg", suffixes=(".jpg", ".jpeg"), spaces=frozenset({"grey", "rgb", "cmyk"}), profile=True,
            longest=65_500,
        ),
        Format(
            name="webp", suffixes=(".webp",), spaces=frozenset({"rgb"}), alpha=True, profile=True, longest=16_383
        ),
        Format(name="jp2", suffixes=(".jp2",), levels=_levels("uint8", "uint16"), alpha=True),
        Format(name="ppm", suffixes=(".ppm", ".pgm"), levels=_levels("uint8", "uint16")),
        Format(name="bmp", suffixes=(".bmp",)),
        Format(name="tga", suffixes=(".tga",), alpha=True, longest=65_535),
        # Read, and written to another format only.
        Format(name="gif"), Format(name="heic"), Format(name="avif"),
    )
}  # fmt: skip
_BY_SUFFIX = {suffix: entry for entry in FORMATS.values() for suffix in entry.suffixes}


@dataclass(frozen=True, kw_only=True)
class SaveOptions:
    """How a picture is written.

    Attributes:
        format: a key of `FORMATS`; None takes that of the file's suffix.
        quality: 1 to 100 for JPEG and lossy WebP; None takes the source's for JPEG, and at least 95.
        bit_depth: 8 or 16; None keeps the source's, as far as the format can.
        strip_metadata: leave out EXIF, XMP, IPTC, comments and the like; profile and resolution stay.

    Raises:
        UsageError: a value out of its range.
    """

    format: str | None = None
    quality: int | None = None
    bit_depth: Literal[8, 16] | None = None
    strip_metadata: bool = False

    def __post_init__(self) -> None:
        writable = [name for name, entry in FORMATS.items() if entry.suffixes]
        if self.format is not None and self.format not in writable:
            raise UsageError(f"There is no format {self.format}", hint=f"Take one of: {' '.join(writable)}")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise UsageError(f"The quality must be from 1 to 100, not {self.quality}")
        if self.bit_depth not in (None, 8, 16):
            raise UsageError(f"The bit depth must be 8 or 16, not {self.bit_depth}")


def target_format(path: Path, options: SaveOptions) -> Format:
    """The format in which `path` is to be written.

    Raises:
        PictureError: its suffix is of no format that is written.
    """
    if options.format is not None:
        return FORMATS[options.format]
    try:
        return _BY_SUFFIX[path.suffix.lower()]
    except KeyError:
        raise PictureError(
            f"{path} has no suffix of a format that pictures are written in",
            hint="Choose one with --format, png or tiff for example.",
        ) from None


def recognise(path: Path) -> Format:
    """The format of a file, by its first bytes whatever its name.

    TGA alone has no mark: a file that nothing else fits is taken for one if it is named so.

    Raises:
        PictureError: no file, not readable, empty, or of no known format.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            raise PictureError(f"{path} is a {'folder' if path.is_dir() else 'device or pipe'}, not a picture")
        with path.open("rb") as file:
            head = file.read(_SNIFFED)
    except (OSError, ValueError) as error:
        raise PictureError(f"Cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if not head:
        raise PictureError(f"{path} is empty")
    name = _name(head) or ("tga" if path.suffix.lower() == ".tga" else None)
    if name is None:
        raise PictureError(f"{path} is not a picture", hint=f"What is read: {' '.join(FORMATS)}")
    return FORMATS[name]


def is_mislabelled(path: Path, found: Format) -> bool:
    """Whether the suffix of a file promises another format than it has."""
    promised = _BY_SUFFIX.get(path.suffix.lower())
    return promised is not None and promised is not found


_MARKS = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\0", "tiff"), (b"MM\0*", "tiff"), (b"II+\0", "tiff"), (b"MM\0+", "tiff"),
    (b"GIF87a", "gif"), (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"), (b"\xff\x4f\xff\x51", "jp2"),
)  # fmt: skip
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def _name(head: bytes) -> str | None:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return "ppm"
    if head[4:8] == b"ftyp":
        brands = {head[start : start + 4] for start in range(8, len(head), 4)}
        if brands & {b"avif", b"avis"}:
            return "avif"
        return "heic" if brands & _HEIC_BRANDS else None
    return None
