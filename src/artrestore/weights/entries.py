"""What is known of weights before they are opened, and the manifests that list them.

A manifest is TOML: `format_version = 1` and an array of tables `[[weights]]`, one for each entry. The form is
described for users in `docs/reference/weight-manifests.md`.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tomlkit
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from artrestore.errors import UsageError, WeightsError
from artrestore.io.atomic import write_text
from artrestore.io.digests import FileMark
from artrestore.weights.references import SHA256_PATTERN, Remote, parse_remote, require_name

if TYPE_CHECKING:
    from artrestore.io.weights_file import WeightsHeader

FORMAT_VERSION = 1
MOST_MANIFEST_BYTES = 1_000_000
_OWN = Path(__file__).parent


def _name(text: str) -> str:
    try:
        return require_name(text)
    except UsageError as error:
        raise ValueError(error.message) from None


def _mirror(text: str) -> str:
    try:
        parse_remote(text)
    except UsageError as error:
        raise ValueError(error.message) from None
    return text


Line = Annotated[str, Field(max_length=500)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Entry:
    """One table of a manifest, and the record beside a file of the cache.

    Attributes:
        name: what `--weights` takes.
        architecture: an id of the registry.
        bytes: the file's size.
        sha256: of the file, in hexadecimal.
        licence: an SPDX expression, if it is known.
        trained_on: in words.
        score: measures of the pictures held out in training (`psnr`, `ssim`), by name.
        urls: where it can be fetched, in order; none for what comes with the package or was added from a file.
    """

    name: Annotated[str, AfterValidator(_name)]
    architecture: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    bytes: Annotated[int, Field(gt=0)]
    sha256: Annotated[str, Field(pattern=f"^{SHA256_PATTERN}$")]
    licence: Line = ""
    trained_on: Line = ""
    score: dict[Line, float] = Field(default_factory=dict)
    urls: tuple[Annotated[str, AfterValidator(_mirror)], ...] = ()

    @property
    def mark(self) -> FileMark:
        """What its file is known by."""
        return FileMark(bytes=self.bytes, sha256=self.sha256)

    @property
    def mirrors(self) -> tuple[Remote, ...]:
        """Where it can be fetched, in order."""
        return tuple(map(parse_remote, self.urls))

    def as_table(self) -> dict[str, Any]:
        """The fields that say something, as values that TOML holds."""
        table = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {key: value for key, value in table.items() if value not in ("", [], {})}


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class _Manifest:
    format_version: int
    weights: tuple[Entry, ...] = ()


def parse_manifest(text: str, *, source: str) -> tuple[Entry, ...]:
    """Read a manifest.

    Args:
        text: TOML.
        source: where it is from, for messages.

    Raises:
        WeightsError: it is no TOML, of an unknown version, lists what is no entry, or a name twice.
    """
    try:
        table = tomllib.loads(text)
        if table.get("format_version") != FORMAT_VERSION:
            raise WeightsError(
                f"The manifest {source} has format version {table.get('format_version')!r:.20}; "
                f"this program reads version {FORMAT_VERSION}",
                hint="Update with: pip install --upgrade artrestore",
            )
        found = TypeAdapter(_Manifest).validate_python(table).weights
    except ValidationError as error:
        raise _unsound(source, problems_of(error)) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _unsound(source, [str(error)]) from None
    names = [entry.name for entry in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise _unsound(source, [f"{name} is listed twice" for name in twice])
    return found


def read_manifest(path: Path) -> tuple[Entry, ...]:
    """Read a manifest from a file.

    Raises:
        WeightsError: it cannot be read; see `parse_manifest`.
    """
    try:
        if path.stat().st_size > MOST_MANIFEST_BYTES:
            raise _unsound(str(path), [f"it has more than {MOST_MANIFEST_BYTES:,} bytes"])
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unsound(str(path), [str(error)]) from error
    return parse_manifest(text, source=str(path))


def own_manifest() -> tuple[Entry, ...]:
    """What the package's own manifest lists."""
    return read_manifest(_OWN / "manifest.toml")


def in_manifest(text: str, entry: Entry) -> str:
    """A manifest's text with an entry in it, in the place of another of its name; the other comments stay."""
    document = tomlkit.parse(text)
    document.setdefault("format_version", FORMAT_VERSION)
    tables: Any = document.setdefault("weights", tomlkit.aot())
    names = [table["name"] for table in tables]
    if entry.name in names:
        tables[names.index(entry.name)] = _toml_table(entry)
    else:
        tables.append(_toml_table(entry))
    return tomlkit.dumps(document)


def _toml_table(entry: Entry) -> Any:
    """Easy to read: the scores in one line, each address in its own."""
    table = tomlkit.table()
    for key, value in entry.as_table().items():
        item: Any = tomlkit.item(value)
        if isinstance(value, dict):
            item = tomlkit.inline_table()
            item.update(value)
        elif isinstance(value, list):
            item.multiline(multiline=True)
        table.add(key, item)
    return table.add(tomlkit.nl())


def write_into_manifest(path: Path, entry: Entry) -> None:
    """Put an entry into a manifest, which is made if it is not there, all or nothing.

    Raises:
        WeightsError: what is there is no manifest.
        OutputError: it cannot be written.
    """
    if path.exists():
        read_manifest(path)
    write_text(path, in_manifest(path.read_text(encoding="utf-8") if path.exists() else "", entry))


def parse_entry(table: Mapping[str, Any]) -> Entry | None:
    """The entry that `Entry.as_table` gave; None for anything else."""
    try:
        return TypeAdapter(Entry).validate_python(dict(table))
    except ValidationError:
        return None


def entry_of(header: "WeightsHeader", mark: FileMark, name: str, **known: Any) -> Entry:
    """What a weight file tells of itself, as an entry; `known` are other fields of it.

    Raises:
        UsageError: one of them is too long, say.
    """
    metrics = header.training.get("metrics")
    told = metrics if isinstance(metrics, dict) else {}
    score = {key: round(float(told[key]), 4) for key in ("psnr", "ssim") if _is_measure(told.get(key))}
    try:
        return Entry(
            name=name, architecture=header.architecture, bytes=mark.bytes, sha256=mark.sha256, score=score, **known
        )
    except ValidationError as error:
        raise UsageError("This cannot be recorded of weights", details=problems_of(error)) from None


def _is_measure(value: object) -> bool:
    """The record is whatever the file's author put there."""
    return isinstance(value, int | float) and -1e6 < value < 1e6


def problems_of(error: ValidationError) -> list[str]:
    """What pydantic found, one line each; values are not shown, since an address may hold a password."""
    return [
        f"{'.'.join(map(str, e['loc']))}: {str(e['msg']).removeprefix('Value error, ')}" for e in error.errors()
    ]


def _unsound(source: str, problems: list[str]) -> WeightsError:
    return WeightsError(
        f"The manifest {source} cannot be used",
        hint="docs/reference/weight-manifests.md describes the form.",
        details=problems,
    )
