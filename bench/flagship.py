"""How well networks restore pictures, by recipe and by kind of damage: mean, median, pooled, and at worst.

    python bench/flagship.py paintings/val --weights flagship=best.safetensors nafnet=other.safetensors
    python bench/flagship.py paintings/val --weights flagship=best.safetensors --recipes --side 384

Each clear picture is damaged `--variants` times by each bundled recipe, exactly as `artrestore damage` with the
same seed does it, by each kind of damage alone at a strength drawn from 0.2 to 1, and not at all. Damaged and
restored pictures are rounded to 8 bits, as files are. `input` is the damaged picture itself: the row to beat.

    PSNR       mean over pictures, dB; equal pictures count as 60 dB
    median     of the same
    pooled     PSNR of the mean squared error of all pictures: ruled by the worst
    worst 5 %  mean gain over the input of the twentieth part that gained least, dB
    improved   share of pictures whose PSNR rose
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from artrestore.damage import RECIPES
from artrestore.damage.compose import damage, damage_by_recipe
from artrestore.damage.kinds import KINDS
from artrestore.damage.recipes import load_recipe
from artrestore.damaging.batch import generator_for
from artrestore.damaging.plan import DamageJob
from artrestore.io.pictures import Array
from artrestore.io.tables import write_json
from artrestore.metrics import Metrics, measure, pooled_psnr
from artrestore.restoration.request import Mask
from networks import Network, add_network_options, as_file, load_networks, mean, read_pictures, worst

MOST_PSNR = 60.0  # equal pictures have an infinite one, which would hide all others in a mean
STRENGTHS = (0.2, 1.0)
UNDAMAGED, INPUT = "undamaged", "input"


class Case(NamedTuple):
    """A picture to restore, (3, H, W), and what nothing is left of, (H, W)."""

    clear: Array
    damaged: Array
    lost: Mask


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the module's text says, of one network under one condition."""

    psnr: float
    median: float
    pooled: float
    ssim: float
    worst: float
    improved: float

    @classmethod
    def of(cls, metrics: Sequence[Metrics], before: Sequence[Metrics]) -> "Figures":
        psnr = [min(MOST_PSNR, m.psnr) for m in metrics]
        gains = [after - min(MOST_PSNR, m.psnr) for after, m in zip(psnr, before, strict=True)]
        return cls(
            psnr=mean(psnr), median=float(np.median(psnr)), pooled=min(MOST_PSNR, pooled_psnr(metrics)),
            ssim=mean(m.ssim for m in metrics), worst=worst(gains), improved=mean(gain > 0 for gain in gains),
        )  # fmt: skip


def cases(pictures: Mapping[str, Array], condition: str, *, variants: int, seed: int) -> Iterator[Case]:
    """The damaged pictures of a condition; nothing of them depends on which other conditions are measured."""
    for name, clear in pictures.items():
        for variant in range(1, (1 if condition == UNDAMAGED else variants) + 1):
            yield damaged_case(clear, condition, generator(name, variant, seed))


def damaged_case(clear: Array, condition: str, rng: np.random.Generator) -> Case:
    if condition == UNDAMAGED:
        return Case(clear, clear, np.zeros(clear.shape[1:], bool))
    if condition in RECIPES:
        drawn = damage_by_recipe(clear, load_recipe(condition), rng)
        return Case(clear, as_file(drawn.picture), drawn.lost)
    own = np.random.default_rng([*condition.encode(), int(rng.integers(2**63))])
    one = damage(clear, condition, float(own.uniform(*STRENGTHS)), own)
    return Case(clear, as_file(one.picture), one.lost)


def generator(name: str, variant: int, seed: int) -> np.random.Generator:
    """The one that `artrestore damage` takes for this picture."""
    nowhere = Path(name)
    job = DamageJob(name=PurePosixPath(name), variant=variant, clear=nowhere, target=nowhere, record=nowhere)
    return generator_for(job, seed)


def measure_condition(
    networks: Sequence[Network], found: Iterator[Case], *, tell_losses: bool
) -> dict[str, list[Metrics]]:
    """The metrics of every picture: of the input, and as each network restored it."""
    metrics: dict[str, list[Metrics]] = {INPUT: [], **{network.name: [] for network in networks}}
    for case in found:
        metrics[INPUT].append(measure(case.clear, case.damaged))
        for network in networks:
            restored = network.restore(case.damaged, case.lost if tell_losses else None)
            metrics[network.name].append(measure(case.clear, restored))
    return metrics


