"""Recipes: what they may say, and that they do what they say."""

from pathlib import Path

import numpy as np
import pytest

from artrestore.damage import DEFAULT_RECIPE, RECIPES
from artrestore.damage.base import View
from artrestore.damage.compose import damage_by_recipe
from artrestore.damage.fields import smooth
from artrestore.damage.kinds import KINDS
from artrestore.damage.recipes import Recipe, load_recipe, parse_recipe
from artrestore.errors import UsageError

NOISE = '[[steps]]\nkind = "noise"\n'


def grey(size: int = 48) -> np.ndarray:
    return np.full((3, size, size), 0.5, np.float32)


def draws(recipe: Recipe, count: int = 200) -> list:
    return [damage_by_recipe(grey(), recipe, np.random.default_rng(seed)) for seed in range(count)]


@pytest.mark.parametrize("name", RECIPES)
def test_bundled_recipes_are_sound_and_described(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert len(recipe.description) > 30
    damaged = damage_by_recipe(grey(), recipe, np.random.default_rng(0))
    assert damaged.picture.shape == (3, 48, 48)


def test_every_kind_is_in_some_recipe_of_the_default() -> None:
    parts = load_recipe(DEFAULT_RECIPE).parts.values()
    assert {kind for part in parts for step in part.steps for kind in step.kind} == set(KINDS)


def test_the_default_ranges_from_untouched_to_ruined() -> None:
    recipe = load_recipe(DEFAULT_RECIPE)
    fields = [smooth(View.whole(64, 64), np.random.default_rng(channel), 6) for channel in range(3)]
    picture = np.clip(0.5 + 0.2 * np.stack(fields), 0, 1)
    errors = [
        float(np.mean((damage_by_recipe(picture, recipe, np.random.default_rng(seed)).picture - picture) ** 2))
        for seed in range(150)
    ]
    assert sum(error == 0 for error in errors) >= 5
    psnr = -10 * np.log10(np.array([error for error in errors if error > 0]))
    assert np.mean(psnr > 33) > 0.1
    assert np.mean(psnr < 20) > 0.1


def test_a_step_happens_as_often_as_its_probability_says() -> None:
    recipe = parse_recipe(f"{NOISE}probability = 0.3\nstrength = [0.1, 0.2]\n", name="mine")
    assert 0.2 < np.mean([bool(damaged.applied) for damaged in draws(recipe)]) < 0.4


@pytest.mark.parametrize("mixture", [False, True])
def test_pictures_stay_untouched_as_often_as_is_said(mixture: bool) -> None:
    steps = f"severity = [0.5, 1.0]\n{NOISE}strength = [0.5, 1.0]\n"
    Path("part.toml").write_text(steps)
    chosen = '[[choices]]\nrecipe = "part.toml"\n' if mixture else steps
    Path("mine.toml").write_text(f"untouched = 0.4\n{chosen}")
    untouched = np.mean([not damaged.applied for damaged in draws(load_recipe("mine.toml"), 400)])
    assert 0.32 < untouched < 0.48


def test_a_list_for_a_switch_is_a_choice() -> None:
    recipe = parse_recipe('[[steps]]\nkind = "bleaching"\nparameters = { oval = [true, false] }\n', name="mine")
    assert {step.parameters["oval"] for damaged in draws(recipe, 30) for step in damaged.applied} == {True, False}


def test_steps_happen_in_their_order_at_strengths_times_severity() -> None:
    text = f'severity = [0.5, 0.5]\n{NOISE}strength = [0.4, 0.8]\n[[steps]]\nkind = "jpeg"\nstrength = [1, 1]\n'
    for damaged in draws(parse_recipe(text, name="mine"), 20):
        assert [step.kind for step in damaged.applied] == ["noise", "jpeg"]
        assert 0.2 <= damaged.applied[0].strength <= 0.4
        assert damaged.applied[1].strength == 0.5


def test_one_of_several_kinds_is_drawn() -> None:
    recipe = parse_recipe('[[steps]]\nkind = ["noise", "jpeg", "blur"]\n', name="mine")
    assert {step.kind for damaged in draws(recipe, 40) for step in damaged.applied} == {"noise", "jpeg", "blur"}


def test_parameters_of_the_recipe_win_over_those_of_the_strength() -> None:
    text = f'{NOISE}parameters = {{ model = ["grain", "gaussian"], sigma = [10, 12], coloured = 0.5 }}\n'
    found = [step.parameters for damaged in draws(parse_recipe(text, name="mine"), 30) for step in damaged.applied]
    assert {p["model"] for p in found} == {"grain", "gaussian"}
    assert all(10 <= p["sigma"] <= 12 and p["coloured"] == 0.5 for p in found)
    assert len({p["sigma"] for p in found}) > 10


def test_a_choice_draws_recipes_by_weight() -> None:
    text = '[[choices]]\nrecipe = "mild"\nweight = 3\n[[choices]]\nrecipe = "scan"\n'
    path = Path("mine.toml")
    path.write_text(text)
    drawn = [damaged.recipe for damaged in draws(load_recipe("mine.toml"), 120)]
    assert 0.6 < drawn.count("mild") / 120 < 0.9
    assert set(drawn) == {"mild", "scan"}


def test_a_choice_names_files_beside_its_own(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/part.toml").write_text(NOISE)
    (tmp_path / "sub/all.toml").write_text('[[choices]]\nrecipe = "part.toml"\n')
    assert load_recipe("sub/all.toml").parts["part.toml"].steps


def test_changing_one_step_leaves_the_others_as_they_were() -> None:
    tail = '[[steps]]\nkind = "noise"\nstrength = [0.5, 0.5]\n'
    one, other = (
        parse_recipe(f'[[steps]]\nkind = "blur"\nprobability = {p}\n{tail}', name="mine") for p in (0.0, 1.0)
    )
    for seed in range(5):
        first, second = (damage_by_recipe(grey(), r, np.random.default_rng(seed)) for r in (one, other))
        assert first.applied[-1] == second.applied[-1]


def test_the_digest_follows_all_that_matters_and_nothing_else(tmp_path: Path) -> None:
    first = parse_recipe(NOISE, name="a")
    assert first.digest == parse_recipe(f'description = "x"\n{NOISE}', name="b").digest
    assert first.digest != parse_recipe(f"{NOISE}probability = 0.5\n", name="a").digest
    (tmp_path / "all.toml").write_text('[[choices]]\nrecipe = "part.toml"\n')
    digests = set()
    for text in (NOISE, f"{NOISE}probability = 0.5\n"):
        (tmp_path / "part.toml").write_text(text)
        digests.add(load_recipe(str(tmp_path / "all.toml")).digest)
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind = [", "not TOML"),
        ("", "either [[steps]] or [[choices]]"),
        (f'{NOISE}[[choices]]\nrecipe = "mild"\n', "either [[steps]] or [[choices]]"),
        ('[[steps]]\nkind = "noize"\n', "Did you mean noise?"),
        ("[[steps]]\nkind = []\n", "steps.1.kind"),
        (f"{NOISE}probability = 1.5\n", "steps.1.probability"),
        (f"{NOISE}strength = [0.5, 0.1]\n", "upside down"),
        (f"{NOISE}strength = 0.5\n", "steps.1.strength"),
        (f"severity = [0.2, 1.2]\n{NOISE}", "severity"),
        (f"{NOISE}chance = 1\n", "steps.1.chance"),
        (f"{NOISE}parameters = {{ sigma = [10, 99] }}\n", "less than or equal to 55"),
        (f"{NOISE}parameters = {{ sigma = [1, 2, 3] }}\n", "two numbers"),
        (f"{NOISE}parameters = {{ sigma = [3, 2] }}\n", "upside down"),
        (f"{NOISE}parameters = {{ sigma = [] }}\n", "sigma"),
        (f'{NOISE}parameters = {{ model = "snow" }}\n', "gaussian"),
        (f'{NOISE}parameters = {{ sigma = [1, "x"] }}\n', "sigma"),
        (f"{NOISE}parameters = {{ width = 3 }}\n", "has no parameter width"),
        (f"speed = 3\n{NOISE}", "speed"),
        (f'name = "mild"\n{NOISE}', "gives itself a name"),
        ('[steps]\nkind = "noise"\n', "[[steps]]"),
        (f"severity = [1, 0]\n{NOISE}", "severity: the range [1, 0] is upside down"),
        (f"{NOISE}parameters = {{ sigma = true }}\n", "sigma"),
        (f'{NOISE}parameters = {{ sigma = "10" }}\n', "sigma"),
        (f"{NOISE}parameters = {{ sigma = nan }}\n", "sigma"),
        ('severity = [0, 1]\n[[choices]]\nrecipe = "mild"\n', "severity belongs to"),
        ('[[steps]]\nkind = "bleaching"\nparameters = { oval = [0, 1] }\n', "oval = 0"),
    ],
)
def test_a_faulty_recipe_is_refused_and_told_where(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_recipe(text, name="mine")
    assert said in "\n".join([caught.value.message, *caught.value.details])
    assert "mine" in caught.value.message


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("baroque", "no recipe named baroque"),
        ("none.toml", "Cannot read the recipe"),
        ("loop.toml", "itself a choice"),
    ],
)
def test_a_recipe_that_cannot_be_loaded_is_told(name: str, said: str) -> None:
    Path("loop.toml").write_text('[[choices]]\nrecipe = "everything"\n')
    with pytest.raises(UsageError, match=said):
        load_recipe(name)
