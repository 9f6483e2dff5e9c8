"""The chunks of PNG files that describe the picture: read, and put into a file that an encoder has written."""

import shutil
import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from artrestore.io.metadata import COLOUR_CHUNKS, Density, Metadata, exif_orientation

_XMP = b"XML:com.adobe.xmp\0"
_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
_OURS = _TEXTS | COLOUR_CHUNKS | {b"eXIf", b"pHYs", b"iCCP", b"tIME"}
_LONGEST = 1 << 26  # bytes of a chunk that is read


def read(path: Path) -> tuple[Metadata, bytes | None, tuple[str, ...]]:
    """What a file says, its ICC profile, and what of its pixels changes kind.

    Raises:
        ValueError: its chunks are damaged, or it is animated.
    """
    with path.open("rb") as file:
        found = list(_chunks(file))
    first = dict(reversed(found))
    if int.from_bytes(first.get(b"acTL", b"")[:4], "big") > 1:
        raise ValueError("it is animated; only single pictures are restored")
    exif = first.get(b"eXIf")
    texts = [chunk for chunk in found if chunk[0] in _TEXTS]
    kept = [chunk for chunk in found if chunk[0] in COLOUR_CHUNKS]
    metadata = Metadata(
        exif=exif,
        xmp=next((_xmp(content) for name, content in texts if _is_xmp(name, content)), None),
        density=_density(first.get(b"pHYs")),
        chunks=tuple(kept + [chunk for chunk in texts if not _is_xmp(*chunk)]),
        orientation=exif_orientation(exif),
    )
    return metadata, _profile(first.get(b"iCCP")), _notes(first.get(b"IHDR", b""))


def put_in(path: Path, source: Path, metadata: Metadata, profile: bytes | None) -> None:
    """Write the file `source`, which an encoder has made, to `path` with these data."""
    with source.open("rb") as encoded, path.open("wb") as file:
        file.write(encoded.read(8))
        while len(head := encoded.read(8)) == 8:
            length, name = struct.unpack(">I4s", head)
            if name in _OURS:
                encoded.seek(length + 4, 1)
                continue
            if name == b"IDAT":  # all that describes the picture stands before its pixels
                for chunk in _pieces(metadata, profile):
                    file.write(_chunk(*chunk))
                file.write(head)
                shutil.copyfileobj(encoded, file, 1 << 20)
                return
            file.write(head + encoded.read(length + 4))


def _pieces(metadata: Metadata, profile: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    yield from (chunk for chunk in metadata.chunks if chunk[0] in COLOUR_CHUNKS)
    if profile:
        yield b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)
    if metadata.density:
        per_cm = metadata.density.per("cm")
        x, y = (value * 100 for value in per_cm) if per_cm else (metadata.density.x, metadata.density.y)
        yield b"pHYs", struct.pack(">IIB", round(x), round(y), 1 if per_cm else 0)
    if metadata.exif:
        yield b"eXIf", metadata.exif
    if metadata.xmp:
        yield b"iTXt", _XMP + b"\0\0\0\0" + metadata.xmp
    yield from (chunk for chunk in metadata.chunks if chunk[0] in _TEXTS)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of all chunks but pixels; those that are damaged or too long are passed over."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name in (b"IDAT", b"fdAT") or length > _LONGEST:
            file.seek(length + 4, 1)
            continue
        content, check = file.read(length), file.read(4)
        if check == struct.pack(">I", zlib.crc32(name + content)):
            yield name, content
        if name == b"IEND":
            return


def _is_xmp(name: bytes, content: bytes) -> bool:
    return name == b"iTXt" and content.startswith(_XMP)


def _xmp(content: bytes) -> bytes | None:
    compressed, rest = content[len(_XMP) : len(_XMP) + 1], content[len(_XMP) + 2 :]
    text = rest.split(b"\0", 2)[-1]
    return _inflated(text) if compressed == b"\1" else text


def _profile(content: bytes | None) -> bytes | None:
    return _inflated(content.split(b"\0", 1)[-1][1:]) if content else None


def _inflated(content: bytes) -> bytes | None:
    """What was deflated, up to a length that no honest profile or packet has."""
    try:
        return zlib.decompressobj().decompress(content, _LONGEST)
    except zlib.error:
        return None


def _density(content: bytes | None) -> Density | None:
    if content is None or len(content) != 9:
        return None
    x, y, unit = struct.unpack(">IIB", content)
    if not (x and y):
        return None
    if unit == 1:
        return Density(x=Fraction(x, 100), y=Fraction(y, 100), unit="cm")
    return Density(x=Fraction(x), y=Fraction(y), unit="none")


def _notes(header: bytes) -> tuple[str, ...]:
    if len(header) != 13:
        return ()
    depth, kind = header[8], header[9]
    if kind == 3:
        return ("its palette became plain colours",)
    if depth == 1:
        return ("black and white became 8-bit greyscale",)
    return (f"{depth}-bit greyscale became 8-bit",) if depth < 8 else ()
