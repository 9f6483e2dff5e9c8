"""The moving average of the weights: smoother than the weights themselves, and better (Polyak & Juditsky 1992)."""

from typing import cast

from torch import Tensor, _foreach_lerp_
from torch.optim.swa_utils import PARAM_LIST, AveragedModel

from artrestore.models.base import RestorationModel


def moving_average(model: RestorationModel, decay: float) -> AveragedModel | None:
    """A copy of the model that follows it by `decay` a step, faster in the beginning; None if the decay is 0.

    Weights that do not change are averaged to themselves, bit for bit.
    """
    if not decay:
        return None

    def follow(averages: PARAM_LIST, currents: PARAM_LIST, _updates: Tensor | int) -> None:
        updates = int(average.n_averaged)  # it lies on the CPU: to read `_updates` would wait for the device
        kept = min(decay, (1 + updates) / (10 + updates))
        _foreach_lerp_(averages, currents, 1 - kept)

    average = AveragedModel(model, multi_avg_fn=follow)
    return average


def kept_model(model: RestorationModel, average: AveragedModel | None) -> RestorationModel:
    """The model that is measured and kept: the average, if there is one."""
    return model if average is None else cast("RestorationModel", average.module)
