"""Beta's trade-off: what resnet-vae keeps of a picture against what vectors from the prior decode to.

    python bench/beta_sweep.py TRAIN VAL --out runs/beta --minutes 10
    python bench/beta_sweep.py TRAIN VAL --out runs/beta --betas 0.01 1 100 --minutes 2

Trains the network on TRAIN, clear pictures to themselves, once for each beta and for the same time, and measures
it on VAL, which it has not seen:

    PSNR       of reconstructions by the posterior mean: what the latent vector holds
    KL         of the posteriors to the prior, in nats a picture: what that costs
    active     units of the vector that vary with the picture (Burda et al. 2016)
    samples    energy distance of prior samples from TRAIN, on simple features; see `artrestore.sampling.quality`
    mixture    the same of samples from a mixture fitted to TRAIN's encodings

Beside the samples' distances stands that of VAL from TRAIN: what as good as real would be. A large beta spares the
KL and blurs; a small one reconstructs well, but its encodings lie where the prior hardly ever draws. `beta.png`
shows it, `beta.csv` has the figures, the run folders the samples. Given again, it goes on where it was stopped.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from artrestore.io.atomic import atomic_path
from artrestore.io.tables import write_csv
from artrestore.metrics import peak_signal_noise_ratio
from artrestore.models.loading import load_model
from artrestore.sampling.density import fit_mixture
from artrestore.sampling.encodings import encode, read_squares
from artrestore.sampling.generating import draw_latents, generate
from artrestore.sampling.quality import energy_distance
from commands import train_or_resume

BETAS = (0.01, 0.1, 1.0, 10.0, 100.0)


def measured(weights: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """The figures of one network, by their names above."""
    loaded = load_model(weights, device=arguments.device)
    train, val = (torch.cat(read_squares(loaded, folder)) for folder in (arguments.train, arguments.val))
    seen, posterior = encode(loaded, train), encode(loaded, val)
    pairs = zip(val.numpy(), generate(loaded, posterior.mu).numpy(), strict=True)
    psnr = [peak_signal_noise_ratio(clear, left, data_range=1.0) for clear, left in pairs]
    latents = {"samples": None, "mixture": fit_mixture(seen)}
    drawn = {
        name: generate(loaded, draw_latents(loaded, arguments.samples, density=density))
        for name, density in latents.items()
    }
    return {
        "psnr": sum(psnr) / len(psnr),
        "kl": float(posterior.kl()),
        "active": posterior.active_units(),
        **{name: energy_distance(train, pictures) for name, pictures in drawn.items()},
        "real": energy_distance(train, val),
    }


def plot(path: Path, rows: list[dict[str, Any]]) -> None:
    """Reconstruction against KL, and against the distance of samples; a point for each beta."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    rate, quality = figure.subplots(1, 2)
    rate.plot([row["kl"] for row in rows], [row["psnr"] for row in rows], marker="o")
    rate.set(title="What it costs", xscale="log", xlabel="KL, nats a picture")
    rate.set_ylabel("PSNR of reconstructions, dB")
    for name, label in (("samples", "the prior"), ("mixture", "a mixture fitted afterwards")):
        quality.plot([row[name] for row in rows], [row["psnr"] for row in rows], marker="o", label=f"from {label}")
    quality.axvline(rows[0]["real"], color="0.6", linestyle="--", label="pictures it has not seen")
    quality.set(xlabel="energy distance of samples from real pictures (simple features)", title="What it draws")
    for row in rows:
        rate.annotate(f"  beta {row['beta']:g}", (row["kl"], row["psnr"]))
        quality.annotate(f"  {row['beta']:g}", (row["samples"], row["psnr"]))
    quality.legend()
    for axes in (rate, quality):
        axes.grid(alpha=0.3)
        axes.margins(x=0.25)  # for the labels
    quality.set_xlim(left=0)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train resnet-vae with several betas, and show what they trade.")
    parser.add_argument("train", type=Path, help="folder of clear pictures to learn from")
    parser.add_argument("val", type=Path, help="folder of other clear pictures, to measure on")
    parser.add_argument("--betas", type=float, nargs="+", default=BETAS)
    parser.add_argument("--out", type=Path, default=Path("runs/beta"))
    parser.add_argument("--minutes", type=float, default=10, help="of each beta")
    parser.add_argument("--arch", choices=("resnet-vae", "conv-vae"), default="resnet-vae")
    parser.add_argument("--fit", choices=("crop", "resize"), default="crop")
    parser.add_argument("--kl-warmup", type=float, default=0.0)
    parser.add_argument("--free-bits", type=float, default=0.0)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--config", type=Path, help="a settings file for all")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    table = Table("beta", "PSNR", "KL", "active", "samples", "mixture", "real", title=arguments.arch)
    rows = []
    for beta in sorted(arguments.betas):
        out = arguments.out / f"beta-{beta:g}"
        options = ["--arch", arguments.arch, "--stages", "clear", "--fit", arguments.fit, "--beta", beta]
        options += ["--kl-warmup", arguments.kl_warmup, "--free-bits", arguments.free_bits]
        options += ["--minutes", arguments.minutes, "--seed", arguments.seed]
        options += ["--config", arguments.config] if arguments.config else []
        train_or_resume(arguments.train, out, options, device=arguments.device, workers=arguments.workers)
        row = {"beta": beta, **measured(out / "last.safetensors", arguments)}
        rows.append(row)
        table.add_row(f"{beta:g}", f"{row['psnr']:.2f}", f"{row['kl']:.1f}", f"{row['active']}",
                      *(f"{row[name]:.3f}" for name in ("samples", "mixture", "real")))  # fmt: skip
    write_csv(arguments.out / "beta.csv", rows)
    plot(arguments.out / "beta.png", rows)
    Console().print(table)
    Console().print(f"Plot: {arguments.out / 'beta.png'}")


if __name__ == "__main__":
    main()
