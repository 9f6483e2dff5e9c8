"""How right the uncertainty of restorations is, on pictures damaged by recipes and by each kind alone.

    python bench/uncertainty.py paintings/val                              the bundled weights, everything
    python bench/uncertainty.py paintings/val --weights w.safetensors --recipe painting --no-kinds --crops 8

Each row has `--crops` damaged squares (or whole pictures, with `--side 0`), spread over the folder's pictures;
each is restored as if it were a whole one. Intervals are calibrated if the weights are, else those of the Laplace
distribution. AUSE is of absolute errors; 0 is the order of the errors themselves. Half-widths and errors in levels
of 255, PSNR in dB, means over the squares. On pictures that the weights were calibrated on, coverage flatters.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from artrestore.damage import RECIPES
from artrestore.damage.compose import damage, damage_by_recipe
from artrestore.damage.kinds import KINDS
from artrestore.damage.recipes import Recipe, load_recipe
from artrestore.errors import UnsupportedError
from artrestore.io.locations import require_pictures
from artrestore.io.pictures import Array, read_rgb
from artrestore.metrics import peak_signal_noise_ratio
from artrestore.models.loading import load_model
from artrestore.restoration.restorer import Restorer, require_learnt_doubt
from artrestore.uncertainty.calibration import laplace_factor
from artrestore.uncertainty.measures import (
    LEVELS,
    area_under_sparsification_error,
    coverage,
    spread_and_error,
    spread_over_error,
)
from networks import as_file

POOLED = 20_000  # values of each square that go into what is measured over all squares together
BINS = 5
MOST_PSNR = 60.0  # what was not damaged counts as this; it would be infinite
ORDERS = ("scale head", "samples' spread", "random order")


@dataclass(kw_only=True)
class Intervals:
    """Of every square of a row: coverage at each level, half-width of the 90 % interval, absolute error."""

    covered: list[list[float]] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    def add(self, clear: Array, mean: Array, widths: Sequence[Array]) -> None:
        self.covered.append([coverage(clear, mean, width) for width in widths])
        self.widths.append(float(widths[LEVELS.index(0.9)].mean()))
        self.errors.append(float(np.abs(clear - mean).mean()))

    def cells(self) -> list[str]:
        shares = [f"{100 * share:.1f}" for share in np.mean(self.covered, axis=0)]
        return [*shares, *(f"{255 * float(np.mean(values)):.2f}" for values in (self.widths, self.errors))]


@dataclass(kw_only=True)
class Draws:
    """Of every square: AUSE of each order, spread and error of the samples, PSNR of what can be made of them."""

    areas: list[list[float]] = field(default_factory=list)
    spreads: list[tuple[float, float]] = field(default_factory=list)
    psnr: list[list[float]] = field(default_factory=list)


@dataclass(kw_only=True)
class Pool:
    """Some values of all squares together: absolute error, half-width at 90 %, and the three orders."""

    values: list[Array] = field(default_factory=list)

    def add(self, rows: Sequence[Array], rng: np.random.Generator) -> None:
        chosen = rng.integers(rows[0].size, size=POOLED)
        self.values.append(np.stack([row.ravel()[chosen] for row in rows]))

    def joined(self) -> Array:
        """(rows, values)."""
        return np.concatenate(self.values, axis=1)


def squares(folder: Path, count: int, side: int, row: int) -> Iterator[tuple[Array, np.random.Generator]]:
    """Clear squares spread over the pictures, each with the generator of its damage."""
    listing = require_pictures(folder)
    for index in range(count):
        rng = np.random.default_rng((row, index))
        picture = read_rgb(listing.root / listing.pictures[index * 7 % len(listing.pictures)])
        size = side or max(picture.shape)
        top, left = (int(rng.integers(max(1, length - size + 1))) for length in picture.shape[1:])
        yield np.ascontiguousarray(picture[:, top : top + size, left : left + size]), rng


def damaged_by(how: Recipe | str, clear: Array, rng: np.random.Generator) -> Array:
    """By a recipe, or by a kind at a random strength; on the levels of an 8-bit file."""
    if isinstance(how, str):
        picture = damage(clear, how, float(rng.random()), rng).picture
    else:
        picture = damage_by_recipe(clear, how, rng).picture
    return as_file(picture)


def half_widths(restorer: Restorer, scale: Array) -> list[Array]:
    if restorer.calibration:
        return [restorer.calibration.half_width(scale, level) for level in LEVELS]
    return [np.clip(laplace_factor(level) * scale, 0, 1) for level in LEVELS]


def psnr(clear: Array, picture: Array) -> float:
    return min(MOST_PSNR, peak_signal_noise_ratio(clear, picture, data_range=1.0))


def measure(
    restorer: Restorer, how: Recipe | str, arguments: argparse.Namespace, row: int, draws: Draws, pool: Pool
) -> Intervals:
    """A row: its intervals; of recipes, what samples tell is added to `draws` and `pool`."""
    intervals = Intervals()
    for clear, rng in squares(arguments.clear, arguments.crops, arguments.side, row):
        damaged = damaged_by(how, clear, rng)
        mean, scale = restorer.quantify(damaged)
        widths = half_widths(restorer, scale)
        intervals.add(clear, mean, widths)
        if isinstance(how, str):
            continue
        samples = np.stack([restorer.draw(damaged, seed=row, index=index) for index in range(arguments.samples)])
        error, average = np.abs(clear - mean), samples.mean(axis=0)
        orders = [scale, samples.std(axis=0), rng.random(scale.shape, np.float32)]
        draws.areas.append([area_under_sparsification_error(error, order) for order in orders])
        draws.spreads.append(spread_and_error(clear, samples))
        each = [psnr(clear, sample) for sample in samples]
        draws.psnr.append([psnr(clear, damaged), psnr(clear, mean), each[0], psnr(clear, average), max(each)])
        pool.add([error, widths[LEVELS.index(0.9)], *orders], rng)
    return intervals


def coverage_table(title: str) -> Table:
    table = Table(title, title_justify="left")
    for level in LEVELS:
        table.add_column(f"{100 * level:.0f} %", justify="right")
    table.add_column("half-width", justify="right")
    table.add_column("error", justify="right")
    return table


def width_table(pool: Array) -> Table:
    """Coverage at 90 % of the values with the narrowest intervals to the widest."""
    error, width = pool[:2]
    table = Table("Half-width", title=f"Coverage at 90 %, by width, a {BINS}th each", title_justify="left")
    table.add_column("covered", justify="right")
    edges = np.quantile(width, np.arange(BINS + 1) / BINS)
    places = np.clip(np.searchsorted(edges, width, side="right") - 1, 0, BINS - 1)
    for place in range(BINS):
        inside = places == place
        if inside.any():
            held = float(np.mean(error[inside] <= width[inside]))
            table.add_row(f"{255 * edges[place]:.1f} to {255 * edges[place + 1]:.1f}", f"{100 * held:.1f}")
    return table


def order_table(draws: Draws, pool: Array) -> Table:
    table = Table("AUSE", title_justify="left")
    table.add_column("in a picture", justify="right")
    table.add_column("over all", justify="right")
    for name, within, order in zip(ORDERS, np.mean(draws.areas, axis=0), pool[2:], strict=True):
        table.add_row(name, f"{within:.3f}", f"{area_under_sparsification_error(pool[0], order):.3f}")
    return table


def sample_table(draws: Draws, count: int) -> Table:
    table = Table("Of samples", title=f"{count} samples of each", title_justify="left")
    table.add_column("", justify="right")
    table.add_row("spread over error", f"{spread_over_error(draws.spreads):.2f}")
    names = ("damaged", "mean", "a sample", f"average of {count}", f"best of {count}")
    for name, value in zip(names, np.mean(draws.psnr, axis=0), strict=True):
        table.add_row(f"PSNR, {name}", f"{value:.2f}")
    return table


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the uncertainty of restorations.")
    parser.add_argument("clear", type=Path, help="folder of clear pictures")
    parser.add_argument("--weights", help="a weight file, or the name of bundled weights")
    parser.add_argument("--recipe", action="append", help="one of several; default: all bundled ones")
    parser.add_argument("--no-kinds", action="store_true", help="leave out the kinds alone")
    parser.add_argument("--crops", type=int, default=20, help="squares of each row")
    parser.add_argument("--side", type=int, default=512, help="of the squares, in pixels; 0: whole pictures")
    parser.add_argument("--samples", type=int, default=16, help="at least 2")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    if arguments.samples < 2:
        parser.error("--samples must be at least 2: one has no spread")
    return arguments


def main() -> None:
    arguments = parse()
    loaded = load_model(arguments.weights, device=arguments.device)
    try:
        require_learnt_doubt(loaded)
    except UnsupportedError as error:
        raise SystemExit(f"{error.message}. {error.hint}") from error
    restorer = Restorer(loaded)
    rows: list[Recipe | str] = [load_recipe(name) for name in arguments.recipe or RECIPES]
    rows += [] if arguments.no_kinds else list(KINDS)
    draws, pool, by_recipe = Draws(), Pool(), Intervals()
    calibrated = "calibrated" if restorer.calibration else "not calibrated"
    table = coverage_table(f"Coverage, {calibrated}")
    for number, how in enumerate(rows):
        row = measure(restorer, how, arguments, number, draws, pool)
        table.add_row(how if isinstance(how, str) else f"recipe {how.name}", *row.cells())
        if not isinstance(how, str):
            by_recipe.covered += row.covered
            by_recipe.widths += row.widths
            by_recipe.errors += row.errors
    table.add_section()
    table.add_row("all recipes", *by_recipe.cells(), style="bold")
    console = Console()
    joined = pool.joined()
    for shown in (table, width_table(joined), order_table(draws, joined), sample_table(draws, arguments.samples)):
        console.print(shown)


if __name__ == "__main__":
    main()
