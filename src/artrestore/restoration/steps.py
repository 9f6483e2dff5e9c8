"""The three steps of one picture: read it, restore it, write what it became. Each runs in a thread of its own."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from artrestore import __version__
from artrestore.io.digests import FileMark
from artrestore.io.pictures import (
    Picture,
    PictureFile,
    Provenance,
    is_lossy,
    open_picture,
    write_picture,
)
from artrestore.metrics import SSIM_MIN_SIZE, Metrics, measure, root_mean_square_change
from artrestore.restoration.companions import Companions, companions_of
from artrestore.restoration.jobs import Job, JobResult
from artrestore.restoration.journal import Entry, Journal, Terms
from artrestore.restoration.options import OutputOptions
from artrestore.restoration.produce import Product, produce
from artrestore.restoration.reading import Loaded, read, require_unchanged
from artrestore.restoration.restorer import Restorer
from artrestore.restoration.resume import absolute
from artrestore.restoration.streaming import Streamed, restore_by_rows


@dataclass(frozen=True, kw_only=True)
class Made:
    """A picture that was restored and is to be written; leaving `open_files` unwritten removes what lies there."""

    job: Job
    loaded: Loaded
    product: Product | Streamed
    companions: Companions
    open_files: contextlib.ExitStack
    remarks: tuple[str, ...]
    seconds: float


class Steps:
    """The steps of a batch.

    Args:
        restorer: the network.
        options: what is made of each picture; `companions` are those of its job.
        journal: where each step is noted; None: nowhere.
        terms: what is noted in each output, if the options say so; None: nothing.
    """

    def __init__(
        self,
        restorer: Restorer,
        options: OutputOptions,
        journal: Journal | None = None,
        terms: Terms | None = None,
    ) -> None:
        self.restorer = restorer
        self.options = options
        self.journal = journal
        self.provenance = _provenance(terms) if terms and options.provenance else None

    def read(self, job: Job) -> Loaded:
        """See `reading.read`."""
        return read(job, self.options, marked=self.journal is not None)

    def restore(self, job: Job, loaded: Loaded) -> Made:
        """Restore a picture that was read; plausible restorations are written at once, and need no memory then.

        Raises:
            ArtRestoreError: the network failed, or a file cannot be written.
        """
        start = time.perf_counter()
        if self.journal:
            self.journal.add(self._entry(job, self.journal, outcome="started"))
        with contextlib.ExitStack() as stack:
            companions = stack.enter_context(companions_of(job))
            known = len(self.restorer.remarks)
            product = self._produce(job, loaded, companions, stack)
            return Made(
                job=job,
                loaded=loaded,
                product=product,
                companions=companions,
                open_files=stack.pop_all(),
                remarks=self.restorer.remarks[known:],
                seconds=loaded.seconds + time.perf_counter() - start,
            )

    def _produce(
        self, job: Job, loaded: Loaded, companions: Companions, stack: contextlib.ExitStack
    ) -> Product | Streamed:
        if loaded.picture is not None:
            return produce(loaded.picture, loaded.lost, self.restorer, self.options, companions.keep_sample)

        def opened(path: Path) -> PictureFile:
            limit = self.options.max_pixels
            return stack.enter_context(open_picture(path, max_pixels=limit, scratch=job.target.parent))

        streamed = restore_by_rows(
            opened(job.source), opened(job.mask) if job.mask else None, self.restorer, self.options, companions,
            provenance=self.provenance, open_files=stack,
        )  # fmt: skip
        require_unchanged(job, loaded.stamp)
        return streamed

    def write(self, made: Made) -> JobResult:
        """Write a restored picture, the picture itself last, and note it.

        Raises:
            ArtRestoreError: a file cannot be written.
        """
        start = time.perf_counter()
        job, product = made.job, made.product
        with made.open_files:
            notes = () if isinstance(product, Streamed) else self._write_whole(made, product)
        figures = product.figures() if isinstance(product, Streamed) else self._figures(made, product)
        if self.options.keep_mtime:
            times = job.source.stat()
            os.utime(job.target, ns=(times.st_atime_ns, times.st_mtime_ns))
        result = JobResult(
            job=job,
            outcome="restored",
            reason="; ".join(dict.fromkeys([*made.remarks, *self._notes(made), *notes])),
            seconds=made.seconds + time.perf_counter() - start,
            **figures,
        )
        if self.journal:
            self.journal.add(self._done(result, self.journal, made.loaded))
        return result

    def _write_whole(self, made: Made, product: Product) -> tuple[str, ...]:
        """Write a picture that is in memory, and its maps before it; gives what could not be kept."""
        assert made.loaded.picture is not None  # noqa: S101 (a product is made of it)
        made.companions.write_maps(made.loaded.picture, product, self.options)
        made.companions.clear_old()
        return write_picture(made.job.target, product.picture, self.options.saving, self.provenance)

    def _figures(self, made: Made, product: Product) -> dict[str, Any]:
        damaged, clear = made.loaded.picture, made.loaded.clear
        assert damaged is not None  # noqa: S101 (see `_write_whole`)
        shown = product.half_width if self.options.uncertainty else None
        return {
            "size": damaged.size,
            "change": root_mean_square_change(damaged.rgb, product.picture.rgb),
            "unsure": None if shown is None else 255 * float(shown.mean(dtype=np.float64)),
            "before": _measure(clear, damaged),
            "after": _measure(clear, product.picture),
        }

    def note_failure(self, result: JobResult) -> None:
        """Note a failed picture.

        Raises:
            OutputError: the journal cannot be written.
        """
        if self.journal:
            entry = self._entry(result.job, self.journal, outcome="failed", reason=result.reason)
            self.journal.add(entry)

    def _notes(self, made: Made) -> list[str]:
        """What the user should know of a picture that was restored."""
        loaded, product = made.loaded, made.product
        if isinstance(product, Streamed):
            notes = [*product.notes()]
            metadata = product.metadata
            if made.job.clear:
                notes.append("too large, or of too many pages, for metrics")
        else:
            notes = [*loaded.picture.notes] if loaded.picture else []
            metadata = product.picture.metadata
            if loaded.clear and min(loaded.clear.size) < SSIM_MIN_SIZE:
                notes.append("too small for metrics")
        if self.options.only_masked and is_lossy(made.job.target, metadata, self.options.saving):
            notes.append("this kind of file stores even what is kept a little altered; use PNG or TIFF")
        return notes

    def _entry(self, job: Job, journal: Journal, **values: object) -> Entry:
        fields: dict[str, object] = {
            "output": journal.name(job.target), "picture": str(job.name), "source": absolute(job.source),
            "terms": journal.terms,
        }  # fmt: skip
        return Entry(**(fields | values))  # type: ignore[arg-type]

    def _done(self, result: JobResult, journal: Journal, loaded: Loaded) -> Entry:
        job = result.job
        outputs = {journal.name(path): FileMark.of(path) for path in job.outputs}
        terms = journal.terms
        if job.earlier:  # what lay beside the output stayed, and belongs to it still
            terms = Terms(weights=terms.weights, settings={**job.earlier.terms.settings, **terms.settings})
            there = {name: mark for name, mark in job.earlier.outputs.items() if (journal.folder / name).exists()}
            outputs = there | outputs
        return self._entry(
            job, journal, outcome="restored", reason=result.reason, input=loaded.mark, mask=loaded.mask_mark,
            outputs=outputs, terms=terms, seconds=result.seconds, figures=result.figures(),
        )  # fmt: skip


def _provenance(terms: Terms) -> Provenance:
    settings = {name: value for name, value in terms.settings.items() if value is not None}
    return Provenance(version=__version__, weights=terms.weights, settings=settings)


def _measure(clear: Picture | None, picture: Picture) -> Metrics | None:
    """The metrics, if there is a clear picture and it is large enough for them."""
    if clear is None or min(clear.size) < SSIM_MIN_SIZE:
        return None
    return measure(clear.rgb, picture.rgb)
