"""Standard input and output in the place of files, and where messages go then."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from artrestore.cli.console import console
from artrestore.errors import InputError, PictureError, UsageError
from artrestore.io.atomic import output_errors
from artrestore.io.formats import FORMATS, recognise

DASH = Path("-")


def require_paths(paths: Sequence[Path], json: Path | None, *, watch: bool, dry_run: bool, beside: bool) -> None:
    """Refuse what cannot go together; `beside` says whether maps or samples are asked for.

    Raises:
        UsageError: there is no output, or standard input or output is used twice or with what needs files.
    """
    *sources, target = paths
    if not sources:
        raise UsageError("The output is missing", hint=f"artrestore restore {paths[0]} OUT")
    if watch and (dry_run or DASH in paths):
        raise UsageError("--watch restores folders, until it is stopped", hint="Leave out --dry-run and -.")
    if DASH in paths and (len(paths) > 2 or not (sources[0] == DASH or sources[0].is_file())):
        raise UsageError("- is one picture", hint="Name one IN and one OUT, either of which may be -.")
    if sources[0] == DASH and target.is_dir():
        raise UsageError("A picture from standard input has no name", hint=f"Name the file: {target / 'NAME.EXT'}")
    if target == DASH and beside:
        raise UsageError(
            "Standard output has no room for maps and samples beside the picture",
            hint="Leave out --uncertainty, --changes and --samples, or name a file as OUT.",
        )
    if target == DASH == json:
        raise UsageError("Standard output can hold one thing", hint="Give --json the name of a file.")


@contextlib.contextmanager
def speaking(paths: Sequence[Path], json: Path | None, *, quiet: bool) -> Iterator[None]:
    """Print nothing, or print to standard error where standard output holds data, inside the block."""
    before = console.quiet, console.stderr
    console.quiet, console.stderr = quiet, DASH in (paths[-1], json)
    try:
        yield
    finally:
        console.quiet, console.stderr = before


@contextlib.contextmanager
def pipes(paths: Sequence[Path], kind: str | None) -> Iterator[tuple[tuple[Path, ...], Path]]:
    """Put temporary files in the place of standard input and output; the latter's is written at the end.

    Args:
        paths: as they were given; see `require_paths`.
        kind: the format of the output, one of `FORMATS`; None: the input's.

    Yields:
        The inputs and the output.

    Raises:
        InputError: standard input holds no picture of a format that is told by its beginning.
        OutputError: standard output cannot be written.
    """
    *sources, target = paths
    if DASH not in paths:
        yield tuple(sources), target
        return
    with tempfile.TemporaryDirectory(prefix="artrestore-") as folder:
        source = _from_standard_input(Path(folder)) if sources[0] == DASH else sources[0]
        suffix = FORMATS[kind].suffixes[0] if kind else source.suffix
        output = Path(folder, f"restored{suffix}") if target == DASH else target
        try:
            yield (source,), output
        finally:
            if target == DASH and output.exists():
                with output_errors(Path("standard output")):
                    sys.stdout.buffer.write(output.read_bytes())
                    sys.stdout.buffer.flush()


def _from_standard_input(folder: Path) -> Path:
    path = folder / "picture"
    path.write_bytes(sys.stdin.buffer.read())
    try:
        found = recognise(path)
    except PictureError as error:
        raise InputError(
            "There is no picture in standard input", hint="artrestore restore - OUT < PICTURE"
        ) from error
    return path.rename(path.with_suffix((*found.suffixes, f".{found.name}")[0]))
