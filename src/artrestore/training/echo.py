"""Learning from each crop several times, where to damage it costs more than to learn from it.

Data echoing (Choi et al. 2019), with a pool: every few steps it takes in the newest batch and drops the oldest,
and each step learns from a random draw of it. So a crop comes back among others, half of the time mirrored.
"""

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from artrestore.models.base import Surroundings
from artrestore.training.batches import Batch, stack

POOL = 16  # batches


def first_needed(step: int, times: int) -> int:
    """The batch, counted from 0, that is the oldest in the pool at a step; those before it need not be made."""
    return max(0, step // times + 1 - POOL) if times > 1 else step


def echoed(batches: Iterator[Batch], times: int, *, seed: Sequence[int], step: int) -> Iterator[Batch]:
    """Batches for the steps from `step` on, in which each crop is there `times` times on average.

    What a step gets depends on the seed and its number alone, so a run can be resumed anywhere.

    Args:
        batches: endless, from `first_needed(step, times)` on.
        times: 1 leaves them as they are.
        seed: of what is drawn, beside the step's number.
        step: the first one, from 0.
    """
    if times == 1:
        yield from batches
        return
    pool: deque[Batch] = deque(maxlen=POOL)
    for _ in range(first_needed(step, times), -(-step // times)):
        pool.append(next(batches))
    while True:
        if step % times == 0:
            pool.append(next(batches))
        yield _draw(pool, np.random.default_rng((*seed, step)))
        step += 1


def _draw(pool: Sequence[Batch], rng: np.random.Generator) -> Batch:
    """As many crops as the largest batch holds, none of them twice."""
    sizes = [len(batch.given) for batch in pool]
    places = [(batch, row) for batch, size in zip(pool, sizes, strict=True) for row in range(size)]
    chosen = rng.choice(len(places), max(sizes), replace=False)
    return stack([_row(*places[index], mirror=bool(rng.integers(2))) for index in chosen])


def _row(batch: Batch, row: int, *, mirror: bool) -> Batch:
    """One crop, as it is or mirrored from left to right, with its surroundings."""
    given, clear, around = batch.given[row], batch.clear[row], batch.around
    if around is not None:
        around = Surroundings(*(values[row] for values in around))
    if not mirror:
        return Batch(given, clear, around)
    if around is not None:
        top, left, bottom, right = around.place.unbind()
        place = around.place.new_tensor([top, 1 - right, bottom, 1 - left])
        around = Surroundings(around.thumbnail.flip(-1), place, around.lost.flip(-1))
    return Batch(given.flip(-1), clear.flip(-1), around)
