"""Recipes: which kinds of damage happen to a picture, how likely, how strong, and in what order. TOML files."""

import hashlib
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from artrestore.damage import RECIPES, is_recipe_file
from artrestore.damage.base import Damage, Fraction, parameters_of
from artrestore.damage.kinds import kind
from artrestore.errors import UsageError

Value = bool | int | float | str
Range = tuple[Fraction, Fraction]


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Step(_Checked):
    """One kind of damage in a recipe.

    Attributes:
        kind: its name, or several of which one is drawn.
        probability: that it happens.
        strength: drawn uniformly from this range, in [0, 1], and multiplied by the picture's severity.
        parameters: of the kind, that are not left to the strength: a value, or a list: two numbers are a range,
            words are a choice.
    """

    kind: Annotated[tuple[str, ...], Field(min_length=1)]
    probability: Fraction = 1.0
    strength: Range = (0.0, 1.0)
    parameters: dict[str, Value | tuple[Value, ...]] = Field(default_factory=dict)

    @field_validator("kind", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("kind")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            try:
                kind(name)
            except UsageError as error:
                raise ValueError(f"{error.message}. {error.hint}") from error
        return names

    @model_validator(mode="after")
    def _fits_every_kind(self) -> Self:
        _require_ordered(self.strength)
        for name in self.kind:
            for parameter, value in self.parameters.items():
                _require_fitting(kind(name), parameter, value)
        return self


class Choice(_Checked):
    """One of several recipes in a mixture."""

    recipe: str
    weight: Annotated[float, Field(gt=0)] = 1.0


class Recipe(_Checked):
    """What may happen to a picture: either steps, in this order, or a choice among recipes of steps.

    Attributes:
        name: of the recipe, or of its file.
        description: what it stands for.
        untouched: probability that nothing happens at all.
        severity: range of a factor on all strengths, drawn once for a picture: what wears, wears together.
        steps: the kinds, in the order in which they happen.
        choices: recipes of which one is drawn for a picture.
    """

    name: str
    description: str = ""
    untouched: Fraction = 0.0
    severity: Range = (0.0, 1.0)
    steps: tuple[Step, ...] = ()
    choices: tuple[Choice, ...] = ()
    _parts: dict[str, "Recipe"] = PrivateAttr(default_factory=dict)

    @property
    def parts(self) -> Mapping[str, "Recipe"]:
        """The recipes that `choices` name, once `load_recipe` has looked them up."""
        return self._parts

    @model_validator(mode="after")
    def _has_one_form(self) -> Self:
        _require_ordered(self.severity)
        if bool(self.steps) == bool(self.choices):
            raise ValueError("a recipe has either [[steps]] or [[choices]]")
        return self

    @property
    def digest(self) -> str:
        """A hash of all that decides what the recipe does."""
        own = self.model_dump_json(exclude={"name", "description"})
        parts = [part.digest for _, part in sorted(self._parts.items())]
        return hashlib.sha256("\n".join([own, *parts]).encode()).hexdigest()


def load_recipe(name: str) -> Recipe:
    """A bundled recipe by its name, or a user's by its file, whose name ends in `.toml`.

    Raises:
        UsageError: there is none, or it is faulty; `details` names each fault and its place.
    """
    recipe = _load(name, folder=Path())
    folder = Path(name).parent if is_recipe_file(name) else Path()
    for choice in recipe.choices:
        part = _load(choice.recipe, folder=folder)
        if part.choices:
            raise UsageError(
                f"The recipe {name} chooses {choice.recipe}, which is itself a choice among recipes",
                hint="Name recipes with [[steps]] only.",
            )
        recipe._parts[choice.recipe] = part
    return recipe


def _load(name: str, *, folder: Path) -> Recipe:
    if is_recipe_file(name):
        try:
            text = (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"Cannot read the recipe {folder / name}: {error}") from error
    elif name in RECIPES:
        text = resources.files("artrestore.damage").joinpath("recipes", f"{name}.toml").read_text("utf-8")
    else:
        raise UsageError(
            f"There is no recipe named {name}",
            hint=f"Choose one of: {', '.join(RECIPES)}; or name a file that ends in .toml.",
        )
    return parse_recipe(text, name=name)


def parse_recipe(text: str, *, name: str) -> Recipe:
    """Check the text of a recipe; the recipes that it chooses from are not looked up.

    Raises:
        UsageError: it is faulty; `details` names each fault and its place.
    """
    try:
        return Recipe(**({"name": Path(name).stem} | tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The recipe {name} is not TOML: {error}") from error
    except ValidationError as error:
        raise UsageError(
            f"The recipe {name} cannot be used",
            hint="What a recipe may say is in docs/reference/recipes.md.",
            details=[_problem(e) for e in error.errors()],
        ) from error


def _require_ordered(pair: tuple[float, float]) -> None:
    if pair[0] > pair[1]:
        raise ValueError(f"the range [{pair[0]}, {pair[1]}] is upside down")


def _require_fitting(cls: type[Damage], parameter: str, value: Value | tuple[Value, ...]) -> None:
    """Check a recipe's setting against the legal range of the kind's parameter."""
    fields = parameters_of(cls)
    if parameter not in fields:
        raise ValueError(f"{cls.__name__} has no parameter {parameter}; it has: {', '.join(fields)}")
    # The name is there because `Annotated` takes no type alone.
    constrained: Any = Annotated[fields[parameter].annotation, parameter, *fields[parameter].metadata]
    legal: TypeAdapter[Any] = TypeAdapter(constrained)
    numbers = isinstance(value, tuple) and all(isinstance(v, int | float) for v in value)
    if isinstance(value, tuple) and numbers:
        if len(value) != 2:
            raise ValueError(f"{parameter}: a range has two numbers")
        _require_ordered((float(value[0]), float(value[1])))
    for each in value if isinstance(value, tuple) else (value,):
        try:
            legal.validate_python(each)
        except ValidationError as error:
            raise ValueError(f"{parameter} = {each!r}: {error.errors()[0]['msg']}") from error


def _problem(error: Any) -> str:
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in error["loc"])
    text = str(error["msg"]).removeprefix("Value error, ")
    found = f" (found {error['input']!r})" if error["type"] not in ("missing", "value_error") else ""
    return f"{place}: {text}{found}" if place else text
