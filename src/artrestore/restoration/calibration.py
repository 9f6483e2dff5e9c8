"""Calibrating weights on damaged pictures whose truth is known: whole pictures, restored as `restore` does.

Whole ones, and not crops of them, because a picture's factor is looked up by the mean scale of all of it, and
because the network sees the whole picture's thumbnail. So what is measured is what users get.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from artrestore.damage.compose import damage_by_recipe
from artrestore.damage.recipes import Recipe
from artrestore.errors import InputError
from artrestore.io.locations import require_pictures
from artrestore.io.pictures import Array, read_rgb, read_size
from artrestore.pairing import pair_by_name
from artrestore.restoration.restorer import Restorer
from artrestore.uncertainty.conformal import LEAST_PER_GROUP, Measured, least_count, measure_misses
from artrestore.uncertainty.measures import spread_and_error, spread_over_error

ENOUGH = 3 * LEAST_PER_GROUP  # damaged pictures for three groups
LONGEST_SIDE = 1024  # of what is damaged on the fly; larger pictures are cut
# From the trained one down, so that it is taken where all are as good. Not above it: there the network meets noise
# that it has not seen, and answers with coloured specks, which make up any variance that is missing.
TEMPERATURES = tuple(2 ** (step / 4) for step in (0, -1, -2, -3, -4))
_TEMPERATURE_CROPS, _TEMPERATURE_SIDE, _SAMPLES = 16, 256, 4


@dataclass(frozen=True, kw_only=True)
class Case:
    """A damaged picture whose truth is known.

    Attributes:
        name: the clear picture's path below its folder.
        clear: the clear picture.
        given: its distorted version; None: it is damaged on the fly.
        seed: of that damage.
    """

    name: str
    clear: Path
    given: Path | None = None
    seed: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CalibrationPlan:
    """What will be measured.

    Attributes:
        cases: in order; neighbours are of different clear pictures where it can be so.
        recipe: what damages those that are damaged on the fly.
        source: all of it in words, without names of folders.
        digest: a hash of the names, the recipe and the seed.
    """

    cases: tuple[Case, ...]
    recipe: Recipe | None
    source: str
    digest: str

    @property
    def pictures(self) -> int:
        """The number of different clear pictures."""
        return len({case.name for case in self.cases})


def plan_pairs(clear: Path, distorted: Path) -> CalibrationPlan:
    """Pair the pictures of two folders by name and check that their sizes agree.

    Raises:
        InputError: a folder is missing or empty, sizes differ, or there are too few pairs.
        PairingError: a distorted picture has no clear one, or two.
        PictureError: a file is no picture.
    """
    references, others = require_pictures(clear, exclude=[distorted]), require_pictures(distorted)
    pairs = pair_by_name(references.pictures, others.pictures).pairs
    cases = [
        Case(name=str(pair.clear), clear=references.root / pair.clear, given=others.root / pair.other)
        for pair in pairs
    ]
    _require_same_sizes(cases)
    digest = _digest([f"{pair.clear}\t{pair.other}" for pair in pairs])
    _require_enough(cases, "Or damage clear pictures on the fly: leave out the distorted ones.")
    return CalibrationPlan(cases=tuple(cases), recipe=None, source="pairs", digest=digest)


def plan_recipe(clear: Path, recipe: Recipe, *, variants: int | None = None, seed: int = 0) -> CalibrationPlan:
    """Damage every clear picture several times, each time anew.

    Args:
        clear: a folder of pictures.
        recipe: what may happen to them.
        variants: damaged versions of each picture; None: as many as give 300 in all.
        seed: the same one gives the same damage.

    Raises:
        InputError: the folder is missing or empty, or there are too few pictures.
    """
    listing = require_pictures(clear)
    variants = variants or math.ceil(ENOUGH / len(listing.pictures))
    cases = [
        Case(name=str(name), clear=listing.root / name, seed=(seed, index, variant))
        for variant in range(variants)
        for index, name in enumerate(listing.pictures)
    ]
    _require_enough(cases, "Add clear pictures, or raise --variants.")
    source = f"recipe {recipe.name}, {variants} times each, seed {seed}"
    digest = _digest([*map(str, listing.pictures), recipe.digest, source])
    return CalibrationPlan(cases=tuple(cases), recipe=recipe, source=source, digest=digest)


def load_case(case: Case, recipe: Recipe | None) -> tuple[Array, Array]:
    """The damaged picture and the clear one, (3, H, W) in [0, 1], both on the levels of an 8-bit file.

    What is damaged on the fly is cut to at most 1024 pixels a side, and taken for a whole picture.

    Raises:
        PictureError: a file cannot be read.
    """
    clear = read_rgb(case.clear)
    if case.given:
        return read_rgb(case.given), clear
    if recipe is None:
        raise ValueError("a picture without a distorted version needs a recipe")
    rng = np.random.default_rng(case.seed)
    top, left = (int(rng.integers(max(1, length - LONGEST_SIDE + 1))) for length in clear.shape[1:])
    clear = np.ascontiguousarray(clear[:, top : top + LONGEST_SIDE, left : left + LONGEST_SIDE])
    damaged = damage_by_recipe(clear, recipe, rng).picture
    return (np.rint(damaged * 255) / 255).astype(np.float32), clear


def measure_case(restorer: Restorer, case: Case, recipe: Recipe | None) -> Measured:
    """Restore a damaged picture and compare it with the truth.

    Raises:
        UnsupportedError: the network cannot tell how sure it is.
        PictureError: a file cannot be read, or the network fails on it.
    """
    damaged, clear = load_case(case, recipe)
    mean, scale = restorer.quantify(damaged)
    return measure_misses(clear, mean, scale, picture=case.name)


@dataclass(frozen=True, kw_only=True)
class Temperature:
    """The temperature of drawn restorations, and their spread over their error, at it and at 1; 1 is right."""

    value: float
    ratio: float
    ratio_at_one: float


def find_temperature(restorer: Restorer, cases: Sequence[Case], recipe: Recipe | None) -> Temperature:
    """Try `TEMPERATURES` on the middles of some pictures, four draws of each, with the same noise for all.

    Only from half the trained temperature to all of it.
    """
    step = max(1, len(cases) // _TEMPERATURE_CROPS)
    crops = [
        tuple(_middle(picture) for picture in load_case(case, recipe))
        for case in cases[::step][:_TEMPERATURE_CROPS]
    ]
    ratios = {
        value: spread_over_error([_spread(restorer, damaged, clear, value) for damaged, clear in crops])
        for value in TEMPERATURES
    }
    best = min(ratios, key=lambda value: _distance(ratios[value]))
    return Temperature(value=best, ratio=ratios[best], ratio_at_one=ratios[1.0])


def _distance(ratio: float) -> float:
    return abs(math.log(ratio)) if ratio > 0 else math.inf  # NaN too


def _spread(restorer: Restorer, damaged: Array, clear: Array, temperature: float) -> tuple[float, float]:
    draws = [restorer.draw(damaged, seed=0, index=index, temperature=temperature) for index in range(_SAMPLES)]
    return spread_and_error(clear, np.stack(draws))


def _middle(picture: Array) -> Array:
    top, left = (max(0, (length - _TEMPERATURE_SIDE) // 2) for length in picture.shape[1:])
    return np.ascontiguousarray(picture[:, top : top + _TEMPERATURE_SIDE, left : left + _TEMPERATURE_SIDE])


def _require_enough(cases: Sequence[Case], advice: str) -> None:
    """Refuse what no interval could be found on, before hours are spent on it."""
    pictures = len({case.name for case in cases})
    if pictures < 2:
        raise InputError(
            "One clear picture is too few to calibrate on, however often it is damaged",
            hint=f"Add clear pictures: {least_count()} are good, {LEAST_PER_GROUP} better.",
        )
    if len(cases) < least_count():
        raise InputError(
            f"{len(cases)} damaged pictures are too few to calibrate on",
            hint=f"{least_count()} are the least, if errors are small; {LEAST_PER_GROUP} give useful intervals, "
            f"{ENOUGH} or more good ones. {advice}",
        )


def _require_same_sizes(cases: Sequence[Case]) -> None:
    differing = [
        f"{case.given} is {size[0]} x {size[1]}, {case.clear} is {expected[0]} x {expected[1]}"
        for case in cases
        for size, expected in [(read_size(case.given or case.clear), read_size(case.clear))]
        if size != expected
    ]
    if differing:
        raise InputError(
            f"{len(differing)} of {len(cases)} pairs differ in size",
            hint="Bring both of a pair to one size first.",
            details=differing,
        )


def _digest(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
