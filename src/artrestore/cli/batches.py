"""What the commands that work through many pictures share."""

from collections.abc import Sequence

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from artrestore.cli.console import console
from artrestore.errors import InterruptedRunError, PartialFailureError


def batch_bar(label: str) -> Progress:
    """A bar with a count, the time left and the task's description; nothing where there is no terminal."""
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    description = TextColumn("{task.description}", markup=False)
    return Progress(*columns, description, console=console, transient=True, disable=not console.is_terminal)


def require_complete(outcomes: Sequence[str], planned: int, *, reasons: str) -> None:
    """End the command with its exit code unless every picture was done or skipped.

    Args:
        outcomes: of the pictures that were reached; `failed` is one.
        planned: how many there were to be.
        reasons: where the user finds why some failed.

    Raises:
        InterruptedRunError: not all were reached.
        PartialFailureError: some failed.
    """
    if len(outcomes) < planned:
        raise InterruptedRunError(
            f"Stopped after {len(outcomes)} of {planned} pictures",
            hint="Type the same command again: what is done is skipped.",
        )
    if failed := outcomes.count("failed"):
        raise PartialFailureError(
            f"{failed} of {planned} pictures failed; the others are done", hint=f"{reasons} why."
        )
