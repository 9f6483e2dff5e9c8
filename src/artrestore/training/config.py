"""The settings of a training run, and their TOML form."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import tomlkit
from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from artrestore.damage import DEFAULT_RECIPE, is_recipe_file
from artrestore.errors import InputError, UsageError
from artrestore.io.atomic import write_text
from artrestore.io.weights_file import read_header
from artrestore.models.base import StageName, TrainingDefaults
from artrestore.models.devices import Precision
from artrestore.models.loading import find_weights
from artrestore.models.registry import ARCHITECTURES, DEFAULT_ARCHITECTURE, architecture
from artrestore.weights.references import NamedWeights, WeightFile, cache_name, parse_reference

Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]

DEFAULT_MINUTES = 30.0
_UNUSABLE, _SEE_HELP = "These training settings cannot be used", "See what there is: artrestore train --help"
_FOLDERS = frozenset({"clear", "distorted"})
BUDGETS = frozenset({"epochs", "steps", "minutes"})
# Settings that are read before all of them are checked together.
_READ_FIRST = {
    **dict.fromkeys(("clear", "distorted", "start_from", "arch", "size"), (str, Path)),
    "stages": (list, tuple), "model": (dict,),
}  # fmt: skip
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
        crop_size: side of the crops in pixels; None takes the network's tiles.
        crops_per_picture: crops taken from a picture each time it is decoded.
        learning_rate, optimizer, schedule: of the optimizer; the schedule is fitted to the budget.
        backbone_rate: factor on the learning rate of all stages but `uncertainty`, which change what is restored.
        adam_beta1: decay of the mean gradient of adam and adamw.
        beta: weight of the KL divergence.
        kl_warmup: part of each stage over which that weight grows from zero.
        free_bits: nats that each unit of a latent vector counts for at least in the KL divergence.
        clip_grad_norm: gradients are scaled down to this norm; 0 does not clip.
        ema: decay of the moving average of the weights, which is what is kept; 0 keeps the weights themselves.
        val_fraction: part of the clear pictures held out, with all their distorted versions.
        recipe: what clear pictures are damaged by on the fly; a bundled name or a file.
        synthetic: part of the crops with a distorted version that are damaged on the fly instead.
        generated: part of the crops that are taken from generated pictures, which never repeat; of the others, as
            large a part gets generated details.
        echo: how often each crop is learned from, on average.
        fit: `crop` takes random crops at full resolution, `resize` whole pictures at the network's size.
        seed: of the split, the initial weights, the crops and the latent noise.
        device, precision, workers: where and how it runs; `workers` None leaves a core for the network.
        start_from: what `--weights` takes (a file, a name ...), whose tensors replace the random initial ones.
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
    crop_size: Positive | None = None
    crops_per_picture: Positive = 8
    learning_rate: Rate
    backbone_rate: Rate = 1.0
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"]
    adam_beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    schedule: Literal["cosine", "constant"]
    beta: Weight
    kl_warmup: Annotated[float, Field(ge=0, le=1)] = 0.0
    free_bits: Weight = 0.0
    clip_grad_norm: Weight
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    val_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    recipe: str | None = None
    synthetic: Annotated[float, Field(ge=0, le=1)] | None = None
    generated: Annotated[float, Field(ge=0, le=1)] = 0.0
    echo: Annotated[int, Field(ge=1, le=64)] = 1
    fit: Literal["crop", "resize"] = "crop"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    device: str = "auto"
    precision: Precision = "auto"
    workers: Annotated[int, Field(ge=0, le=64)] | None = None
    start_from: str | None = None
    model: dict[str, Any] = Field(default_factory=dict)

    def __post_init__(self) -> None:
        if sum(budget is not None for budget in (self.epochs, self.steps, self.minutes)) != 1:
            raise ValueError("set exactly one of epochs, steps and minutes")
        if len(set(self.stages)) != len(self.stages):
            raise ValueError("a stage can run only once")
        if "uncertainty" in self.stages[:-1]:
            raise ValueError(
                "the stage `uncertainty` comes last: what follows it would change what it has measured"
            )
        if self.stages == ("uncertainty",) and self.start_from is None:
            raise ValueError("the stage `uncertainty` needs a network that restores: name its weights (--from)")
        if self.stages != ("clear",) and self.distorted is None and self.recipe is None:
            raise ValueError("all stages but `clear` need a folder of distorted pictures or a recipe")
        if self.distorted is None and self.synthetic not in (None, 1):
            raise ValueError("without a folder of distorted pictures, all are synthetic")
        if self.generated and self.recipe is None and self.stages != ("clear",):
            raise ValueError("generated pictures have no distorted versions: they need a recipe (--recipe)")

    def as_toml_dict(self) -> dict[str, Any]:
        """The fields that are set, as values that TOML can hold."""
        plain = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}
        return {key: value for key, value in plain.items() if value is not None}


def resolve_config(
    given: Mapping[str, Any], file: Path | None = None, *, defaults: Mapping[str, Any] | None = None
) -> TrainConfig:
    """Combine what was given (None means not given) with a TOML file and defaults, yours and the architecture's.

    What was given wins over the file, the file over the defaults. A run folder that neither names is new, below
    `runs/`, and named after the architecture and the time. `size` stands for some fields of `model`. What is not
    given of the architecture is read from the weights to start from, if there are any.

    Raises:
        UsageError: an unknown setting or an impossible value.
        WeightsError: the weights to start from are not there, or cannot be read.
    """
    settings = _given(defaults or {}) | (read_toml(file) if file else {}) | _given(given)
    _require_types(settings)
    if typed_budget := {key for key in BUDGETS if given.get(key) is not None}:
        settings = {k: v for k, v in settings.items() if k not in BUDGETS - typed_budget}
    if "start_from" in settings:
        # What has to be fetched is fetched now: from here on, its name in the cache stands for an address.
        find_weights(settings["start_from"])
    settings = _with_network(absolute_folders(settings))
    arch = str(settings["arch"])
    of_arch = asdict(_training_defaults(arch)) | {"out": Path("runs") / f"{arch}-{datetime.now():%Y%m%d-%H%M%S}"}
    of_arch.pop("stage_shares")
    fine_tuning, epochs = of_arch.pop("fine_tuning"), of_arch.pop("epochs")
    if not BUDGETS & settings.keys():
        settings |= {"epochs": epochs} if epochs else {"minutes": DEFAULT_MINUTES}
    if "start_from" in settings and "learning_rate" not in settings:
        of_arch["backbone_rate"] = fine_tuning
    return make_config(_with_recipe(of_arch | settings))


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if value is not None}


def _require_types(settings: Mapping[str, Any]) -> None:
    wrong = [
        f"{key}: {' or '.join(kind.__name__ for kind in kinds)} expected (found {settings[key]!r})"
        for key, kinds in _READ_FIRST.items()
        if key in settings and not isinstance(settings[key], kinds)
    ]
    if wrong:
        raise UsageError(_UNUSABLE, hint=_SEE_HELP, details=wrong)


def _with_network(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with an architecture and its numbers: as given, or as in the weights to start from."""
    size = settings.get("size")
    found = {key: value for key, value in settings.items() if key != "size"}
    if "start_from" in found:
        header = read_header(find_weights(found["start_from"]))
        found.setdefault("arch", header.architecture)
        if size is None and found["arch"] == header.architecture:
            found["model"] = {**header.config, **found.get("model", {})}
    found.setdefault("arch", DEFAULT_ARCHITECTURE)
    if size is not None:
        found["model"] = _of_size(str(found["arch"]), str(size), found.get("model", {}))
    return found


