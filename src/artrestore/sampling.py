"""Drawing new pictures from a model's prior."""

import torch
from torch import Tensor

from artrestore.errors import UnsupportedError, UsageError
from artrestore.models.loading import LoadedModel
from artrestore.models.registry import names_that_can_sample

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
            hint=f"Train one that can: {', '.join(names_that_can_sample())}",
        )
    generator = torch.Generator().manual_seed(seed)
    drawn = []
    with torch.inference_mode():
        for start in range(0, count, _BATCH):
            size = min(_BATCH, count - start)
            drawn.append(loaded.model.sample(size, temperature=temperature, generator=generator).cpu())
    return torch.cat(drawn)
