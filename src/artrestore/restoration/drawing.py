"""Drawing several plausible restorations of one picture, to be looked at together."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from artrestore.errors import OutputError, UsageError
from artrestore.io.pictures import Picture, read_picture, write_picture
from artrestore.models.loading import LoadedModel
from artrestore.reporting.grids import save_grid
from artrestore.restoration.restorer import Restorer, require_learnt_doubt

_CELL = 480  # longest side in the grid, in pixels


def save_restorations(
    loaded: LoadedModel,
    source: Path,
    grid: Path,
    singles: Sequence[Path] = (),
    *,
    count: int,
    seed: int = 0,
    temperature: float | None = None,
) -> None:
    """Write a grid of plausible restorations of a picture, made small, and each at its full size.

    Args:
        loaded: a network that draws restorations.
        source: the damaged picture.
        grid: a PNG.
        singles: a file for each restoration, or none.
        count: how many.
        seed: the same gives the same ones.
        temperature: of the noise; see `Restorer.draw`.

    Raises:
        OutputError: an output is the damaged picture itself, or cannot be written.
        UnsupportedError: the network cannot draw.
        UsageError: the temperature is negative or not finite.
        PictureError: the picture cannot be read or restored.
    """
    if source.resolve() in {path.resolve() for path in (grid, *singles)}:
        raise OutputError(f"{source} is an original, which is never written over", hint="Name another output.")
    if temperature is not None and not 0 <= temperature < math.inf:
        raise UsageError("The temperature must be finite and not negative", hint="Leave out --temperature.")
    require_learnt_doubt(loaded)
    restorer, damaged = Restorer(loaded), read_picture(source)
    cells = []
    for index in range(count):
        drawn = damaged.with_rgb(restorer.draw(damaged.rgb, seed=seed, index=index, temperature=temperature))
        if singles:
            write_picture(singles[index], drawn)
        cells.append(_shrunk(drawn))
    save_grid(grid, torch.stack(cells), columns=math.ceil(math.sqrt(count)))


def _shrunk(picture: Picture) -> Tensor:
    """(3, h, w), at most `_CELL` long."""
    pixels = torch.from_numpy(picture.rgb)
    scale = _CELL / max(picture.size)
    if scale >= 1:
        return pixels
    size = [max(1, round(side * scale)) for side in pixels.shape[1:]]
    return F.interpolate(pixels[None], size=size, mode="bilinear", antialias=True)[0]
