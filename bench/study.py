"""The comparative study: every architecture of the studies, on the same split, damage and time, then compared.

    python bench/study.py TRAIN VAL --out runs/study --minutes 25
    python bench/study.py TRAIN VAL --out runs/study --minutes 5 --device cuda --workers 14

TRAIN and VAL are folders of clear pictures, VAL's not among TRAIN's. Every architecture learns from TRAIN for the
same minutes, one after the other, with its own settings but for the budget: the split, the recipe and the seed are
the same for all. Then VAL is damaged once by the same recipe, and all networks restore it:

    OUT/ARCH/              the run folders
    OUT/damaged/           VAL, damaged
    OUT/comparison.json    .csv and .png: what `artrestore compare` writes
    OUT/ARCH-samples.png   of those that generate: from the prior, and from a mixture fitted to TRAIN's encodings

Given again, it goes on where it was stopped: runs are resumed exactly, what is there is kept. An architecture that
learns in several stages shares its minutes among them; `--direct` adds skip-vae in one stage, to compare with.
Every command is printed before it is run.
"""

import argparse
from pathlib import Path

from artrestore.models.registry import names_that_can_sample
from commands import run, train_or_resume

STUDIED = ("conv-vae", "skip-vae", "unet-vae", "pix2pix", "resnet-vae")
DIRECT = "skip-vae-direct"


def train_all(arguments: argparse.Namespace) -> dict[str, Path]:
    """Train what is not trained yet; the best weights by name."""
    names = [*arguments.arch, *([DIRECT] if arguments.direct else [])]
    for name in names:
        options: list[object] = ["--arch", name.removesuffix("-direct"), "--minutes", arguments.minutes]
        options += ["--recipe", arguments.recipe, "--seed", arguments.seed]
        if name == DIRECT:
            options += ["--stages", "restore"]
        if arguments.config:
            options += ["--config", arguments.config / f"{name}.toml"]
        train_or_resume(
            arguments.train, arguments.out / name, options, device=arguments.device, workers=arguments.workers
        )
    return {name: arguments.out / name / "best.safetensors" for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and compare the architectures of the studies.")
    parser.add_argument("train", type=Path, help="folder of clear pictures to learn from")
    parser.add_argument("val", type=Path, help="folder of other clear pictures, to compare on")
    parser.add_argument("--out", type=Path, default=Path("runs/study"))
    parser.add_argument("--minutes", type=float, default=25, help="of each architecture")
    parser.add_argument("--arch", nargs="+", choices=STUDIED, default=STUDIED)
    parser.add_argument("--direct", action="store_true", help="also skip-vae in one stage")
    parser.add_argument("--recipe", default="painting")
    parser.add_argument("--variants", type=int, default=2, help="damaged versions of each picture of VAL")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--config", type=Path, help="folder with a settings file for each, ARCH.toml")
    arguments = parser.parse_args()
    weights = train_all(arguments)
    out, damaged = arguments.out, arguments.out / "damaged"
    damage = ["damage", arguments.val, damaged, "--recipe", arguments.recipe, "--seed", arguments.seed]
    run([*damage, "--variants", arguments.variants])
    compared = [f"{name}={file}" for name, file in weights.items()]
    files = ["--json", out / "comparison.json", "--csv", out / "comparison.csv", "--sheet", out / "comparison.png"]
    folders = ["--damaged", damaged, "--clear", arguments.val]
    run(["compare", *compared, *folders, *files, "--device", arguments.device])
    for name in names_that_can_sample():
        if name not in weights:
            continue
        command = ["sample", "-n", arguments.samples, "--weights", weights[name], "--overwrite", "--seed", 1]
        command += ["--device", arguments.device]
        fitted = ["--posterior", "mixture", "--pictures", arguments.train]
        run([*command, "--out", out / f"{name}-samples.png"])
        run([*command, "--out", out / f"{name}-samples-mixture.png", *fitted])


if __name__ == "__main__":
    main()
