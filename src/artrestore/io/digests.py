"""Knowing a file again by its content."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class FileMark:
    """What a file is known by: its length in bytes and its SHA-256, in hexadecimal."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "FileMark":
        """Read a file.

        Raises:
            OSError: it cannot be read.
        """
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            return cls(bytes=file.tell(), sha256=digest.hexdigest())

    @classmethod
    def from_json(cls, value: Any) -> "FileMark | None":
        """The mark that `vars` of one gave; None for anything else."""
        try:
            return cls(bytes=int(value["bytes"]), sha256=str(value["sha256"]))
        except (KeyError, TypeError, ValueError):
            return None

    def fits(self, path: Path) -> bool:
        """Whether a file still is what it was; it is read only if its length is the same."""
        try:
            return path.stat().st_size == self.bytes and FileMark.of(path) == self
        except OSError:
            return False
