"""Damage as it happens to paintings, prints and photographs: kinds, and recipes that mix them.

Importing this package loads no numpy, so that `--help` can list the recipes.
"""

RECIPES = ("mild", "painting", "print", "old-photo", "scan", "severe", "everything")
DEFAULT_RECIPE = "everything"


def is_recipe_file(name: str) -> bool:
    """Whether a recipe is named by its file and not by the name of a bundled one."""
    return name.endswith(".toml")
