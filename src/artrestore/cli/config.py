"""`artrestore config show|path|set`: the user's own settings."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from artrestore.cli.options import Verbose

app = typer.Typer(name="config", no_args_is_help=True, help="Show and change your own settings.")
_DEFAULTS = {"weights": "default", "device": "auto"}
Key = Literal["weights", "device", "offline", "manifests"]


@app.command()
def show(verbose: Verbose = False) -> None:
    """Show every setting and where it comes from. An option of a command wins over all of them."""
    from rich.table import Table

    from artrestore.cli.console import console, note, plain
    from artrestore.cli.weights.shared import shown
    from artrestore.io.locations import settings_file
    from artrestore.io.settings import setting, setting_names

    table = Table("Setting", "Value", "From")
    for key in setting_names():
        value, source = setting(key)
        if isinstance(value, bool):
            text = "yes" if value else "no"
        else:
            several = [value or _DEFAULTS[key]] if key in _DEFAULTS else value
            text = "\n".join(map(shown, several)) or "-"
        table.add_row(key, plain(text), source)
    console.print(table)
    there = "" if settings_file().exists() else " (not there yet)"
    note("Options win over the environment, that over the file, that over the default.")
    note(f"File: {settings_file()}{there}")


@app.command()
def path(verbose: Verbose = False) -> None:
    """Print where the settings file is."""
    from artrestore.io.locations import settings_file

    typer.echo(settings_file())


@app.command("set")
def set_(
    key: Annotated[Key, typer.Argument(metavar="SETTING", help="weights, device, offline or manifests.")],
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="[VALUE...]", help="None removes the setting; manifests take several."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Change a setting in the file."""
    from artrestore.cli.console import note
    from artrestore.errors import UsageError
    from artrestore.io.locations import settings_file
    from artrestore.io.settings import write_setting

    if not values:
        write_setting(key, None)
        note(f"Removed {key} from {settings_file()}")
        return
    if len(values) > 1 and key != "manifests":
        raise UsageError(f"{key} takes one value", hint=f"artrestore config set {key} {values[0]}")
    write_setting(key, _value(key, values))
    note(f"Set {key} in {settings_file()}")


def _value(key: Key, values: list[str]) -> str | bool | list[str]:
    """What is written into the file; what no command could use is refused now."""
    from artrestore.errors import UsageError
    from artrestore.models.devices import require_kind

    if key == "manifests":
        return [_manifest(value) for value in values]
    if key == "offline":
        if values[0] not in ("true", "false"):
            raise UsageError(f"offline is true or false, not {values[0]}")
        return values[0] == "true"
    return require_kind(values[0]) if key == "device" else _weights(values[0])


def _manifest(text: str) -> str:
    """An address, or the whole path of a file that can be read."""
    from artrestore.errors import UsageError
    from artrestore.weights.entries import read_manifest
    from artrestore.weights.references import Address, is_remote, parse_remote

    if not is_remote(text):
        read_manifest(Path(text))
        return str(Path(text).resolve())
    if not isinstance(parse_remote(text), Address):
        raise UsageError("A manifest is a file or a web address", hint="https://HOST/manifest.toml")
    return text


def _weights(text: str) -> str:
    """A name or an address as it is, or the whole path of a file."""
    from artrestore.weights.references import WeightFile, parse_reference

    reference = parse_reference(text)
    return str(reference.path.resolve()) if isinstance(reference, WeightFile) else text
