"""Batches of crops that depend on nothing but the seed and the step.

Every random choice (the order of an epoch, a crop's corner, its damage) is drawn from a generator seeded by
the seed, the stage, the epoch and the picture's index. So neither the number of workers nor an interruption
changes what a step sees, and resuming needs no state but the step's number.
"""

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cachetools
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from artrestore.errors import PictureError
from artrestore.io.pictures import read_rgb8
from artrestore.training.batches import Batch, as_floats, join, stack
from artrestore.training.cropping import Cropping
from artrestore.training.crops import Palette, Pixels, palette_of
from artrestore.training.leaves import dead_leaves
from artrestore.training.pairs import PicturePair

MAX_CROPS = 64
CACHE_BYTES = 1 << 30  # decoded pictures kept by each worker
_GENERATED_SIDE = 1.5  # of a crop's


class CropDataset(Dataset[Batch | PictureError]):
    """Draws crops from pairs; an item's key is (epoch, index of the pair).

    An item is a batch of crops of one picture, or the error of a picture that cannot be read: raised in a worker,
    its message would drown in the worker's traceback.

    Args:
        pairs: what is drawn from.
        cropping: how.
        crops: of each picture, each time.
        seed: of all that is random, beside the key.
        generated: part of the items whose picture is replaced by a generated one, which never comes again.
    """

    def __init__(
        self,
        pairs: Sequence[PicturePair],
        cropping: Cropping,
        *,
        crops: int,
        seed: Sequence[int],
        generated: float = 0.0,
    ) -> None:
        self.pairs = pairs
        self.cropping = cropping
        self.crops = 1 if cropping.fit == "resize" else crops
        self.seed = tuple(seed)
        self.generated = generated

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, key: tuple[int, int]) -> Batch | PictureError:
        epoch, index = key
        rng = np.random.default_rng((*self.seed, epoch, index))
        try:
            given, clear = self._pictures(self.pairs[index], rng)
            palette = self._palette(rng)
        except PictureError as error:
            return error
        return self.cropping.random(given, clear, self.crops, rng, palette)

    def _palette(self, rng: np.random.Generator) -> Palette | None:
        """That of any of the pictures, for as large a part of those made small as is recoloured."""
        if self.cropping.fit != "thumbnail" or rng.random() >= self.cropping.recolour:
            return None
        return palette_of(read_pair(self.pairs[int(rng.integers(len(self.pairs)))])[1])

    def _pictures(self, pair: PicturePair, rng: np.random.Generator) -> tuple[Pixels | None, Pixels]:
        if self.generated and rng.random() < self.generated:
            clear = dead_leaves(round(_GENERATED_SIDE * self.cropping.size), rng)
            return (None if self.cropping.synthesis else clear), clear
        return read_pair(pair)


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
    """Batches for ever.

    Raises:
        PictureError: a picture cannot be read.
    """
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin_memory,
        worker_init_fn=_leave_signals_to_the_parent,
        generator=torch.Generator(),  # of its own: the loader must not draw from the one that is saved
    )
    for batch in loader:
        if isinstance(batch, PictureError):
            raise batch
        yield batch


def load_crops(pairs: Sequence[PicturePair], cropping: Cropping) -> Batch:
    """At most 64 crops to measure, the same ones every time, as float32 in [0, 1].

    Of pairs, middle crops (or whole resized pictures) of some spread over all; of pictures that are damaged on the
    fly, crops damaged by generators of their own, several of each picture if there are few.
    """
    if cropping.synthesis and all(pair.given is None for pair in pairs):
        pairs = list(pairs) * (-(-MAX_CROPS // max(1, len(pairs))))
    step = max(1, len(pairs) / MAX_CROPS)
    indices = [int(i * step) for i in range(min(len(pairs), MAX_CROPS))]
    return as_floats(stack([cropping.fixed(*read_pair(pairs[index]), index) for index in indices]))


def read_pair(pair: PicturePair) -> tuple[Pixels | None, Pixels]:
    """Decode (given, clear), uint8 (H, W, 3); given is None if the clear picture is damaged on the fly.

    Raises:
        PictureError: a file cannot be read.
    """
    return _decode(pair.given) if pair.given else None, _decode(pair.clear)


def _leave_signals_to_the_parent(_worker: int) -> None:
    # Ctrl-C reaches every process of the terminal; the parent finishes its step and then ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _collate(items: list[Batch | PictureError]) -> Batch | PictureError:
    batches = []
    for item in items:
        if isinstance(item, PictureError):
            return item
        batches.append(item)
    return join(batches)


@cachetools.cached(cachetools.LRUCache(CACHE_BYTES, getsizeof=lambda pixels: pixels.nbytes))
def _decode(path: Path) -> Pixels:
    return read_rgb8(path)
