"""The settings of a training run, and their TOML form."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from artrestore.damage import DEFAULT_RECIPE, is_recipe_file
from artrestore.errors import InputError, UsageError
from artrestore.io.atomic import write_text
from artrestore.models.base import StageName, TrainingDefaults
from artrestore.models.devices import Precision
from artrestore.models.registry import DEFAULT_ARCHITECTURE, architecture

Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]

DEFAULT_MINUTES = 30.0
_FOLDERS = frozenset({"clear", "distorted", "start_from"})
BUDGETS = frozenset({"epochs", "steps", "minutes"})
# What may differ between a run and its continuation without making it another run.
# The folders and the recipe's file may have moved; what is in them is compared with what was.
CHANGEABLE_ON_RESUME = BUDGETS | {"clear", "distorted", "recipe", "out", "device", "workers"}


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TrainConfig:
    """Everything that decides a run; written to its folder as `config.toml`.

    Attributes:
        clear: folder of clear pictures.
        distorted: folder of distorted ones, paired by name; not needed with a recipe.
        out: the run folder.
        arch: an id of the registry; `model` overrides fields of its config.
        stages: which stages run, in this order.
        epochs, steps, minutes: the budget of the whole run, shared by its stages; exactly one is set.
        batch_size: crops a step.
        crops_per_picture: crops taken from a picture each time it is decoded.
        learning_rate, optimizer, schedule: of the optimizer; the schedule is fitted to the budget.
        beta: weight of the KL divergence.
        clip_grad_norm: gradients are scaled down to this norm; 0 does not clip.
        val_fraction: part of the clear pictures held out, with all their distorted versions.
        recipe: what clear pictures are damaged by on the fly; a bundled name or a file.
        synthetic: part of the crops with a distorted version that are damaged on the fly instead.
        fit: `crop` takes random crops at full resolution, `resize` whole pictures at the network's size.
        seed: of the split, the initial weights, the crops and the latent noise.
        device, precision, workers: where and how it runs; `workers` None leaves a core for the network.
        start_from: a weight file whose tensors replace the random initial ones.
    """

    clear: Path
    out: Path
    distorted: Path | None = None
    arch: str = DEFAULT_ARCHITECTURE
    stages: Annotated[tuple[StageName, ...], Field(min_length=1)]
    epochs: Positive | None = None
    steps: Positive | None = None
    minutes: Rate | None = None
    batch_size: Positive
    crops_per_picture: Positive = 8
    learning_rate: Rate
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"]
    schedule: Literal["cosine", "constant"]
    beta: Weight
    clip_grad_norm: Weight
    val_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    recipe: str | None = None
    synthetic: Annotated[float, Field(ge=0, le=1)] | None = None
    fit: Literal["crop", "resize"] = "crop"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    device: str = "auto"
    precision: Precision = "auto"
    workers: Annotated[int, Field(ge=0, le=64)] | None = None
    start_from: Path | None = None
    model: dict[str, Any] = Field(default_factory=dict)

    def __post_init__(self) -> None:
        if sum(budget is not None for budget in (self.epochs, self.steps, self.minutes)) != 1:
            raise ValueError("set exactly one of epochs, steps and minutes")
        if len(set(self.stages)) != len(self.stages):
            raise ValueError("a stage can run only once")
        if "restore" in self.stages and self.distorted is None and self.recipe is None:
            raise ValueError("the stage `restore` needs a folder of distorted pictures or a recipe")
        if self.distorted is None and self.synthetic not in (None, 1):
            raise ValueError("without a folder of distorted pictures, all are synthetic")

    def as_toml_dict(self) -> dict[str, Any]:
        """The fields that are set, as values that TOML can hold."""
        plain = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}
        return {key: value for key, value in plain.items() if value is not None}


def resolve_config(given: Mapping[str, Any], file: Path | None = None) -> TrainConfig:
    """Combine what was given (None means not given) with a TOML file and the architecture's defaults.

    What was given wins over the file, the file over the defaults. A run folder that neither names is new, below
    `runs/`, and named after the architecture and the time.

    Raises:
        UsageError: an unknown setting or an impossible value.
    """
    from_file = read_toml(file) if file else {}
    settings = from_file | {key: value for key, value in given.items() if value is not None}
    if typed_budget := {key for key in BUDGETS if given.get(key) is not None}:
        settings = {k: v for k, v in settings.items() if k not in BUDGETS - typed_budget}
    if not BUDGETS & settings.keys():
        settings["minutes"] = DEFAULT_MINUTES
    arch = str(settings.get("arch", DEFAULT_ARCHITECTURE))
    defaults = asdict(_training_defaults(arch)) | {"out": Path("runs") / f"{arch}-{datetime.now():%Y%m%d-%H%M%S}"}
    defaults.pop("stage_shares")
    return make_config(_with_recipe(defaults | absolute_folders(settings)))


def _with_recipe(settings: dict[str, Any]) -> dict[str, Any]:
    """Without distorted pictures, the default recipe; with both, half of the crops are damaged on the fly."""
    mixed = settings.get("distorted") is not None
    wanted = "restore" in settings["stages"] if not mixed else settings.get("synthetic") is not None
    recipe = settings.get("recipe") or (DEFAULT_RECIPE if wanted else None)
    if recipe is None:
        return settings
    return ({"synthetic": 0.5} if mixed else {}) | settings | {"recipe": recipe}


def absolute_folders(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings with absolute paths, so that the run can be resumed from any folder."""
    paths: dict[str, Any] = {key: Path(settings[key]).resolve() for key in _FOLDERS & settings.keys()}
    if is_recipe_file(str(settings.get("recipe") or "")):
        paths["recipe"] = str(Path(settings["recipe"]).resolve())
    return {**settings, **paths}


def make_config(settings: Mapping[str, Any]) -> TrainConfig:
    """Check complete settings.

    Raises:
        UsageError: an unknown setting or an impossible value; `details` names each.
    """
    try:
        return TrainConfig(**settings)
    except ValidationError as error:
        problems = [_problem(e) for e in error.errors()]
        raise UsageError("These training settings cannot be used", details=problems) from error


def read_toml(path: Path) -> dict[str, Any]:
    """Read a settings file.

    Raises:
        UsageError: there is none, or it is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"Cannot read the settings in {path}: {error}") from error


def write_toml(path: Path, config: TrainConfig) -> None:
    """Write the settings so that `--config` or `--resume` can read them, all or nothing.

    Raises:
        InputError: a folder's name is not UTF-8, which TOML cannot hold.
    """
    text = tomli_w.dumps(config.as_toml_dict())
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError("The name of a folder of this run is not UTF-8", hint="Rename the folder.") from error
    write_text(path, text)


def stage_share(config: TrainConfig, stage: StageName) -> float:
    """Part of the run's budget that a stage gets: the architecture's shares, over those that run."""
    defaults = _training_defaults(config.arch)
    shares = dict(zip(defaults.stages, defaults.stage_shares, strict=True))
    total = sum(shares.get(name, 1.0) for name in config.stages)
    return shares.get(stage, 1.0) / total


def _training_defaults(arch: str) -> TrainingDefaults:
    return architecture(arch).spec.training


def _problem(error: Any) -> str:
    place = ".".join(map(str, error["loc"]))
    found = f" (found {error['input']!r})" if error["type"] not in ("missing", "value_error") else ""
    return f"{place}: {error['msg']}{found}" if place else str(error["msg"])
