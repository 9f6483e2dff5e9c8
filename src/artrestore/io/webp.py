"""The chunks of WebP files that describe the picture: read here, and written by Pillow as they are."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from artrestore.io.metadata import Metadata, exif_orientation

_LONGEST = 1 << 26  # bytes of a chunk that is read
_READ = {b"ICCP", b"EXIF", b"XMP "}


def read(path: Path) -> tuple[Metadata, bytes | None]:
    """What a file says, and its ICC profile.

    Raises:
        ValueError: it is animated.
    """
    with path.open("rb") as file:
        found = dict(_chunks(file))
    if b"ANIM" in found or b"ANMF" in found:
        raise ValueError("it is animated; only single pictures are restored")
    exif = found.get(b"EXIF", b"").removeprefix(b"Exif\0\0") or None
    metadata = Metadata(
        exif=exif, xmp=found.get(b"XMP ") or None, orientation=exif_orientation(exif), lossless=b"VP8L" in found
    )
    return metadata, found.get(b"ICCP") or None


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of the chunks; the content only where it is wanted."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, size = head[:4], int.from_bytes(head[4:], "little")
        wanted = name in _READ and size <= _LONGEST
        content = file.read(size) if wanted else b""
        yield name, content
        file.seek(size % 2 + (0 if wanted else size), 1)
