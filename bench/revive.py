"""Give dead units of a network another beginning, without changing what it does.

    python bench/revive.py default runs/revived.safetensors --pictures ../paintings/val

A unit of a dense block is dead if it is hardly ever above zero, on whatever picture, so that it passes nothing on
and learns next to nothing. Its incoming weights are drawn anew, and its outgoing ones set to zero, as ReDo does it
(Sokar et al., "The dormant neuron phenomenon in deep reinforcement learning", ICML 2023).
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from artrestore.io.pictures import read_rgb8
from artrestore.io.weights_file import write_weights
from artrestore.models.blocks import ResidualBlock
from artrestore.models.loading import load_model
from artrestore.training.crops import middle_crop

_ALIVE = 1e-3  # of the pixels above zero
_SIGMAS = (0, 15, 50)


def noisy_crops(folder: Path, count: int = 8, side: int = 256) -> Tensor:
    """Crops (N, 3, side, side) of pictures, without noise, with a little and with much."""
    paths = sorted(path for path in folder.iterdir() if path.is_file())[:count]
    clear = torch.stack([middle_crop(read_rgb8(path), side)[0] for path in paths]).float() / 255
    return torch.cat([clear + torch.randn_like(clear) * sigma / 255 for sigma in _SIGMAS]).clamp(0, 1)


@torch.no_grad()
def revive(block: ResidualBlock, active: Tensor) -> int:
    """Draw dead units of a block anew; `active` (C,) is how often each is above zero. How many there were."""
    dead = active < _ALIVE
    fresh = ResidualBlock(len(active)).first
    for old, new in zip(block.first.parameters(), fresh.parameters(), strict=True):
        old[dead] = new[dead]
    block.second.weight[:, dead] = 0
    return int(dead.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description="Give dead units another beginning.")
    parser.add_argument("weights", help="a file or bundled weights")
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of clear pictures to look at")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    loaded = load_model(arguments.weights, device="cpu")
    model = loaded.model.float()
    active: dict[str, Tensor] = {}
    blocks = {name: module for name, module in model.named_modules() if isinstance(module, ResidualBlock)}
    for name, block in blocks.items():
        block.first.register_forward_hook(
            lambda _module, _given, out, name=name: active.update({name: (out > 0).float().mean((0, 2, 3))})
        )
    with torch.inference_mode():
        model(noisy_crops(arguments.pictures))
    for name, block in blocks.items():
        print(f"{name}: {revive(block, active[name])} of {len(active[name])} units were dead")
    write_weights(arguments.out, model.weights(), loaded.header)


if __name__ == "__main__":
    main()
