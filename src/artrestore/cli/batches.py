"""What the commands that work through many pictures share."""

from collections.abc import Sequence

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from artrestore.cli.console import console
from artrestore.errors import ArtRestoreError, InterruptedRunError, PartialFailureError


def batch_bar(label: str) -> Progress:
    """A bar with a count, the time left and the task's description; nothing where there is no terminal."""
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    description = TextColumn("{task.description}", markup=False)
    return Progress(*columns, description, console=console, transient=True, disable=not console.is_terminal)


def require_complete(outcomes: Sequence[str], planned: int, *, reasons: str) -> None:
    """End the command with its exit code unless every picture was done or skipped.

    Raises:
        ArtRestoreError: what `shortcoming` tells.
    """
    if error := shortcoming(outcomes, planned, reasons=reasons):
        raise error


def shortcoming(outcomes: Sequence[str], planned: int, *, reasons: str) -> ArtRestoreError | None:
    """What is to be told of a run that did not do all that it was to do; None if it did.

    Args:
        outcomes: of the pictures that were reached; `failed` is one.
        planned: how many there were to be.
        reasons: where the user finds why some failed.
    """
    if len(outcomes) < planned:
        return InterruptedRunError(
            f"Stopped after {len(outcomes)} of {planned} pictures",
            hint="Type the same command again: what is done is skipped.",
        )
    if failed := outcomes.count("failed"):
        return PartialFailureError(
            f"{failed} of {planned} pictures failed; the others are done", hint=f"{reasons} why."
        )
    return None
