"""Option types that several commands share."""

import os
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


def _go_offline(offline: bool) -> bool:
    if offline:  # the environment is what every part of the program, and every process it starts, looks at
        os.environ["ARTRESTORE_OFFLINE"] = "1"
    return offline


Device = Annotated[
    str, typer.Option(help="auto, cpu, mps, cuda or cuda:N. See: artrestore doctor.", envvar="ARTRESTORE_DEVICE")
]
_WEIGHTS = (
    "A name that `artrestore weights list` shows, a file, https://...#sha256=..., or hf:OWNER/REPO/FILE@REVISION."
)
Weights = Annotated[str | None, typer.Option(help=_WEIGHTS, envvar="ARTRESTORE_WEIGHTS", show_default=False)]
WeightsToSample = Annotated[  # not what the environment names: that is to restore with
    str | None, typer.Option("--weights", help=_WEIGHTS, show_default=False)
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline", callback=_go_offline, help="Never open a connection; ARTRESTORE_OFFLINE=1 says the same."
    ),
]
PrecisionChoice = Literal["auto", "fp32", "bf16"]


def user_defaults() -> dict[str, dict[str, str]]:
    """What the user's settings say of options, by command: they win over the program's defaults, and nothing else.

    `sample` takes other weights than what restores, and `train` looks at its own settings file first.
    """
    from artrestore.io.locations import settings_file

    if not settings_file().exists():  # nothing more is loaded, and --help answers at once
        return {}
    from artrestore.io.settings import read_settings

    settings = read_settings()
    device = {"device": settings.device} if settings.device else {}
    both = device | ({"weights": settings.weights} if settings.weights else {})
    return {"restore": both, "calibrate": both, "compare": device, "sample": device}
