"""Batches of crops that depend on nothing but the seed and the step.

Every random choice (the order of an epoch, a crop's corner, its damage) is drawn from a generator seeded by
the seed, the stage, the epoch and the picture's index. So neither the number of workers nor an interruption
changes what a step sees, and resuming needs no state but the step's number.
"""

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import cachetools
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from artrestore.errors import PictureError
from artrestore.io.pictures import read_rgb8
from artrestore.training.crops import Pixels, middle_crop, random_crop, resize, varied_crop
from artrestore.training.pairs import PicturePair
from artrestore.training.synthesis import Synthesis

Fit = Literal["crop", "resize"]
Batch = tuple[Tensor, Tensor]
MAX_CROPS = 64
CACHE_BYTES = 1 << 30  # decoded pictures kept by each worker


class CropDataset(Dataset[Batch | PictureError]):
    """Draws crops from pairs; an item's key is (epoch, index of the pair).

    An item is (given, clear), each uint8 (crops, 3, size, size), or the error of a picture that cannot be read:
    raised in a worker, its message would drown in the worker's traceback.
    """

    def __init__(
        self,
        pairs: Sequence[PicturePair],
        *,
        size: int,
        crops: int,
        fit: Fit,
        seed: Sequence[int],
        synthesis: Synthesis | None = None,
    ) -> None:
        self.pairs = pairs
        self.size = size
        self.crops = 1 if fit == "resize" else crops
        self.fit = fit
        self.seed = tuple(seed)
        self.synthesis = synthesis

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, key: tuple[int, int]) -> Batch | PictureError:
        epoch, index = key
        try:
            given, clear = read_pair(self.pairs[index])
        except PictureError as error:
            return error
        rng = np.random.default_rng((*self.seed, epoch, index))
        crops = [self._crop(given, clear, rng) for _ in range(self.crops)]
        return torch.stack([crop[0] for crop in crops]), torch.stack([crop[1] for crop in crops])

    def _crop(self, given: Pixels | None, clear: Pixels, rng: np.random.Generator) -> Batch:
        if self.synthesis and (given is None or rng.random() < self.synthesis.share):
            return _synthetic_crop(clear, self.size, self.fit, self.synthesis, rng)
        if given is None:
            raise ValueError("a picture without a distorted version needs a recipe")
        if self.fit == "resize":
            return resize(given, self.size), resize(clear, self.size)
        return random_crop(given, clear, self.size, rng)


class EpochSampler(Sampler[list[tuple[int, int]]]):
    """Endless batches of (epoch, index), every epoch in an order of its own, from any step on."""

    def __init__(self, pictures: int, pictures_per_batch: int, *, seed: Sequence[int], start_step: int) -> None:
        self.pictures = pictures
        self.pictures_per_batch = pictures_per_batch
        self.seed = tuple(seed)
        self.start_step = start_step

    @property
    def steps_per_epoch(self) -> int:
        """Batches an epoch; the last one may be smaller."""
        return -(-self.pictures // self.pictures_per_batch)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch, skip = divmod(self.start_step, self.steps_per_epoch)
        while True:
            order = np.random.default_rng((*self.seed, epoch)).permutation(self.pictures).tolist()
            for start in range(skip * self.pictures_per_batch, self.pictures, self.pictures_per_batch):
                yield [(epoch, index) for index in order[start : start + self.pictures_per_batch]]
            epoch, skip = epoch + 1, 0


def endless_batches(
    dataset: CropDataset, sampler: EpochSampler, *, workers: int, pin_memory: bool
) -> Iterator[Batch]:
    """Batches (given, clear), uint8 (N, 3, size, size), for ever.

    Raises:
        PictureError: a picture cannot be read.
    """
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=_join,
        pin_memory=pin_memory,
        worker_init_fn=_leave_signals_to_the_parent,
        generator=torch.Generator(),  # of its own: the loader must not draw from the one that is saved
    )
    for batch in loader:
        if isinstance(batch, PictureError):
            raise batch
        yield batch


def load_crops(
    pairs: Sequence[PicturePair], *, size: int, fit: Fit, synthesis: Synthesis | None = None
) -> tuple[Tensor, Tensor]:
    """At most 64 crops to measure, the same ones every time: (given, clear), float32 in [0, 1].

    Of pairs, middle crops (or whole resized pictures) of some spread over all; of pictures that are damaged on the
    fly, crops damaged by generators of their own, several of each picture if there are few.
    """
    if synthesis and all(pair.given is None for pair in pairs):
        pairs = list(pairs) * (-(-MAX_CROPS // max(1, len(pairs))))
    step = max(1, len(pairs) / MAX_CROPS)
    indices = [int(i * step) for i in range(min(len(pairs), MAX_CROPS))]
    crops = [_fixed_crop(pairs[index], index, size, fit, synthesis) for index in indices]
    given, clear = (torch.stack([crop[side] for crop in crops]).float() / 255 for side in (0, 1))
    return given, clear


def read_pair(pair: PicturePair) -> tuple[Pixels | None, Pixels]:
    """Decode (given, clear), uint8 (H, W, 3); given is None if the clear picture is damaged on the fly.

    Raises:
        PictureError: a file cannot be read.
    """
    return _decode(pair.given) if pair.given else None, _decode(pair.clear)


def _fixed_crop(pair: PicturePair, index: int, size: int, fit: Fit, synthesis: Synthesis | None) -> Batch:
    given, clear = read_pair(pair)
    if given is None and synthesis:
        return _synthetic_crop(clear, size, fit, synthesis, np.random.default_rng(index))
    sides = [clear if pixels is None else pixels for pixels in (given, clear)]
    first, second = (resize(side, size) if fit == "resize" else middle_crop(side, size) for side in sides)
    return first, second


def _synthetic_crop(clear: Pixels, size: int, fit: Fit, synthesis: Synthesis, rng: np.random.Generator) -> Batch:
    crop = resize(clear, size) if fit == "resize" else varied_crop(clear, size, rng)
    return synthesis.damage(crop, rng), crop


def _leave_signals_to_the_parent(_worker: int) -> None:
    # Ctrl-C reaches every process of the terminal; the parent finishes its step and then ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _join(items: list[Batch | PictureError]) -> Batch | PictureError:
    given, clear = [], []
    for item in items:
        if isinstance(item, PictureError):
            return item
        given.append(item[0])
        clear.append(item[1])
    return torch.cat(given), torch.cat(clear)


@cachetools.cached(cachetools.LRUCache(CACHE_BYTES, getsizeof=lambda pixels: pixels.nbytes))
def _decode(path: Path) -> Pixels:
    return read_rgb8(path)
