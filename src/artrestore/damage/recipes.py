"""Recipes: which kinds of damage happen to a picture, how likely, how strong, and in what order. TOML files."""

import hashlib
import tomllib
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
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
from artrestore.damage.base import Fraction, parameters_of
from artrestore.damage.kinds import kind
from artrestore.errors import UsageError


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"the range [{pair[0]:g}, {pair[1]:g}] is upside down")
    return pair


Value = bool | int | float | str
Range = Annotated[tuple[Fraction, Fraction], AfterValidator(_ordered)]


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
    parameters: dict[str, Any] = Field(default_factory=dict)

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

    @field_validator("parameters")
    @classmethod
    def _lists_are_tuples(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        return {key: tuple(value) if isinstance(value, list) else value for key, value in parameters.items()}

    @model_validator(mode="after")
    def _fits_every_kind(self) -> Self:
        for name in self.kind:
            for parameter, value in self.parameters.items():
                _require_fitting(name, parameter, value)
        return self


class Choice(_Checked):
    """One of several recipes in a mixture."""

    recipe: str
    weight: Annotated[float, Field(gt=0, le=1e6)] = 1.0


class Recipe(_Checked):
    """What may happen to a picture: either steps, in this order, or a choice among recipes of steps.

    Attributes:
        name: of the recipe; of a user's the file's, with its suffix.
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
        if self.choices and "severity" in self.model_fields_set:
            raise ValueError("severity belongs to recipes with [[steps]]; those that are chosen have their own")
        if bool(self.steps) == bool(self.choices):
            raise ValueError("a recipe has either [[steps]] or [[choices]]")
        return self

    @cached_property
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
        try:
            part = _load(choice.recipe, folder=folder)
        except UsageError as error:
            message = f"The recipe {name} chooses {choice.recipe}. {error.message}"
            raise UsageError(message, hint=error.hint, details=error.details) from error
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
            raise UsageError(
                f"Cannot read the recipe {folder / name}: {error}",
                hint=f"Name a file with --recipe, or one of: {', '.join(RECIPES)}",
            ) from error
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
        settings = tomllib.loads(text)
        if "name" in settings:
            raise UsageError(f"The recipe {name} gives itself a name", hint="Leave it out: the file's is taken.")
        return Recipe(name=Path(name).name, **settings)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The recipe {name} is not TOML: {error}") from error
    except ValidationError as error:
        raise UsageError(
            f"The recipe {name} cannot be used",
            hint="What a recipe may say is in docs/reference/recipes.md.",
            details=[_problem(e) for e in error.errors()],
        ) from error


def is_range(value: Any, annotation: Any) -> bool:
    """Whether a recipe's list for a parameter of this type is a range and not a choice."""
    return isinstance(value, tuple) and annotation is not bool and not any(isinstance(v, str) for v in value)


def _require_fitting(name: str, parameter: str, value: Any) -> None:
    """Check a recipe's setting against the legal range of the kind's parameter."""
    fields = parameters_of(kind(name))
    if parameter not in fields:
        raise ValueError(f"{name} has no parameter {parameter}; it has: {', '.join(fields)}")
    # The name is there because `Annotated` takes no type alone.
    constrained: Any = Annotated[fields[parameter].annotation, parameter, *fields[parameter].metadata]
    legal: TypeAdapter[Any] = TypeAdapter(constrained, config=ConfigDict(allow_inf_nan=False))
    values = value if isinstance(value, tuple) else (value,)
    if not values:
        raise ValueError(f"{parameter}: the list is empty")
    for each in values:
        try:
            legal.validate_python(each, strict=True)
        except ValidationError as error:
            raise ValueError(f"{parameter} = {each!r}: {error.errors()[0]['msg']}") from error
    if is_range(value, fields[parameter].annotation):
        if len(value) != 2:
            raise ValueError(f"{parameter}: a range has two numbers")
        if value[0] > value[1]:
            raise ValueError(f"{parameter}: the range [{value[0]:g}, {value[1]:g}] is upside down")


def _problem(error: Any) -> str:
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in error["loc"])
    text = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "tuple_type":
        text = (
            f"Input should be a list: [[{place}]]" if place in ("steps", "choices") else "Input should be a list"
        )
    found = f" (found {error['input']!r})" if error["type"] not in ("missing", "value_error") else ""
    return f"{place}: {text}{found}" if place else text
