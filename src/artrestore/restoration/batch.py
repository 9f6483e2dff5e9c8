"""Restoring a folder: one result per planned picture, and no picture's failure stops another."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from artrestore.errors import DiskFullError, PictureError
from artrestore.io.pictures import Picture, read_picture, read_rgb, write_picture
from artrestore.metrics import SSIM_MIN_SIZE, Metrics, measure, root_mean_square_change
from artrestore.models.loading import load_model
from artrestore.restoration.options import RestoreOptions
from artrestore.restoration.plan import Job, Plan, plan_restoration
from artrestore.restoration.restorer import Restorer

Outcome = Literal["restored", "skipped", "failed"]


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """How one job ended.

    Attributes:
        job: what was to be done.
        outcome: `restored`, `skipped` or `failed`.
        reason: why it was skipped or failed, or what could not be kept.
        size: (width, height) in pixels.
        seconds: reading, restoring and writing together.
        change: RMS difference from the input, in levels of 255.
        before: the damaged picture's metrics, if a clear one was given.
        after: the restored picture's, on the levels that are written (but before any lossy encoding).
    """

    job: Job
    outcome: Outcome
    reason: str = ""
    size: tuple[int, int] | None = None
    seconds: float = 0.0
    change: float = 0.0
    before: Metrics | None = None
    after: Metrics | None = None

    def as_row(self) -> dict[str, Any]:
        """The result as one flat row of a table."""
        width, height = self.size or ("", "")
        row = {
            "picture": str(self.job.name), "outcome": self.outcome, "reason": self.reason, "width": width,
            "height": height, "seconds": round(self.seconds, 3) or "",
            "change": round(self.change, 3) if self.outcome == "restored" else "",
        }  # fmt: skip
        for prefix, metrics in (("before", self.before), ("after", self.after)):
            if self.job.clear:
                names = Metrics.__dataclass_fields__
                row |= {f"{prefix}_{key}": getattr(metrics, key) if metrics else "" for key in names}
        return row


def restore_batch(plan: Plan, restorer: Restorer) -> Iterator[JobResult]:
    """Carry out a plan, in order.

    Yields:
        A result for every job: restored, skipped or failed with a reason.

    Raises:
        DiskFullError: no space is left; no later picture could be written either.
    """
    for job in plan.jobs:
        if job.skip_reason:
            yield JobResult(job=job, outcome="skipped", reason=job.skip_reason)
            continue
        start = time.perf_counter()
        try:
            yield _restore_one(job, restorer, start)
        except DiskFullError:
            raise
        except Exception as error:  # noqa: BLE001 (one picture's failure, whatever it is, stops no other)
            seconds = time.perf_counter() - start
            yield JobResult(job=job, outcome="failed", reason=str(error) or type(error).__name__, seconds=seconds)


def restore_folder(source: Path | str, target: Path | str, **settings: Any) -> list[JobResult]:
    """Plan and carry out a batch in one call, for scripts; `settings` are those of `RestoreOptions`.

    Raises:
        ArtRestoreError: the plan, the weights or the device are at fault; a picture's own fault is its result.
    """
    options = RestoreOptions(source=Path(source), target=Path(target), **settings)
    plan = plan_restoration(options.source, options.target, overwrite=options.overwrite, clear=options.clear)
    return list(restore_batch(plan, make_restorer(options)))


def make_restorer(options: RestoreOptions) -> Restorer:
    """Load the weights that the options name and set up the tiles."""
    return Restorer(
        load_model(options.weights, device=options.device),
        tile_size=options.tile_size,
        overlap=options.overlap,
        batch_size=options.batch_size,
        precision=options.precision,
    )


def _restore_one(job: Job, restorer: Restorer, start: float) -> JobResult:
    damaged = read_picture(job.source)
    clear = _read_clear(job, damaged)
    restored = damaged.with_rgb(restorer.restore(damaged.rgb))
    before, after = (_measure(clear, picture) for picture in (damaged, restored))
    notes = damaged.notes + (("too small for metrics",) if clear and not after else ())
    write_picture(job.target, restored)
    return JobResult(
        job=job,
        outcome="restored",
        reason="; ".join(notes),
        size=damaged.size,
        seconds=time.perf_counter() - start,
        change=root_mean_square_change(damaged.rgb, restored.rgb),
        before=before,
        after=after,
    )


def _measure(clear: Picture | None, picture: Picture) -> Metrics | None:
    """The metrics, if there is a clear picture and it is large enough for them."""
    if clear is None or min(clear.size) < SSIM_MIN_SIZE:
        return None
    return measure(clear.rgb, picture.rgb)


def _read_clear(job: Job, damaged: Picture) -> Picture | None:
    if job.clear is None:
        return None
    clear = Picture(rgb=read_rgb(job.clear))
    if clear.size != damaged.size:
        raise PictureError(
            f"{job.source} is {damaged.size[0]} x {damaged.size[1]}, "
            f"but its clear picture {job.clear} is {clear.size[0]} x {clear.size[1]}"
        )
    return clear
