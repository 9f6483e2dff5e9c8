"""What one stage of a run works with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch.nn import Parameter
from torch.optim.swa_utils import AveragedModel

from artrestore.models.base import RestorationModel, StageName
from artrestore.training.batches import Batch
from artrestore.training.config import TrainConfig
from artrestore.training.data import CropDataset, EpochSampler, endless_batches
from artrestore.training.echo import echoed, first_needed
from artrestore.training.ema import kept_model, moving_average
from artrestore.training.evaluation import Evaluator
from artrestore.training.run import Run
from artrestore.training.schedule import Budget, evaluation_interval, stage_budget
from artrestore.training.state import load_state
from artrestore.training.step import make_optimizer

_RECOLOURED = 0.5  # of the clear pictures that a network learns from whose eye for tone is to be trained


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The data, the budget, the optimizer and the evaluator of a stage.

    Attributes:
        name: what it trains; see `TrainingDefaults`.
        number: from 1; `count` run in all.
        batches: endless, from the state's step on.
        steps_per_epoch: batches that visit every picture once.
        interval: steps between evaluations.
        optimizer: of the network.
        adversary: of its discriminator, if it has one.
        average: the moving average of the weights, if one is taken.
    """

    name: StageName
    number: int
    count: int
    batches: Iterator[Batch]
    budget: Budget
    steps_per_epoch: int
    interval: int
    evaluator: Evaluator
    optimizer: torch.optim.Optimizer
    adversary: torch.optim.Optimizer | None
    average: AveragedModel | None

    @property
    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Those that there are."""
        return [self.optimizer] if self.adversary is None else [self.optimizer, self.adversary]

    def epoch(self, step: int) -> int:
        """The epoch, from 1, in which a step lies."""
        return -(-step // self.steps_per_epoch)


def set_up_stage(run: Run) -> Stage:
    """Set up the stage under way; a resumed run gets its model, optimizer and random states back.

    Raises:
        InputError: the state of a resumed run is damaged.
        PictureError: a held-out picture cannot be read.
    """
    config, state = run.config, run.state
    name = config.stages[state.stage_index]
    train_pairs, val_pairs = run.pairs(name)
    # Each stage draws an order and crops of its own.
    seed = (config.seed, state.stage_index)
    cropping = run.cropping(name)
    crops = 1 if cropping.fit == "resize" else _crops(config.batch_size, config.crops_per_picture)
    # Where pictures are generated, as many of the others get generated details; those that are measured do not.
    drawn = replace(cropping, details=config.generated, recolour=_RECOLOURED if cropping.surroundings else 0.0)
    dataset = CropDataset(train_pairs, drawn, crops=crops, seed=seed, generated=config.generated)
    first = first_needed(state.step, config.echo)
    sampler = EpochSampler(len(train_pairs), config.batch_size // crops, seed=seed, start_step=first)
    steps_per_epoch = sampler.steps_per_epoch * config.echo
    optimizer, adversary = _optimizers(config, run.model, name)
    average = moving_average(run.model, config.ema)
    evaluator = Evaluator(kept_model(run.model, average), val_pairs, cropping, drawn_instead=train_pairs)
    if run.resumed:
        load_state(run.folder.state, run.model, optimizer, average, adversary)
        run.resumed = False
    fresh = endless_batches(dataset, sampler, workers=run.workers, pin_memory=run.device.type == "cuda")
    return Stage(
        name=name,
        number=state.stage_index + 1,
        count=len(config.stages),
        batches=echoed(fresh, config.echo, seed=seed, step=state.step),
        budget=stage_budget(config, name, steps_per_epoch),
        steps_per_epoch=steps_per_epoch,
        interval=evaluation_interval(config, steps_per_epoch),
        evaluator=evaluator,
        optimizer=optimizer,
        adversary=adversary,
        average=average,
    )


def _optimizers(
    config: TrainConfig, model: RestorationModel, stage: StageName
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer | None]:
    """The optimizer of what a stage trains, and one of its adversary; all else is frozen."""
    trained, against = model.trained_parameters(stage), model.adversary_parameters()
    _freeze_the_rest(model, [*trained, *against])

    def make(parameters: Sequence[Parameter]) -> torch.optim.Optimizer:
        return make_optimizer(config.optimizer, parameters, config.learning_rate, adam_beta1=config.adam_beta1)

    return make(trained), make(against) if against else None


def _freeze_the_rest(model: RestorationModel, trained: Sequence[Parameter]) -> None:
    """All other parameters keep no gradient, which would count in the norm for ever."""
    model.requires_grad_(False)
    for parameter in model.parameters():
        parameter.grad = None
    for parameter in trained:
        parameter.requires_grad_(True)


def _crops(batch_size: int, most: int) -> int:
    """The most crops from a picture, up to `most`, that fill a batch without rest."""
    return next(count for count in range(min(most, batch_size), 0, -1) if batch_size % count == 0)
