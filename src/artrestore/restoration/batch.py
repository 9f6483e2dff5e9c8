"""Restoring a folder: one result per planned picture, and no picture's failure stops another."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from artrestore.errors import DiskFullError, PictureError, UnsupportedError
from artrestore.io.pictures import Picture, is_lossy, read_picture, read_rgb, read_rgb8, write_picture
from artrestore.metrics import SSIM_MIN_SIZE, Metrics, measure, root_mean_square_change
from artrestore.models.loading import LoadedModel, load_model
from artrestore.restoration.companions import companions_of
from artrestore.restoration.options import OutputOptions, RestoreOptions, resolve_options
from artrestore.restoration.plan import Job, Plan, plan_batch
from artrestore.restoration.produce import produce
from artrestore.restoration.restorer import Mask, Restorer, require_learnt_doubt

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
        unsure: mean of the map of uncertainty, in levels of 255, if it was written.
        before: the damaged picture's metrics, if a clear one was given.
        after: the restored picture's, on the levels that are written (but before any lossy encoding).
    """

    job: Job
    outcome: Outcome
    reason: str = ""
    size: tuple[int, int] | None = None
    seconds: float = 0.0
    change: float = 0.0
    unsure: float | None = None
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
        if self.unsure is not None:
            row["unsure"] = round(self.unsure, 3)
        for prefix, metrics in (("before", self.before), ("after", self.after)):
            if self.job.clear:
                names = Metrics.__dataclass_fields__
                row |= {f"{prefix}_{key}": getattr(metrics, key) if metrics else "" for key in names}
        return row


def restore_batch(plan: Plan, restorer: Restorer, options: OutputOptions | None = None) -> Iterator[JobResult]:
    """Carry out a plan, in order.

    Args:
        plan: what `plan_restoration` returned.
        restorer: the network.
        options: what is made of each picture, by default the mean; `companions` are those of the plan.

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
            yield _restore_one(job, restorer, options or OutputOptions(), start)
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
    options = resolve_options(source=Path(source), target=Path(target), **settings)
    return list(restore_batch(plan_batch(options), make_restorer(options), options))


def make_restorer(options: RestoreOptions) -> Restorer:
    """Load the weights that the options name and set up the tiles.

    Raises:
        UnsupportedError: the network cannot do what the options ask for.
    """
    loaded = load_model(options.weights, device=options.device)
    _require_able(loaded, options)
    return Restorer(
        loaded,
        tile_size=options.tile_size,
        overlap=options.overlap,
        batch_size=options.batch_size,
        precision=options.precision,
    )


def _require_able(loaded: LoadedModel, options: RestoreOptions) -> None:
    """Refuse, before any work, what no picture could be restored with."""
    spec, name = loaded.model.spec, loaded.model.name
    if options.needs_interval or options.draws:
        require_learnt_doubt(loaded)
    if options.masks and not (spec.sees_surroundings or options.only_masked):
        raise UnsupportedError(
            f"{loaded.path} holds a {name}, which makes no use of masks",
            hint="Add --only-masked to restore nothing but what they mark, or use other weights.",
        )


def _restore_one(job: Job, restorer: Restorer, options: OutputOptions, start: float) -> JobResult:
    damaged = read_picture(job.source)
    clear, lost = _read_clear(job, damaged), _read_mask(job, damaged)
    with companions_of(job) as companions:
        product = produce(damaged, lost, restorer, options, companions.keep_sample)
        restored = product.picture
        before, after = (_measure(clear, picture) for picture in (damaged, restored))
        companions.write_maps(damaged, product, options)
        companions.clear_old()
        write_picture(job.target, restored)
    notes = [*damaged.notes]
    if clear and not after:
        notes.append("too small for metrics")
    if options.only_masked and is_lossy(job.target, restored):
        notes.append("this kind of file stores even what is kept a little altered; use PNG or TIFF")
    shown = product.half_width if options.uncertainty else None
    return JobResult(
        job=job,
        outcome="restored",
        reason="; ".join(notes),
        size=damaged.size,
        seconds=time.perf_counter() - start,
        change=root_mean_square_change(damaged.rgb, restored.rgb),
        unsure=None if shown is None else 255 * float(shown.mean(dtype=np.float64)),
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
