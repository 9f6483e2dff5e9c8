"""Crops that are learned from more than once."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from artrestore.errors import InterruptedRunError
from artrestore.models.base import Surroundings
from artrestore.training.batches import Batch
from artrestore.training.config import TrainConfig
from artrestore.training.echo import POOL, echoed, first_needed
from artrestore.training.run import prepare_run, resumed_config
from artrestore.training.stage import set_up_stage
from artrestore.training.trainer import train
from test_training import read_rows, run_all

SIDE = 4


def numbered(first: int = 0, size: int = 2) -> Iterator[Batch]:
    """Batches of crops whose left column tells which they are, in all that belongs to them."""
    for number in count(first):
        crops = torch.zeros(size, 3, SIDE, SIDE, dtype=torch.int64)
        crops[..., 0] = 1 + torch.arange(number * size, (number + 1) * size)[:, None, None]
        place = torch.tensor([[0.1, 0.2, 0.5, 0.3]]).repeat(size, 1)
        yield Batch(crops, 10 * crops, Surroundings(100 * crops, place, crops[:, :1] > 0))


def names(batch: Batch) -> list[int]:
    return [int(crop.max()) for crop in batch.given]


def test_once_leaves_the_batches_as_they_are() -> None:
    for echo, batch in zip(echoed(numbered(3), 1, seed=(0,), step=3), islice(numbered(3), 5), strict=False):
        assert torch.equal(echo.given, batch.given)
    assert first_needed(7, 1) == 7


@given(st.integers(2, 6))
def test_each_crop_comes_as_often_as_asked_for_on_average(times: int) -> None:
    seen = Counter(
        name for batch in islice(echoed(numbered(), times, seed=(0,), step=0), 900) for name in names(batch)
    )
    settled = [seen[name] for name in range(100, 200)]  # in neither the first pool nor the last
    assert sum(settled) / len(settled) == pytest.approx(times, rel=0.15)


def test_a_step_learns_from_no_crop_twice_and_from_none_that_is_old() -> None:
    for step, batch in enumerate(islice(echoed(numbered(), 3, seed=(0,), step=0), 200)):
        assert len(set(names(batch))) == 2
        newest = step // 3
        assert {(name - 1) // 2 for name in names(batch)} <= set(range(max(0, newest + 1 - POOL), newest + 1))


@given(st.integers(2, 5), st.integers(0, 150))
def test_what_a_step_gets_does_not_depend_on_where_the_run_began(times: int, step: int) -> None:
    whole = islice(echoed(numbered(), times, seed=(1,), step=0), step, step + 4)
    later = echoed(numbered(first_needed(step, times)), times, seed=(1,), step=step)
    for one, other in zip(whole, later, strict=False):
        assert torch.equal(one.given, other.given)


def test_a_mirrored_crop_is_mirrored_with_all_that_belongs_to_it() -> None:
    crops = islice(echoed(numbered(), 2, seed=(0,), step=0), 20)
    mirrored = 0
    for given_, clear, around in crops:
        assert around is not None
        assert torch.equal(clear, 10 * given_)
        assert torch.equal(around.thumbnail, 100 * given_)
        assert torch.equal(around.lost, given_[:, :1] > 0)
        for crop, place in zip(given_, around.place, strict=True):
            flipped = bool(crop[0, 0, -1] > 0)
            mirrored += flipped
            expected = [0.1, 0.7, 0.5, 0.8] if flipped else [0.1, 0.2, 0.5, 0.3]
            assert place.tolist() == pytest.approx(expected)
    assert 8 <= mirrored <= 32  # of 40


def test_the_last_batch_of_an_epoch_may_be_smaller() -> None:
    def uneven() -> Iterator[Batch]:
        for number, batch in enumerate(numbered(size=4)):
            yield Batch(batch.given[:1], batch.clear[:1]) if number % 3 == 2 else Batch(batch.given, batch.clear)

    assert {len(batch.given) for batch in islice(echoed(uneven(), 2, seed=(0,), step=0), 60)} == {4}


def test_an_epoch_is_as_many_times_longer(config: Callable[..., TrainConfig]) -> None:
    once = set_up_stage(prepare_run(config()))
    thrice = set_up_stage(prepare_run(config(echo=3)))
    assert thrice.steps_per_epoch == 3 * once.steps_per_epoch


@pytest.mark.parametrize("stop_at", [2, 3, 7])
def test_resuming_is_exact(config: Callable[..., TrainConfig], tmp_path: Path, stop_at: int) -> None:
    whole = config(out=tmp_path / "whole", steps=10, seed=5, echo=3)
    run_all(whole)
    broken, steps = replace(whole, out=tmp_path / "broken"), count(1)
    with pytest.raises(InterruptedRunError):
        run_all(broken, should_stop=lambda: next(steps) == stop_at)
    torch.manual_seed(999)
    list(train(prepare_run(resumed_config(broken.out, {}), resume=True)))
    one, two = (load_file(out / "state.safetensors") for out in (whole.out, broken.out))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert read_rows(whole.out / "metrics.csv") == read_rows(broken.out / "metrics.csv")
