"""Damaging a folder on all cores: one result per job, in order, and no picture's failure stops another.

What a picture becomes depends on the seed, its relative path, the variant and the recipe, and on nothing else: not
on the number of processes, nor on the order.
"""

import hashlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from PIL import Image

from artrestore.damage.compose import DamagedByRecipe, damage_by_recipe
from artrestore.damage.recipes import Recipe
from artrestore.damaging.plan import DamageJob, DamagePlan, mask_digest, record_head
from artrestore.errors import ArtRestoreError, DiskFullError, PictureError
from artrestore.io.atomic import atomic_path
from artrestore.io.pictures import Metadata, Picture, read_picture, write_picture
from artrestore.io.tables import write_json

# Jobs that wait for each process: enough to keep it busy, few enough to stop soon.
_AHEAD = 3
_LONGEST_SIDE = 32_766  # what OpenCV can look up


@dataclass(frozen=True, kw_only=True)
class DamageResult:
    """How one job ended.

    Attributes:
        job: what was to be done.
        outcome: `damaged`, `skipped` (it is there) or `failed`.
        reason: why it failed.
        kinds: of damage that happened.
        psnr: of the damaged picture against the clear one, in dB; infinite if nothing happened.
        lost: part of the pixels of which nothing is left.
    """

    job: DamageJob
    outcome: Literal["damaged", "skipped", "failed"]
    reason: str = ""
    kinds: tuple[str, ...] = ()
    psnr: float = float("inf")
    lost: float = 0.0


def damage_batch(plan: DamagePlan, *, workers: int | None = None) -> Iterator[DamageResult]:
    """Carry out a plan.

    Args:
        plan: what `plan_damage` returned.
        workers: processes; by default as many as there are cores.

    Yields:
        A result for every job, in order.

    Raises:
        DiskFullError: no space is left.
        ArtRestoreError: a process died.
    """
    workers = min(workers or os.cpu_count() or 1, max(1, sum(not job.done for job in plan.jobs)))
    if workers == 1:
        for job in plan.jobs:
            yield _damage_one(job, plan.recipe, plan.seed)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _prepare_process)
    try:
        yield from _share_out(plan, pool, ahead=workers * _AHEAD)
    except BrokenProcessPool as error:
        raise ArtRestoreError(
            "A process that damages pictures died, most likely for want of memory",
            hint="Use fewer processes: --workers 1. What is done is kept.",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _share_out(plan: DamagePlan, pool: ProcessPoolExecutor, *, ahead: int) -> Iterator[DamageResult]:
    waiting: deque[Future[DamageResult]] = deque()
    for job in plan.jobs:
        waiting.append(_skipped(job) if job.done else pool.submit(_damage_one, job, plan.recipe, plan.seed))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _skipped(job: DamageJob) -> Future[DamageResult]:
    """The result, in its turn, of a job that no process is needed for."""
    result: Future[DamageResult] = Future()
    result.set_result(DamageResult(job=job, outcome="skipped"))
    return result


def generator_for(job: DamageJob, seed: int) -> np.random.Generator:
    """The random generator of one damaged picture."""
    name = hashlib.sha256(os.fsencode(str(job.name))).digest()[:16]
    return np.random.default_rng([seed, job.variant, *np.frombuffer(name, "<u4").tolist()])


def _damage_one(job: DamageJob, recipe: Recipe, seed: int) -> DamageResult:
    if job.done:
        return DamageResult(job=job, outcome="skipped")
    try:
        return _damage_and_write(job, recipe, seed)
    except DiskFullError:
        raise
    except Exception as error:  # noqa: BLE001 (one picture's failure, whatever it is, stops no other)
        return DamageResult(job=job, outcome="failed", reason=str(error) or type(error).__name__)


def _damage_and_write(job: DamageJob, recipe: Recipe, seed: int) -> DamageResult:
    clear = read_picture(job.clear)
    if max(clear.size) > _LONGEST_SIDE:
        raise PictureError(f"{job.clear} is longer than {_LONGEST_SIDE} pixels, which cannot be damaged")
    damaged = damage_by_recipe(clear.rgb, recipe, generator_for(job, seed))
    metadata = Metadata(density=clear.metadata.density)
    before = Picture(rgb=clear.rgb, metadata=metadata).with_rgb(clear.rgb)  # as 8 bits of sRGB hold it
    after = before.with_rgb(damaged.picture)
    mse = float(np.mean((after.rgb - before.rgb) ** 2, dtype=np.float64))
    psnr = float(-10 * np.log10(mse)) if mse > 0 else float("inf")
    touched = float((after.rgb != before.rgb).any(axis=0).mean())
    # The picture comes last: where it is, all is. One that is replaced goes first.
    job.target.unlink(missing_ok=True)
    if job.mask:
        job.mask.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(job.mask) as temporary:
            Image.fromarray(np.where(damaged.lost, 255, 0).astype(np.uint8)).save(temporary, format="PNG")
    job.target.parent.mkdir(parents=True, exist_ok=True)
    record = record_head(job, recipe, seed) | _what_happened(damaged) | {"psnr": psnr, "touched": touched}
    write_json(job.record, record)
    write_picture(job.target, after)
    kinds = tuple(applied.kind for applied in damaged.applied)
    return DamageResult(job=job, outcome="damaged", kinds=kinds, psnr=psnr, lost=float(damaged.lost.mean()))


def _what_happened(damaged: DamagedByRecipe) -> dict[str, object]:
    return {
        "drawn_recipe": damaged.recipe,
        "severity": damaged.severity,
        "steps": [asdict(applied) for applied in damaged.applied],
        "lost": float(damaged.lost.mean()),
        "mask_digest": mask_digest(damaged.lost),
    }


def _prepare_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent ends the others
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
