"""The state of a run: all that the next step depends on, so that resuming is exact.

It is a safetensors file like the weights, so nothing is unpickled here either: tensors of the model, the
optimizer and the random generators, and the rest as JSON in its header.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from artrestore.errors import InputError
from artrestore.io.weights_file import save_tensors
from artrestore.models.base import RestorationModel
from artrestore.training.step import GradientGuard, StepResult

STATE_FORMAT = "artrestore-training-state-1"


@dataclass(kw_only=True)
class TrainingState:
    """Where a run stands.

    Attributes:
        stage_index: the stage under way, as an index into the config's stages; their number once all are done.
        step: updates tried in this stage.
        seconds: spent in this stage.
        total_seconds: spent in the whole run.
        best_psnr: the best validation PSNR of this stage in dB.
        guard: the running mean of gradient norms and the count of skipped updates.
        data_digest: of the names of all pairs, so that a resumed run works on the same ones.
        began_from: the record in the weights that the run began from; empty if it began from random ones.
        bf16: whether it computes in bf16, by the type of device; timed once, or a resumed run might differ.
        loss_sums: of every part of the loss, over the `loss_count` updates made since the last evaluation.
    """

    stage_index: int = 0
    step: int = 0
    seconds: float = 0.0
    total_seconds: float = 0.0
    best_psnr: float | None = None
    guard: GradientGuard = field(default_factory=GradientGuard)
    loss_sums: dict[str, float] = field(default_factory=dict)
    loss_count: int = 0
    data_digest: str = ""
    began_from: dict[str, Any] = field(default_factory=dict)
    bf16: dict[str, bool] = field(default_factory=dict)

    def advance(self, result: StepResult, seconds: float) -> None:
        """Count a step and the time it took; the losses of a skipped one are left out of the mean."""
        self.step += 1
        self.seconds += seconds
        self.total_seconds += seconds
        if not result.skipped:
            self.loss_count += 1
            for name, value in result.losses.items():
                self.loss_sums[name] = self.loss_sums.get(name, 0.0) + value

    def take_mean_losses(self) -> dict[str, float]:
        """Mean losses since this was last called."""
        means = {name: value / self.loss_count for name, value in self.loss_sums.items()}
        self.loss_sums, self.loss_count = {}, 0
        return means

    def next_stage(self) -> None:
        """Move on to the beginning of the next stage."""
        self.stage_index += 1
        self.step, self.seconds, self.best_psnr = 0, 0.0, None
        self.guard = GradientGuard(skipped=self.guard.skipped)
        self.loss_sums, self.loss_count = {}, 0


def save_state(
    path: Path,
    state: TrainingState,
    model: RestorationModel,
    optimizer: torch.optim.Optimizer,
    average: AveragedModel | None = None,
    adversary: torch.optim.Optimizer | None = None,
) -> None:
    """Write the state, with the moving average of the weights if one is taken, all or nothing.

    Raises:
        OutputError: the file cannot be written.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{name}": tensor for name, tensor in average.state_dict().items()}
    metadata = {"format": STATE_FORMAT, "state": json.dumps(asdict(state))}
    for prefix, groups, player in _players(optimizer, adversary):
        optimizer_state = player.state_dict()
        for index, values in optimizer_state["state"].items():
            tensors |= {f"{prefix}{index}.{key}": value for key, value in values.items() if value is not None}
        metadata[groups] = json.dumps(optimizer_state["param_groups"])
    device = next(model.parameters()).device
    tensors |= {f"random.{name}": tensor for name, tensor in _random_states(device).items()}
    save_tensors(path, tensors, metadata)


def read_state(path: Path) -> TrainingState:
    """Read where a run stands, without its tensors.

    Raises:
        InputError: there is no state, or it is damaged.
    """
    with _open(path) as file:
        values = json.loads(file.metadata()["state"])
    return TrainingState(**values | {"guard": GradientGuard(**values["guard"])})


def load_state(
    path: Path,
    model: RestorationModel,
    optimizer: torch.optim.Optimizer,
    average: AveragedModel | None = None,
    adversary: torch.optim.Optimizer | None = None,
) -> None:
    """Put the saved tensors and random states in their places.

    Raises:
        InputError: there is no state, or it is damaged.
    """
    with _open(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    model.load_state_dict(_below(tensors, "model."))
    if average is not None:
        average.load_state_dict(_below(tensors, "average."))
    for prefix, groups, player in _players(optimizer, adversary):
        state = _optimizer_state(_below(tensors, prefix), player)
        player.load_state_dict({"state": state, "param_groups": json.loads(metadata[groups])})
    _restore_random_states(_below(tensors, "random."), next(model.parameters()).device)


def _players(
    optimizer: torch.optim.Optimizer, adversary: torch.optim.Optimizer | None
) -> list[tuple[str, str, torch.optim.Optimizer]]:
    """The optimizers that there are, each with the prefix of its tensors and the key of its settings."""
    players = [("optimizer.", "param_groups", optimizer)]
    return players if adversary is None else [*players, ("adversary.", "adversary_param_groups", adversary)]


def _optimizer_state(tensors: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    parameters = optimizer.param_groups[0]["params"]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            # Fused optimizers walk parameter and moments in memory order, so their layouts must be the same.
            tensor = torch.empty_like(parameter, device="cpu").copy_(tensor)
        state.setdefault(int(index), {})[key] = tensor
    return state


def _random_states(device: torch.device) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def _restore_random_states(states: dict[str, Tensor], device: torch.device) -> None:
    """Restore what was saved, as far as the run continues on the same kind of device."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _open(path: Path) -> Any:
    try:
        file = safetensors.safe_open(path, framework="pt")
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(
            f"There is no training state in {path.parent} that can be read",
            hint="Start the run anew: leave out --resume and name another --out.",
        ) from error
    if (file.metadata() or {}).get("format") != STATE_FORMAT:
        raise InputError(
            f"{path} is not a training state of this version of artrestore",
            hint="Go on from its weights in a new run: --from RUN/last.safetensors --out ANOTHER",
        )
    return file
