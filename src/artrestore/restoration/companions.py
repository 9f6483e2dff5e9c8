"""The files beside a restored picture: maps and plausible restorations."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from artrestore.io.locations import companion
from artrestore.io.pictures import Picture, write_picture
from artrestore.reporting.maps import save_changes, save_uncertainty, save_uncertainty_colour
from artrestore.restoration.jobs import Job
from artrestore.restoration.options import OutputOptions
from artrestore.restoration.produce import Product


class Companions:
    """Writes the files beside one output; the first of them removes an output that they do not belong to."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._cleared = False

    def path(self, kind: str) -> Path:
        """Where a file is to be written."""
        self.clear_old()
        return companion(self.job.target, kind)

    def clear_old(self) -> None:
        """Remove what is left of an earlier run: what is beside a picture always belongs to it."""
        if self._cleared:
            return
        self._cleared = True
        if self.job.companions:  # they come before the picture, so that where it is, all is
            self.job.target.unlink(missing_ok=True)
        for path in self.job.stale:
            path.unlink(missing_ok=True)

    def keep_sample(self, number: int, sample: Picture) -> None:
        """Write a plausible restoration; numbers begin at 1."""
        write_picture(self.path(f"sample-{number}"), sample)

    def write_maps(self, damaged: Picture, product: Product, options: OutputOptions) -> None:
        """Write the maps that are asked for."""
        if options.uncertainty and product.half_width is not None:
            save_uncertainty(self.path("uncertainty"), product.half_width)
            save_uncertainty_colour(self.path("uncertainty-colour"), product.half_width)
        if options.changes:
            save_changes(self.path("changes"), damaged.rgb, product.picture.rgb)


@contextlib.contextmanager
def companions_of(job: Job) -> Iterator[Companions]:
    """A writer for one picture; if the block fails, nothing that it wrote stays without its picture."""
    writer = Companions(job)
    try:
        yield writer
    except BaseException:
        if not job.target.exists():
            for kind in job.companions:
                with contextlib.suppress(OSError):  # it must not hide what went wrong before
                    companion(job.target, kind).unlink()
        raise
