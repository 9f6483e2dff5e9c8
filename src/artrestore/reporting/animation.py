"""Animations of pictures that a network made."""

from pathlib import Path
from typing import Any

from torch import Tensor

from artrestore.io.atomic import atomic_path
from artrestore.reporting.sheets import to_image

ANIMATED_SUFFIXES = (".webp", ".gif")
_MILLISECONDS = 50  # a frame


def save_animation(path: Path, frames: Tensor) -> None:
    """Write frames (N, 3, H, W) in [0, 1] as an endless WebP or GIF, by the suffix.

    Raises:
        OutputError: the file cannot be written.
    """
    first, *others = (to_image(frame.numpy()) for frame in frames)
    quality: dict[str, Any] = {"quality": 85} if path.suffix.lower() == ".webp" else {}
    with atomic_path(path) as temporary:
        first.save(temporary, save_all=True, append_images=others, duration=_MILLISECONDS, loop=0, **quality)
