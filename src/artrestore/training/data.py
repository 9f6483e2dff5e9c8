"""Pairs of pictures, their split, and batches of crops that depend on nothing but the seed and the step.

Every random choice (the order of an epoch, a crop's corner, its mirroring) is drawn from a generator seeded by
the seed, the stage, the epoch and the picture's index. So neither the number of workers nor an interruption
changes what a step sees, and resuming needs no state but the step's number.
"""

import hashlib
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cachetools
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.transforms.v2 import functional as transforms

from artrestore.errors import PictureError
from artrestore.io.locations import require_pictures
from artrestore.io.pictures import read_rgb8, read_size
from artrestore.pairing import Pair, Pairing, pair_by_name

Fit = Literal["crop", "resize"]
Batch = tuple[Tensor, Tensor]
MAX_CROPS = 64
CACHE_BYTES = 1 << 30  # decoded pictures kept by each worker


@dataclass(frozen=True, kw_only=True)
class PicturePair:
    """A clear picture's file and the file that the network is given for it."""

    clear: Path
    given: Path


@dataclass(frozen=True, kw_only=True)
class Split:
    """Pairs to train on and pairs held out.

    Attributes:
        train: pairs to train on.
        val: pairs held out.
        unpaired_clear: number of clear pictures that no pair uses.
        digest: of the names of all pairs, relative to their folders.
    """

    train: tuple[PicturePair, ...]
    val: tuple[PicturePair, ...]
    unpaired_clear: int = 0
    digest: str = ""


def split_pairs(
    clear: Path, distorted: Path | None, *, val_fraction: float, seed: int, exclude: Path | None = None
) -> Split:
    """Pair the files of two folders and split them by clear picture, so that no picture is on both sides.

    Without `distorted` every clear picture is paired with itself. Pictures below `exclude` are not there.

    Raises:
        InputError: a folder is missing or empty.
        PairingError: distorted files without a clear one, or with two.
    """
    references = require_pictures(clear, exclude=exclude)
    if distorted is None:
        pairing = Pairing(pairs=tuple(Pair(clear=p, other=p) for p in references.pictures), unpaired_clear=())
        others = references
    else:
        others = require_pictures(distorted, exclude=exclude)
        pairing = pair_by_name(references.pictures, others.pictures)
    names = sorted({pair.clear for pair in pairing.pairs})
    held_out = {names[index] for index in _held_out(len(names), val_fraction, seed)}
    train, val = (
        tuple(
            PicturePair(clear=references.root / pair.clear, given=others.root / pair.other)
            for pair in pairing.pairs
            if (pair.clear in held_out) == is_val
        )
        for is_val in (False, True)
    )
    listed = "\n".join(f"{pair.clear}\t{pair.other}" for pair in pairing.pairs)
    digest = hashlib.sha256(listed.encode("utf-8", "surrogateescape")).hexdigest()
    return Split(train=train, val=val, unpaired_clear=len(pairing.unpaired_clear), digest=digest)


def clear_pairs(pairs: Sequence[PicturePair]) -> tuple[PicturePair, ...]:
    """Each clear picture once, paired with itself: the data of the stage `clear`."""
    return tuple(PicturePair(clear=path, given=path) for path in sorted({pair.clear for pair in pairs}))


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
    ) -> None:
        self.pairs = pairs
        self.size = size
        self.crops = 1 if fit == "resize" else crops
        self.fit = fit
        self.seed = tuple(seed)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, key: tuple[int, int]) -> Batch | PictureError:
        epoch, index = key
        try:
            given, clear = read_pair(self.pairs[index])
        except PictureError as error:
            return error
        if self.fit == "resize":
            return resize(given, self.size)[None], resize(clear, self.size)[None]
        rng = np.random.default_rng((*self.seed, epoch, index))
        crops = [random_crop(given, clear, self.size, rng) for _ in range(self.crops)]
        return torch.stack([crop[0] for crop in crops]), torch.stack([crop[1] for crop in crops])


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


