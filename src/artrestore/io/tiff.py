"""TIFF files: what their pages say, and how pages are written.

No library writes, by a stream, pages that differ in size and kind with all their tags as they were, so it is done
here: plain strips, uncompressed or deflated, which every reader takes. libvips reads.
"""

import io
import itertools
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from artrestore.io import ifd
from artrestore.io.forms import Form, Native
from artrestore.io.libvips import THREADS
from artrestore.io.metadata import DESCRIPTIVE_TAGS, Metadata, density_of, exif_directory, valid_orientation
from artrestore.io.rows import FileRows, Rows

_XMP, _IPTC, _PHOTOSHOP, _ICC, _EXTRA, _SUBPAGES = 700, 33723, 34377, 34675, 338, 330
_BITS, _COMPRESSION, _PHOTOMETRIC = 258, 259, 262
_KEPT = DESCRIPTIVE_TAGS | {ifd.EXIF, ifd.GPS, _EXTRA}
_LAB, _PALETTE = 8, 3
_PREMULTIPLIED, _PLAIN = 1, 2  # kinds of transparency
_STRIP = 1 << 20  # bytes, about
_LEVEL = 6  # of deflate
_MOST = 3_900_000_000  # bytes of pixels that a file with 32-bit offsets surely holds
_PHOTOMETRICS = {"grey": 1, "rgb": 2, "cmyk": 5, "lab": _LAB}


@dataclass(frozen=True)
class PageTags:
    """What a page says: for us, its profile, what changes kind, and whether it is in 8-bit Lab."""

    metadata: Metadata
    profile: bytes | None
    notes: tuple[str, ...]
    lab8: bool


def read(path: Path, page: int) -> PageTags:
    """What a page says.

    Raises:
        ValueError: the directory is damaged.
    """
    with path.open("rb") as file:
        layout, _ = ifd.read_header(file)
        offset = next(itertools.islice(ifd.page_offsets(file), page, None), 0)
        tags = ifd.read_directory(file, layout, offset)
    bits = ifd.number(tags, _BITS) or 1
    lab8 = ifd.number(tags, _PHOTOMETRIC) == _LAB and bits == 8
    notes = tuple(_notes(tags, bits))
    extra = _numbers(tags, _EXTRA)
    if _PREMULTIPLIED in extra and not lab8:  # libvips divides the colours by it
        tags[_EXTRA] = _shorts(*(_PLAIN if kind == _PREMULTIPLIED else kind for kind in extra))
        notes = (*notes, "colours that were premultiplied by their transparency became plain ones")
    metadata = Metadata(
        xmp=_bytes(tags, _XMP),
        iptc=_bytes(tags, _IPTC),
        photoshop=_bytes(tags, _PHOTOSHOP),
        density=density_of(tags),
        tags={tag: value for tag, value in tags.items() if tag in _KEPT},
        orientation=valid_orientation(ifd.number(tags, ifd.ORIENTATION)),
        compressed=ifd.number(tags, _COMPRESSION) not in (None, 1),
    )
    return PageTags(metadata, _bytes(tags, _ICC), notes, lab8)


def count_pages(path: Path) -> int:
    """How many pages there are.

    Raises:
        ValueError: the chain of their directories is broken.
    """
    with path.open("rb") as file:
        return sum(1 for _ in ifd.page_offsets(file))


def write(path: Path, pages: Sequence[tuple[Rows, Form, Metadata]]) -> None:
    """Write pages one after the other; never more than a few strips are held."""
    big = sum(rows.height * rows.width * form.channels * _width(form) for rows, form, _ in pages) > _MOST
    with path.open("wb") as file:
        file.write(b"II+\0\x08\0\0\0" + bytes(8) if big else b"II*\0" + bytes(4))
        link = file.tell() - (8 if big else 4)
        for rows, form, metadata in pages:
            directory = _described(form, metadata) | _packed(file, rows, form, metadata, big=big)
            start = file.seek(0, io.SEEK_END)
            start += file.write(bytes(start % 2))
            file.write(ifd.write_directory(directory, start, big=big))
            file.seek(link)
            file.write(struct.pack("<Q" if big else "<I", start))
            link = start + (8 + 20 * len(directory) if big else 2 + 12 * len(directory))
            file.seek(0, io.SEEK_END)


