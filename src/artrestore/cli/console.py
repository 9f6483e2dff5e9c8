"""The consoles, and how errors are shown."""

import sys
import traceback
from unicodedata import category

from rich.console import Console
from rich.markup import escape

from artrestore.errors import ArtRestoreError

console = Console()
stderr = Console(stderr=True)

_DETAILS_SHOWN = 20
_STEERING = {"Cc", "Cf", "Cs"}  # control, format, and what stands for bytes that are not UTF-8


def show_error(error: ArtRestoreError, *, verbose: bool) -> None:
    """Print one red line, the names that belong to it, and one `Hint:` line, on stderr."""
    if verbose:
        traceback.print_exception(error, file=sys.stderr)
    stderr.print(f"[bold red]Error:[/] [red]{plain(error.message)}[/]", soft_wrap=True, highlight=False)
    for detail in error.details[:_DETAILS_SHOWN]:
        stderr.print(f"  {plain(detail)}", soft_wrap=True, highlight=False)
    if len(error.details) > _DETAILS_SHOWN and not verbose:
        rest = len(error.details) - _DETAILS_SHOWN
        stderr.print(f"  and {rest} more", highlight=False)
    if error.hint:
        stderr.print(f"[yellow]Hint:[/] {plain(error.hint)}", soft_wrap=True, highlight=False)


def plain(text: object) -> str:
    """Text as it is: no markup is read from it; what is not UTF-8, or would steer a terminal, becomes escapes."""
    return escape(
        "".join(ascii(c)[1:-1] if category(c) in _STEERING and c not in "\n\t" else c for c in str(text))
    )


def note(text: str) -> None:
    """Print a line of information, file names and all, without wrapping it."""
    console.print(plain(text), soft_wrap=True, highlight=False)


def warn(text: str) -> None:
    """Print a warning on stderr."""
    stderr.print(f"[yellow]Warning:[/] {plain(text)}", soft_wrap=True, highlight=False)


def duration(seconds: float | None) -> str:
    """Seconds as `1:02:03` or `2:03`; a dash for None."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