def load_crops(pairs: Sequence[PicturePair], *, size: int, fit: Fit) -> tuple[Tensor, Tensor]:
    """Middle crops (or whole resized pictures) of at most 64 pairs spread over all: float32 in [0, 1]."""
    step = max(1, len(pairs) / MAX_CROPS)
    chosen = [pairs[int(i * step)] for i in range(min(len(pairs), MAX_CROPS))]
    given: list[Tensor] = []
    clear: list[Tensor] = []
    for pair in chosen:
        for pixels, kept in zip(read_pair(pair), (given, clear), strict=True):
            kept.append(resize(pixels, size) if fit == "resize" else middle_crop(pixels, size))
    return torch.stack(given).float() / 255, torch.stack(clear).float() / 255


def read_pair(pair: PicturePair) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Decode (given, clear), uint8 (H, W, 3).

    Raises:
        PictureError: a file cannot be read.
    """
    return _decode(pair.given), _decode(pair.clear)


def require_same_sizes(pairs: Sequence[PicturePair]) -> None:
    """Check by the files' headers, before training, that both pictures of every pair can be cropped alike.

    Raises:
        PictureError: a file is no picture, or sizes differ; `details` names them.
    """
    sizes = {path: read_size(path) for path in {path for pair in pairs for path in (pair.given, pair.clear)}}
    differing = [
        f"{pair.given} is {sizes[pair.given][0]} x {sizes[pair.given][1]}, "
        f"{pair.clear} is {sizes[pair.clear][0]} x {sizes[pair.clear][1]}"
        for pair in pairs
        if sizes[pair.given] != sizes[pair.clear]
    ]
    if differing:
        raise PictureError(
            f"{len(differing)} of {len(pairs)} pairs differ in size",
            hint="Make both of a pair the same size, or train with --fit resize.",
            details=differing,
        )


def random_crop(
    given: npt.NDArray[np.uint8], clear: npt.NDArray[np.uint8], size: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """The same square of both pictures, mirrored at random; a smaller picture is reflected."""
    height, width = clear.shape[:2]
    y = int(rng.integers(max(1, height - size + 1)))
    x = int(rng.integers(max(1, width - size + 1)))
    mirrored = bool(rng.integers(2))
    first, second = (_cut(pixels, y, x, size, mirrored=mirrored) for pixels in (given, clear))
    return first, second


def middle_crop(pixels: npt.NDArray[np.uint8], size: int) -> Tensor:
    """The middle square of a picture; a smaller picture is reflected."""
    height, width = pixels.shape[:2]
    return _cut(pixels, max(0, (height - size) // 2), max(0, (width - size) // 2), size, mirrored=False)


def resize(pixels: npt.NDArray[np.uint8], size: int) -> Tensor:
    """The whole picture at (size, size), antialiased; its proportions are not kept."""
    picture = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    resized: Tensor = transforms.resize(picture, [size, size], antialias=True)
    return resized


def _cut(pixels: npt.NDArray[np.uint8], y: int, x: int, size: int, *, mirrored: bool) -> Tensor:
    crop = pixels[y : y + size, x : x + size]
    missing = [(0, size - crop.shape[0]), (0, size - crop.shape[1]), (0, 0)]
    if any(after for _, after in missing):
        crop = np.pad(crop, missing, mode="reflect")
    if mirrored:
        crop = crop[:, ::-1]
    return torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))


def _held_out(count: int, fraction: float, seed: int) -> list[int]:
    if fraction == 0 or count < 2:
        return []
    held = min(count - 1, max(1, round(fraction * count)))
    chosen: list[int] = np.random.default_rng((seed, 1)).permutation(count)[:held].tolist()
    return chosen


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
def _decode(path: Path) -> npt.NDArray[np.uint8]:
    return read_rgb8(path)
