"""The results of a run for machines: what `--json` writes, as described in `docs/reference/results.md`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from artrestore import __version__
from artrestore.metrics import Metrics
from artrestore.restoration.jobs import JobResult
from artrestore.restoration.options import RestoreOptions
from artrestore.restoration.resume import absolute

VERSION = 1
_OUTCOMES = ("restored", "skipped", "failed", "not reached")


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What is true of a run as a whole.

    Attributes:
        options: its settings.
        started: when it began, UTC.
        weights: SHA-256 of the weight file; None if it was not needed.
        exit_code: of the command.
        error: the message it ended with; empty if all is done.
        dry_run: nothing was done; pictures that would be restored are `not reached`.
    """

    options: RestoreOptions
    started: datetime
    weights: str | None
    exit_code: int = 0
    error: str = ""
    dry_run: bool = False


def document(facts: RunFacts, results: Sequence[JobResult]) -> dict[str, Any]:
    """All that is known of a run, as plain values; there is one result for every planned picture."""
    ended = datetime.now(UTC)
    counts = Counter[str](result.outcome for result in results)
    return {
        "version": VERSION,
        "artrestore": __version__,
        "started": facts.started.isoformat(timespec="seconds"),
        "seconds": round((ended - facts.started).total_seconds(), 3),
        "dry_run": facts.dry_run,
        "exit_code": facts.exit_code,
        "error": facts.error,
        "inputs": [absolute(source) for source in facts.options.sources],
        "output": absolute(facts.options.target),
        "weights": facts.weights,
        "settings": facts.options.terms(),
        "counts": {"planned": len(results)} | {name.replace(" ", "_"): counts[name] for name in _OUTCOMES},
        "pictures": [_picture(result) for result in results],
    }


def _picture(result: JobResult) -> dict[str, Any]:
    job = result.job
    width, height = result.size or (None, None)
    restored = result.outcome == "restored"
    *beside, output = (absolute(path) for path in job.outputs)
    return {
        "picture": str(job.name),
        "source": absolute(job.source),
        "output": output,
        "beside": beside,
        "outcome": result.outcome,
        "reason": result.reason,
        "again": job.again,
        "width": width,
        "height": height,
        "seconds": round(result.seconds, 3) if restored else None,
        "change": result.change if restored else None,
        "unsure": result.unsure,
        "before": _metrics(result.before),
        "after": _metrics(result.after),
    }


def _metrics(metrics: Metrics | None) -> dict[str, float] | None:
    return metrics.as_dict() if metrics else None
