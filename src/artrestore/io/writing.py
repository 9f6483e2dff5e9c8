"""Writing pictures: all or nothing, whole or by rows, with what was beside the pixels."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from artrestore.errors import ArtRestoreError, DiskFullError, PictureError
from artrestore.io import encoding, jpeg
from artrestore.io.atomic import atomic_path, output_errors, temporary_beside
from artrestore.io.colour import finish
from artrestore.io.formats import Format, SaveOptions, target_format
from artrestore.io.forms import Array, Form, Native, target_form
from artrestore.io.memory import give_back_freed_memory
from artrestore.io.metadata import Metadata
from artrestore.io.picture import Picture
from artrestore.io.provenance import Provenance, add_provenance, without_padding
from artrestore.io.rows import ArrayRows, FileRows
from artrestore.io.sources import Source, SourcePage

_CHUNK = 64  # rows whose colours are converted at once


def write_picture(
    path: Path,
    picture: Picture | Sequence[Picture],
    options: SaveOptions | None = None,
    provenance: Provenance | None = None,
) -> tuple[str, ...]:
    """Encode a picture, or the pages of one, all or nothing.

    Args:
        path: where to; its suffix tells the format unless the options do.
        picture: one, or several for a format that has pages.
        options: what is not to be as the picture has it.
        provenance: what was done to the picture, for its XMP packet.

    Returns:
        What could not be kept, in words for the user.

    Raises:
        OutputError: the file cannot be written.
        PictureError: the format cannot hold this picture.
    """
    options = options or SaveOptions()
    target = target_format(path, options)
    pictures = [picture] if isinstance(picture, Picture) else list(picture)
    _require_pages(path, target, len(pictures))
    pages, notes = [], []
    for one in pictures:
        _require_size(path, target, *one.size)
        form, lost = target_form(one.form, target, options)
        metadata, unsaid = _metadata(one.metadata, target, options, provenance)
        native = finish(one.as_stored(), None, one.form, form)
        pages.append((ArrayRows(native), form, metadata))
        notes += [*lost, *unsaid]
    notes += _encode(path, target, pages, options)
    return tuple(dict.fromkeys(notes))


def is_lossy(path: Path, metadata: Metadata, options: SaveOptions | None = None) -> bool:
    """Whether `write_picture` changes the pixels of a picture a little: JPEG and lossy WebP do."""
    options = options or SaveOptions()
    name = target_format(path, options).name
    lossless = metadata.lossless and options.quality is None
    return name == "jpeg" or (name == "webp" and not lossless)


class PictureWriter:
    """Writes a picture by rows, with memory for those rows only; use it in a `with` block.

    The rows are gathered in a temporary file of raw pixels beside the target, which is removed whatever happens;
    when the block ends well, they are encoded from there by a stream, and the target appears, whole. JPEG 2000,
    WebP, BMP and TGA are encoded from memory.

    Args:
        path: where to; its suffix tells the format unless the options do.
        source: what is restored, an open `PictureFile`; or a `Blank`, for a map.
        options: what is not to be as the source has it.
        provenance: what was done, for the XMP packet.

    Raises:
        PictureError: the format cannot hold this picture.
        OutputError: the folder cannot be written.
    """

    def __init__(
        self,
        path: Path,
        source: Source,
        options: SaveOptions | None = None,
        provenance: Provenance | None = None,
    ) -> None:
        self.path, self.source, self.options = path, source, options or SaveOptions()
        self.target = target_format(path, self.options)
        _require_pages(path, self.target, source.pages)
        self._provenance = provenance
        self._notes: dict[str, None] = {}
        self._pages: dict[int, _RawPage] = {}
        self._raw: _RawFile | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be kept, in words for the user; complete when the block has ended."""
        return tuple(self._notes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        try:
            if kind is None:
                self._encode()
        finally:
            if self._raw:
                self._raw.remove()

    def write_rows(self, page_index: int, top: int, restored: Array) -> None:
        """Take restored rows.

        Args:
            page_index: of the page in the source, from 0.
            top: the first row's place. From top to bottom is cheap.
            restored: sRGB in [0, 1], (3, h, W), or (1, h, W) for grey.

        Raises:
            PictureError: the source is damaged there, or the format cannot hold the page.
            OutputError: there is no space for the temporary file.
        """
        page = self._page(page_index)
        for start in range(0, restored.shape[1], _CHUNK):
            rows = np.clip(restored[:, start : start + _CHUNK], 0, 1)
            native = page.source.native(top + start, top + start + rows.shape[1])
            page.write(top + start, finish(native, rows, page.source.form, page.form))

    def _page(self, index: int) -> "_RawPage":
        if index not in self._pages:
            source = self.source.page(index)
            _require_size(self.path, self.target, source.width, source.height)
            form, notes = target_form(source.form, self.target, self.options)
            self._notes |= dict.fromkeys(notes)
            self._raw = self._raw or _RawFile(self.path)
            self._pages[index] = self._raw.new_page(source, form)
        return self._pages[index]

    def _encode(self) -> None:
        for index in range(self.source.pages):
            if not (index in self._pages and self._pages[index].complete):
                raise PictureError(f"{self.path}: page {index + 1} was not restored to its end")
        pages = []
        for _, page in sorted(self._pages.items()):
            metadata, notes = _metadata(page.source.metadata, self.target, self.options, self._provenance)
            self._notes |= dict.fromkeys(notes)
            pages.append((page.rows, page.form, metadata))
        give_back_freed_memory()  # the encoder takes memory of its own
        self._notes |= dict.fromkeys(_encode(self.path, self.target, pages, self.options))


class _RawFile:
    """The temporary file of raw pixels, those of one page behind those of another."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._path = temporary_beside(target)
        self._end = 16  # a TIFF's header
        with output_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = self._path.open("w+b", buffering=0)

    def new_page(self, source: SourcePage, form: Form) -> "_RawPage":
        """Room for a page."""
        rows = FileRows(self._file, source.width, source.height, form, start=self._end)
        self._end += source.height * rows.row_bytes
        return _RawPage(self._target, source, rows)

    def remove(self) -> None:
        with contextlib.suppress(OSError):  # it must not hide what went wrong before
            self._file.close()
            self._path.unlink()


class _RawPage:
    """One page's part of that file."""

    def __init__(self, target: Path, source: SourcePage, rows: FileRows) -> None:
        self.source, self.rows, self.form = source, rows, rows.form
        self._target = target
        self._written = np.zeros(source.height, dtype=bool)

    @property
    def complete(self) -> bool:
        """Whether all rows have been written."""
        return bool(self._written.all())

    def write(self, top: int, pixels: Native) -> None:
        with output_errors(self._target):
            self.rows.write(top, pixels)
        self._written[top : top + len(pixels)] = True


def _metadata(
    metadata: Metadata, target: Format, options: SaveOptions, provenance: Provenance | None
) -> tuple[Metadata, tuple[str, ...]]:
    if options.strip_metadata:
        metadata = metadata.stripped()
    if provenance is None:
        return metadata, ()
    xmp = add_provenance(metadata.xmp, provenance)
    if xmp is None:
        return metadata, ("what was done could not be noted in its XMP data, which are damaged",)
    if target.name == "jpeg" and len(xmp) > jpeg.XMP_ROOM >= len(metadata.xmp or b""):
        xmp = without_padding(xmp)
        if len(xmp) > jpeg.XMP_ROOM:
            return metadata, ("what was done could not be noted: its XMP data leave no room for it",)
    return replace(metadata, xmp=xmp), ()


def _require_pages(path: Path, target: Format, pages: int) -> None:
    if pages > 1 and not target.pages:
        raise PictureError(
            f"{path} cannot hold {pages} pages: {target.name.upper()} has but one", hint="Use --format tiff."
        )


def _require_size(path: Path, target: Format, width: int, height: int) -> None:
    if target.longest and max(width, height) > target.longest:
        raise PictureError(
            f"{path} cannot hold {width} x {height} pixels: {target.name.upper()} ends at {target.longest}",
            hint="Use --format tiff.",
        )


def _encode(path: Path, target: Format, pages: list[Any], options: SaveOptions) -> tuple[str, ...]:
    """Encode to a temporary file, and rename that to `path`."""
    with atomic_path(path) as temporary:
        try:
            return encoding.encode(temporary, target, pages, options)
        except ArtRestoreError:
            raise
        except OSError as error:
            if error.errno:  # the disk's fault, not the picture's
                raise
            raise PictureError(f"{path} cannot hold this picture: {error}") from error
        except Exception as error:  # encoders raise many kinds
            if "No space left" in str(error):
                raise DiskFullError(
                    f"No space left to write {path}", hint="Free some space or choose another output folder."
                ) from error
            raise PictureError(f"{path} cannot hold this picture: {error}") from error
