"""`artrestore weights export` and `publish`: weights for other programs and other people."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from artrestore.cli.options import Offline, Verbose

if TYPE_CHECKING:
    from artrestore.io.digests import FileMark
    from artrestore.weights.references import Remote


def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whatever --weights takes.")],
    onnx: Annotated[Path, typer.Option("--onnx", metavar="FILE", help="The ONNX file.", show_default=False)],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Write a network as ONNX, for programs without PyTorch."""
    from artrestore.cli.console import console, note
    from artrestore.cli.weights.shared import fetched, size_text
    from artrestore.errors import OutputError
    from artrestore.models.export import export_onnx
    from artrestore.models.loading import load_model

    if onnx.exists() and not overwrite:
        raise OutputError(f"{onnx} is already there", hint="Add --overwrite or name another file.")
    loaded = load_model(fetched(name), device="cpu")
    with console.status("Exporting"):
        inputs = export_onnx(loaded, onnx)
    note(f"{loaded.model.name} as ONNX: {onnx} ({size_text(onnx.stat().st_size)}); inputs: {', '.join(inputs)}")


def publish(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The weight file, as it was uploaded.")],
    url: Annotated[
        list[str],
        typer.Option(metavar="URL", help="Where it can be fetched: https://... or hf:... Repeatable, best first."),
    ],
    licence: Annotated[str, typer.Option(help="Its licence, as SPDX writes it.", show_default=False)],
    trained_on: Annotated[str, typer.Option(help="What it was trained on.", show_default=False)],
    name: Annotated[
        str | None, typer.Option(help="What it is to be called. Default: the file's name.", show_default=False)
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="Write the entry into this manifest. Default: print it.", show_default=False),
    ] = None,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Do not fetch the file from each address to compare it.")
    ] = False,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Write the manifest entry of weights that you have uploaded, so that others can fetch them by name."""
    from artrestore.cli.console import note
    from artrestore.errors import UsageError
    from artrestore.io.digests import FileMark
    from artrestore.models.loading import check_weights
    from artrestore.models.registry import BUNDLED_WEIGHTS
    from artrestore.weights.entries import entry_of, in_manifest, write_into_manifest
    from artrestore.weights.references import name_from, require_name

    called = require_name(name or name_from(file.name))
    if called in BUNDLED_WEIGHTS:
        raise UsageError(f"{called} is the name of weights that come with artrestore", hint="Add --name ANOTHER.")
    header, mark = check_weights(file), FileMark.of(file)
    mirrors = [_public_mirror(each) for each in url]
    if not no_check:
        _require_served(called, mirrors, mark)
    entry = entry_of(header, mark, called, licence=licence, trained_on=trained_on, urls=tuple(url))
    if manifest is None:
        typer.echo(in_manifest("", entry))
        return
    write_into_manifest(manifest, entry)
    note(f"{called} is listed in {manifest}")
    note(f"Who adds that manifest finds it: artrestore config set manifests {manifest}")


def _public_mirror(text: str) -> "Remote":
    """What everybody can fetch.

    Raises:
        UsageError: it is no address, or holds a password.
    """
    from artrestore.errors import UsageError
    from artrestore.weights.references import parse_remote

    mirror = parse_remote(text)
    if "@" in text.partition("://")[2].partition("/")[0]:
        raise UsageError(f"{mirror} has a password in it, and everybody would read it", hint="Leave it out.")
    return mirror


def _require_served(name: str, mirrors: "list[Remote]", mark: "FileMark") -> None:
    """Fetch the file from each address, into a folder that is thrown away.

    Raises:
        ArtRestoreError: one of them does not give it.
    """
    from tempfile import TemporaryDirectory

    from artrestore.cli.weights.shared import fetch_bar
    from artrestore.errors import NetworkError
    from artrestore.io.settings import is_offline
    from artrestore.weights.fetching import fetch

    if is_offline():
        raise NetworkError("The addresses cannot be tried: this is offline", hint="Or add --no-check.")
    for mirror in mirrors:
        with TemporaryDirectory(prefix="artrestore-") as folder, fetch_bar(str(mirror)) as on_progress:
            part = Path(folder, "part")
            fetch(name, [mirror], part, sha256=mark.sha256, size=mark.bytes, on_progress=on_progress)
