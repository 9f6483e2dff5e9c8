"""The segments of JPEG files that describe the picture: read, and put into a file that an encoder has written."""

import shutil
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Literal

from artrestore.io.metadata import Density, Metadata, exif_density, exif_orientation, photoshop_of_iptc

_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_XMP_MORE = b"http://ns.adobe.com/xmp/extension/\0"  # what has no room in one segment
_ICC, _PHOTOSHOP, _JFIF = b"ICC_PROFILE\0", b"Photoshop 3.0\0", b"JFIF\0"
_APP0, _APP1, _APP2, _APP13, _COMMENT, _TABLES, _SCAN, _END = 0xE0, 0xE1, 0xE2, 0xED, 0xFE, 0xDB, 0xDA, 0xD9
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_ROOM = 65_533  # bytes in a segment
XMP_ROOM = _ROOM - len(_XMP)  # bytes of the longest packet
# IJG's table for luminance at quality 50, row by row; tables of other qualities are its multiples.
_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip


def read(path: Path) -> tuple[Metadata, bytes | None]:
    """What a file says, and its ICC profile.

    Raises:
        ValueError: its segments are damaged.
    """
    with path.open("rb") as file:
        found = list(_segments(file))
    exif = _first(found, _APP1, _EXIF)
    metadata = Metadata(
        exif=exif,
        xmp=_first(found, _APP1, _XMP),
        photoshop=b"".join(_all(found, _APP13, _PHOTOSHOP)) or None,
        extended_xmp=tuple(_all(found, _APP1, _XMP_MORE)),
        density=_density(_first(found, _APP0, _JFIF)) or exif_density(exif),
        comments=tuple(content for marker, content in found if marker == _COMMENT),
        orientation=exif_orientation(exif),
        quality=_quality(found),
    )
    return metadata, _profile(found)


def put_in(path: Path, source: Path, metadata: Metadata, profile: bytes | None) -> tuple[str, ...]:
    """Write the file `source`, which an encoder has made, to `path` with these data; tell what has no room."""
    pieces, notes = _pieces(metadata, profile)
    with source.open("rb") as encoded, path.open("wb") as file:
        file.write(encoded.read(2))
        for marker, content in [(_APP0, _jfif(metadata.density)), *pieces]:
            file.write(struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content)
        shutil.copyfileobj(encoded, file, 1 << 20)
    return notes


def _pieces(metadata: Metadata, profile: bytes | None) -> tuple[list[tuple[int, bytes]], tuple[str, ...]]:
    pieces, notes = [], []
    photoshop = metadata.photoshop or (metadata.iptc and photoshop_of_iptc(metadata.iptc))
    for name, marker, mark, content in (
        ("EXIF", _APP1, _EXIF, metadata.exif),
        ("XMP", _APP1, _XMP, metadata.xmp),
    ):
        if content and len(mark + content) <= _ROOM:
            pieces.append((marker, mark + content))
        elif content:
            notes.append(f"{name} data are too long for JPEG and were left out")
    pieces += [(_APP1, _XMP_MORE + part) for part in metadata.extended_xmp]
    pieces += [(_APP13, _PHOTOSHOP + part) for part in _parts(photoshop or b"", _ROOM - len(_PHOTOSHOP))]
    parts = _parts(profile or b"", _ROOM - len(_ICC) - 2)
    pieces += [(_APP2, _ICC + bytes([number, len(parts)]) + part) for number, part in enumerate(parts, 1)]
    pieces += [(_COMMENT, comment) for comment in metadata.comments]
    return pieces, tuple(notes)


def _parts(content: bytes, size: int) -> list[bytes]:
    return [content[place : place + size] for place in range(0, len(content), size)]


def _jfif(density: Density | None) -> bytes:
    """The segment that is first in a file: version 1.2, the resolution, no thumbnail."""
    unit, x, y = 0, 1, 1
    if density is not None:
        unit = {"none": 0, "inch": 1, "cm": 2}[density.unit]
        x, y = (min(65535, max(1, round(value))) for value in (density.x, density.y))
    return _JFIF + struct.pack(">HBHHBB", 0x0102, unit, x, y, 0, 0)


def _segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Marker and content of all segments before the first scan."""
    file.seek(2)
    while marker := _next_marker(file):
        if marker in (_SCAN, _END):
            return
        if marker in _ALONE:
            continue
        length = int.from_bytes(file.read(2), "big")
        content = file.read(length - 2) if length >= 2 else b""
        if len(content) != length - 2:
            raise ValueError("a segment is cut short")
        yield marker, content


def _next_marker(file: BinaryIO) -> int:
    """The next marker, past what fills the gap before it; 0 at the end."""
    while byte := file.read(1):
        if byte == b"\xff":
            while byte == b"\xff":
                byte = file.read(1)
            if byte not in (b"\0", b""):
                return byte[0]
    return 0


def _all(segments: list[tuple[int, bytes]], marker: int, mark: bytes) -> list[bytes]:
    return [content[len(mark) :] for kind, content in segments if kind == marker and content.startswith(mark)]


def _first(segments: list[tuple[int, bytes]], marker: int, mark: bytes) -> bytes | None:
    return next((content for content in _all(segments, marker, mark) if content), None)


def _density(jfif: bytes | None) -> Density | None:
    if jfif is None or len(jfif) < 7:
        return None
    unit, x, y = struct.unpack_from(">BHH", jfif, 2)
    if not (x and y):
        return None
    kind: Literal["inch", "cm", "none"] = "inch" if unit == 1 else "cm" if unit == 2 else "none"
    return None if kind == "none" and x == y else Density(x=Fraction(x), y=Fraction(y), unit=kind)


def _profile(segments: list[tuple[int, bytes]]) -> bytes | None:
    numbered = sorted((part[0], part[2:]) for part in _all(segments, _APP2, _ICC) if len(part) > 2)
    return b"".join(content for _, content in numbered) or None


def _quality(segments: list[tuple[int, bytes]]) -> int | None:
    """The lowest of IJG's qualities at which no coefficient of luminance is stored more coarsely than here."""
    for marker, content in segments:
        if marker == _TABLES and len(content) >= 65 and content[0] == 0:
            smallest = _in_rows(content[1:65])
            return next(quality for quality in range(1, 101) if quality == 100 or _fits(quality, smallest))
    return None


def _in_rows(zigzag: bytes) -> list[int]:
    places = sorted(
        ((row, column) for row in range(8) for column in range(8)),
        key=lambda place: (sum(place), place[0] if sum(place) % 2 else place[1]),
    )
    rows = [0] * 64
    for (row, column), value in zip(places, zigzag, strict=True):
        rows[8 * row + column] = value
    return rows


def _fits(quality: int, table: list[int]) -> bool:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return all(
        min(255, max(1, (base * scale + 50) // 100)) <= max(1, step)
        for base, step in zip(_LUMINANCE, table, strict=True)
    )
