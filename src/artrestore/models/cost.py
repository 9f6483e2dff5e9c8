"""What a network costs to run."""

from collections.abc import Mapping
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from artrestore.models.registry import build


def multiply_adds_per_pixel(name: str, config: Mapping[str, Any]) -> float:
    """Multiply-adds of convolutions and dense layers for each pixel of a tile; overlap of tiles not counted."""
    # Shapes are all that is needed. (Networks that turn autocast off cannot run on the device `meta`.)
    with FakeTensorMode(), torch.no_grad():
        model = build(name, config).eval()
        side = model.tile_rule.tile_size
        tile = torch.empty(1, 3, side, side)
        with FlopCounterMode(display=False) as counter:
            model(tile)
    return float(counter.get_total_flops()) / 2 / side**2
