"""Pictures that are not held in memory: large ones, and those of several pages, read and written by rows."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from artrestore.errors import PictureError
from artrestore.io.memory import give_back_freed_memory
from artrestore.io.pictures import Array, Metadata, Page, PictureFile, PictureWriter, Provenance
from artrestore.reporting.map_rows import MapRows
from artrestore.restoration.companions import Companions
from artrestore.restoration.options import OutputOptions
from artrestore.restoration.produce import Rows, produce_rows
from artrestore.restoration.request import Mask, Source
from artrestore.restoration.restorer import Restorer

MOST_IN_MEMORY = 64_000_000  # pixels of a picture that is read as a whole

_ROWS_BETWEEN = 1024  # after which freed memory is given back, lest it adds up

_Placed: TypeAlias = tuple[int, Rows]  # the first row's place, and the rows


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """What is known of a picture whose rows have been restored.

    Attributes:
        size: (width, height) of the first page, in pixels.
        metadata: beside it.
        page_notes: what reading could not keep.
        writer: of the restored picture.
        change: RMS difference from the input, in levels of 255.
        unsure: mean half-width, in the same levels; None if no map was asked for.
    """

    size: tuple[int, int]
    metadata: Metadata
    page_notes: tuple[str, ...]
    writer: PictureWriter
    change: float
    unsure: float | None

    def figures(self) -> dict[str, Any]:
        """The fields of a `JobResult` that are measured."""
        return {"size": self.size, "change": self.change, "unsure": self.unsure}

    def notes(self) -> tuple[str, ...]:
        """What could not be kept, in words for the user; complete when the picture is written."""
        return (*self.page_notes, *self.writer.notes)


def is_streamed(file: PictureFile) -> bool:
    """Whether a picture is large or has several pages."""
    return file.pages > 1 or file.page(0).width * file.page(0).height > MOST_IN_MEMORY


def restore_by_rows(
    file: PictureFile,
    mask: PictureFile | None,
    restorer: Restorer,
    options: OutputOptions,
    companions: Companions,
    *,
    provenance: Provenance | None,
    open_files: contextlib.ExitStack,
) -> Streamed:
    """Restore all pages into raw files, which become pictures when `open_files` is closed without an exception.

    Args:
        file: the damaged picture, open.
        mask: of what is lost, open; white where nothing of the original is left.
        restorer: the network.
        options: what is made of it.
        companions: says where the files beside it go; plausible restorations are written at once.
        provenance: what is noted in the output.
        open_files: takes the writers.

    Raises:
        PictureError: it cannot be read or restored, or has several pages and shall have files beside it.
        OutputError: a file cannot be written.
    """
    if file.pages > 1 and (options.companions or mask):
        raise PictureError(
            f"{file.path} has {file.pages} pages; maps, samples and masks are for pictures of one page",
            hint="Leave out --uncertainty, --changes, --samples and --masks, or split it into its pages.",
        )
    for number in range(options.samples):
        with PictureWriter(companions.path(f"sample-{number + 1}"), file) as writer:
            for index in range(file.pages):
                for top, rows in _placed(file.page(index), mask, restorer, options, number):
                    writer.write_rows(index, top, rows.restored)
    picture = open_files.enter_context(PictureWriter(companions.job.target, file, options.saving, provenance))
    open_files.push(lambda kind, *_: companions.clear_old() if kind is None else None)
    squares = pixels = unsure = 0.0
    for index in range(file.pages):
        page = file.page(index)
        maps = open_files.enter_context(_maps(page, options, companions))
        for top, rows in _placed(page, mask, restorer, options):
            picture.write_rows(index, top, rows.restored)
            restored = _as_stored(rows.restored, page)
            maps.write(top, rows.half_width, restored - rows.damaged)
            squares += float(np.square(restored - rows.damaged, dtype=np.float64).sum())
            pixels += restored[0].size
            unsure += 0.0 if rows.half_width is None else float(rows.half_width.sum(dtype=np.float64))
    first = file.page(0)
    notes = [note for index in range(file.pages) for note in file.page(index).notes]
    return Streamed(
        size=first.size,
        metadata=first.metadata,
        page_notes=tuple(dict.fromkeys([*file.notes, *notes])),
        writer=picture,
        change=255 * (squares / (3 * pixels)) ** 0.5,
        unsure=255 * unsure / pixels if options.uncertainty else None,
    )


def _placed(
    page: Page, mask: PictureFile | None, restorer: Restorer, options: OutputOptions, sample: int | None = None
) -> Iterator[_Placed]:
    top = 0
    for rows in produce_rows(_source(page, mask), restorer, options, sample=sample):
        yield top, rows
        before, top = top, top + rows.restored.shape[1]
        if before // _ROWS_BETWEEN < top // _ROWS_BETWEEN:
            give_back_freed_memory()


def _source(page: Page, mask: PictureFile | None) -> Source:
    if mask is None:
        return Source(size=(page.height, page.width), rows=page.rows)
    marks = mask.page(0)
    if marks.size != page.size:
        width, height = marks.size
        raise PictureError(
            f"The mask {mask.path} is {width} x {height}, but its picture is {page.width} x {page.height}"
        )

    def lost(top: int, bottom: int) -> Mask:
        white: Mask = marks.rows(top, bottom).mean(axis=0) > 0.5
        return white

    return Source(size=(page.height, page.width), rows=page.rows, lost=lost)


def _as_stored(restored: Array, page: Page) -> Array:
    """Rounded to the levels of the page, as `Picture.with_rgb` rounds."""
    if page.form.levels == "float32":
        return restored
    highest = np.float32(page.form.highest)
    rounded: Array = np.rint(restored * highest) / highest
    return rounded


def _maps(page: Page, options: OutputOptions, companions: Companions) -> MapRows:
    path = companions.path
    return MapRows(
        page.size,
        uncertainty=path("uncertainty") if options.uncertainty else None,
        colour=path("uncertainty-colour") if options.uncertainty else None,
        changes=path("changes") if options.changes else None,
    )