def _of_size(arch: str, size: str, model: Mapping[str, Any]) -> dict[str, Any]:
    sizes = architecture(arch).sizes
    if size not in sizes:
        others = [name for name in ARCHITECTURES if architecture(name).sizes]
        hint = f"Choose one of: {', '.join(sizes)}." if sizes else f"Sizes are for --arch {' or '.join(others)}."
        raise UsageError(f"{arch} has no size {size}", hint=hint)
    twice = model.keys() & {field for fields in sizes.values() for field in fields}
    if twice:
        raise UsageError(
            f"The size {size} and [model] both say what {', '.join(sorted(twice))} should be",
            hint="Leave out one.",
        )
    return {**sizes[size], **model}


def _with_recipe(settings: dict[str, Any]) -> dict[str, Any]:
    """Without distorted pictures, the default recipe; with both, half of the crops are damaged on the fly."""
    mixed = settings.get("distorted") is not None
    wanted = tuple(settings["stages"]) != ("clear",) if not mixed else settings.get("synthetic") is not None
    recipe = settings.get("recipe") or (DEFAULT_RECIPE if wanted else None)
    if recipe is None:
        return settings
    return ({"synthetic": 0.5} if mixed else {}) | settings | {"recipe": recipe}


def absolute_folders(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings with absolute paths, so that the run can be resumed from any folder.

    An address of weights, which may hold a password, becomes their name in the cache.
    """
    paths: dict[str, Any] = {key: Path(settings[key]).resolve() for key in _FOLDERS & settings.keys()}
    if "start_from" in settings:
        paths["start_from"] = _lasting(str(settings["start_from"]))
    if is_recipe_file(str(settings.get("recipe") or "")):
        paths["recipe"] = str(Path(settings["recipe"]).resolve())
    return {**settings, **paths}


def _lasting(weights: str) -> str:
    reference = parse_reference(weights)
    if isinstance(reference, WeightFile):
        return str(reference.path.resolve())
    return reference.name if isinstance(reference, NamedWeights) else cache_name(reference)


def make_config(settings: Mapping[str, Any]) -> TrainConfig:
    """Check complete settings.

    Raises:
        UsageError: an unknown setting or an impossible value; `details` names each.
    """
    try:
        return TrainConfig(**settings)
    except ValidationError as error:
        problems = [_problem(e) for e in error.errors()]
        raise UsageError(_UNUSABLE, hint=_SEE_HELP, details=problems) from error


def read_toml(path: Path) -> dict[str, Any]:
    """Read a settings file.

    Raises:
        UsageError: there is none, or it is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"Cannot read the settings in {path}: {error}", hint="Any run's config.toml shows the form."
        ) from error


def write_toml(path: Path, config: TrainConfig) -> None:
    """Write the settings so that `--config` or `--resume` can read them, all or nothing.

    Raises:
        InputError: a folder's name is not UTF-8, which TOML cannot hold.
    """
    text = tomlkit.dumps(config.as_toml_dict())
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
    message = str(error["msg"]).removeprefix("Value error, ")  # pydantic's words before our own
    return f"{place}: {message}{found}" if place else message
