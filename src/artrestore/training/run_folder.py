"""The run folder: where a run keeps what it made.

config.toml  metrics.csv  loss.png  grids/
best.safetensors  last.safetensors           of the stage under way, in the end of the last one
best-clear.safetensors  last-clear.safetensors       kept when a stage ends and another follows
state.safetensors                            what --resume reads
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artrestore.errors import OutputError
from artrestore.io.atomic import atomic_path
from artrestore.io.tables import read_csv, write_csv


@dataclass(frozen=True)
class RunFolder:
    """Paths in a run folder and the table of its metrics."""

    path: Path

    @property
    def config(self) -> Path:
        """The settings."""
        return self.path / "config.toml"

    @property
    def metrics(self) -> Path:
        """One row an evaluation."""
        return self.path / "metrics.csv"

    @property
    def plot(self) -> Path:
        """The losses and the validation metrics over the steps."""
        return self.path / "loss.png"

    @property
    def state(self) -> Path:
        """What `--resume` reads."""
        return self.path / "state.safetensors"

    @property
    def best(self) -> Path:
        """The weights with the best validation PSNR."""
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """The newest weights."""
        return self.path / "last.safetensors"

    def of_stage(self, path: Path, stage: str) -> Path:
        """The name under which a finished stage's weights are kept."""
        return path.with_stem(f"{path.stem}-{stage}")

    def grid(self, kind: str, stage: str, epoch: int) -> Path:
        """A grid of pictures after an epoch."""
        return self.path / "grids" / f"{kind}-{stage}-{epoch:05d}.png"

    def require_new(self) -> None:
        """Refuse a folder that already holds a run.

        Raises:
            OutputError: it does, or it is no folder.
        """
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"The run folder {self.path} is a file", hint="Name another --out.")
        if self.state.exists() or self.best.exists():
            raise OutputError(
                f"{self.path} already holds a run",
                hint=f"Continue it with: artrestore train --resume --out {self.path}; or name another --out.",
            )

    def keep_stage(self, stage: str) -> None:
        """Copy the weights of a stage that has ended, before the next one writes over them."""
        for path in filter(Path.exists, (self.best, self.last)):
            with atomic_path(self.of_stage(path, stage)) as temporary:
                shutil.copyfile(path, temporary)

    def add_metrics(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """Add a row and return all; rows of the same or a later point (a run cut off and resumed) give way."""

        def point(r: dict[str, Any]) -> tuple[int, int]:
            return int(r["stage_index"]), int(r["step"])

        rows = [old for old in read_csv(self.metrics) if point(old) < point(row)]
        rows.append({key: "" if value is None else value for key, value in row.items()})
        write_csv(self.metrics, rows)
        return rows
