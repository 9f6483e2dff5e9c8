"""Opening a picture file: its header is checked, and its pages give their pixels by rows."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from artrestore.errors import ArtRestoreError, DiskFullError, PictureError
from artrestore.io import jpeg, libvips, pillow, png, pnm, tiff, webp
from artrestore.io.atomic import NO_SPACE
from artrestore.io.averaging import average_down
from artrestore.io.colour import profile_note, to_working
from artrestore.io.formats import Levels, Space, is_mislabelled, recognise
from artrestore.io.forms import Array, Form, Native
from artrestore.io.metadata import Metadata
from artrestore.io.picture import Picture
from artrestore.io.rows import Rows, UprightRows, VipsRows

MAX_PIXELS = 2_000_000_000
_STRIP = _CHUNK = 64  # rows that are averaged, and whose colours are converted, at once
_SPACES: dict[str, Space] = {
    "b-w": "grey", "grey16": "grey", "srgb": "rgb", "rgb16": "rgb", "rgb": "rgb", "scrgb": "rgb", "cmyk": "cmyk",
    "labs": "lab",
}  # fmt: skip
_LEVELS: dict[str, Levels] = {"uchar": "uint8", "ushort": "uint16", "float": "float32", "short": "uint16"}


class Page:
    """One picture of a file, upright. What it is is known from its header; pixels are decoded when asked for.

    Attributes:
        width: in pixels.
        height: in pixels.
        form: how its own pixels are kept.
        metadata: beside them.
    """

    def __init__(
        self,
        path: Path,
        open_rows: Callable[[], Rows],
        form: Form,
        metadata: Metadata,
        notes: tuple[str, ...],
        scratch: Path | None,
        closing: contextlib.ExitStack,
    ) -> None:
        self._path, self._open_rows, self._scratch, self._closing = path, open_rows, scratch, closing
        self.form, self._orientation = form, metadata.orientation
        self.metadata, lost = metadata.upright()
        unfit = profile_note(form)
        self._notes = dict.fromkeys((*notes, *lost, *([unfit] if unfit else [])))
        rows = self._oriented()
        self.width, self.height = rows.width, rows.height
        self._working: Rows | None = rows
        self._own: Rows | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be kept, in words for the user; some is known only once the pixels have been read."""
        return tuple(self._notes)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.width, self.height

    def rows(self, top: int, bottom: int) -> Array:
        """Rows from `top` to before `bottom` in sRGB, float32 in [0, 1], (3, bottom - top, W).

        Memory is that of the rows. From top to bottom is cheap; going back decodes again from the top.

        Raises:
            PictureError: the file is damaged.
        """
        with reading(self._path):
            rgb = np.empty((3, bottom - top, self.width), dtype=np.float32)
            stored = self._rows()
            for start in range(top, bottom, _CHUNK):
                end = min(start + _CHUNK, bottom)
                rgb[:, start - top : end - top] = self._to_working(stored.read(start, end))
            return rgb

    def native(self, top: int, bottom: int) -> Native:
        """The same rows as the file has them, (h, W, channels) in `form`; they are read independently of `rows`.

        Raises:
            PictureError: the file is damaged.
        """
        with reading(self._path):
            if self._own is None:
                shared = self._rows()
                self._own = self._oriented() if isinstance(shared, VipsRows) else shared
            return self._own.read(top, bottom)

    def rest(self) -> None:
        """Let go of the file until more rows are asked for."""
        self._working = self._own = None

    def read(self) -> Picture:
        """The whole page.

        Raises:
            PictureError: the file is damaged.
        """
        with reading(self._path):
            native = self._rows().read(0, self.height)
            rgb = self._to_working(native)
        return Picture(rgb=rgb, native=native, form=self.form, metadata=self.metadata, notes=self.notes)

    def thumbnail(self, width: int, height: int) -> Array:
        """The page averaged down (or repeated up) to a size in sRGB, (3, height, width).

        A pixel is the mean of those whose area its own touches, as in PyTorch's `adaptive_avg_pool2d`. Memory is
        that of a strip of the picture.

        Raises:
            PictureError: the file is damaged.
        """
        strips = (self.rows(top, min(top + _STRIP, self.height)) for top in range(0, self.height, _STRIP))
        return average_down(strips, self.size, (width, height))

    def _to_working(self, native: Native) -> Array:
        if native.dtype.kind == "f" and not np.isfinite(native[..., : self.form.colours]).all():
            self._notes["pixels that are no numbers were kept as they are"] = None
        return to_working(native, self.form)

    def _rows(self) -> Rows:
        if self._working is None:
            self._working = self._oriented()
        return self._working

    def _oriented(self) -> Rows:
        stored = self._open_rows()
        if self._orientation == 1:
            return stored
        return UprightRows(stored, self.form, self._orientation, self._scratch, self._closing)


