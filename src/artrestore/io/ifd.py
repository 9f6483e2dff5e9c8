"""Directories of TIFF files, which are also those of EXIF data: read, changed in place, written."""

import io
import itertools
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

EXIF, GPS, INTEROPERABILITY = 34665, 34853, 40965
ORIENTATION = 274
_SUBDIRECTORIES = {EXIF, GPS, INTEROPERABILITY}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_WORDS = {3: 2, 8: 2, 4: 4, 9: 4, 13: 4, 11: 4, 5: 4, 10: 4, 12: 8, 16: 8, 17: 8, 18: 8}  # what is swapped
_MOST_ENTRIES, _MOST_BYTES, _MOST_PAGES = 4096, 1 << 26, 100_000
SHORT, LONG, RATIONAL, UNDEFINED, BYTE, ASCII = 3, 4, 5, 7, 1, 2


@dataclass(frozen=True)
class Entry:
    """A value: its type by TIFF's number, and its bytes, little-endian."""

    type: int
    data: bytes

    @property
    def count(self) -> int:
        """How many values of the type there are."""
        return len(self.data) // _SIZES[self.type]

    def numbers(self) -> tuple[int, ...]:
        """The values, if they are whole numbers; a rational is two of them."""
        width = _WORDS.get(self.type, 1)
        letter = {1: "B", 2: "H", 4: "I", 8: "Q"}[width]
        return struct.unpack(f"<{len(self.data) // width}{letter}", self.data)


Directory: TypeAlias = dict[int, "Entry | Directory"]


@dataclass(frozen=True)
class Layout:
    """How a file with directories is written: `<` or `>`, and whether with 64-bit offsets (BigTIFF)."""

    order: str
    big: bool

    @property
    def offset(self) -> str:
        """Of an offset, for `struct`."""
        return self.order + ("Q" if self.big else "I")

    @property
    def entries(self) -> str:
        """Of the number of entries, for `struct`."""
        return self.order + ("Q" if self.big else "H")

    @property
    def entry(self) -> str:
        """Of an entry, for `struct`: tag, type, count and value or offset."""
        return self.order + ("HHQ8s" if self.big else "HHI4s")


def read_header(file: BinaryIO) -> tuple[Layout, int]:
    """How the file is laid out, and where its first directory is.

    Raises:
        ValueError: it is no TIFF.
    """
    head = _read(file, 0, 16, least=8)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    version = struct.unpack(f"{order}H", head[2:4])[0] if order else 0
    if order is None or version not in (42, 43):
        raise ValueError("no TIFF header")
    layout = Layout(order, version == 43)
    return layout, struct.unpack_from(layout.offset, head, 8 if layout.big else 4)[0]


def page_offsets(file: BinaryIO) -> Iterator[int]:
    """Where the directories of the pages are.

    Raises:
        ValueError: the chain is broken or runs in a circle.
    """
    layout, offset = read_header(file)
    seen: set[int] = set()
    while offset:
        if offset in seen or len(seen) > _MOST_PAGES:
            raise ValueError("the directories run in a circle")
        seen.add(offset)
        yield offset
        count = struct.unpack(layout.entries, _read(file, offset, struct.calcsize(layout.entries)))[0]
        end = offset + struct.calcsize(layout.entries) + count * struct.calcsize(layout.entry)
        offset = struct.unpack(layout.offset, _read(file, end, struct.calcsize(layout.offset)))[0]


def read_directory(file: BinaryIO, layout: Layout, offset: int, depth: int = 2) -> Directory:
    """The values of a directory and of those up to `depth` below it; what is damaged is left out.

    Raises:
        ValueError: it is cut short.
    """
    directory: Directory = {}
    for _, tag, kind, count, field in _entries(file, layout, offset):
        if kind not in _SIZES or (tag in _SUBDIRECTORIES and not depth):
            continue
        size = count * _SIZES[kind]
        try:
            if tag in _SUBDIRECTORIES:
                below = struct.unpack(layout.offset, field)[0]
                directory[tag] = read_directory(file, layout, below, depth - 1)
                continue
            if size > len(field):
                field = _read(file, struct.unpack(layout.offset, field)[0], size)
        except ValueError:
            continue
        directory[tag] = Entry(kind, _little_endian(field[:size], kind, layout.order))
    return directory


