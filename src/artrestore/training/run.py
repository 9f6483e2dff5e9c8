"""Setting up a run: everything that can be refused is refused here, before the first step."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from artrestore.damage.recipes import load_recipe
from artrestore.errors import InputError, UsageError
from artrestore.io.atomic import require_writable
from artrestore.models.base import THUMBNAIL_SIZE, RestorationModel, StageName
from artrestore.models.devices import pick_device, uses_bf16
from artrestore.models.loading import LoadedModel, load_model
from artrestore.models.registry import build
from artrestore.training.config import (
    BUDGETS,
    CHANGEABLE_ON_RESUME,
    TrainConfig,
    absolute_folders,
    make_config,
    read_toml,
    write_toml,
)
from artrestore.training.cropping import Cropping
from artrestore.training.pairs import PicturePair, Split, clear_pairs, require_same_sizes, split_pairs
from artrestore.training.run_folder import RunFolder
from artrestore.training.state import TrainingState, read_state
from artrestore.training.synthesis import Synthesis

_BYTES_PER_PARAMETER = 4


@dataclass(kw_only=True)
class Run:
    """Everything that a run works with.

    Attributes:
        bf16: convolutions run in bf16.
        synthesis: how pictures are damaged on the fly in all stages but `clear`; None: they are not.
        resumed: the model's tensors are still to be read from the state.
        saved_at: when the state was last written, by `time.perf_counter`.
    """

    config: TrainConfig
    folder: RunFolder
    split: Split
    model: RestorationModel
    device: torch.device
    bf16: bool
    state: TrainingState
    synthesis: Synthesis | None
    resumed: bool
    saved_at: float = field(default_factory=time.perf_counter)

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return self.config.crop_size or self.model.tile_rule.tile_size

    @property
    def workers(self) -> int:
        """Processes that decode and crop; by default all cores but one, and at most four."""
        if self.config.workers is not None:
            return self.config.workers
        return min(4, (os.cpu_count() or 1) - 1)

    def cropping(self, stage: StageName) -> Cropping:
        """How the stage makes crops of pictures."""
        small = stage == "tone"
        return Cropping(
            size=THUMBNAIL_SIZE if small else self.size,
            fit="thumbnail" if small else self.config.fit,
            synthesis=None if stage == "clear" else self.synthesis,
            surroundings=self.model.spec.sees_surroundings,
        )

    def pairs(self, stage: StageName) -> tuple[tuple[PicturePair, ...], tuple[PicturePair, ...]]:
        """The stage's pairs to train on and to measure."""
        if stage == "clear":
            return clear_pairs(self.split.train), clear_pairs(self.split.val)
        return self.split.train, self.split.val


def prepare_run(config: TrainConfig, *, resume: bool = False) -> Run:
    """Check all that can be checked before training, and build the model.

    Raises:
        ArtRestoreError: pictures, pairs, device, settings or the run folder are at fault.
    """
    folder = RunFolder(config.out)
    device = pick_device(config.device)
    if resume:
        state = read_state(folder.state)
    else:
        state = TrainingState()
        folder.require_new()
    if device.type not in state.bf16:
        state.bf16[device.type] = uses_bf16(config.precision, device)
    synthesis = _synthesis(config)
    split = split_pairs(
        config.clear, config.distorted, val_fraction=config.val_fraction, seed=config.seed, exclude=config.out,
        recipe_digest=synthesis.recipe.digest if synthesis else "",
    )  # fmt: skip
    _require_same_data(state, split)
    if config.fit == "crop":
        require_same_sizes(split.train + split.val)
    torch.manual_seed(config.seed)
    model = build(config.arch, config.model)
    _require_stages(config, model)
    _require_latent_vector(config, model)
    _require_crop_size(config, model)
    model.prepare_training()
    if config.start_from and not resume:
        state.began_from = dict(_start_from(config.start_from, model).header.training)
    require_writable(config.out, _bytes_needed(config, model))
    write_toml(folder.config, config)
    model = model.to(device).to(memory_format=torch.channels_last)
    if device.type == "cuda":  # all crops are of one size, so the fastest kernels for it are worth looking for
        torch.backends.cudnn.benchmark = True
    return Run(
        config=config, folder=folder, split=split, model=model, device=device, bf16=state.bf16[device.type],
        state=state, synthesis=synthesis, resumed=resume,
    )  # fmt: skip


def _synthesis(config: TrainConfig) -> Synthesis | None:
    if config.recipe is None:
        return None
    return Synthesis(
        recipe=load_recipe(config.recipe), share=1.0 if config.synthetic is None else config.synthetic
    )


