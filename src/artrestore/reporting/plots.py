"""Plots of a training run."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from artrestore.io.atomic import atomic_path


def plot_training(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw the loss, its KL part, and the validation PSNR against the input's, over the steps of all stages.

    Args:
        path: a PNG.
        rows: rows of `metrics.csv`, as numbers or as text; empty cells are left out.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), layout="constrained")
    FigureCanvasAgg(figure)  # drawn without a window, and without pyplot's global state
    losses, divergence, quality = figure.subplots(1, 3)
    steps, ends = _cumulative_steps(rows)
    for key in ("loss", "reconstruction"):
        _curve(losses, steps, rows, key, key)
    losses.set(title="Training loss", xlabel="step")
    # The KL is smaller by orders of magnitude: beside the reconstruction it would be a flat line.
    for key in dict.fromkeys(key for row in rows for key in row if key.startswith("kl")):
        _curve(divergence, steps, rows, key, key)
    divergence.set(title="KL divergence from the prior", xlabel="step", ylabel="nats (hierarchical-vae: a pixel)")
    _curve(quality, steps, rows, "val_psnr", "restored")
    distorted = [row if row["stage"] != "clear" else {} for row in rows]  # a clear picture needs no restoring
    _curve(quality, steps, distorted, "val_psnr_given", "as given")
    quality.set(title="Validation PSNR", xlabel="step", ylabel="dB")
    for axes in (losses, divergence, quality):
        for end in ends:
            axes.axvline(end, color="0.7", linewidth=0.8)
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _cumulative_steps(rows: Sequence[Mapping[str, Any]]) -> tuple[list[int], list[int]]:
    """The rows' steps counted through all stages, and where stages end."""
    steps: list[int] = []
    ends: list[int] = []
    before, stage, newest = 0, None, 0
    for row in rows:
        if stage is not None and row["stage"] != stage:
            before += newest
            ends.append(before)
        stage, newest = row["stage"], int(row["step"])
        steps.append(before + newest)
    return steps, ends


def _curve(axes: Any, steps: Sequence[int], rows: Sequence[Mapping[str, Any]], key: str, label: str) -> None:
    """Draw one column; the line is broken where a stage ends, for what is measured may change with it."""
    points: list[tuple[int, float]] = []
    stage = None
    for step, row in zip(steps, rows, strict=True):
        if row.get(key, "") not in ("", None):
            if points and row["stage"] != stage:
                points.append((step, math.nan))
            stage = row["stage"]
            points.append((step, float(row[key])))
    if points:
        axes.plot(*zip(*points, strict=True), label=label, marker="." if len(points) < 20 else None)
