"""`artrestore weights list`, `info` and `path`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from artrestore.cli.options import Offline, Verbose

if TYPE_CHECKING:
    from artrestore.io.weights_file import WeightsHeader
    from artrestore.weights.catalogue import Listed
    from artrestore.weights.entries import Entry

Json = Annotated[bool, typer.Option("--json", help="Print it for machines.")]


def list_weights(json: Json = False, offline: Offline = False, verbose: Verbose = False) -> None:
    """List all weights that have a name: those that came with artrestore, those fetched, and those on offer."""
    from rich.table import Table

    from artrestore.cli.console import console, note, plain, warn
    from artrestore.cli.weights.shared import size_text
    from artrestore.io.tables import to_json
    from artrestore.weights.cache import cache_folder
    from artrestore.weights.catalogue import catalogue

    found = catalogue()
    for problem in found.problems:
        warn(problem.message)
    if json:
        rows = [{**listed.entry.as_table(), "where": listed.where} for listed in found.weights.values()]
        typer.echo(to_json(rows, indent=2))
        return
    table = Table()
    table.add_column("Name", no_wrap=True)  # it is what people type
    for heading in ("Where", "Architecture"):
        table.add_column(heading)
    for heading in ("Size", "PSNR"):
        table.add_column(heading, justify="right")
    for listed in found.weights.values():
        table.add_row(*map(plain, _row(listed, size_text(listed.entry.bytes))))
    console.print(table)
    note("PSNR is of pictures that each one's own training held out: it does not compare.")
    note(f"Cache: {cache_folder()}")


def _row(listed: "Listed", size: str) -> tuple[str, ...]:
    entry = listed.entry
    psnr = f"{entry.score['psnr']:.1f} dB" if "psnr" in entry.score else "-"
    return entry.name, listed.where, entry.architecture, size, psnr


def path(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `weights list` shows.")],
    verbose: Verbose = False,
) -> None:
    """Print where the file of weights lies that are on this machine; nothing is fetched."""
    typer.echo(_here(name))


def info(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A name, or a weight file.")],
    json: Json = False,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Show what is known of weights: what they are, how they were trained, how well they do, their licence."""
    from artrestore.cli.console import console, plain
    from artrestore.io.tables import to_json
    from artrestore.models.loading import check_weights

    entry, file = _known(name)
    header = check_weights(file) if file else None
    if json:
        told = {key: vars(header)[key] for key in ("config", "training", "calibration")} if header else {}
        typer.echo(to_json({**entry.as_table(), "file": str(file) if file else None, **told}, indent=2))
        return
    for label, text in _lines(entry, file, header):
        console.print(f"[bold]{label:<13}[/]{plain(text)}", soft_wrap=True, highlight=False)


def _here(name: str) -> Path:
    """The file of a name, if it is on this machine.

    Raises:
        WeightsError: it is not.
    """
    from artrestore.errors import WeightsError
    from artrestore.models.loading import find_weights
    from artrestore.models.registry import BUNDLED_WEIGHTS
    from artrestore.weights.cache import cached, cached_path

    if name in BUNDLED_WEIGHTS:
        return find_weights(name)
    if cached(name) is None:
        raise WeightsError(
            f"The weights {name} are not on this machine", hint=f"artrestore weights download {name}"
        )
    return cached_path(name)


def _known(name: str) -> "tuple[Entry, Path | None]":
    """The entry of a name or a file, and its file, if it is on this machine; servers are asked only if need be."""
    from artrestore.io.digests import FileMark
    from artrestore.models.loading import check_weights, find_weights
    from artrestore.weights.cache import cached
    from artrestore.weights.catalogue import offered
    from artrestore.weights.entries import entry_of, own_manifest
    from artrestore.weights.references import is_name, name_from

    if is_name(name):
        bundled = {entry.name: entry for entry in own_manifest() if not entry.urls}
        if entry := bundled.get(name) or cached(name):
            return entry, _here(name)
        if not Path(name).is_file() and (entry := offered(name)):
            return entry, None
    file = find_weights(name)
    return entry_of(check_weights(file), FileMark.of(file), name_from(file.name)), file


def _lines(entry: "Entry", file: Path | None, header: "WeightsHeader | None") -> list[tuple[str, Any]]:
    from artrestore.cli.weights.shared import size_text

    lines: list[tuple[str, Any]] = [
        ("Name", entry.name),
        ("File", file or "not on this machine"),
        ("Size", f"{size_text(entry.bytes)} ({entry.bytes:,} bytes)"),
        ("SHA-256", entry.sha256),
        ("Architecture", entry.architecture),
        ("Licence", entry.licence or "not told"),
    ]
    lines += [("Score", _in_words(entry.score))] if entry.score and not header else []
    lines += [("Trained on", entry.trained_on)] if entry.trained_on else []
    lines += [("Fetched from", mirror) for mirror in entry.mirrors]
    return lines + (_from_header(header) if header else [])


def _from_header(header: "WeightsHeader") -> list[tuple[str, Any]]:
    """The training record, as far as it is written in the known form; it is whatever its author put there."""
    from math import prod

    from artrestore.io.tables import to_json

    record = header.training
    count = sum(prod(shape) for shape in header.shapes.values())
    lines = [("Parameters", f"{count:,}"), ("Settings", to_json(header.config))]
    for label, keys in (
        ("Training", ("stage", "epoch", "step", "seconds", "seed")),
        ("Data", ("data",)),
        ("Held out", ("metrics",)),
        ("Versions", ("versions",)),
    ):
        told = {key: record[key] for key in keys if record.get(key) not in (None, {})}
        if told:
            lines.append((label, _in_words(told)))
    calibration = header.calibration
    return [*lines, ("Calibrated", f"on {calibration.get('source', '?')}" if calibration else "no")]


def _in_words(told: dict[str, Any], depth: int = 2) -> str:
    parts = []
    for key, value in told.items():
        if isinstance(value, dict):
            if depth:
                parts.append(_in_words({k: v for k, v in value.items() if k != "digest"}, depth - 1))
        else:
            name = str(key).replace("_", " ")
            parts.append(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}")
    return ", ".join(parts)
