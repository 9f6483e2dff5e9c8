"""Restoring a folder: one result per planned picture, and no picture's failure stops another."""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from artrestore.errors import DiskFullError, PictureError, UnsupportedError
from artrestore.io.atomic import remove_leftovers, remove_leftovers_of
from artrestore.models.loading import LoadedModel, load_model
from artrestore.restoration.jobs import Job, JobResult, Plan
from artrestore.restoration.journal import Journal, Terms, open_journal
from artrestore.restoration.options import OutputOptions, RestoreOptions, resolve_options
from artrestore.restoration.plan import plan_batch, terms_of
from artrestore.restoration.reading import Loaded
from artrestore.restoration.restorer import Restorer, require_learnt_doubt
from artrestore.restoration.space import require_space
from artrestore.restoration.steps import Made, Steps


def restore_batch(
    plan: Plan,
    restorer: Restorer,
    options: OutputOptions | None = None,
    *,
    journal: Journal | None = None,
    terms: Terms | None = None,
    stop: threading.Event | None = None,
) -> Iterator[JobResult]:
    """Carry out a plan, in order: while a picture is restored, the next is read and the one before is written.

    Args:
        plan: what `plan_batch` returned.
        restorer: the network.
        options: what is made of each picture, by default the mean; `companions` are those of the plan.
        journal: where it is noted; see `working_in`.
        terms: what each output says of how it was made (`terms_of`); None: nothing.
        stop: when it is set, the pictures under way are finished, and no other is begun. Who gives it has a
            gentle way to stop; so KeyboardInterrupt then means at once, and waits for no thread.

    Yields:
        A result for every job: restored, skipped or failed with a reason; fewer if it was stopped.

    Raises:
        DiskFullError: no space is left; no later picture could be written either.
    """
    steps = Steps(restorer, options or OutputOptions(), journal, terms)
    reader, writer = ThreadPoolExecutor(1, "read"), ThreadPoolExecutor(1, "write")
    behind: deque[Future[JobResult]] = deque()
    fatal = None
    at_once = False
    try:
        for job, reading in _read_ahead(plan.jobs, reader, steps):
            if fatal or (stop and stop.is_set()):
                break
            behind.append(writer.submit(_written, steps, _restored(steps, job, reading)))
            if len(behind) > 1:
                result = behind.popleft().result()
                fatal = result.fatal
                yield result
        while behind:
            result = behind.popleft().result()
            fatal = fatal or result.fatal
            yield result
        if fatal:
            raise fatal
    except KeyboardInterrupt:
        at_once = stop is not None
        raise
    finally:
        for threads in (reader, writer):
            threads.shutdown(wait=not at_once, cancel_futures=True)


@contextlib.contextmanager
def working_in(plan: Plan, terms: Terms) -> Iterator[Journal | None]:
    """Keep the output folder of a plan to oneself, rid of what killed runs left; gives its journal, if it has one.

    Raises:
        OutputError: another run is at work there, or it cannot be written.
        DiskFullError: the outputs will not find room there.
    """
    require_space(plan)
    if plan.folder is None:
        for job in plan.jobs:
            remove_leftovers_of(job.target)
        yield None
        return
    with open_journal(plan.folder, terms, planned_at=plan.journal_length) as journal:
        remove_leftovers(plan.folder)
        yield journal


def restore_folder(
    source: Path | str | Sequence[Path | str], target: Path | str, **settings: Any
) -> list[JobResult]:
    """Plan and carry out a batch in one call, for scripts; `settings` are those of `RestoreOptions`.

    Raises:
        ArtRestoreError: the plan, the weights or the device are at fault; a picture's own fault is its result.
    """
    sources = (source,) if isinstance(source, Path | str) else source
    options = resolve_options(source=tuple(map(Path, sources)), target=Path(target), **settings)
    plan, restorer, terms = plan_batch(options), make_restorer(options), terms_of(options)
    with working_in(plan, terms) as journal:
        return list(restore_batch(plan, restorer, options, journal=journal, terms=terms))


def make_restorer(options: RestoreOptions) -> Restorer:
    """Load the weights that the options name and set up the tiles.

    Raises:
        UnsupportedError: the network cannot do what the options ask for.
    """
    loaded = load_model(options.weights, device=options.device)
    _require_able(loaded, options)
    if options.keep_tone:
        loaded.model.keep_tone()
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


def _read_ahead(
    jobs: tuple[Job, ...], reader: ThreadPoolExecutor, steps: Steps
) -> Iterator[tuple[Job, Future[Loaded] | None]]:
    """Every job with its picture, while the next is being read; there is no picture of those that are skipped."""
    ahead: deque[tuple[Job, Future[Loaded] | None]] = deque()
    for job in jobs:
        ahead.append((job, None if job.skip_reason else reader.submit(steps.read, job)))
        if len(ahead) > 1:
            yield ahead.popleft()
    yield from ahead


def _restored(steps: Steps, job: Job, reading: Future[Loaded] | None) -> Made | JobResult:
    """What is to be written, or how the job ended already."""
    if reading is None:
        return JobResult(job=job, outcome="skipped", reason=job.skip_reason)
    try:
        return steps.restore(job, reading.result())
    except Exception as error:  # noqa: BLE001 (one picture's failure, whatever it is, stops no other)
        return _failed(job, error)


def _written(steps: Steps, made: Made | JobResult) -> JobResult:
    """How a job ended, after all that is left to be written of it."""
    if isinstance(made, JobResult):
        return _noted(steps, made)
    try:
        return steps.write(made)
    except Exception as error:  # noqa: BLE001 (see `_restored`)
        return _noted(steps, _failed(made.job, error))


def _noted(steps: Steps, result: JobResult) -> JobResult:
    if result.outcome == "failed" and not result.fatal:
        try:
            steps.note_failure(result)
        except DiskFullError as error:
            return _failed(result.job, error)
    return result


def _failed(job: Job, error: Exception) -> JobResult:
    fatal = error if isinstance(error, DiskFullError) else None
    hint = error.hint if isinstance(error, PictureError) else ""
    reason = f"{error}. {hint}" if hint else str(error) or type(error).__name__
    return JobResult(job=job, outcome="failed", reason=reason, fatal=fatal)
