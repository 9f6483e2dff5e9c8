"""Tables of names whose modules are imported only when they are asked for: `--help` lists them at once."""

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

from artrestore.errors import UsageError


def find(table: Mapping[str, str], name: str, *, what: str) -> Any:
    """What a table's entry `module:attribute` names.

    Args:
        table: entries by name.
        name: the one that is wanted.
        what: the sort of thing, for the message.

    Raises:
        UsageError: there is no such name; the hint says the nearest one, or all.
    """
    if name not in table:
        near = difflib.get_close_matches(name, table, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Choose one of: {', '.join(table)}"
        raise UsageError(f"There is no {what} named {name}", hint=hint)
    module, _, attribute = table[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
