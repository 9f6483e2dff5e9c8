"""A one-second test of a device: does it compute what the CPU computes, and how fast."""

import time
from dataclasses import dataclass

import torch

from artrestore.models.devices import autocast
from artrestore.models.registry import DEFAULT_ARCHITECTURE, build

_BATCH = 16
_TOLERANCE = {False: 1e-3, True: 3e-2}


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """Tiles a second of the default network, the largest difference from the CPU in float32, and the verdict."""

    tiles_per_second: float
    difference: float
    passed: bool


def self_test(device: torch.device, *, bf16: bool = False, seconds: float = 1.0) -> SelfTest:
    """Run the default network, untrained, on one device for a given time.

    Raises:
        RuntimeError: the device cannot run it.
    """
    torch.manual_seed(0)
    model = build(DEFAULT_ARCHITECTURE).eval().to(memory_format=torch.channels_last)
    size = model.tile_rule.tile_size
    tiles = torch.rand(_BATCH, 3, size, size).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        expected = model(tiles)
        model, tiles = model.to(device), tiles.to(device)
        with autocast(device, bf16=bf16):
            difference = float((model(tiles).float().cpu() - expected).abs().max())
            count, start = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - start) < seconds or not count:
                model(tiles).sum().item()  # waits for the device
                count += _BATCH
    passed = difference <= _TOLERANCE[bf16]
    return SelfTest(tiles_per_second=count / elapsed, difference=difference, passed=passed)
