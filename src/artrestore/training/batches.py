"""Crops as they come from the loader and as they go to the network."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from artrestore.models.base import Surroundings


class Batch(NamedTuple):
    """Crops as the loader gives them: uint8 (N, 3, size, size) each; or one of them, without N.

    Attributes:
        given: damaged.
        clear: what they were.
        around: for networks that make use of it, with a thumbnail in uint8 and losses in bool; else None.
    """

    given: Tensor
    clear: Tensor
    around: Surroundings | None = None


def stack(crops: Sequence[Batch]) -> Batch:
    """Single crops as a batch."""
    return _together(crops, torch.stack)


def join(batches: Sequence[Batch]) -> Batch:
    """Batches as one."""
    return _together(batches, torch.cat)


def as_floats(batch: Batch, device: torch.device | str = "cpu") -> Batch:
    """The batch on a device as float32 in [0, 1], channels last."""

    def pixels(values: Tensor) -> Tensor:
        moved = values.to(device, non_blocking=True)
        return moved.float().div_(255).contiguous(memory_format=torch.channels_last)

    around = batch.around
    if around is not None:
        place, lost = (values.to(device, non_blocking=True).float() for values in (around.place, around.lost))
        around = Surroundings(thumbnail=pixels(around.thumbnail), place=place, lost=lost)
    return Batch(pixels(batch.given), pixels(batch.clear), around)


def _together(batches: Sequence[Batch], unite: Callable[[list[Tensor]], Tensor]) -> Batch:
    parts = [batch.around for batch in batches if batch.around is not None]
    around = Surroundings(*(unite(list(values)) for values in zip(*parts, strict=True))) if parts else None
    return Batch(unite([b.given for b in batches]), unite([b.clear for b in batches]), around)
