"""Mending in small first: `models.coarse`, and what `hierarchical-vae` makes of it."""

import numpy as np
import pytest
import torch

from artrestore.damage.base import View
from artrestore.damage.compose import damage
from artrestore.models.base import Surroundings
from artrestore.models.coarse import added_in_small
from artrestore.models.loading import load_model
from artrestore.models.registry import build
from conftest import TINY_FLAGSHIP, shaken


def grey(height: int, width: int, value: float = 0.2) -> torch.Tensor:
    return torch.full((1, 3, height, width), value)


def sure(change: torch.Tensor, scale: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    return change, torch.full_like(change, scale)


def nothing_lost(picture: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(picture[:, :1])


@pytest.mark.parametrize("size", [(16, 16), (48, 80), (64, 144)])
def test_the_smallest_comes_first_at_sides_that_a_network_takes(size: tuple[int, int]) -> None:
    seen: list[tuple[int, int]] = []

    def mend(picture: torch.Tensor, lost: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert lost.shape[2:] == picture.shape[2:]
        seen.append((picture.shape[2], picture.shape[3]))
        return sure(torch.zeros_like(picture))

    picture = grey(*size)
    added = added_in_small(picture, nothing_lost(picture), mend, 3)
    assert added.shape == picture.shape
    assert torch.equal(added, torch.zeros_like(picture))
    expected, sides = [], size
    for _ in range(3):
        sides = (-(-sides[0] // 32) * 16, -(-sides[1] // 32) * 16)
        expected.insert(0, sides)
    assert seen == expected


def test_what_was_added_in_small_is_there_before_the_next_turn() -> None:
    seen: list[float] = []

    def to_half(picture: torch.Tensor, _lost: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(float(picture.mean()))
        return sure(0.5 - picture)

    picture = grey(64, 64)
    added = added_in_small(picture, nothing_lost(picture), to_half, 2)
    assert seen == pytest.approx([0.2, 0.5 - 0.02])  # 0.02 of the range is held back
    torch.testing.assert_close(picture + added, grey(64, 64, 0.5 - 0.02))


@pytest.mark.parametrize(("scale", "held_back"), [(0.0, 0.02), (0.1, 0.15 + 0.02)])
def test_what_is_not_sure_is_held_back_alike_in_all_colours_but_not_where_all_is_lost(
    scale: float, held_back: float
) -> None:
    picture = grey(32, 64)
    lost = nothing_lost(picture)
    lost[..., 32:] = 1

    def redder(by: float) -> torch.Tensor:
        change = torch.tensor([by, by / 2, 0])[:, None, None]
        return added_in_small(picture, lost, lambda small, _: sure(change.expand_as(small), scale), 1)[
            0, :, 16, ::63
        ]

    torch.testing.assert_close(redder(0.9 * held_back)[:, 0], torch.zeros(3))
    left = torch.tensor([1, 0.5, 0]) * (0.4 - held_back)
    torch.testing.assert_close(redder(0.4), torch.stack([left, torch.tensor([0.4, 0.2, 0])], dim=1))


def test_no_passes_add_nothing() -> None:
    picture = torch.rand(1, 3, 32, 32)
    assert not added_in_small(picture, nothing_lost(picture), lambda small, _: sure(small), 0).any()


@torch.inference_mode()
def test_a_loss_is_told_in_small_too() -> None:
    seen: list[torch.Tensor] = []

    def mend(picture: torch.Tensor, lost: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(lost)
        return sure(torch.zeros_like(picture))

    picture = grey(64, 64)
    lost = nothing_lost(picture)
    lost[..., 5, 9] = 1
    added_in_small(picture, lost, mend, 2)
    assert [mask.nonzero()[:, 2:].tolist() for mask in seen] == [[[1, 2]], [[2, 4]]]


@torch.inference_mode()
def test_tone_is_corrected_once() -> None:
    torch.manual_seed(0)
    model = shaken(build("hierarchical-vae", TINY_FLAGSHIP | {"coarse_passes": 2})).eval()
    torch.nn.init.zeros_(model.residual.weight)
    torch.nn.init.zeros_(model.residual.bias)
    picture = torch.rand(1, 3, 64, 64)
    once = model.encode(picture, Surroundings.alone(picture), passes=0)
    assert torch.equal(model.encode(picture, Surroundings.alone(picture)).corrected, once.corrected)
    assert (once.corrected - picture).abs().mean() > 0.005


@pytest.mark.parametrize("seed", [1, 2])
@torch.inference_mode()
def test_the_bundled_weights_mend_more_of_a_wide_fold_if_they_see_it_in_small_first(seed: int) -> None:
    model = load_model("default", device="cpu").model
    model.keep_tone()
    down, across = np.mgrid[0:384, 0:384] / 384
    smooth = np.stack([0.35 + 0.3 * down, 0.45 - 0.1 * across, 0.3 + 0.2 * down * across])
    rng = np.random.default_rng(seed)
    clear = np.clip(smooth + rng.normal(0, 0.015, smooth.shape), 0, 1).astype(np.float32)
    middle = View(height=384, width=384, full_height=900, full_width=900, top=258, left=258)
    damaged = torch.from_numpy(damage(clear, "fold", 0.9, np.random.default_rng(seed), middle).picture)[None]
    around = Surroundings.alone(damaged)

    def error(passes: int) -> float:
        encoded = model.encode(damaged, around, passes=passes)
        return float((model.picture(encoded, model.decode(encoded)) - torch.from_numpy(clear)).square().mean())

    assert error(2) < 0.95 * error(0)
