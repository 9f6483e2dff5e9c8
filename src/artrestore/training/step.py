"""One update of the network, which is skipped when its gradient is not to be trusted."""

import math
from collections.abc import Iterable, Mapping, Sequence
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
    free_bits: float = 0.0,
    stage: StageName = "restore",
    around: Surroundings | None = None,
    adversary: torch.optim.Optimizer | None = None,
) -> StepResult:
    """Make one update from a batch (N, 3, H, W) in [0, 1].

    A GAN makes two, at once: `optimizer` lessens its `loss` and `adversary` the `discriminator`'s, each by the
    gradient for its own parameters, from one pass of the generator. Either both are made or none.

    Raises:
        DivergedError: see `GradientGuard`.
    """
    statistics = [(buffer, buffer.clone()) for buffer in model.buffers()]
    players = {"loss": optimizer} | ({} if adversary is None else {"discriminator": adversary})
    for player in players.values():
        player.zero_grad(set_to_none=True)
    with autocast(given.device, bf16=bf16):
        losses = model.training_losses(given, clear, beta=beta, free_bits=free_bits, stage=stage, around=around)
    norms = [_gradient_norm(losses[name], player, clip_grad_norm) for name, player in players.items()]
    # All figures in one transfer, before the update: the device makes it while the next step is prepared.
    found = torch.stack([*norms, *(value.detach() for value in losses.values())]).tolist()
    grad_norm, figures = found[0], dict(zip(losses, found[len(norms) :], strict=True))
    # A loss that is not finite may still leave a finite gradient; it is as little to be trusted.
    finite = all(map(math.isfinite, [*found[: len(norms)], *(figures[name] for name in players)]))
    trusted = guard.accepts(grad_norm if finite else math.nan)
    if trusted:
        for player in players.values():
            player.step()
    else:  # nor may the batch stay in what the network remembers of batches
        for buffer, before in statistics:
            buffer.copy_(before)
    return StepResult(losses=figures, grad_norm=grad_norm, skipped=not trusted)


def _gradient_norm(loss: Tensor, optimizer: torch.optim.Optimizer, clip: float) -> Tensor:
    """Give the optimizer's parameters, and no others, the loss's gradient, clipped; tell its norm before."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    loss.backward(inputs=parameters)
    return torch.nn.utils.clip_grad_norm_(parameters, clip or math.inf)


def make_optimizer(
    name: str, parameters: Sequence[torch.nn.Parameter], learning_rate: float, *, adam_beta1: float = 0.9
) -> torch.optim.Optimizer:
    """An optimizer by its name in the config, with the fused implementation where there is one."""
    betas = (adam_beta1, 0.999)
    if name == "adam":
        return torch.optim.Adam(parameters, learning_rate, betas, fused=True)
    if name == "adamw":
        return torch.optim.AdamW(parameters, learning_rate, betas, fused=True)
    if name == "sgd":
        return torch.optim.SGD(parameters, learning_rate, momentum=0.9, fused=True)
    if name == "rmsprop":
        return torch.optim.RMSprop(parameters, learning_rate)
    raise ValueError(f"unknown optimizer {name}")


def set_learning_rate(optimizers: Iterable[torch.optim.Optimizer], rate: float) -> None:
    """Give every parameter group of all the same learning rate."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate
