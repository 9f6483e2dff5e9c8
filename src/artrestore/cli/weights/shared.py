"""What the commands about weights, and those that take some, share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from artrestore.weights.http import OnProgress


def fetched(weights: str | None) -> Path | None:
    """The file that `--weights` means, fetched with a bar if it is not there; None stays None.

    Raises:
        ArtRestoreError: see `models.loading.find_weights`.
    """
    from artrestore.models.loading import find_weights

    if weights is None:
        return None
    with fetch_bar(weights) as on_progress:
        return find_weights(weights, on_progress=on_progress)


@contextmanager
def fetch_bar(weights: str) -> "Iterator[OnProgress]":
    """A bar with bytes, speed and the time left, which comes with the first byte; nothing without a terminal."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.progress import TransferSpeedColumn as Speed

    from artrestore.cli.console import console

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), Speed())
    off = not console.is_terminal
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=off) as bar:
        task, label = None, shown(weights).removesuffix("?...").rpartition("/")[2]

        def on_progress(done: int, total: int | None) -> None:
            nonlocal task
            if task is None:
                task = bar.add_task(label[:24], total=total, completed=done)
            bar.update(task, completed=done, total=total)

        yield on_progress


def shown(weights: str) -> str:
    """What the user typed, without what may be secret in an address."""
    from artrestore.weights.references import is_remote, public

    return public(weights) if is_remote(weights) and not weights.startswith("hf:") else weights


def size_text(count: int) -> str:
    """Bytes as people read them."""
    from rich.filesize import decimal

    return decimal(count)
