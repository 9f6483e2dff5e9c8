"""Restoring by bands of rows, and what is done when memory runs short or half precision fails."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from artrestore.errors import PictureError
from artrestore.io.pictures import Array
from artrestore.models.loading import LoadedModel
from artrestore.restoration.finish import with_margins
from artrestore.restoration.options import OutputOptions
from artrestore.restoration.produce import produce_rows
from artrestore.restoration.request import Band, Request, Source
from artrestore.restoration.restorer import Restorer
from artrestore.tiling import pad_to, padded_rows
from artrestore.uncertainty import Calibration
from test_restoration_network import load, picture


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return load()


def in_order(rows: Array) -> tuple[Source, list[tuple[int, int]]]:
    """A source, and a list of what is read from it."""
    read: list[tuple[int, int]] = []

    def give(top: int, bottom: int) -> Array:
        read.append((top, bottom))
        return rows[:, top:bottom]

    return Source(size=(rows.shape[1], rows.shape[2]), rows=give), read


def test_a_picture_is_read_and_given_from_top_to_bottom_a_few_rows_at_a_time(loaded: LoadedModel) -> None:
    damaged = picture(700, 200)
    source, read = in_order(damaged)
    restorer = Restorer(loaded, tile_size=256, overlap=32, precision="fp32")
    bands = list(restorer.bands(source, Request()))
    again = read.index((0, 64))  # the thumbnail comes before
    for part in (read[:again], read[again:]):
        assert part[0][0] == 0
        assert [top for top, _ in part[1:]] == [bottom for _, bottom in part[:-1]]
        assert part[-1][1] == 700
    assert max(band.restored.shape[1] for band in bands) <= 64
    joined = Band.joined(bands)
    np.testing.assert_array_equal(joined.restored, restorer.restore(damaged))
    np.testing.assert_array_equal(joined.damaged, damaged)


def test_little_is_held_of_a_long_picture(loaded: LoadedModel) -> None:
    restorer = Restorer(loaded, tile_size=64, overlap=16, precision="fp32")
    source, read = in_order(picture(1000, 70))
    bands = restorer.bands(source, Request())
    next(bands)
    whole = next(index for index, part in enumerate(read) if part[1] == 1000)  # for the thumbnail
    assert read[whole + 1 :] == [(0, 64)]


@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 60), st.integers(0, 40), st.integers(1, 9))
def test_rows_of_a_padded_picture_are_its_rows(h: int, w: int, more_h: int, more_w: int, step: int) -> None:
    whole = torch.rand(4, h, w)
    padded = (h + more_h, w + more_w)
    rows = padded_rows(lambda top, bottom: whole[:, top:bottom], (h, w), padded)
    parts = [rows(top, min(top + step, padded[0])) for top in range(0, padded[0], step)]
    assert torch.equal(torch.cat(parts, dim=1), pad_to(whole, *padded))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(0, 4))
def test_margins_are_the_rows_beside(heights: list[int], margin: int) -> None:
    total = sum(heights)
    whole = Band(*(np.arange(total, dtype=np.float32)[:, None].repeat(2, 1)[None] for _ in range(4)))
    whole = whole._replace(lost=whole.lost[0].astype(bool))
    edges = np.cumsum([0, *heights])
    bands = [whole.part(a, b) for a, b in pairwise(edges)]
    seen = []
    for band, first, last in with_margins(bands, margin):
        rows = band.restored[0, :, 0]
        own = rows[first:last]
        seen.extend(own)
        assert rows[0] <= max(0, own[0] - margin)
        assert rows[-1] >= min(total - 1, own[-1] + margin)
    assert seen == list(range(total))


@pytest.mark.parametrize("options", [{"keep_unsure": 20.0}, {"strength": 0.5}, {"only_masked": True}])
def test_bands_are_finished_as_the_whole_is(loaded: LoadedModel, options: dict[str, float]) -> None:
    damaged = picture(300, 100)
    lost = np.zeros((300, 100), dtype=bool)
    lost[100:160, 20:50] = True
    restorer = Restorer(loaded, tile_size=512, precision="fp32")
    given = replace(OutputOptions(), **options)
    whole = Band.joined(list(restorer.bands(Source.of(damaged, lost), Request(interval=given.needs_interval))))

    class Whole:
        """Gives all in one band."""

        half_width = restorer.half_width
        has_groups = False

        def bands(self, *_: object) -> list[Band]:
            return [whole]

    expected = list(produce_rows(Source.of(damaged, lost), Whole(), given))  # type: ignore[arg-type]
    expected_rows = np.concatenate([part.restored for part in expected], axis=1)
    parts = list(produce_rows(Source.of(damaged, lost), restorer, given))
    assert len(parts) > len(expected)
    np.testing.assert_array_equal(np.concatenate([part.restored for part in parts], axis=1), expected_rows)


@pytest.mark.parametrize("in_memory", [True, False])
def test_all_bands_have_the_factor_of_the_whole_picture(loaded: LoadedModel, in_memory: bool) -> None:
    damaged = picture(300, 100)
    damaged[:, 100:] /= 4
    restorer = Restorer(loaded, tile_size=64, overlap=16, precision="fp32")
    _, scale = restorer.quantify(damaged)
    means = sorted(float(scale[:, top : top + 64].mean()) for top in range(0, 300, 64))
    groups = (means[0] + means[1]) / 2, (means[-2] + means[-1]) / 2
    assert groups[0] < scale.mean() < groups[1], "bands by themselves would be of one group"
    restorer.calibration = Calibration(factors=(1.0, 2.0, 3.0), thresholds=groups, counts=(1, 1, 1), pictures=3)
    source = Source.of(damaged) if in_memory else in_order(damaged)[0]
    for options in (OutputOptions(uncertainty=True), OutputOptions(keep_unsure=500.0)):
        parts = [rows.half_width for rows in produce_rows(source, restorer, options)]
        assert len(parts) > 1
        found = np.concatenate([part for part in parts if part is not None])
        np.testing.assert_allclose(found, np.clip(2 * scale, 0, 1).max(axis=0), rtol=1e-6)


class Short:
    """Makes a network fail for want of memory on tiles above a size, or on several at once."""

    def __init__(self, model: torch.nn.Module, largest: int, together: int = 99) -> None:
        self.largest, self.together, self.sizes = largest, together, list[int]()
        self.forward: Callable[..., torch.Tensor] = model.forward

    def __call__(self, tiles: torch.Tensor, around: object) -> torch.Tensor:
        if max(tiles.shape[2:]) > self.largest or len(tiles) > self.together:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")
        self.sizes.append(max(tiles.shape[2:]))
        return self.forward(tiles, around)


def short_restorer(largest: int, together: int = 99) -> tuple[Restorer, Short]:
    loaded = load()
    short = Short(loaded.model, largest, together)
    loaded.model.forward = short  # type: ignore[method-assign,assignment]
    return Restorer(loaded, tile_size=512, overlap=64, batch_size=4, precision="fp32"), short


def test_where_memory_runs_short_tiles_are_halved_and_it_is_remembered() -> None:
    damaged = picture(512, 512)
    expected = Restorer(load(), tile_size=512, precision="fp32").restore(damaged)
    restorer, short = short_restorer(largest=200)
    restored = restorer.restore(damaged)
    np.testing.assert_allclose(restored, expected, atol=0.03)
    assert np.abs(restored - expected).mean() < 0.002
    assert set(short.sizes) == {128}
    remarks = [
        "memory ran short, so tiles of 256 pixels were taken",
        "memory ran short, so tiles of 128 pixels were taken",
    ]
    assert restorer.runner.remarks == remarks
    restorer.restore(damaged)
    assert len(restorer.runner.remarks) == 2, "the second picture tried too large tiles again"


def test_tiles_that_do_not_fit_together_go_one_by_one() -> None:
    restorer, _ = short_restorer(largest=512, together=1)
    damaged = picture(512, 1200)
    expected = Restorer(load(), tile_size=512, overlap=64, batch_size=1, precision="fp32").restore(damaged)
    np.testing.assert_allclose(restorer.restore(damaged), expected, atol=1e-5)
    assert restorer.runner.remarks == ["memory ran short, so tiles were restored one by one"]


def test_a_picture_fails_where_even_small_tiles_do_not_fit() -> None:
    restorer, _ = short_restorer(largest=100)
    with pytest.raises(PictureError, match="Not enough memory even for a tile of 128 pixels"):
        restorer.restore(picture(512, 300))


def test_where_no_tile_fits_on_a_device_the_cpu_goes_on_and_stays() -> None:
    loaded, damaged = load(), picture(512, 300)
    expected = Restorer(load(), tile_size=512, overlap=64, precision="fp32").restore(damaged)
    forward = loaded.model.forward

    def on_cpu_only(tiles: torch.Tensor, around: object) -> torch.Tensor:
        if tiles.device.type == "meta":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(tiles, around)

    loaded.model.forward = on_cpu_only  # type: ignore[method-assign,assignment]
    restorer = Restorer(loaded, tile_size=512, overlap=64, precision="fp32")
    restorer.runner.device = torch.device("meta")  # stands for a device that there is, but has no room
    np.testing.assert_allclose(restorer.restore(damaged), expected, atol=0.03)  # in the small tiles tried last
    assert restorer.device == torch.device("cpu")
    assert restorer.runner.remarks[-1] == "memory ran short, so the CPU was taken"
    told = len(restorer.runner.remarks)
    np.testing.assert_allclose(restorer.restore(damaged), expected, atol=1e-5)
    assert len(restorer.runner.remarks) == told


def test_another_error_is_not_taken_for_want_of_memory() -> None:
    loaded = load()

    def fail(*_: object) -> torch.Tensor:
        raise RuntimeError("shapes do not match")

    loaded.model.forward = fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="shapes do not match"):
        Restorer(loaded, precision="fp32").restore(picture(64, 64))
