"""Train the bundled weights: one command, from pictures to the file that goes into the package.

    python bench/train_flagship.py TRAIN --calibrate-on VAL --out runs/flagship --minutes 600
    python bench/train_flagship.py TRAIN --calibrate-on VAL --out runs/flagship --minutes 20 --device cuda \
        --batch-size 96 --crop-size 192 --workers 14
    python bench/train_flagship.py TRAIN --generative --out runs/generative --minutes 60

Given again, it goes on exactly where it was stopped. The phases, each an ordinary command that is printed first:

    tone           5 %   the tone of whole pictures in small, on `bench/recipes/tone.toml`
    beginning     10 %   the mean, on strong and simple damage: a fresh network learns little from mild damage
    restore       60 %   the mean, on all that `bench/recipes/training.toml` mixes; the last quarter is `refine`
    uncertainty   25 %   the latents and the scale; the mean is frozen
    export               half precision: OUT/half.safetensors
    calibrate            the intervals and the temperature of that file: OUT/default.safetensors

A phase that has begun keeps the settings it began with, but for the device. VAL is used for the calibration alone,
and is made of pictures that TRAIN does not have; measure coverage on a third lot, or it flatters.

With `--generative` there is one phase, clear pictures to themselves, for the small network that `sample` takes,
and `fold_density.py` after it.

Time: two CPU cores learn from about 28 crops of 128 px a second, which is a million in ten hours. A GPU waits for
the loader, of which each worker makes some 80 crops of 128 px or 35 of 256 px a second: 14 workers give it a
million crops of 128 px in 15 minutes. `pictures/s` in the display is what arrives; `bench/damage.py` measures the
loader alone, and `bench/pack_pictures.py` makes pictures small enough to travel.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from artrestore.io.weights_file import read_header, read_tensors, write_weights
from commands import run
from fold_density import fold

HERE = Path(__file__).parent
TONE, BEGINNING, TRAINING = (HERE / "recipes" / f"{name}.toml" for name in ("tone", "beginning", "training"))


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A run: its folder in OUT, its part of the budget, its own options, and the phase that it goes on from."""

    name: str
    share: float
    options: tuple[object, ...]
    after: str = ""


# The network for tone is small: eight times as many thumbnails can be learned from as the loader makes.
SMALL = ("--batch-size", 32, "--learning-rate", 1e-3, "--generated", 0, "--echo", 8)
FLAGSHIP = (
    Phase(
        name="tone",
        share=0.05,
        options=("--arch", "hierarchical-vae", "--stages", "tone", *SMALL, "--recipe", TONE),
    ),
    Phase(name="beginning", share=0.1, options=("--stages", "restore", "--recipe", BEGINNING), after="tone"),
    Phase(
        name="restore", share=0.6, options=("--stages", "restore,refine", "--recipe", TRAINING), after="beginning"
    ),
    Phase(
        name="uncertainty", share=0.25, options=("--stages", "uncertainty", "--recipe", TRAINING), after="restore"
    ),
)
GENERATIVE = (Phase(name="generative", share=1.0, options=("--config", HERE / "generative.toml")),)


def train_command(phase: Phase, arguments: argparse.Namespace) -> list[object]:
    """`artrestore train` for a phase, or its continuation."""
    out = arguments.out / phase.name
    if (out / "state.safetensors").exists():
        return ["train", "--resume", "--out", out, "--device", arguments.device]
    command: list[object] = ["train", arguments.pictures, "--out", out]
    if phase.after:
        command += ["--from", arguments.out / phase.after / "best.safetensors"]
    command += ["--minutes", phase.share * arguments.minutes, "--learning-rate", arguments.learning_rate]
    command += ["--batch-size", arguments.batch_size, "--crops-per-picture", 1, "--seed", arguments.seed]
    command += ["--ema", arguments.ema, "--val-fraction", 0.05, "--device", arguments.device]
    if arguments.workers is not None:
        command += ["--workers", arguments.workers]
    if phase in FLAGSHIP:
        command += ["--crop-size", arguments.crop_size, "--generated", arguments.generated]
    return [*command, *phase.options]  # of an option that is there twice the last counts


def export(source: Path, target: Path) -> None:
    """Write weights again in half precision, with the record of their training."""
    write_weights(target, read_tensors(source), read_header(source), half=True)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the bundled weights.")
    parser.add_argument("pictures", type=Path, help="folder of clear pictures to learn from")
    parser.add_argument("--calibrate-on", type=Path, help="folder of other clear pictures")
    parser.add_argument("--generative", action="store_true", help="the weights of `sample` instead")
    parser.add_argument("--out", type=Path, default=Path("runs/flagship"))
    parser.add_argument("--minutes", type=float, default=600, help="of all training; calibration comes on top")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--crop-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=6e-4)
    parser.add_argument("--ema", type=float, default=0.999)
    parser.add_argument("--generated", type=float, default=0.2, help="part of the crops from generated pictures")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if not arguments.generative and not arguments.calibrate_on:
        parser.error("name a folder of clear pictures with --calibrate-on")
    phases = GENERATIVE if arguments.generative else FLAGSHIP
    for phase in phases:
        run(train_command(phase, arguments))
    folder = arguments.out / phases[-1].name
    trained = folder / "best.safetensors"
    if arguments.generative:
        # The best by held-out pictures are early ones that draw fog: hardly any picture is like another.
        fold(folder / "last.safetensors", arguments.pictures, arguments.out / "generative.safetensors", half=True)
        return
    half, default = arguments.out / "half.safetensors", arguments.out / "default.safetensors"
    export(trained, half)
    calibrate = ["calibrate", arguments.calibrate_on, "--recipe", TRAINING, "--weights", half, "--out", default]
    run([*calibrate, "--overwrite", "--seed", arguments.seed, "--device", arguments.device])
    print(f"\nThe weights for the package: {default}")


if __name__ == "__main__":
    main()
