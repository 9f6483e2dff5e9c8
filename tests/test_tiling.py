from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from artrestore.tiling import blend_weights, pad_to, restore_tiled, tile_starts, trimmed


@st.composite
def axes(draw: st.DrawFn) -> tuple[int, int, int]:
    tile = draw(st.integers(1, 64))
    overlap = draw(st.integers(0, tile - 1))
    return draw(st.integers(tile, 500)), tile, overlap


@st.composite
def aligned_axes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    multiple = draw(st.sampled_from([1, 2, 4, 16]))
    tile = draw(st.integers(1, 20))
    overlap = draw(st.integers(0, (tile - 1) * multiple))
    return draw(st.integers(tile, 100)) * multiple, tile * multiple, overlap, multiple


@given(aligned_axes())
def test_tiles_cover_the_axis_overlap_enough_and_begin_at_multiples(axis: tuple[int, int, int, int]) -> None:
    length, tile, overlap, multiple = axis
    starts = tile_starts(*axis)
    assert all(start % multiple == 0 for start in starts)
    assert starts[0] == 0
    assert starts[-1] + tile == length
    assert all(0 < b - a <= tile - overlap for a, b in pairwise(starts))


@given(aligned_axes())
def test_no_fewer_tiles_would_do(axis: tuple[int, int, int, int]) -> None:
    length, tile, overlap, multiple = axis
    count = len(tile_starts(*axis))
    farthest = (tile - overlap) // multiple * multiple  # from one start to the next
    assert count == 1 or tile + (count - 2) * farthest < length


@given(aligned_axes())
def test_weights_sum_to_one_everywhere(axis: tuple[int, int, int, int]) -> None:
    length, tile, _, _ = axis
    total = np.zeros(length)
    for weights, start in zip(blend_weights(*axis), tile_starts(*axis), strict=True):
        assert weights.min() >= 0
        total[start : start + tile] += weights
    np.testing.assert_allclose(total, 1, atol=1e-5)


@given(axes())
def test_inner_sides_are_trimmed_and_borders_are_not(axis: tuple[int, int, int]) -> None:
    length, tile, overlap = axis
    weights, starts, trim = blend_weights(*axis), tile_starts(*axis), trimmed(overlap)
    for row, start in zip(weights, starts, strict=True):
        assert start == 0 or not row[:trim].any()
        assert start + tile == length or not row[tile - trim :].any()
    assert weights[0, 0] == pytest.approx(1)
    assert weights[-1, -1] == pytest.approx(1)


def test_weights_change_slowly_so_that_no_seam_can_show() -> None:
    weights = blend_weights(1000, 128, 64)
    assert np.abs(np.diff(weights, axis=1)).max() < 0.06


@pytest.mark.parametrize(
    "axis", [(10, 20, 4), (20, 10, 10), (20, 10, -1), (64, 32, 17, 16), (40, 32, 0, 16), (96, 40, 0, 16)]
)
def test_impossible_geometry_is_refused(axis: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"need length|not multiples"):
        tile_starts(*axis)


@given(st.integers(20, 70), st.integers(20, 70), st.integers(8, 20), st.integers(0, 7), st.integers(1, 9))
def test_the_identity_gives_back_the_picture(h: int, w: int, tile: int, overlap: int, batch: int) -> None:
    picture = torch.rand(3, h, w)
    restored = restore_tiled(picture, lambda x, _: x, tile_size=(tile, tile), overlap=overlap, batch_size=batch)
    torch.testing.assert_close(restored, picture)


def test_a_network_is_told_where_its_tiles_are_and_may_give_more_channels() -> None:
    rows, columns = torch.meshgrid(torch.arange(96.0), torch.arange(64.0), indexing="ij")

    def positions(tiles: Tensor, corners: list[tuple[int, int]]) -> Tensor:
        assert all(top % 16 == left % 16 == 0 for top, left in corners)
        return torch.stack([
            torch.stack([rows[:32, :48] + top, columns[:32, :48] + left]) for top, left in corners
        ])  # fmt: skip

    found = restore_tiled(
        torch.zeros(3, 96, 64), positions, tile_size=(32, 48), overlap=10, batch_size=4, multiple=16, channels=2
    )
    torch.testing.assert_close(found, torch.stack([rows, columns]))


class LocalNetwork(nn.Module):
    """Three 3x3 convolutions with zero padding: its receptive radius is 3 pixels."""

    radius = 3

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
            nn.Conv2d(8, 3, 3, padding=1),
        )  # fmt: skip

    def forward(self, tiles: Tensor, _corners: object = None) -> Tensor:
        with torch.inference_mode():
            result: Tensor = self.layers(tiles)
        return result


@pytest.mark.parametrize(("height", "width"), [(100, 83), (64, 32), (33, 200)])
def test_tiled_equals_untiled_when_the_receptive_field_fits_the_overlap(height: int, width: int) -> None:
    network, picture, overlap = LocalNetwork(), torch.rand(3, height, width), 12
    assert trimmed(overlap) >= network.radius
    tiled = restore_tiled(picture, network, tile_size=(32, 32), overlap=overlap, batch_size=4)
    torch.testing.assert_close(tiled, network(picture[None])[0], atol=1e-5, rtol=1e-5)


def test_tiled_differs_from_untiled_when_the_overlap_is_too_small() -> None:
    network, picture = LocalNetwork(), torch.rand(3, 100, 100)
    tiled = restore_tiled(picture, network, tile_size=(32, 32), overlap=0, batch_size=4)
    assert (tiled - network(picture[None])[0]).abs().max() > 0.01


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 50), st.integers(1, 50))
def test_small_pictures_are_padded_by_their_outermost_pixels(h: int, w: int, height: int, width: int) -> None:
    picture = torch.rand(3, h, w)
    padded = pad_to(picture, height, width)
    assert padded.shape == (3, max(h, height), max(w, width))
    assert torch.equal(padded[:, :h, :w], picture)
    rows, columns = torch.arange(padded.shape[1]).clamp(max=h - 1), torch.arange(padded.shape[2]).clamp(max=w - 1)
    assert torch.equal(padded, picture[:, rows][:, :, columns])