def wrap(rows: FileRows, form: Form) -> None:
    """Make a TIFF of a file that holds raw pixels behind `rows.start` bytes, so that libvips can stream it.

    It reads raw files, too, but maps them, and what is mapped counts as memory.
    """
    per_strip = max(1, min(rows.height, _STRIP // rows.row_bytes))
    tops = range(0, rows.height, per_strip)
    places = [rows.start + top * rows.row_bytes for top in tops]
    sizes = [(min(top + per_strip, rows.height) - top) * rows.row_bytes for top in tops]
    bare = Metadata(compressed=False)
    directory = _described(replace(form, profile=None), bare)
    directory |= _layout(rows, form, bare, per_strip, places, sizes, big=True)
    start = rows.file.seek(0, io.SEEK_END)
    rows.file.write(ifd.write_directory(directory, start, big=True))
    rows.file.seek(0)
    rows.file.write(b"II+\0\x08\0\0\0" + struct.pack("<Q", start))


def _packed(file: BinaryIO, rows: Rows, form: Form, metadata: Metadata, *, big: bool) -> ifd.Directory:
    """Write the pixels, and tell where they are and how they are to be read."""
    per_row = rows.width * form.channels * _width(form)
    per_strip = max(1, min(rows.height, _STRIP // per_row))
    places, sizes = [], []
    for strip in _strips(rows, form, per_strip, compressed=metadata.compressed):
        places.append(file.tell())
        sizes.append(file.write(strip))
    return _layout(rows, form, metadata, per_strip, places, sizes, big=big)


def _layout(
    rows: Rows, form: Form, metadata: Metadata, per_strip: int, places: list[int], sizes: list[int], *, big: bool
) -> ifd.Directory:
    """The tags that tell how the pixels are to be read."""
    offset, letter = (16, "Q") if big else (ifd.LONG, "I")
    predictor = 2 if metadata.compressed and form.levels != "float32" else 1
    directory: ifd.Directory = {
        256: _long(rows.width), 257: _long(rows.height), _BITS: _shorts(*[8 * _width(form)] * form.channels),
        _COMPRESSION: _shorts(8 if metadata.compressed else 1), _PHOTOMETRIC: _shorts(_PHOTOMETRICS[form.space]),
        273: ifd.Entry(offset, struct.pack(f"<{len(places)}{letter}", *places)), 277: _shorts(form.channels),
        278: _long(per_strip), 279: ifd.Entry(offset, struct.pack(f"<{len(sizes)}{letter}", *sizes)),
        284: _shorts(1), 317: _shorts(predictor),
        339: _shorts(*[3 if form.levels == "float32" else 1] * form.channels),
    }  # fmt: skip
    return directory


def _described(form: Form, metadata: Metadata) -> ifd.Directory:
    """The tags that tell of the picture."""
    tags = metadata.tags or _tags_of_exif(metadata.exif)
    directory = {tag: value for tag, value in tags.items() if tag in _KEPT and tag != _EXTRA}
    for tag, content, kind in (
        (_XMP, metadata.xmp, ifd.BYTE),
        (_IPTC, metadata.iptc, ifd.UNDEFINED),
        (_PHOTOSHOP, metadata.photoshop, ifd.BYTE),
        (_ICC, form.profile, ifd.UNDEFINED),
    ):
        if content:
            directory[tag] = ifd.Entry(kind, content)
    if metadata.density:
        directory[282], directory[283] = (_rational(value) for value in (metadata.density.x, metadata.density.y))
        directory[296] = _shorts({"none": 1, "inch": 2, "cm": 3}[metadata.density.unit])
    if form.extra:
        meanings = _numbers(tags, _EXTRA)
        directory[_EXTRA] = _shorts(
            *(meanings if len(meanings) == form.extra else [2 if form.alpha else 0] + [0] * (form.extra - 1))
        )
    return directory


def _strips(rows: Rows, form: Form, per_strip: int, *, compressed: bool) -> Iterator[bytes]:
    """The file's bytes of each strip; several are deflated at once."""
    pieces = (
        _as_stored(rows.read(top, min(top + per_strip, rows.height)), form)
        for top in range(0, rows.height, per_strip)
    )
    if not compressed:
        yield from (piece.tobytes() for piece in pieces)
        return
    with ThreadPoolExecutor(THREADS) as pool:
        for several in _batched(pieces, 2 * THREADS):
            yield from pool.map(_deflated, several)


def _batched(pieces: Iterable[Native], size: int) -> Iterator[list[Native]]:
    iterator = iter(pieces)
    while several := list(itertools.islice(iterator, size)):
        yield several


def _as_stored(pixels: Native, form: Form) -> Native:
    """Little-endian; a and b of Lab as signed numbers."""
    if form.space == "lab":
        pixels = pixels.copy()
        pixels[..., 1:3] ^= (form.highest + 1) // 2
    return np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("<"), copy=False)


def _deflated(pixels: Native) -> bytes:
    if pixels.dtype.kind == "u":
        difference = pixels.copy()
        difference[:, 1:] -= pixels[:, :-1]
        pixels = difference
    return zlib.compress(pixels.tobytes(), _LEVEL)


def _width(form: Form) -> int:
    return np.dtype(form.levels).itemsize


def _tags_of_exif(exif: bytes | None) -> ifd.Directory:
    try:
        return exif_directory(exif) if exif else {}
    except ValueError:
        return {}


def _numbers(tags: ifd.Directory, tag: int) -> tuple[int, ...]:
    entry = tags.get(tag)
    return entry.numbers() if isinstance(entry, ifd.Entry) else ()


def _bytes(tags: ifd.Directory, tag: int) -> bytes | None:
    entry = tags.get(tag)
    return entry.data or None if isinstance(entry, ifd.Entry) else None


def _notes(tags: ifd.Directory, bits: int) -> Iterator[str]:
    if ifd.number(tags, _PHOTOMETRIC) == _PALETTE:
        yield "its palette became plain colours"
    elif bits < 8:
        yield "black and white became 8-bit greyscale" if bits == 1 else f"{bits}-bit greyscale became 8-bit"
    if _SUBPAGES in tags:
        yield "reduced copies inside it were left out"


def _shorts(*values: int) -> ifd.Entry:
    return ifd.Entry(ifd.SHORT, struct.pack(f"<{len(values)}H", *values))


def _long(value: int) -> ifd.Entry:
    return ifd.Entry(ifd.LONG, struct.pack("<I", value))


def _rational(value: Fraction) -> ifd.Entry:
    if max(value.numerator, value.denominator) > 0xFFFFFFFF:
        value = min(value, Fraction(0xFFFFFFFF // 1000)).limit_denominator(1000)
    return ifd.Entry(ifd.RATIONAL, struct.pack("<II", value.numerator, value.denominator))
