"""What a batch restoration needs to know."""

from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from artrestore.models.devices import Precision


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class RestoreOptions:
    """Settings of one batch.

    Attributes:
        source: a folder of damaged pictures, or one picture.
        target: the folder that mirrors it.
        weights: a weight file; None takes the newest run below `runs/`.
        device: `auto`, `cpu`, `mps`, `cuda` or `cuda:N`.
        precision: of the network; `auto` takes bf16 where the device has it.
        tile_size: side of the tiles in pixels; None takes the network's own.
        overlap: least overlap of tiles in pixels; None takes the network's own.
        batch_size: tiles that go through the network together.
        overwrite: restore again what is already in `target`.
        clear: a folder of clear pictures to measure against, paired by name.
    """

    source: Path
    target: Path
    weights: Path | None = None
    device: str = "auto"
    precision: Precision = "fp32"
    tile_size: int | None = None
    overlap: int | None = None
    batch_size: Annotated[int, Field(ge=1)] = 16
    overwrite: bool = False
    clear: Path | None = None