def resumed_config(out: Path, changes: Mapping[str, Any]) -> TrainConfig:
    """The recorded settings of the run in `out`, with changes that leave it the same run.

    Args:
        out: the run folder.
        changes: settings that were typed; None means not typed.

    Raises:
        InputError: there is no run.
        UsageError: a change would make it another run; `details` names each.
    """
    recorded_file = RunFolder(out).config
    if not recorded_file.exists():
        raise InputError(f"There is no run to resume in {out}", hint="Name the run folder with --out runs/NAME.")
    recorded = read_toml(recorded_file)
    typed = absolute_folders({key: value for key, value in changes.items() if value is not None})
    if BUDGETS & typed.keys():
        recorded = {key: value for key, value in recorded.items() if key not in BUDGETS}
    before, after = make_config(recorded | _budget(typed)), make_config(recorded | typed)
    changed = [
        f"{key}: {getattr(before, key)} was recorded, {getattr(after, key)} was given"
        for key in typed.keys() - CHANGEABLE_ON_RESUME
        if getattr(before, key) != getattr(after, key)
    ]
    if changed:
        raise UsageError(
            "A run can only be resumed with its own settings",
            hint="Leave these options out, or start a new run with another --out.",
            details=sorted(changed),
        )
    return after


def _budget(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key in BUDGETS}


def _require_same_data(state: TrainingState, split: Split) -> None:
    """Remember the data of a new run; refuse other data for a resumed one."""
    if state.data_digest and state.data_digest != split.digest:
        raise InputError(
            "The folders do not hold the same pictures, or the recipe is not the same, as when this run began; "
            "it cannot be resumed",
            hint="Put them back, or start a new run: --from RUN/last.safetensors --out ANOTHER",
        )
    state.data_digest = split.digest


def _start_from(weights: str, model: RestorationModel) -> LoadedModel:
    loaded = load_model(weights, device="cpu")
    if loaded.model.config != model.config or loaded.model.name != model.name:
        raise UsageError(
            f"{weights} holds a {loaded.model.name} with other settings than this run's",
            hint="Leave out --arch, --size and [model]: what the weights need is read from them.",
        )
    model.load_weights(loaded.model.weights())
    return loaded


def _require_stages(config: TrainConfig, model: RestorationModel) -> None:
    """Not every network can tell how sure it is, or sees more than its tile.

    Raises:
        UsageError: it is asked to learn that, and cannot.
    """
    lacking = {}
    if not model.spec.can_quantify:
        lacking["uncertainty"] = "cannot tell how sure it is"
    if not model.spec.sees_surroundings:
        lacking["tone"] = "does not see a picture's tone"
    if "refine" not in model.spec.training.stages:
        lacking["refine"] = "has but one loss for restoring"
    for stage in config.stages:
        if stage in lacking:
            raise UsageError(
                f"{config.arch} {lacking[stage]}, so it has no stage `{stage}`",
                hint="Leave it out of --stages, or train --arch hierarchical-vae.",
            )


def _require_latent_vector(config: TrainConfig, model: RestorationModel) -> None:
    """Some settings are about the KL divergence of a latent vector.

    Raises:
        UsageError: one is set, and the network has no such vector.
    """
    if (config.kl_warmup or config.free_bits) and model.latent_dim is None:
        raise UsageError(
            f"{config.arch} has no latent vector whose KL divergence a warm-up or free bits could change",
            hint="Leave out --kl-warmup and --free-bits.",
        )


def _require_crop_size(config: TrainConfig, model: RestorationModel) -> None:
    """The network's tiles may be of one size only.

    Raises:
        UsageError: it cannot take crops of the size that was asked for.
    """
    rule, size = model.tile_rule, config.crop_size
    if size and rule.fixed and size != rule.tile_size:
        raise UsageError(
            f"{config.arch} takes crops of {rule.tile_size} pixels only, not {size}", hint="Leave out --crop-size."
        )
    multiple = rule.crop_multiple or rule.multiple
    if size and size % multiple:
        raise UsageError(
            f"{config.arch} takes crops of a multiple of {multiple} pixels, not {size}",
            hint=f"Try --crop-size {max(1, round(size / multiple)) * multiple}.",
        )


def _bytes_needed(config: TrainConfig, model: RestorationModel) -> int:
    # Weights are kept as best and last, and once more for each stage that ends; the state holds three values a
    # parameter, and their average; while a file is replaced, the old one and the new one are both there.
    files = 2 * len(config.stages) + 2 * (4 if config.ema else 3) + 1
    return _BYTES_PER_PARAMETER * model.parameter_count * files
