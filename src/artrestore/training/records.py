"""What a run writes down: its table, its plot, and the record inside its weight files."""

from __future__ import annotations

import math
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

import artrestore
from artrestore.io.weights_file import WeightsHeader, write_weights
from artrestore.models.base import RestorationModel, StageName
from artrestore.reporting.plots import plot_training
from artrestore.training.run import Run

if TYPE_CHECKING:
    from artrestore.training.trainer import Progress


def record_evaluation(run: Run, progress: Progress, kept: RestorationModel) -> None:
    """Add a row to `metrics.csv`, draw `loss.png` again, and keep the weights if they are the best so far.

    Raises:
        OutputError: a file cannot be written.
    """
    rows = run.folder.add_metrics(_row(run, progress))
    plot_training(run.folder.plot, rows)
    psnr = progress.evaluation.psnr if progress.evaluation else None
    if not _is_judged(progress.stage, run.config.stages):
        psnr = None
    if _is_best(psnr, run.state.best_psnr):
        run.state.best_psnr = psnr
        write_run_weights(run, kept, run.folder.best, progress)


def _is_judged(stage: StageName, stages: tuple[StageName, ...]) -> bool:
    """Whether a better PSNR means better weights: otherwise the newest are taken.

    Doubt leaves the mean as it is; tone costs pictures that are as they were more than the others gain, and so
    does what `refine` will see to.
    """
    return stage not in ("tone", "uncertainty") and not (stage == "restore" and "refine" in stages)


def _is_best(psnr: float | None, best: float | None) -> bool:
    if psnr is None:  # nothing is held out to tell which weights are best: the newest are
        return True
    return math.isfinite(psnr) and (best is None or psnr > best)


def write_run_weights(run: Run, kept: RestorationModel, path: Path, progress: Progress) -> None:
    """Write the model, or the moving average of it, with the record of its training in the header.

    Raises:
        OutputError: the file cannot be written.
    """
    header = WeightsHeader(
        architecture=kept.name,
        config=asdict(kept.config),
        training=_training_record(run, progress),
        shapes={},
    )
    write_weights(path, kept.weights(), header)


def _row(run: Run, progress: Progress) -> dict[str, Any]:
    evaluation, means = progress.evaluation, run.state.take_mean_losses()
    return {
        "stage": progress.stage,
        "stage_index": run.state.stage_index,
        "epoch": progress.epoch,
        "step": progress.step,
        "seconds": round(run.state.total_seconds, 3),
        "learning_rate": progress.learning_rate,
        **{name: means.get(name) for name in progress.result.losses},
        "grad_norm": progress.result.grad_norm,
        "skipped": progress.skipped,
        "pictures_per_second": round(progress.pictures_per_second, 2),
        "val_psnr": evaluation and evaluation.psnr,
        "val_ssim": evaluation and evaluation.ssim,
        "val_psnr_given": evaluation and evaluation.psnr_given,
        "val_ssim_given": evaluation and evaluation.ssim_given,
        "active_units": evaluation and evaluation.active_units,
    }


def _training_record(run: Run, progress: Progress) -> dict[str, Any]:
    config = TypeAdapter(type(run.config)).dump_python(run.config, mode="json", exclude_none=True)
    # Folder names may tell more about their owner than a weight file should carry around.
    settings = {k: v for k, v in config.items() if k not in ("clear", "distorted", "out", "start_from", "model")}
    if run.synthesis:
        settings |= {"recipe": run.synthesis.recipe.name, "recipe_digest": run.synthesis.recipe.digest}
    settings |= {"device": run.device.type, "precision": "bf16" if run.bf16 else "fp32"}
    train_pairs, val_pairs = run.pairs(progress.stage)
    record = {
        "stage": progress.stage,
        "stages": list(run.config.stages),
        "epoch": progress.epoch,
        "step": progress.step,
        "seconds": round(run.state.total_seconds, 1),
        "skipped_updates": progress.skipped,
        "seed": run.config.seed,
        "data": {
            "train_pairs": len(train_pairs),
            "val_pairs": len(val_pairs),
            "train_clear": len({pair.clear for pair in train_pairs}),
            "val_clear": len({pair.clear for pair in val_pairs}),
            "digest": run.split.digest,
        },
        "metrics": _finite(asdict(progress.evaluation)) if progress.evaluation else {},
        "settings": settings,
        "versions": {
            "artrestore": artrestore.__version__,
            **{name: version(name) for name in ("torch", "torchvision", "numpy")},
        },
    }
    return record | ({"began_from": run.state.began_from} if run.state.began_from else {})


def _finite(metrics: dict[str, float | None]) -> dict[str, float | None]:
    return {key: None if value is None or not math.isfinite(value) else value for key, value in metrics.items()}
