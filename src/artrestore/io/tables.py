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
    """Write rows that share their keys; the first row's keys are the header."""
    text = io.StringIO(newline="")
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    write_text(target, text.getvalue())


def write_json(target: Path, value: Any) -> None:
    """Write strict JSON. It has no infinity (the PSNR of equal pictures), so such numbers become null."""
    write_text(target, json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
