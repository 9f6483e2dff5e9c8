"""One update of the network, which is skipped when its gradient is not to be trusted."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from artrestore.errors import DivergedError
from artrestore.models.base import RestorationModel, StageName, Surroundings
from artrestore.models.devices import autocast


@dataclass(kw_only=True)
class GradientGuard:
    """Judges gradient norms against their running mean, and counts the updates that were skipped.

    A norm that is not finite, or `factor` times the running mean after `patience` steps, is refused. The mean
    follows refused norms too (held to `factor` times itself), so a lasting change of scale is accepted soon.
    """

    factor: float = 20.0
    patience: int = 20
    most_in_a_row: int = 100
    mean: float = 0.0
    seen: int = 0
    skipped: int = 0
    in_a_row: int = 0

    def accepts(self, norm: float) -> bool:
        """Whether the update may be made.

        Raises:
            DivergedError: the last `most_in_a_row` updates were all refused.
        """
        ceiling = self.factor * self.mean if self.seen >= self.patience else math.inf
        trusted = math.isfinite(norm) and norm <= ceiling
        if math.isfinite(norm):
            self.seen += 1
            self.mean += max(0.02, 1 / self.seen) * (min(norm, ceiling) - self.mean)
        self.in_a_row = 0 if trusted else self.in_a_row + 1
        self.skipped += not trusted
        if self.in_a_row >= self.most_in_a_row:
            raise DivergedError(
                f"Training diverged: {self.in_a_row} updates in a row were not finite or exploded",
                hint="Start again with a smaller --learning-rate, or with --precision fp32.",
            )
        return trusted


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """The loss and its parts, and the gradient's norm before clipping; `skipped` updates changed nothing."""

    losses: Mapping[str, float]
    grad_norm: float
    skipped: bool


def train_step(
    model: RestorationModel,
    optimizer: torch.optim.Optimizer,
    given: Tensor,
    clear: Tensor,
    *,
    beta: float,
    clip_grad_norm: float,
    guard: GradientGuard,
    bf16: bool,
    stage: StageName = "restore",
    around: Surroundings | None = None,
) -> StepResult:
    """Make one update from a batch (N, 3, H, W) in [0, 1].

    Raises:
        DivergedError: see `GradientGuard`.
    """
    optimizer.zero_grad(set_to_none=True)
    with autocast(given.device, bf16=bf16):
        losses = model.training_losses(given, clear, beta=beta, stage=stage, around=around)
    losses["loss"].backward()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(parameters, clip_grad_norm or math.inf)
    # All figures in one transfer, before the update: the device makes it while the next step is prepared.
    grad_norm, *values = torch.stack([norm, *(value.detach() for value in losses.values())]).tolist()
    figures = dict(zip(losses, values, strict=True))
    # A loss that is not finite may still leave a finite gradient; it is as little to be trusted.
    trusted = guard.accepts(grad_norm if math.isfinite(figures["loss"]) else math.nan)
    if trusted:
        optimizer.step()
    return StepResult(losses=figures, grad_norm=grad_norm, skipped=not trusted)


def make_optimizer(
    name: str, parameters: Sequence[torch.nn.Parameter], learning_rate: float
) -> torch.optim.Optimizer:
    """An optimizer by its name in the config, with the fused implementation where there is one."""
    if name == "adam":
        return torch.optim.Adam(parameters, learning_rate, fused=True)
    if name == "adamw":
        return torch.optim.AdamW(parameters, learning_rate, fused=True)
    if name == "sgd":
        return torch.optim.SGD(parameters, learning_rate, momentum=0.9, fused=True)
    if name == "rmsprop":
        return torch.optim.RMSprop(parameters, learning_rate)
    raise ValueError(f"unknown optimizer {name}")


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group the same learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
