"""The documentation says what the program does."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from artrestore.cli.app import app
from artrestore.damage import RECIPES
from artrestore.damage.kinds import KINDS
from artrestore.damage.recipes import parse_recipe
from artrestore.metrics import METRIC_NAMES
from artrestore.models.registry import ARCHITECTURES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands() -> dict[str, Any]:
    """Every command by what is typed: `restore`, `weights list` ..."""
    import typer.main

    found = {}
    for name, command in typer.main.get_command(app).commands.items():
        below = getattr(command, "commands", {})
        found |= {f"{name} {sub}": each for sub, each in below.items()} if below else {name: command}
    return found


def options() -> set[tuple[str, str]]:
    return {
        (name, option)
        for name, command in commands().items()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--")
    }


def test_every_command_is_in_the_reference() -> None:
    page = (ROOT / "docs/reference/command-line.md").read_text()
    assert {name for name in commands() if f"`artrestore {name}" not in page} == set()


def test_every_option_is_in_the_reference() -> None:
    page = (ROOT / "docs/reference/command-line.md").read_text()
    assert len(options()) > 30
    assert {option for _, option in options() if f"`{option}`" not in page} == set()


def test_the_reference_names_no_option_that_is_not_there() -> None:
    page = (ROOT / "docs/reference/command-line.md").read_text()
    known = {option for _, option in options()} | {
        "--help",
        "--version",
        "--install-completion",
        "--show-completion",
    }
    assert set(re.findall(r"`(--[a-z-]+)`", page)) <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_metrics_and_architectures_are_documented() -> None:
    metrics = (ROOT / "docs/reference/metrics.md").read_text()
    assert all(name.split(".")[0].lower()[:4] in metrics.lower() for name in METRIC_NAMES.values())
    readme = (ROOT / "README.md").read_text()
    assert all(f"`{name}`" in readme for name in ARCHITECTURES)


def test_the_damage_gallery_is_what_the_program_would_write() -> None:
    written = (ROOT / "docs/reference/damage-gallery.md").read_text(encoding="utf-8")
    page = runpy.run_path(str(ROOT / "docs/make_gallery.py"))["page"]
    assert written == page(), "run: python docs/make_gallery.py"


def test_the_gallery_shows_every_kind() -> None:
    shown = {path.stem for path in (ROOT / "docs/images/damage").iterdir()}
    assert shown == set(KINDS)


def test_recipes_are_documented_and_the_examples_are_sound() -> None:
    page = (ROOT / "docs/reference/recipes.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in page for name in RECIPES)
    examples = re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    assert len(examples) == 2
    for text in examples:
        parse_recipe(text, name="example")
    for path in (ROOT / "examples").glob("*.toml"):
        parse_recipe(path.read_text(encoding="utf-8"), name=path.name)
