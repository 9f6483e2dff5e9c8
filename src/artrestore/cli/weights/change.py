"""`artrestore weights download`, `verify`, `remove` and `add`: what is kept in the cache."""

from pathlib import Path
from typing import Annotated

import typer

from artrestore.cli.options import Offline, Verbose

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Names that `weights list` shows.")]


def download(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="Names that `weights list` shows, https://...#sha256=..., or hf:OWNER/REPO/FILE@REVISION.",
        ),
    ],
    force: Annotated[bool, typer.Option("--force", help="Fetch it again, even if it is there.")] = False,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Fetch weights, check them, and keep them for later, also without a connection."""
    from artrestore.cli.console import note
    from artrestore.cli.weights.shared import fetch_bar, shown
    from artrestore.models.loading import check_weights
    from artrestore.models.registry import BUNDLED_WEIGHTS
    from artrestore.weights.finding import obtain

    for name in names:
        if name in BUNDLED_WEIGHTS:
            note(f"{name} comes with artrestore")
            continue
        with fetch_bar(name) as on_progress:
            path = obtain(name, check=check_weights, on_progress=on_progress, update=True, force=force)
        note(f"{shown(name)}: {path}")
        if path.stem != name:
            note(f"From now on: --weights {path.stem}")


def verify(verbose: Verbose = False) -> None:
    """Read all weights that are on this machine, and compare them with their hashes."""
    from artrestore.cli.console import note
    from artrestore.cli.weights.shared import size_text
    from artrestore.errors import ChecksumError
    from artrestore.io.digests import FileMark
    from artrestore.models.loading import BUNDLED_FOLDER
    from artrestore.weights.cache import all_cached, cached_path
    from artrestore.weights.entries import own_manifest

    bundled = [(entry, BUNDLED_FOLDER / f"{entry.name}.safetensors") for entry in own_manifest() if not entry.urls]
    wrong = []
    for entry, path in [*bundled, *((entry, cached_path(entry.name)) for entry in all_cached())]:
        if not path.is_file():
            wrong.append(f"{entry.name}: missing ({path})")
        elif (mark := FileMark.of(path)) != entry.mark:
            wrong.append(f"{entry.name}: SHA-256 {mark.sha256}, and {entry.sha256} is right ({path})")
        else:
            note(f"{entry.name}: intact ({size_text(entry.bytes)})")
    if wrong:
        raise ChecksumError(
            f"{len(wrong)} weight files are not what they were",
            hint="artrestore weights download --force NAME; for bundled ones, install artrestore again.",
            details=wrong,
        )


def remove(names: Names, verbose: Verbose = False) -> None:
    """Remove weights from the cache; what came with artrestore stays."""
    from artrestore.cli.console import note
    from artrestore.errors import UsageError, WeightsError
    from artrestore.models.registry import BUNDLED_WEIGHTS
    from artrestore.weights.cache import forget

    if kept := [name for name in names if name in BUNDLED_WEIGHTS]:
        raise UsageError(f"{', '.join(kept)} came with artrestore and cannot be removed")
    missing = []
    for name in names:
        if forget(name):
            note(f"Removed: {name}")
        else:
            missing.append(name)
    if missing:
        raise WeightsError(f"Not in the cache: {', '.join(missing)}", hint="See: artrestore weights list")


def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A weight file; it stays where it is.")],
    name: Annotated[
        str | None, typer.Option(help="What it is to be called. Default: the file's name.", show_default=False)
    ] = None,
    licence: Annotated[str, typer.Option(help="Its licence, as SPDX writes it.", show_default=False)] = "",
    trained_on: Annotated[str, typer.Option(help="What it was trained on.", show_default=False)] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace others of that name.")] = False,
    verbose: Verbose = False,
) -> None:
    """Check a weight file, and keep a copy of it under a name."""
    from artrestore.cli.console import note
    from artrestore.errors import UsageError
    from artrestore.io.digests import FileMark
    from artrestore.models.loading import check_weights
    from artrestore.models.registry import BUNDLED_WEIGHTS
    from artrestore.weights.entries import entry_of
    from artrestore.weights.finding import add_file
    from artrestore.weights.references import name_from, require_name

    called = require_name(name or name_from(file.name))
    if called in BUNDLED_WEIGHTS:
        raise UsageError(f"{called} is the name of weights that came with artrestore", hint="Add --name ANOTHER.")
    header = check_weights(file)
    entry = entry_of(header, FileMark.of(file), called, licence=licence, trained_on=trained_on)
    note(f"Kept as {called}: {add_file(file, entry, force=force)}")
    note(f"From now on: --weights {called}")