def table_of(condition: str, figures: Mapping[str, Figures], pictures: int) -> Table:
    columns = ("PSNR", "median", "pooled", "SSIM", "worst 5 %", "improved")
    table = Table(f"{condition} ({pictures})")
    for column in columns:
        table.add_column(column, justify="right")
    for name, f in figures.items():
        gains = ("", "") if name == INPUT else (f"{f.worst:+.2f}", f"{100 * f.improved:.0f} %")
        table.add_row(name, f"{f.psnr:.2f}", f"{f.median:.2f}", f"{f.pooled:.2f}", f"{f.ssim:.4f}", *gains)
    return table


def summary_of(networks: Sequence[Network], results: Mapping[str, Mapping[str, Figures]]) -> list[dict[str, Any]]:
    """A row for each network: gains by recipe and by kind, kinds that got better, where it is first, its time."""
    rows = []
    for network in networks:
        gain = {condition: f[network.name].psnr - f[INPUT].psnr for condition, f in results.items()}
        recipes, kinds = ([gain[c] for c in gain if c in group] for group in (RECIPES, KINDS))
        first = [c for c, f in results.items() if f[network.name].psnr >= max(each.psnr for each in f.values())]
        undamaged = results.get(UNDAMAGED, {}).get(network.name)
        rows.append({
            "network": network.name,
            "gain_recipes": mean(recipes) if recipes else None,
            "recipes_improved": f"{sum(g > 0 for g in recipes)} of {len(recipes)}",
            "gain_kinds": mean(kinds) if kinds else None,
            "kinds_improved": f"{sum(g > 0 for g in kinds)} of {len(kinds)}",
            "first": f"{len(first)} of {len(results)}",
            "undamaged_psnr": undamaged.psnr if undamaged else None,
            "seconds_per_megapixel": network.seconds_per_megapixel,
        })  # fmt: skip
    return rows


def summary_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="Summary: gains in dB, the numbers of recipes and kinds improved", title_justify="left")
    for column in ("network", "recipes", "improved", "kinds", "improved", "first", "undamaged", "s/MP"):
        table.add_column(column, justify="left" if column == "network" else "right")
    for row in rows:
        shown = (f"{v:.2f}" if isinstance(v, float) else "" if v is None else str(v) for v in row.values())
        table.add_row(*shown)
    return table


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure networks by recipe and by kind of damage.")
    parser.add_argument("clear", type=Path, help="folder of clear pictures")
    add_network_options(parser)
    parser.add_argument("--variants", type=int, default=2, help="damaged versions of each picture")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--recipes", action="store_true", help="recipes only")
    parser.add_argument("--kinds", action="store_true", help="single kinds only")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these recipes and kinds, and `undamaged`")
    parser.add_argument("--side", type=int, help="only the middle square of so many pixels")
    parser.add_argument("--pictures", type=int, help="only the first so many")
    parser.add_argument("--tell-losses", action="store_true", help="give networks the mask of what is lost")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    return parser.parse_args()


def conditions_of(arguments: argparse.Namespace) -> list[str]:
    both = arguments.recipes == arguments.kinds
    chosen = [
        UNDAMAGED,
        *(RECIPES if both or arguments.recipes else ()),
        *(KINDS if both or arguments.kinds else ()),
    ]
    if not arguments.only:
        return chosen
    if unknown := set(arguments.only) - {UNDAMAGED, *RECIPES, *KINDS}:
        raise SystemExit(f"There is no recipe or kind of damage named {', '.join(sorted(unknown))}")
    return list(dict.fromkeys([UNDAMAGED, *arguments.only]))


def main() -> None:
    arguments = parsed()
    console, networks = Console(), load_networks(arguments)
    pictures = read_pictures(arguments.clear, side=arguments.side, count=arguments.pictures)
    results: dict[str, dict[str, Figures]] = {}
    progress = Console(stderr=True)
    for condition in track(conditions_of(arguments), "Damage", console=progress, disable=not progress.is_terminal):
        found = cases(pictures, condition, variants=arguments.variants, seed=arguments.seed)
        metrics = measure_condition(networks, found, tell_losses=arguments.tell_losses)
        results[condition] = {name: Figures.of(values, metrics[INPUT]) for name, values in metrics.items()}
        console.print(table_of(condition, results[condition], len(metrics[INPUT])))
    rows = summary_of(networks, results)
    console.print(summary_table(rows))
    if arguments.json:
        settings = {k: getattr(arguments, k) for k in ("variants", "seed", "side", "tell_losses", "precision")}
        figures = {c: {n: asdict(f) for n, f in by_name.items()} for c, by_name in results.items()}
        names = list(pictures)
        write_json(arguments.json, {"settings": settings, "pictures": names, "figures": figures, "summary": rows})


if __name__ == "__main__":
    main()
