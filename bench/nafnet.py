"""NAFNet (Chen et al., ECCV 2022) as one more architecture, to compare the flagship with: the same cost and data.

    pip install spandrel                            which has the network (MIT)
    python bench/nafnet.py cost                     multiply-adds of it and of the flagship
    python bench/nafnet.py train CLEAR --arch nafnet --minutes 90 --out runs/nafnet
    python bench/flagship.py VAL --weights nafnet=runs/nafnet/best.safetensors

All but `cost` is the `artrestore` program itself, which knows this architecture besides its own: the same
loader, damage, loss, optimizer, averaging and budget. NAFNet gets the same crops, and makes no use of what is
told of their surroundings.

It is spandrel's, changed twice, to its advantage. Its layer normalisation is computed by PyTorch's kernel, which
is faster. Its channel attention, trained on means over a crop, takes means over a window of one and a half crops
when it restores larger tiles, as its authors do (TLC, Chu et al., ECCV 2022).
"""

import sys
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from rich.console import Console
from rich.table import Table
from spandrel.architectures.NAFNet import NAFNet as SpandrelNAFNet
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from artrestore.losses import LOW, WIDE, charbonnier, log_charbonnier
from artrestore.models.base import ModelSpec, RestorationModel, StageName, Surroundings, TileRule
from artrestore.models.blocks import LayerNorm2d
from artrestore.models.hierarchical_vae import HierarchicalVAE
from artrestore.models.registry import ARCHITECTURES, build

Count = Annotated[int, Field(ge=1, le=4096)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class NAFNetConfig:
    """Settings of `nafnet`; the default costs as much as the flagship.

    Attributes:
        width: channels at full resolution; twice as many at each level below.
        encoder, decoder: blocks at each level; most lie deep, as in its authors' networks.
        middle: blocks at the lowest level.
        window: side of the channel attention's window when it restores, in pixels of the picture.
    """

    width: Count = 32
    encoder: tuple[Count, ...] = (1, 1, 1, 8)
    middle: Count = 1
    decoder: tuple[Count, ...] = (1, 1, 1, 1)
    window: Count = 192


class WindowMean(nn.Module):
    """The mean of each channel: over all of (N, C, H, W) in training, else over a window around each pixel.

    At the borders it is that of the nearest whole window. Windows move in steps of an eighth of their side, and
    their means are interpolated between: the same to the eye, and much faster.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, h: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 1, 1) or (N, C, H, W)."""
        size = h.shape[2:]
        if self.training or max(size) <= self.side:
            return h.mean((2, 3), keepdim=True)
        step = max(1, self.side // 8)
        grid = F.adaptive_avg_pool2d(h, (-(-size[0] // step), -(-size[1] // step)))
        window = [min(self.side // step, length) for length in grid.shape[2:]]
        means = F.avg_pool2d(grid, window, stride=1)
        missing = [whole - part for whole, part in zip(grid.shape[2:], means.shape[2:], strict=True)]
        margins = [part for each in reversed(missing) for part in (each // 2, each - each // 2)]
        return F.interpolate(F.pad(means, margins, mode="replicate"), size=size, mode="bilinear")


class NAFNet(RestorationModel):
    """The network to compare with; see the module's text."""

    name: ClassVar[str] = "nafnet"
    config_type: ClassVar[type[NAFNetConfig]] = NAFNetConfig
    spec: ClassVar[ModelSpec] = ModelSpec(
        summary="NAFNet, for comparison",
        can_sample=False,
        sees_surroundings=True,  # so that its crops are cut and damaged as the flagship's are
        training=replace(HierarchicalVAE.spec.training, stages=("restore",), stage_shares=(1.0,)),
    )

    def __init__(self, config: NAFNetConfig) -> None:
        super().__init__()
        self.config = config
        self.net: nn.Module = SpandrelNAFNet(
            width=config.width, enc_blk_nums=list(config.encoder), middle_blk_num=config.middle,
            dec_blk_nums=list(config.decoder),
        )  # fmt: skip
        for block in [module for module in self.net.modules() if hasattr(module, "sca")]:
            channels = block.conv1.in_channels
            block.norm1, block.norm2 = LayerNorm2d(channels), LayerNorm2d(channels)
            block.sca[0] = WindowMean(max(1, config.window * config.width // channels))

    @property
    def tile_rule(self) -> TileRule:
        """The flagship's."""
        return TileRule(tile_size=768, overlap=128, multiple=16, batch_size=1)

    def forward(self, damaged: Tensor, around: Surroundings | None = None) -> Tensor:  # noqa: ARG002
        """Restore (N, 3, H, W) in [0, 1] -> the same, float32."""
        restored: Tensor = self.net(damaged)
        return restored.float().clamp(0, 1)

    def training_losses(
        self,
        damaged: Tensor,
        clear: Tensor,
        *,
        beta: float,  # noqa: ARG002
        free_bits: float = 0.0,  # noqa: ARG002
        stage: StageName = "restore",
        around: Surroundings | None = None,  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """The loss of the flagship's mean."""
        restored = self.net(damaged)
        loss = log_charbonnier(restored, clear, LOW if stage == "refine" else WIDE)
        return {"loss": loss, "reconstruction": charbonnier(restored, clear).mean()}


def multiply_adds(model: RestorationModel, side: int = 1024) -> float:
    """Multiply-adds for a picture of about a megapixel, in thousands of millions a megapixel (GMAC)."""
    picture = torch.zeros(1, 3, side, side)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model.eval()(picture)
    return float(counter.get_total_flops()) / 2 / side**2 / 1000


def print_costs() -> None:
    table = Table("Network", title="Cost of restoring", title_justify="left")
    for column in ("M parameters", "GMAC a megapixel"):
        table.add_column(column, justify="right")
    networks: list[tuple[str, str, dict[str, Any]]] = [("nafnet", NAFNet.name, {})]
    for size, settings in HierarchicalVAE.sizes.items():
        networks.append((f"hierarchical-vae, {size}", HierarchicalVAE.name, settings))
    for title, name, settings in networks:
        model = build(name, settings)
        table.add_row(title, f"{model.parameter_count / 1e6:.2f}", f"{multiply_adds(model):.1f}")
    Console().print(table)


def main() -> None:
    # By the module's own name, not by `__main__`, so that there is one class however this file is loaded.
    ARCHITECTURES.setdefault("nafnet", "nafnet:NAFNet")
    if sys.argv[1:2] == ["cost"]:
        print_costs()
        return
    from artrestore.cli.app import main as artrestore

    artrestore()


if __name__ == "__main__":
    main()
