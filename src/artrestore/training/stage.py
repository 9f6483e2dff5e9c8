"""What one stage of a run works with."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from artrestore.models.base import StageName
from artrestore.training.data import Batch, CropDataset, EpochSampler, endless_batches
from artrestore.training.evaluation import Evaluator
from artrestore.training.run import Run
from artrestore.training.schedule import Budget, evaluation_interval, stage_budget
from artrestore.training.state import load_state
from artrestore.training.step import make_optimizer


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The data, the budget, the optimizer and the evaluator of a stage.

    Attributes:
        name: `clear` or `restore`.
        number: from 1; `count` run in all.
        batches: endless (given, clear), uint8 (N, 3, size, size), from the state's step on.
        steps_per_epoch: batches that visit every picture once.
        interval: steps between evaluations.
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
    crops = 1 if config.fit == "resize" else _crops(config.batch_size, config.crops_per_picture)
    synthesis = run.synthesis if name == "restore" else None
    dataset = CropDataset(train_pairs, size=run.size, crops=crops, fit=config.fit, seed=seed, synthesis=synthesis)
    sampler = EpochSampler(len(train_pairs), config.batch_size // crops, seed=seed, start_step=state.step)
    evaluator = Evaluator(
        run.model, val_pairs, drawn_instead=train_pairs, size=run.size, fit=config.fit, synthesis=synthesis
    )
    optimizer = make_optimizer(config.optimizer, run.model, config.learning_rate)
    if run.resumed:
        load_state(run.folder.state, run.model, optimizer)
        run.resumed = False
    return Stage(
        name=name,
        number=state.stage_index + 1,
        count=len(config.stages),
        batches=endless_batches(dataset, sampler, workers=run.workers, pin_memory=run.device.type == "cuda"),
        budget=stage_budget(config, name, sampler.steps_per_epoch),
        steps_per_epoch=sampler.steps_per_epoch,
        interval=evaluation_interval(config, sampler.steps_per_epoch),
        evaluator=evaluator,
        optimizer=optimizer,
    )


def _crops(batch_size: int, most: int) -> int:
    """The most crops from a picture, up to `most`, that fill a batch without rest."""
    return next(count for count in range(min(most, batch_size), 0, -1) if batch_size % count == 0)
