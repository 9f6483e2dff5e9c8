"""How far a stage has come in its budget, and the learning rate that belongs there."""

import math
from dataclasses import dataclass

from artrestore.models.base import StageName
from artrestore.training.config import TrainConfig, stage_share

WARMUP_STEPS = 20
FINAL_RATE = 0.01  # of the learning rate, at the end of the cosine
REFINING_RATE = 0.5  # of the learning rate, in the stage `refine`
MIN_STEPS_BETWEEN_EVALUATIONS = 100
EVALUATIONS = 50  # about so many in a run of many steps
MAX_STEPS_BETWEEN_EVALUATIONS = 1000


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a stage may use: a number of steps or of seconds; the other is None."""

    steps: int | None = None
    seconds: float | None = None

    def progress(self, step: int, seconds: float) -> float:
        """Part of the budget that is used, in [0, 1]."""
        used = step / self.steps if self.steps else seconds / self.seconds if self.seconds else 1.0
        return min(1.0, used)

    def seconds_left(self, step: int, seconds: float) -> float | None:
        """Time left at the pace so far; None before the first step."""
        if self.seconds:
            return max(0.0, self.seconds - seconds)
        return (self.steps - step) * seconds / step if self.steps and step else None


def stage_budget(config: TrainConfig, stage: StageName, steps_per_epoch: int) -> Budget:
    """The stage's share of the run's budget; at least one epoch or one step."""
    share = stage_share(config, stage)
    if config.minutes is not None:
        return Budget(seconds=config.minutes * 60 * share)
    if config.epochs is not None:
        return Budget(steps=max(1, round(config.epochs * share)) * steps_per_epoch)
    return Budget(steps=max(1, round((config.steps or 1) * share)))


def evaluation_interval(config: TrainConfig, steps_per_epoch: int) -> int:
    """Steps between evaluations: an epoch; several where epochs are short and not what was asked for."""
    if config.epochs is not None:
        return min(steps_per_epoch, MAX_STEPS_BETWEEN_EVALUATIONS)
    least = max(MIN_STEPS_BETWEEN_EVALUATIONS, (config.steps or 0) // EVALUATIONS)
    epochs = math.ceil(least / steps_per_epoch)
    return min(epochs * steps_per_epoch, MAX_STEPS_BETWEEN_EVALUATIONS)


def learning_rate(config: TrainConfig, stage: StageName, step: int, progress: float) -> float:
    """A short linear warm-up, then a cosine down to a hundredth (Loshchilov & Hutter 2016); or a constant."""
    highest = config.learning_rate * (1.0 if stage == "uncertainty" else config.backbone_rate)
    if stage == "refine":
        highest *= REFINING_RATE
    if config.schedule == "constant":
        return highest
    warmup = min(1.0, (step + 1) / WARMUP_STEPS)
    cosine = FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * progress))
    return highest * warmup * cosine


def kl_weight(config: TrainConfig, progress: float) -> float:
    """Beta, to which the weight of the KL divergence grows from zero over the warm-up (Bowman et al. 2016)."""
    return config.beta * min(1.0, progress / config.kl_warmup) if config.kl_warmup else config.beta