def write_directory(
    directory: Mapping[int, "Entry | Directory"], start: int, *, big: bool, following: int = 0
) -> bytes:
    """A little-endian directory that is to stand at `start` in its file, with its values and those below it.

    Args:
        directory: what to write.
        start: an even offset.
        big: with 64-bit offsets.
        following: the offset of the next page's directory, or 0.
    """
    layout = Layout("<", big)
    room = struct.calcsize(layout.offset)
    table = struct.pack(layout.entries, len(directory))
    values = b""
    behind = start + len(table) + len(directory) * struct.calcsize(layout.entry) + room
    for tag, value in sorted(directory.items()):
        if isinstance(value, Entry):
            kind, count, data = value.type, value.count, value.data
        else:
            kind, count = LONG, 1
            place = behind + len(values)
            values += write_directory(value, place, big=big)
            data = struct.pack("<I", place)
        if len(data) > room:
            place = behind + len(values)
            values += data + b"\0" * (len(data) % 2)
            data = struct.pack(layout.offset, place)
        table += struct.pack(layout.entry, tag, kind, count, data.ljust(room, b"\0"))
    return table + struct.pack(layout.offset, following) + values


def patch(blob: bytes, changes: Mapping[int, int]) -> bytes:
    """EXIF data with other whole numbers where these tags are, and without a thumbnail.

    All else stays where it was: makers' notes hold offsets that nobody can mend. The thumbnail shows the picture
    as it was before; it is no longer referred to.

    Raises:
        ValueError: the data are damaged.
    """
    layout, offset = read_header(file := io.BytesIO(blob))
    if layout.big:
        raise ValueError("EXIF data in BigTIFF")
    patched = bytearray(blob)
    pending = [offset]
    for place, tag, kind, count, field in itertools.chain.from_iterable(
        _entries(file, layout, start) for start in pending
    ):
        if tag == EXIF and len(pending) == 1:
            pending.append(struct.unpack(layout.offset, field)[0])
        if tag in changes and count == 1 and kind in (SHORT, LONG):
            struct.pack_into(layout.order + ("H" if kind == SHORT else "I"), patched, place + 8, changes[tag])
    entries = struct.unpack_from(layout.entries, blob, offset)[0]
    if offset + 2 + 12 * entries + 4 <= len(blob):  # some writers leave out that there is no other directory
        struct.pack_into(layout.offset, patched, offset + 2 + 12 * entries, 0)
    return bytes(patched)


def number(directory: Directory, tag: int) -> int | None:
    """The first whole number of a tag, or None."""
    entry = directory.get(tag)
    return entry.numbers()[0] if isinstance(entry, Entry) and entry.data else None


def _entries(file: BinaryIO, layout: Layout, offset: int) -> Iterator[tuple[int, int, int, int, bytes]]:
    """Place, tag, type, count and value field of each entry."""
    head = struct.calcsize(layout.entries)
    count = struct.unpack(layout.entries, _read(file, offset, head))[0]
    if count > _MOST_ENTRIES:
        raise ValueError(f"a directory claims {count} entries")
    size = struct.calcsize(layout.entry)
    table = _read(file, offset + head, count * size)
    for index in range(count):
        tag, kind, number_of, field = struct.unpack_from(layout.entry, table, index * size)
        yield offset + head + index * size, tag, kind, number_of, field


def _read(file: BinaryIO, offset: int, size: int, least: int | None = None) -> bytes:
    if size > _MOST_BYTES:
        raise ValueError(f"a value claims {size} bytes")
    file.seek(offset)
    data = file.read(size)
    if len(data) < (size if least is None else least):
        raise ValueError("cut short")
    return data


def _little_endian(data: bytes, kind: int, order: str) -> bytes:
    width = _WORDS.get(kind, 1)
    if order == "<" or width == 1:
        return data
    return b"".join(data[place : place + width][::-1] for place in range(0, len(data), width))
