"""From finished pixels to the bytes of a format."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from artrestore.io import jpeg, libvips, pillow, png, pnm, tiff
from artrestore.io.atomic import temporary_beside
from artrestore.io.formats import Format, SaveOptions
from artrestore.io.forms import Form
from artrestore.io.metadata import Metadata, exif_from_tags
from artrestore.io.rows import ArrayRows, FileRows, Rows

_LEAST_QUALITY = 95  # what was restored is not to be damaged again
_PNG_LEVEL = 4  # 7 takes four times as long to save a few per cent

Encodable = tuple[Rows, Form, Metadata]


def encode(path: Path, target: Format, pages: Sequence[Encodable], options: SaveOptions) -> tuple[str, ...]:
    """Write pages in a format that can hold their forms.

    Returns:
        What could not be kept, in words for the user.
    """
    if target.name == "tiff":
        tiff.write(path, pages)
        return ()
    (rows, form, metadata) = pages[0]
    if target.name == "ppm":
        pnm.write(path, rows, form)
    elif target.name == "png":
        with _encoded(path, "png", rows, form, compression=_PNG_LEVEL, filter="all") as plain:
            png.put_in(path, plain, _with_exif(metadata), form.profile)
    elif target.name == "jpeg":
        quality = options.quality or max(_LEAST_QUALITY, metadata.quality or 0)
        with _encoded(path, "jpeg", rows, form, Q=quality, subsample_mode="off") as plain:
            return jpeg.put_in(path, plain, _with_exif(metadata), form.profile)
    else:
        pillow.write(path, rows.read(0, rows.height), form, metadata, target, options.quality)
    return ()


@contextlib.contextmanager
def _encoded(path: Path, name: str, rows: Rows, form: Form, **options: Any) -> Iterator[Path]:
    """The pixels alone, encoded by libvips into a temporary file beside `path`."""
    plain = temporary_beside(path)
    try:
        libvips.save(name, _image(rows, form), plain, **options)
        yield plain
    finally:
        plain.unlink(missing_ok=True)


def _image(rows: Rows, form: Form) -> Any:
    if isinstance(rows, FileRows):
        tiff.wrap(rows, form)
        rows.file.flush()
        return libvips.load("tiff", Path(rows.file.name), unlimited=True)
    if isinstance(rows, ArrayRows):
        return libvips.from_array(rows.pixels, form)
    raise TypeError(f"no image of libvips can be made of {type(rows).__name__}")


def _with_exif(metadata: Metadata) -> Metadata:
    """With what a TIFF said in its tags as EXIF data."""
    if metadata.exif is None and metadata.tags:
        return replace(metadata, exif=exif_from_tags(metadata.tags))
    return metadata
