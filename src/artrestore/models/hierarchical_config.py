"""Settings of `hierarchical-vae`."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Width = Annotated[int, Field(ge=4, le=4096)]
Blocks = Annotated[int, Field(ge=1, le=64)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class HierarchicalVAEConfig:
    """See `hierarchical_vae`.

    Attributes:
        widths: channels at 1/2, 1/4, 1/8 and 1/16 of the picture's sides.
        blocks: blocks down, and again up, at the first three of these.
        middle_blocks: blocks at 1/16.
        dense_levels: levels with dense residual blocks; the coarser ones have gated blocks.
        noise: channels of the latents at 1/16 and, if there are more, 1/8 and 1/4.
        tone_noise: channels of the global latent.
        context: length of the vector that describes the whole picture.
        grid: cells along a side of the grid of colour transforms.
        coarse_passes: how often a picture is halved, to be mended in small first; see `coarse.py`.
    """

    widths: tuple[Width, Width, Width, Width] = (48, 96, 192, 256)
    blocks: tuple[Blocks, Blocks, Blocks] = (2, 2, 4)
    middle_blocks: Annotated[int, Field(ge=2, le=64)] = 8
    dense_levels: Annotated[int, Field(ge=0, le=3)] = 2
    noise: Annotated[tuple[Blocks, ...], Field(min_length=1, max_length=3)] = (24,)
    tone_noise: Blocks = 8
    context: Width = 64
    grid: Annotated[int, Field(ge=1, le=8)] = 8
    coarse_passes: Annotated[int, Field(ge=0, le=4)] = 2
