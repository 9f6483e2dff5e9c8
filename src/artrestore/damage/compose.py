"""Damaging a picture: by one kind at a strength, or as a recipe says."""

from collections.abc import Container
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from artrestore.damage.base import Array, Damage, Damaged, Mask, View, parameters_of
from artrestore.damage.kinds import kind
from artrestore.damage.recipes import Recipe, Step, Value, is_range


@dataclass(frozen=True, kw_only=True)
class Applied:
    """One step that happened."""

    kind: str
    strength: float
    parameters: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class DamagedByRecipe:
    """A damaged picture and its history.

    Attributes:
        picture: RGB in [0, 1], float32 (3, H, W).
        touched: (H, W), where any step changed it.
        lost: (H, W), where nothing of the original is left.
        recipe: name of the recipe of steps that was drawn.
        severity: the factor on all strengths.
        applied: the steps, in their order.
    """

    picture: Array
    touched: Mask
    lost: Mask
    recipe: str
    severity: float
    applied: tuple[Applied, ...]


def damage(
    picture: Array, name: str, strength: float, rng: np.random.Generator, view: View | None = None
) -> Damaged:
    """Damage a picture by one kind.

    Args:
        picture: RGB in [0, 1], float32 (3, H, W), in sRGB; not changed.
        name: of the kind.
        strength: in [0, 1]; 0 changes nothing.
        rng: decides everything else.
        view: the array's place in its picture; by default it is the whole picture.

    Raises:
        UsageError: there is no such kind.
    """
    cls = kind(name)
    if strength <= 0:
        return Damaged.nowhere(picture)
    return cls.draw(strength, rng).apply(picture, rng, view or View.whole(*picture.shape[1:]))


def damage_by_recipe(
    picture: Array,
    recipe: Recipe,
    rng: np.random.Generator,
    view: View | None = None,
    *,
    only: Container[str] | None = None,
) -> DamagedByRecipe:
    """Damage a picture as a recipe says. Every step has a random generator of its own.

    Args:
        picture: RGB in [0, 1], float32 (3, H, W), in sRGB; not changed.
        recipe: what may happen.
        rng: decides everything: the same state gives the same result.
        view: the array's place in its picture; by default it is the whole picture.
        only: kinds to apply; the others are drawn like them, and left out.
    """
    view = view or View.whole(*picture.shape[1:])
    touched, lost = np.zeros(view.shape, bool), np.zeros(view.shape, bool)
    chosen, untouched = _choose(recipe, rng), rng.random() < recipe.untouched
    if recipe.choices:
        untouched |= rng.random() < chosen.untouched
    severity = 0.0 if untouched else float(rng.uniform(*chosen.severity))
    applied = []
    for step, seed in zip(chosen.steps, rng.integers(2**63, size=len(chosen.steps)), strict=True):
        own = np.random.default_rng(seed)
        if not (drawn := _draw(step, severity, own)):
            continue
        name, strength, parameters = drawn
        if only is not None and name not in only:
            continue
        result = parameters.apply(picture, own, view)
        picture = result.picture
        touched |= result.touched
        lost |= result.lost
        applied.append(Applied(kind=name, strength=strength, parameters=_plain(parameters)))
    return DamagedByRecipe(
        picture=picture, touched=touched, lost=lost, recipe=chosen.name, severity=severity, applied=tuple(applied)
    )


def _choose(recipe: Recipe, rng: np.random.Generator) -> Recipe:
    if not recipe.choices:
        return recipe
    weights = np.array([choice.weight for choice in recipe.choices])
    index = int(rng.choice(len(weights), p=weights / weights.sum()))
    return recipe.parts[recipe.choices[index].recipe]


def _draw(step: Step, severity: float, rng: np.random.Generator) -> tuple[str, float, Damage] | None:
    """The kind, its strength and its parameters; None if the step does not happen."""
    happens = rng.random() < step.probability
    strength = severity * float(rng.uniform(*step.strength))
    name = step.kind[int(rng.integers(len(step.kind)))]
    if not happens or strength <= 0:
        return None
    parameters = kind(name).draw(strength, rng)
    set_by_recipe = {key: _draw_value(type(parameters), key, value, rng) for key, value in step.parameters.items()}
    # Every kind is a dataclass, which its abstract base cannot say.
    return name, strength, replace(parameters, **set_by_recipe) if set_by_recipe else parameters  # type: ignore[type-var]


def _draw_value(cls: type[Damage], key: str, value: Any, rng: np.random.Generator) -> Value:
    """A fixed value, a number from a range, or one of several words."""
    annotation = parameters_of(cls)[key].annotation
    if is_range(value, annotation):
        low, high = value
        return int(rng.integers(low, high + 1)) if annotation is int else float(rng.uniform(low, high))
    chosen: Value = value[int(rng.integers(len(value)))] if isinstance(value, tuple) else value
    return chosen


def _plain(parameters: Damage) -> dict[str, Any]:
    return asdict(parameters)  # type: ignore[call-overload, no-any-return]
