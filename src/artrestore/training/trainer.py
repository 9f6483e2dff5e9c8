"""The training loop, from top to bottom."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from artrestore.errors import InterruptedRunError
from artrestore.io.weights_file import read_tensors
from artrestore.models.base import StageName
from artrestore.training.data import CropDataset, EpochSampler, endless_batches
from artrestore.training.evaluation import Evaluation, Evaluator
from artrestore.training.records import record_evaluation, write_run_weights
from artrestore.training.run import Run
from artrestore.training.schedule import evaluation_interval, learning_rate, stage_budget
from artrestore.training.state import load_state, save_state
from artrestore.training.step import StepResult, make_optimizer, set_learning_rate, train_step

SECONDS_BETWEEN_SAVES = 120.0


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where training stands after a step.

    Attributes:
        stage: its name; number `stage_number` of `stage_count`.
        epoch: of the stage, from 1.
        step: updates tried in the stage.
        fraction: part of the stage's budget that is used, in [0, 1].
        seconds_left: of the stage, at the pace so far.
        learning_rate: of this step.
        result: the step's losses and gradient norm.
        skipped: updates of the whole run that were skipped.
        pictures_per_second: crops a second in this stage, since the program was started.
        evaluation: the newest one, if any.
        evaluated: it was made after this very step.
    """

    stage: StageName
    stage_number: int
    stage_count: int
    epoch: int
    step: int
    fraction: float
    seconds_left: float | None
    learning_rate: float
    result: StepResult
    skipped: int
    pictures_per_second: float
    evaluation: Evaluation | None
    evaluated: bool


def train(run: Run, *, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Progress]:
    """Train the stages that are left.

    Args:
        run: what `prepare_run` returned.
        should_stop: asked after every step; if true, the state is saved and the run ends.

    Yields:
        The progress after every step.

    Raises:
        InterruptedRunError: `should_stop` said so; the run can be resumed exactly.
        DivergedError: too many updates in a row had to be skipped.
        OutputError: the run folder cannot be written any more.
    """
    stages = run.config.stages
    for index in range(run.state.stage_index, len(stages)):
        yield from _train_stage(run, stages[index], should_stop)
        if index + 1 < len(stages):
            _begin_next_stage(run, stages[index])


def _train_stage(run: Run, stage: StageName, should_stop: Callable[[], bool]) -> Iterator[Progress]:
    config, state, model = run.config, run.state, run.model
    train_pairs, val_pairs = run.pairs(stage)
    seed = (config.seed, state.stage_index)
    crops = 1 if config.fit == "resize" else min(config.crops_per_picture, config.batch_size)
    dataset = CropDataset(train_pairs, size=run.size, crops=crops, fit=config.fit, seed=seed)
    sampler = EpochSampler(len(train_pairs), config.batch_size // crops, seed=seed, start_step=state.step)
    budget = stage_budget(config, stage, sampler.steps_per_epoch)
    interval = evaluation_interval(config, sampler.steps_per_epoch)
    evaluator = Evaluator(model, val_pairs, drawn_instead=train_pairs, size=run.size, fit=config.fit)
    optimizer = make_optimizer(config.optimizer, model, config.learning_rate)
    if run.resumed:
        load_state(run.folder.state, model, optimizer)
        run.resumed = False
    batches = endless_batches(dataset, sampler, workers=run.workers, pin_memory=run.device.type == "cuda")
    evaluation: Evaluation | None = None
    seen, began = 0, time.perf_counter()
    lap_began = began
    model.train()

    while (fraction := budget.progress(state.step, state.seconds)) < 1:
        given, clear = (_to_device(pixels, run.device) for pixels in next(batches))
        rate = learning_rate(config, state.step, fraction)
        set_learning_rate(optimizer, rate)
        result = train_step(
            model, optimizer, given, clear,
            beta=config.beta, clip_grad_norm=config.clip_grad_norm, guard=state.guard, bf16=run.bf16,
        )  # fmt: skip
        now = time.perf_counter()
        state.advance(now - lap_began)
        lap_began = now
        seen += len(given)

        fraction = budget.progress(state.step, state.seconds)
        evaluated = fraction >= 1 or state.step % interval == 0
        stopping = should_stop()
        if evaluated:
            evaluation = evaluator.evaluate()
        progress = Progress(
            stage=stage,
            stage_number=state.stage_index + 1,
            stage_count=len(config.stages),
            epoch=-(-state.step // sampler.steps_per_epoch),
            step=state.step,
            fraction=fraction,
            seconds_left=budget.seconds_left(state.step, state.seconds),
            learning_rate=rate,
            result=result,
            skipped=state.guard.skipped,
            pictures_per_second=seen / (now - began),
            evaluation=evaluation,
            evaluated=evaluated,
        )
        if evaluated:
            evaluator.draw(run.folder, stage, progress.epoch)
            record_evaluation(run, progress)
        if stopping or fraction >= 1 or now - run.saved_at > SECONDS_BETWEEN_SAVES:
            write_run_weights(run, run.folder.last, progress)
            save_state(run.folder.state, state, model, optimizer)
            run.saved_at = now
        yield progress
        if stopping:
            raise InterruptedRunError(
                f"Stopped at step {state.step} of stage {stage}; the run is saved",
                hint=f"Continue with: artrestore train --resume --out {run.folder.path}",
            )


def _begin_next_stage(run: Run, ended: StageName) -> None:
    """Keep the ended stage's weights and go on from its best ones, with a fresh optimizer."""
    run.folder.keep_stage(ended)
    run.model.load_state_dict(read_tensors(run.folder.of_stage(run.folder.best, ended)))
    run.state.next_stage()
    optimizer = make_optimizer(run.config.optimizer, run.model, run.config.learning_rate)
    save_state(run.folder.state, run.state, run.model, optimizer)


def _to_device(pixels: Tensor, device: torch.device) -> Tensor:
    """uint8 (N, 3, H, W) to float32 in [0, 1] on the device, channels last."""
    moved = pixels.to(device, non_blocking=True)
    return moved.float().div_(255).contiguous(memory_format=torch.channels_last)
