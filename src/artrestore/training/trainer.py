"""The training loop, from top to bottom."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from artrestore.errors import InterruptedRunError
from artrestore.io.weights_file import read_tensors
from artrestore.models.base import StageName
from artrestore.training.batches import as_floats
from artrestore.training.ema import kept_model
from artrestore.training.evaluation import Evaluation
from artrestore.training.records import record_evaluation, write_run_weights
from artrestore.training.run import Run
from artrestore.training.schedule import kl_weight, learning_rate
from artrestore.training.stage import Stage, set_up_stage
from artrestore.training.state import save_state
from artrestore.training.step import StepResult, set_learning_rate, train_step

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
        yield from _train_stage(run, should_stop)
        if index + 1 < len(stages):
            _begin_next_stage(run, stages[index])


def _train_stage(run: Run, should_stop: Callable[[], bool]) -> Iterator[Progress]:
    config, state, folder = run.config, run.state, run.folder
    stage = set_up_stage(run)
    budget, optimizer = stage.budget, stage.optimizer
    evaluation: Evaluation | None = None
    began = lap_began = time.perf_counter()
    seen = 0
    run.model.train()
    if state.step == 0:  # from here on the run can be resumed, whatever happens to it
        save_state(folder.state, state, run.model, optimizer, stage.average, stage.adversary)

    while (fraction := budget.progress(state.step, state.seconds)) < 1:
        batch = as_floats(next(stage.batches), run.device)
        set_learning_rate(stage.optimizers, learning_rate(config, stage.name, state.step, fraction))
        result = train_step(
            run.model, optimizer, batch.given, batch.clear,
            beta=kl_weight(config, fraction), free_bits=config.free_bits, clip_grad_norm=config.clip_grad_norm,
            guard=state.guard, bf16=run.bf16, stage=stage.name, around=batch.around, adversary=stage.adversary,
        )  # fmt: skip
        if stage.average is not None and not result.skipped:
            stage.average.update_parameters(run.model)
        seen += len(batch.given)
        now = time.perf_counter()
        state.advance(result, now - lap_began)
        lap_began = now

        stopping, finished = should_stop(), budget.progress(state.step, state.seconds) >= 1
        evaluated = finished or state.step % stage.interval == 0
        if evaluated:
            evaluation = stage.evaluator.evaluate()
        pace = seen / (now - began)
        progress = _progress(run, stage, result, pace=pace, evaluation=evaluation, evaluated=evaluated)
        if evaluated:
            stage.evaluator.draw(folder, stage.name, progress.epoch)
            record_evaluation(run, progress, kept_model(run.model, stage.average))
        if stopping or finished or now - run.saved_at > SECONDS_BETWEEN_SAVES:
            write_run_weights(run, kept_model(run.model, stage.average), folder.last, progress)
            save_state(folder.state, state, run.model, optimizer, stage.average, stage.adversary)
            run.saved_at = now
        yield progress
        if stopping:
            raise InterruptedRunError(
                f"Stopped at step {state.step} of stage {stage.name}; the run is saved",
                hint=f"Continue with: artrestore train --resume --out {folder.path}",
            )


def _progress(
    run: Run,
    stage: Stage,
    result: StepResult,
    *,
    pace: float,
    evaluation: Evaluation | None,
    evaluated: bool,
) -> Progress:
    state, budget = run.state, stage.budget
    return Progress(
        stage=stage.name,
        stage_number=stage.number,
        stage_count=stage.count,
        epoch=stage.epoch(state.step),
        step=state.step,
        fraction=budget.progress(state.step, state.seconds),
        seconds_left=budget.seconds_left(state.step, state.seconds),
        learning_rate=stage.optimizer.param_groups[0]["lr"],
        result=result,
        skipped=state.guard.skipped,
        pictures_per_second=pace,
        evaluation=evaluation,
        evaluated=evaluated,
    )


def _begin_next_stage(run: Run, ended: StageName) -> None:
    """Keep the ended stage's weights and go on from its best ones: the newest, if nothing is held out to tell."""
    run.folder.keep_stage(ended)
    if run.state.best_psnr is not None or not run.split.val:
        run.model.load_weights(read_tensors(run.folder.best))
    run.state.next_stage()
