"""The live display of training; plain lines where the output is no terminal."""

import time
from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from artrestore.cli.console import console, duration
from artrestore.training.trainer import Progress

_SECONDS_BETWEEN_LINES = 10.0
_TITLES = {"kl": "KL", "adversarial": "adv.", "discriminator": "disc."}
# Rates of latents, in nats per pixel, by the part of the loss that holds them.
_RATES = {"kl_tone": "tone", "kl_16": "1/16", "kl_8": "1/8", "kl_4": "1/4"}


class TrainDisplay:
    """Shows the progress it is given; a context manager."""

    def __init__(self) -> None:
        self.live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self.printed_at = 0.0

    def __enter__(self) -> "TrainDisplay":
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def update(self, progress: Progress) -> None:
        """Show where training stands."""
        if self.live:
            self.live.update(render(progress))
            if progress.evaluated:
                self.live.console.print(_line(progress), highlight=False)
        elif progress.evaluated or time.monotonic() - self.printed_at > _SECONDS_BETWEEN_LINES:
            console.print(_line(progress), highlight=False, soft_wrap=True)
            self.printed_at = time.monotonic()


def _line(progress: Progress) -> str:
    losses, rates = _losses(progress)
    parts = [
        f"{progress.stage} {progress.fraction:4.0%}",
        f"epoch {progress.epoch} step {progress.step}",
        " ".join(f"{name} {value}" for name, value in losses.items()),
        f"grad {figure(progress.result.grad_norm)}",
        f"{progress.pictures_per_second:.0f} pictures/s",
        f"left {duration(progress.seconds_left)}",
    ]
    if progress.evaluated and progress.evaluation:
        active = progress.evaluation.active_units
        units = "" if active is None else f" active units {active}"
        parts.insert(3, f"val PSNR {progress.evaluation.psnr:.2f} SSIM {progress.evaluation.ssim:.4f}{units}")
    if rates:
        parts.insert(3, "nats/pixel " + " ".join(f"{name} {value}" for name, value in rates.items()))
    if progress.skipped:
        parts.append(f"skipped {progress.skipped}")
    return " | ".join(parts)


def figure(value: float) -> str:
    """A number with three digits that tell something: 25140, 123, 3.40, 0.0213, 0.0005."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.4f}" if abs(value) < 0.001 else f"{value:#.3g}"


def _losses(progress: Progress) -> tuple[dict[str, str], dict[str, str]]:
    """The loss and its parts, and the rates of each latent."""
    values = progress.result.losses
    losses = {_title(name): figure(value) for name, value in values.items() if name not in _RATES}
    return losses, {title: figure(values[name]) for name, title in _RATES.items() if name in values}


def render(progress: Progress) -> Group:
    """Draw a few short rows, which fit a terminal of 80 columns."""
    head = Table.grid(padding=(0, 2))
    head.add_row(
        f"[bold]{progress.stage}[/] ({progress.stage_number}/{progress.stage_count})",
        ProgressBar(total=1.0, completed=progress.fraction, width=24),
        f"{progress.fraction:4.0%}",
        f"left {duration(progress.seconds_left)}",
    )
    measured = progress.evaluation
    losses, rates = _losses(progress)
    rows = {
        "Progress": {
            "epoch": f"{progress.epoch}",
            "step": f"{progress.step}",
            "pictures/s": f"{progress.pictures_per_second:.0f}",
            "skipped": f"{progress.skipped}",
            "grad norm": figure(progress.result.grad_norm),
        },
        "Training": losses,
        "Rates": rates,
        "Held out": {
            "PSNR": f"{measured.psnr:.2f} dB" if measured else "-",
            "SSIM": f"{measured.ssim:.4f}" if measured else "-",
            "as given": f"{measured.psnr_given:.2f} dB" if measured and progress.stage != "clear" else "-",
            **(
                {"active units": f"{measured.active_units}"}
                if measured and measured.active_units is not None
                else {}
            ),
        },
    }
    table = Table.grid(padding=(0, 2))
    for title, cells in rows.items():
        shown = "  ".join(f"[dim]{name}[/] {value}" for name, value in cells.items())
        if shown:
            table.add_row(f"[bold]{title}[/]", f"{shown}  [dim]nats/pixel[/]" if title == "Rates" else shown)
    return Group(head, table)


def _title(name: str) -> str:
    return _TITLES.get(name, name)