class PictureFile:
    """An open picture file.

    Attributes:
        path: of the file.
        format: what it is, whatever its name says.
        pages: how many there are.
        notes: what is to be said of the file as a whole.
    """

    def __init__(self, path: Path, max_pixels: int, scratch: Path | None) -> None:
        self.path, self.max_pixels, self.scratch = path, max_pixels, scratch
        self.format = recognise(path)
        self.notes: tuple[str, ...] = ()
        if is_mislabelled(path, self.format):
            self.notes = (f"it is {self.format.name.upper()} in spite of its name",)
        with reading(path):
            self.pages = self._count_pages()
        self._opened: dict[int, Page] = {}
        self._current: Page | None = None
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and of temporary ones."""
        self._opened.clear()
        self._current = None
        self._closing.close()

    def page(self, index: int) -> Page:
        """One of the pages, from 0; the one before lets go of the file, which hundreds would hold open.

        Raises:
            PictureError: it is damaged, too large, or of a kind that cannot be restored.
        """
        if index not in self._opened:
            with reading(self.path):
                self._opened[index] = self._page(index)
        page = self._opened[index]
        if self._current is not None and self._current is not page:
            self._current.rest()
        self._current = page
        return page

    def _count_pages(self) -> int:
        if self.format.name == "tiff":
            if pages := tiff.count_pages(self.path):
                return pages
            raise PictureError(f"{self.path} has no pages")
        if self.format.name not in ("gif", "avif"):
            return 1
        if (frames := pillow.count_frames(self.path, self.format)) > 1:
            raise PictureError(f"{self.path} is animated ({frames} frames); only single pictures are restored")
        return 1

    def _page(self, index: int) -> Page:
        notes: tuple[str, ...] = ()
        name = self.format.name
        if name == "tiff":
            found = tiff.read(self.path, index)
            if found.lab8:  # libvips cannot stream it
                return self._by_pillow(index, found)
            return self._by_vips(found.metadata, found.profile, found.notes, page=index, unlimited=True)
        if name == "png":
            metadata, profile, notes = png.read(self.path)
            return self._by_vips(metadata, profile, notes)
        if name in ("jpeg", "webp"):
            metadata, profile = (jpeg if name == "jpeg" else webp).read(self.path)
            return self._by_vips(metadata, profile, notes)
        if name == "ppm" and (rows := pnm.open_rows(self.path)):
            self._require_size(rows.width, rows.height, self.max_pixels)
            return Page(self.path, lambda: rows, rows.form, Metadata(), (), self.scratch, self._closing)
        return self._by_pillow(index, None)

    def _by_vips(self, metadata: Metadata, profile: bytes | None, notes: tuple[str, ...], **options: Any) -> Page:
        def reopen() -> Any:
            return libvips.load(self.format.name, self.path, **options)

        image = reopen()
        self._require_size(image.width, image.height, self.max_pixels)
        form = self._form(image, metadata, profile)
        return Page(self.path, lambda: VipsRows(reopen, form), form, metadata, notes, self.scratch, self._closing)

    def _by_pillow(self, index: int, known: tiff.PageTags | None) -> Page:
        opened = self._closing.enter_context(pillow.open_image(self.path, self.format, index))
        self._require_size(opened.width, opened.height, min(self.max_pixels, pillow.MOST_PIXELS))
        form, notes = pillow.form_of(opened, self.path)
        metadata = pillow.metadata_of(opened)
        if known:
            metadata, notes = known.metadata, known.notes
            form = replace(form, profile=known.profile)
        rows = pillow.DecodedRows(opened)
        return Page(self.path, lambda: rows, form, metadata, notes, self.scratch, self._closing)

    def _form(self, image: Any, metadata: Metadata, profile: bytes | None) -> Form:
        space = _SPACES.get(image.interpretation)
        if space is None and image.interpretation == "multiband":
            space = "rgb" if image.bands >= 3 else "grey"
        levels = _LEVELS.get(image.format)
        lab = space == "lab"
        if space is None or levels is None or lab != (image.format == "short") or image.coding != "none":
            kind = f"{image.interpretation}, {image.format}"
            raise PictureError(f"{self.path} has pixels of a kind that cannot be restored ({kind})")
        form = Form(space=space, levels=levels, profile=profile)
        extra = image.bands - form.colours
        if extra < 0:
            raise PictureError(f"{self.path} has {image.bands} channels, too few for {space}")
        return replace(form, extra=extra, alpha=extra > 0 and metadata.first_extra_is_alpha)

    def _require_size(self, width: int, height: int, most: int) -> None:
        if width * height > most:
            advice = " Raise it with --max-pixels." if most == self.max_pixels else ""
            raise PictureError(
                f"{self.path} claims {width} x {height} pixels, which is too large",
                hint=f"The limit is {most:,} pixels.{advice}",
            )


def open_picture(path: Path, *, max_pixels: int = MAX_PIXELS, scratch: Path | None = None) -> PictureFile:
    """Open a picture file, by its content whatever its name; use it in a `with` block.

    Args:
        path: of the file.
        max_pixels: of a page; a larger one is refused by its header.
        scratch: folder for the temporary file that a large picture needs that is stored turned.

    Raises:
        PictureError: not a picture, empty, animated or damaged.
    """
    return PictureFile(path, max_pixels, scratch)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises into a `PictureError` that names the file."""
    try:
        yield
    except ArtRestoreError as error:
        if str(path) not in error.message:
            raise PictureError(f"{path}: {error.message}", hint=error.hint) from error
        raise
    except OSError as error:
        if error.errno in NO_SPACE:
            raise DiskFullError(f"No space left for the temporary file of {path}") from error
        raise PictureError(f"Cannot read {path}: {error.strerror or error}") from error
    except libvips.VipsError as error:
        reason = " ".join(str(error.detail).split()) or error.message
        raise PictureError(f"{path} is damaged or cut short: {reason}") from error
    except MemoryError as error:
        raise PictureError(f"There is not enough memory to read {path}") from error
    except Exception as error:
        raise PictureError(f"{path} is damaged or cut short: {error or type(error).__name__}") from error
