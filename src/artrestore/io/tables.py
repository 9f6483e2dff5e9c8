"""Small tables as CSV and JSON, all or nothing."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from artrestore.io.atomic import write_text


def write_csv(target: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows under a header of all their keys, in the order in which they first come."""
    text = io.StringIO(newline="")
    header = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, fieldnames=header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(target, text.getvalue())


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a table that `write_csv` wrote; none if there is no such file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_json(target: Path, value: Any) -> None:
    """Write strict JSON, indented; see `to_json`."""
    write_text(target, to_json(value, indent=2) + "\n")


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Strict JSON. It has no infinity (the PSNR of equal pictures), so such numbers become null."""
    return json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
