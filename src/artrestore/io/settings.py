"""The user's own settings: `config.toml`, and the environment, which wins over it; options win over both.

The form is described for users in `docs/reference/settings.md`.
"""

import os
import tomllib
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from artrestore.errors import UsageError
from artrestore.io.atomic import write_text
from artrestore.io.locations import real_path, settings_file

ENVIRONMENT = {"weights": "ARTRESTORE_WEIGHTS", "device": "ARTRESTORE_DEVICE", "offline": "ARTRESTORE_OFFLINE"}
OFF = ("", "0", "f", "false", "n", "no", "off")


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class UserSettings:
    """What `config.toml` may hold.

    Attributes:
        weights: what `--weights` takes, for commands that restore.
        device: what `--device` takes.
        offline: never open a connection.
        manifests: files or addresses of more manifests of weights.
    """

    weights: str | None = None
    device: str | None = None
    offline: bool = False
    manifests: tuple[str, ...] = ()


def read_settings() -> UserSettings:
    """What the user's file says; the defaults if there is none.

    Raises:
        UsageError: it is no TOML, or holds what is no setting.
    """
    return _checked(_read_table())


def setting(key: str) -> tuple[Any, str]:
    """The value of a setting without any option, and where it comes from, in words.

    Raises:
        UsageError: see `read_settings`.
    """
    variable = ENVIRONMENT.get(key, "")
    if given := os.environ.get(variable):
        return (is_on(given) if key == "offline" else given), f"environment ({variable})"
    table = _read_table()
    return getattr(_checked(table), key), "file" if key in table else "default"


def is_offline() -> bool:
    """Whether no connection may be opened: by `$ARTRESTORE_OFFLINE`, which `--offline` sets, or the user's file.

    Raises:
        UsageError: see `read_settings`.
    """
    return bool(setting("offline")[0])


def is_on(text: str) -> bool:
    """Whether the value of an environment variable says yes: anything does but nothing, 0, no, false and off."""
    return text.strip().lower() not in OFF


def setting_names() -> tuple[str, ...]:
    """All settings."""
    return tuple(field.name for field in fields(UserSettings))


def write_setting(key: str, value: str | bool | Sequence[str] | None) -> None:
    """Change one setting in the user's file, all or nothing; None removes it. Comments in the file stay.

    Raises:
        UsageError: the file holds what cannot be used, or the value cannot be.
        OutputError: it cannot be written.
    """
    import tomlkit

    read_settings()  # which tells what is wrong with the file
    document = tomlkit.parse(_read_text())
    if value is None:
        document.pop(key, None)
    else:
        document[key] = value
    _checked(document.unwrap())
    write_text(real_path(settings_file()), tomlkit.dumps(document))  # a link to it stays one


def _read_table() -> dict[str, Any]:
    try:
        return tomllib.loads(_read_text())
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _unusable([str(error)]) from error


def _read_text() -> str:
    path = settings_file()
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable([str(error)]) from error


def _checked(table: dict[str, Any]) -> UserSettings:
    try:
        return TypeAdapter(UserSettings).validate_python(table)
    except ValidationError as error:
        raise _unusable(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()) from error


def _unusable(problems: Any) -> UsageError:
    return UsageError(
        f"The settings in {settings_file()} cannot be used",
        hint=f"Correct the file, or remove it. Settings are: {', '.join(setting_names())}",
        details=problems,
    )
