"""What is read of a picture before it is restored."""

import stat
import time
from dataclasses import dataclass

from artrestore.errors import PictureError
from artrestore.io.digests import FileMark
from artrestore.io.pictures import Picture, open_picture, read_picture, read_rgb, read_rgb8, target_format
from artrestore.restoration.jobs import Job
from artrestore.restoration.options import OutputOptions
from artrestore.restoration.request import Mask
from artrestore.restoration.streaming import is_streamed


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A picture that was read, with what belongs to it; the marks are only there for a journal.

    Attributes:
        picture: None if it is read by rows, later.
        clear: the same.
        lost: the same.
        stamp: what changes when the file is written to.
    """

    picture: Picture | None
    clear: Picture | None
    lost: Mask | None
    mark: FileMark | None
    mask_mark: FileMark | None
    stamp: tuple[int, int]
    seconds: float


def read(job: Job, options: OutputOptions, *, marked: bool) -> Loaded:
    """Read a picture, its clear one and its mask; a large one only as far as its header.

    Args:
        job: what is to be restored.
        options: what is made of it.
        marked: take the files' digests, for the journal.

    Raises:
        PictureError: one cannot be read, or they do not fit together.
        OSError: the same.
    """
    start = time.perf_counter()
    before = _stamp(job)
    target_format(job.target, options.saving)  # refuses what is read and not written
    with open_picture(job.source, max_pixels=options.max_pixels) as file:
        by_rows = is_streamed(file)  # from its header, which may claim too much
    mark = FileMark.of(job.source) if marked else None
    picture = None if by_rows else read_picture(job.source)
    require_unchanged(job, before)
    return Loaded(
        picture=picture,
        clear=picture and _read_clear(job, picture),
        lost=None if picture is None else _read_mask(job, picture),
        mark=mark,
        mask_mark=FileMark.of(job.mask) if marked and job.mask else None,
        stamp=before,
        seconds=time.perf_counter() - start,
    )


def _stamp(job: Job) -> tuple[int, int]:
    """What changes when a file is written to.

    Raises:
        PictureError: it is no file: opening a pipe or a device could wait for ever.
    """
    found = job.source.stat()
    if not stat.S_ISREG(found.st_mode):
        raise PictureError(f"{job.source} is no ordinary file")
    return found.st_size, found.st_mtime_ns


def require_unchanged(job: Job, stamp: tuple[int, int]) -> None:
    """Refuse a picture that is not as it was.

    Raises:
        PictureError: it was written to since.
    """
    if _stamp(job) != stamp:
        raise PictureError(f"{job.source} was changed while it was read", hint="Restore it again.")


def _read_clear(job: Job, damaged: Picture) -> Picture | None:
    if job.clear is None:
        return None
    clear = Picture(rgb=read_rgb(job.clear))
    _require_same_size(job, damaged, clear.size, f"its clear picture {job.clear}")
    return clear


def _read_mask(job: Job, damaged: Picture) -> Mask | None:
    """True where the mask is white, or lighter than mid-grey."""
    if job.mask is None:
        return None
    lost: Mask = read_rgb8(job.mask).mean(axis=2) > 127.5
    _require_same_size(job, damaged, lost.shape[::-1], f"its mask {job.mask}")
    return lost


def _require_same_size(job: Job, damaged: Picture, size: tuple[int, ...], what: str) -> None:
    if size != damaged.size:
        width, height = damaged.size
        raise PictureError(f"{job.source} is {width} x {height}, but {what} is {size[0]} x {size[1]}")
