"""Give what sleeps in a network another beginning, while hardly changing what it does.

    python bench/revive.py default runs/revived.safetensors --pictures ../paintings/train --coarsest

A unit of a dense block is dead if it is hardly ever above zero, on whatever picture, so that it passes nothing on
and learns next to nothing. Its incoming weights are drawn anew, and its outgoing ones set to zero, as ReDo does it
(Sokar et al., "The dormant neuron phenomenon in deep reinforcement learning", ICML 2023).

A level of gated blocks sleeps if one of its channels is far larger than all others: layer normalisation then
leaves next to nothing of those. `--coarsest` draws the level at 1/16 anew. Its input is whitened, as Krähenbühl et
al. do it ("Data-dependent initializations of convolutional neural networks", ICLR 2016), its blocks begin as the
identity, and what goes up from it is its mean of before.
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from artrestore.io.pictures import read_rgb8
from artrestore.io.weights_file import write_weights
from artrestore.models.base import RestorationModel
from artrestore.models.blocks import GatedBlock, ResidualBlock, zero_initialised
from artrestore.models.hierarchical_vae import HierarchicalVAE
from artrestore.models.loading import load_model
from artrestore.training.crops import middle_crop

_ALIVE = 1e-3  # of the pixels above zero
_SIGMAS = (0, 15, 50)
_LEAST_VARIANCE = 1e-3  # of the largest: smaller ones are not blown up to all of it


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


def revive_dense_blocks(model: RestorationModel, crops: Tensor) -> None:
    """Revive the dead units of all dense blocks, and say how many there were."""
    active: dict[str, Tensor] = {}
    blocks = {name: module for name, module in model.named_modules() if isinstance(module, ResidualBlock)}
    for name, block in blocks.items():
        block.first.register_forward_hook(
            lambda _module, _given, out, name=name: active.update({name: (out > 0).float().mean((0, 2, 3))})
        )
    with torch.inference_mode():
        model(crops)
    for name, block in blocks.items():
        print(f"{name}: {revive(block, active[name])} of {len(active[name])} units were dead")


@torch.no_grad()
def renew_coarsest(model: HierarchicalVAE, crops: Tensor) -> None:
    """Draw the level at 1/16 anew, and say how large its largest channel was beside the median one."""
    seen: dict[str, list[Tensor]] = {"in": [], "up": [], "level": []}
    down, expand = model.get_submodule("down.2"), model.get_submodule("up.0.expand")
    assert isinstance(down, nn.Conv2d)  # noqa: S101 (as it is made)
    hooks = [
        down.register_forward_hook(lambda _module, given, _out: seen["in"].append(given[0])),
        model.middle_in.register_forward_hook(lambda _module, _given, out: seen["level"].append(out)),
        expand.register_forward_hook(lambda _module, _given, out: seen["up"].append(out)),
    ]
    for few in crops.split(4):
        model(few)
    for hook in hooks:
        hook.remove()
    sizes = torch.cat(seen["level"]).square().mean((0, 2, 3)).sqrt()
    print(f"1/16: the largest channel was {float(sizes.max() / sizes.median()):.0f} times the median one")
    _whiten(down, torch.cat(seen["in"]))
    zero_initialised(model.modulate)
    for block in (*model.middle_in, *model.middle_out):
        block.load_state_dict(GatedBlock(model.config.widths[-1]).state_dict())
    model.get_parameter("noise.0.out.weight").zero_()
    model.get_parameter("up.0.expand.weight").zero_()
    model.get_parameter("up.0.expand.bias").copy_(torch.cat(seen["up"]).mean((0, 2, 3)))


def _whiten(layer: nn.Conv2d, given: Tensor) -> None:
    """Make a convolution of stride 2 give, of these inputs (N, C, H, W), uncorrelated channels of variance 1.

    They are those of the most variance, turned at random so that each has a part of all.
    """
    patches = F.unfold(given, 2, stride=2).transpose(0, 1).flatten(1).double()
    mean = patches.mean(1, keepdim=True)
    values, vectors = torch.linalg.eigh(torch.cov(patches))
    kept = slice(-layer.out_channels, None)
    floored = values[kept].clamp(min=float(values[-1]) * _LEAST_VARIANCE)
    turned, _ = torch.linalg.qr(torch.randn(layer.out_channels, layer.out_channels, dtype=torch.double))
    weight = turned @ (vectors[:, kept] / floored.sqrt()).T
    layer.weight.copy_(weight.reshape(layer.weight.shape))
    if layer.bias is not None:
        layer.bias.copy_(-(weight @ mean)[:, 0])


def main() -> None:
    parser = argparse.ArgumentParser(description="Give what sleeps in a network another beginning.")
    parser.add_argument("weights", help="a file or bundled weights")
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of clear pictures to look at")
    parser.add_argument("--coarsest", action="store_true", help="the whole level at 1/16 too")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    loaded = load_model(arguments.weights, device="cpu")
    model = loaded.model.float()
    revive_dense_blocks(model, noisy_crops(arguments.pictures))
    if arguments.coarsest:
        if not isinstance(model, HierarchicalVAE):
            parser.error("--coarsest is for hierarchical-vae")
        renew_coarsest(model, noisy_crops(arguments.pictures, count=24))
    write_weights(arguments.out, model.weights(), loaded.header)


if __name__ == "__main__":
    main()
