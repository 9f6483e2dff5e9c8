"""Grids of pictures that a network made."""

from pathlib import Path

from torch import Tensor
from torchvision.utils import make_grid

from artrestore.io.atomic import atomic_path
from artrestore.reporting.sheets import to_image


def save_grid(path: Path, pictures: Tensor, *, columns: int) -> None:
    """Write pictures (N, 3, H, W) in [0, 1] as one PNG, row by row."""
    grid = make_grid(pictures.detach().float().cpu(), nrow=columns, padding=2, pad_value=1.0)
    with atomic_path(path) as temporary:
        to_image(grid.numpy()).save(temporary)
