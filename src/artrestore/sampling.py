"""Drawing new pictures from a model's prior."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from artrestore.errors import UnsupportedError, UsageError
from artrestore.models.loading import LoadedModel
from artrestore.models.registry import names_that_can_sample
from artrestore.reporting.grids import save_grid

_BATCH = 64


def draw_samples(loaded: LoadedModel, count: int, *, seed: int = 0, temperature: float = 1.0) -> Tensor:
    """Draw pictures from the prior: (count, 3, H, W) in [0, 1], on the CPU; a seed gives the same ones again.

    Raises:
        UnsupportedError: the model cannot generate; the hint names the architectures that can.
        UsageError: a count below 1 or a negative temperature.
    """
    if count < 1 or not 0 <= temperature < float("inf"):
        raise UsageError("The number of samples must be at least 1 and the temperature finite and not negative")
    if not loaded.model.spec.can_sample:
        raise UnsupportedError(
            f"{loaded.path} holds a {loaded.model.name}, which cannot generate pictures",
            hint=f"Train one that can: {', '.join(names_that_can_sample())}; or draw restorations: --from PICTURE",
        )
    generator = torch.Generator().manual_seed(seed)
    drawn = []
    with torch.inference_mode():
        for start in range(0, count, _BATCH):
            size = min(_BATCH, count - start)
            drawn.append(loaded.model.sample(size, temperature=temperature, generator=generator).cpu())
    return torch.cat(drawn)


def save_samples(
    loaded: LoadedModel,
    grid: Path,
    singles: Sequence[Path] = (),
    *,
    count: int,
    seed: int = 0,
    temperature: float | None = None,
) -> None:
    """Draw pictures and write them as one PNG, and each on its own if files for that are named.

    Raises:
        OutputError: a file cannot be written.
        UnsupportedError, UsageError: see `draw_samples`; a temperature of None is 1.
    """
    pictures = draw_samples(loaded, count, seed=seed, temperature=1.0 if temperature is None else temperature)
    for path, picture in zip(singles, pictures, strict=bool(singles)):
        save_grid(path, picture[None], columns=1)
    save_grid(grid, pictures, columns=math.ceil(math.sqrt(count)))
