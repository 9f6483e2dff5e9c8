"""Blind denoising: Gaussian noise of a standard deviation that the networks are not told, on the Kodak pictures.

    python bench/kodak.py kodak24/ --weights flagship=best.safetensors

The noise is the literature's: independent N(0, sigma^2) on each of the three channels (sigma in levels of 255),
not clipped and not rounded, so that the networks are given values below 0 and above 1, which they never met in
training. With `--quantise` the noisy pictures are clipped and rounded to 8 bits, as files are: what users have,
but another task than that of the table. What is restored is clipped to [0, 1] and rounded to 8 bits. PSNR is
over all pixels and channels, no border left out; the mean over the pictures.

The published figures are of networks that were told sigma, on all 24 pictures: FFDNet (Zhang et al. 2018),
DRUNet (Zhang et al. 2021), Restormer (Zamir et al. 2022).
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from artrestore.io.pictures import Array
from artrestore.io.tables import write_json
from artrestore.metrics import peak_signal_noise_ratio
from networks import Network, add_network_options, as_file, load_networks, mean, read_pictures

SIGMAS = (15, 25, 50)
PUBLISHED = {
    "FFDNet": (34.63, 32.13, 28.98),
    "DRUNet": (35.31, 32.89, 29.86),
    "Restormer": (35.47, 33.04, 30.01),
}


def noisy(clear: Array, name: str, sigma: float, seed: int, *, quantise: bool) -> Array:
    """The picture (3, H, W) with noise that depends on the seed, the picture's name and sigma alone."""
    rng = np.random.default_rng([seed, round(1000 * sigma), *name.encode()])
    picture = clear + np.float32(sigma / 255) * rng.standard_normal(clear.shape, np.float32)
    return as_file(picture) if quantise else picture


def psnr_by_sigma(
    network: Network | None, pictures: Mapping[str, Array], seed: int, *, quantise: bool
) -> dict[int, list[float]]:
    """PSNR of each picture in dB; without a network, of the noisy pictures."""
    found: dict[int, list[float]] = {}
    for sigma in SIGMAS:
        found[sigma] = []
        for name, clear in pictures.items():
            given = noisy(clear, name, sigma, seed, quantise=quantise)
            restored = network.restore(given) if network else given
            found[sigma].append(peak_signal_noise_ratio(clear, restored, data_range=1.0))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure blind Gaussian denoising.")
    parser.add_argument("kodak", type=Path, help="folder of the 24 pictures")
    add_network_options(parser)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quantise", action="store_true", help="clip and round the noisy pictures to 8 bits")
    parser.add_argument("--side", type=int, help="only the middle square of so many pixels")
    parser.add_argument("--pictures", type=int, help="only the first so many")
    parser.add_argument("--json", type=Path, help="write every picture's figures to this file")
    arguments = parser.parse_args()
    networks = load_networks(arguments)
    pictures = read_pictures(arguments.kodak, side=arguments.side, count=arguments.pictures)
    table = Table("dB", title=f"{len(pictures)} pictures; networks are not told sigma", title_justify="left")
    for column in (*(f"sigma {sigma}" for sigma in SIGMAS), "s/MP"):
        table.add_column(column, justify="right")
    results = {}
    for network in (None, *networks):
        name = network.name if network else "noisy"
        results[name] = psnr_by_sigma(network, pictures, arguments.seed, quantise=arguments.quantise)
        seconds = f"{network.seconds_per_megapixel:.2f}" if network else ""
        table.add_row(name, *(f"{mean(values):.2f}" for values in results[name].values()), seconds)
    for name, figures in PUBLISHED.items():
        table.add_row(f"{name}, told sigma (published)", *(f"{figure:.2f}" for figure in figures), "", style="dim")
    Console().print(table)
    if arguments.json:
        write_json(arguments.json, {"pictures": list(pictures), "psnr": results})


if __name__ == "__main__":
    main()
