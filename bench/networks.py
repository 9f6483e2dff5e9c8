"""What the benchmarks of networks share: weight files by name, pictures as a file holds them, mean figures."""

import argparse
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from artrestore.io.locations import require_pictures
from artrestore.io.pictures import Array, read_rgb
from artrestore.models.loading import load_model
from artrestore.models.registry import ARCHITECTURES
from artrestore.restoration.request import Mask
from artrestore.restoration.restorer import Restorer


@dataclass(kw_only=True)
class Network:
    """A network under test, and how long it has worked on how many pixels."""

    name: str
    restorer: Restorer
    seconds: float = 0.0
    pixels: int = 0

    def restore(self, picture: Array, lost: Mask | None = None) -> Array:
        """The restored picture as an 8-bit file would hold it; its time is counted."""
        began = time.perf_counter()
        restored = self.restorer.restore(picture, lost=lost)
        self.seconds += time.perf_counter() - began
        self.pixels += restored[0].size
        return as_file(restored)

    @property
    def seconds_per_megapixel(self) -> float:
        return 1e6 * self.seconds / self.pixels if self.pixels else float("nan")


def add_network_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", nargs="+", metavar="NAME=FILE", required=True, help="networks to measure")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")


def load_networks(arguments: argparse.Namespace) -> list[Network]:
    """The networks that `--weights` names, `bench/nafnet.py`'s among them, warmed up by a small picture."""
    ARCHITECTURES.setdefault("nafnet", "nafnet:NAFNet")
    networks = []
    for text in arguments.weights:
        name, separator, file = text.partition("=")
        if not separator:
            name, file = Path(text).stem, text
        loaded = load_model(Path(file), device=arguments.device)
        restorer = Restorer(loaded, precision=arguments.precision)
        restorer.restore(np.full((3, 64, 64), 0.5, np.float32))
        networks.append(Network(name=name, restorer=restorer))
    return networks


def read_pictures(folder: Path, *, side: int | None = None, count: int | None = None) -> dict[str, Array]:
    """The pictures of a folder by name, in order; of each the middle square of `side` pixels, if given."""
    listing = require_pictures(folder)
    return {str(name): middle(read_rgb(listing.root / name), side) for name in listing.pictures[:count]}


def middle(picture: Array, side: int | None) -> Array:
    """The middle square of (3, H, W), or all of it where it is smaller."""
    if side is None:
        return picture
    top, left = (max(0, length - side) // 2 for length in picture.shape[1:])
    return np.ascontiguousarray(picture[:, top : top + side, left : left + side])


def as_file(picture: Array) -> Array:
    """The picture on the 256 levels of a file."""
    levels = np.rint(np.clip(picture, 0, 1) * np.float32(255))
    return np.asarray(levels / np.float32(255), np.float32)


def mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def worst(gains: Sequence[float], share: float = 0.05) -> float:
    """Mean of the lowest `share` of the gains, of one at least."""
    count = max(1, round(share * len(gains)))
    return mean(sorted(gains)[:count])
