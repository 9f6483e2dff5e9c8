"""Option types that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

VERBOSE_KEY = "artrestore.verbose"


def _remember(context: typer.Context, verbose: bool) -> bool:
    if verbose:
        context.find_root().meta[VERBOSE_KEY] = True
    return verbose


Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        callback=_remember,
        is_eager=True,
        help="Show a traceback with errors.",
        rich_help_panel="Help",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, mps, cuda or cuda:N. See: artrestore doctor.")]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="A weight file that `artrestore train` wrote, or the name of bundled weights.",
        envvar="ARTRESTORE_WEIGHTS",
        show_default=False,
    ),
]
PrecisionChoice = Literal["auto", "fp32", "bf16"]
