"""How much room the outputs of a plan will take: an estimate from the headers of the inputs."""

from collections.abc import Iterable
from pathlib import Path

from artrestore.errors import ArtRestoreError, DiskFullError
from artrestore.io.formats import Format, SaveOptions, target_format
from artrestore.io.pictures import Page, open_picture
from artrestore.restoration.jobs import Job, Plan
from artrestore.restoration.streaming import is_streamed

# What is left of the raw values of photographs and paintings when they are written: a little more than is usual.
_SHARE = {"jpeg": 0.2, "webp": 0.15, "jp2": 0.6, "png": 0.6, "tiff": 0.65}
_BYTES = {"uint8": 1, "uint16": 2, "float32": 4}
_COMPANION_BYTES_A_PIXEL = 2.0


def estimate_bytes(jobs: Iterable[Job], max_pixels: int) -> int:
    """What the outputs will take together, about, with the raw rows of the largest picture that is held in a file.

    A picture that keeps its format takes at least what it takes now, which tells of 16 bits and several pages. One
    that claims more than `max_pixels` will be refused, and so takes no more than it does now.
    """
    sizes = [_of_one(job, max_pixels) for job in jobs]
    return sum(lasting for lasting, _ in sizes) + max((passing for _, passing in sizes), default=0)


def require_space(plan: Plan) -> None:
    """Refuse a plan whose outputs will not find room.

    Raises:
        DiskFullError: they will not, as far as the estimate goes.
    """
    if plan.needed_bytes > plan.free_bytes:
        raise DiskFullError(
            f"The outputs will take about {in_words(plan.needed_bytes)} ({plan.needed_bytes} bytes), "
            f"and {in_words(plan.free_bytes)} ({plan.free_bytes} bytes) are free",
            hint="Free some space, name another output folder, or restore in parts with --include.",
        )


def in_words(count: int) -> str:
    """A number of bytes for people: `12.3 GB`."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _of_one(job: Job, max_pixels: int) -> tuple[int, int]:
    """Bytes of the outputs, and of the file that holds the rows of a large picture while it is restored."""
    now = _length(job.source)
    try:
        with open_picture(job.source, max_pixels=max_pixels) as file:
            kind = target_format(job.target, SaveOptions())
            kept, by_rows = kind is file.format, is_streamed(file)
            pages = [file.page(index) for index in range(file.pages)]
            pixels = sum(page.width * page.height for page in pages)
            raw = sum(page.width * page.height * page.form.channels * _bytes(page, kind) for page in pages)
    except (ArtRestoreError, OSError):
        return now, 0  # it will most likely fail
    own = raw * _SHARE.get(kind.name, 1.0)
    lasting = len(job.companions) * _COMPANION_BYTES_A_PIXEL * pixels + (max(own, now) if kept else own)
    return int(lasting), raw if by_rows else 0


def _bytes(page: Page, kind: Format) -> int:
    """Of one value, as the format holds it."""
    return _BYTES[page.form.levels if page.form.levels in kind.levels else "uint8"]


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
