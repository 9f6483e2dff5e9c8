"""What a restored picture becomes on the disk: options of the output, masks, and the files beside it."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from artrestore.errors import OutputError, PairingError, UnsupportedError, UsageError
from artrestore.io.locations import companion, list_pictures
from artrestore.io.pictures import Array, read_rgb8
from artrestore.io.weights_file import WeightsHeader, write_weights
from artrestore.models.registry import build
from artrestore.restoration.batch import JobResult, make_restorer, restore_batch, restore_folder, working_in
from artrestore.restoration.finish import blend, shares
from artrestore.restoration.journal import JOURNAL, Terms
from artrestore.restoration.options import OutputOptions, RestoreOptions, resolve_options
from artrestore.restoration.plan import plan_batch
from artrestore.restoration.request import Band, Request, Source
from conftest import TINY_FLAGSHIP, save_smooth, shaken, smooth_picture, write_tiny_weights


class Halver:
    """Stands in for a restorer: halves the picture, is less sure to the right, and draws brighter and brighter."""

    remarks = ()

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.lost: Any = "never called"

    def bands(self, source: Source, request: Request) -> Iterator[Band]:
        height, width = source.size
        self.lost = source.lost(0, height) if source.lost else None
        if self.fails:
            raise RuntimeError("out of memory")
        scale = np.broadcast_to(np.linspace(0, 0.5, width, dtype=np.float32), (3, height, width)).copy()
        scale[0] /= 2  # the largest of the channels counts
        picture = source.rows(0, height)
        mean = picture / 2
        draws = [mean + np.float32(0.1 * (1 + index + 10 * request.seed)) for index in range(10)]
        restored = mean
        if request.draw is not None:
            restored = draws[request.draw]
        elif request.average:
            restored = np.mean(draws[: request.average], axis=0)
        elif request.creativity is not None:
            restored = mean + np.float32(request.creativity) * (draws[0] - mean)
        lost = np.zeros((height, width), dtype=bool) if self.lost is None else self.lost
        whole = Band(picture, lost, restored, scale if request.interval else None)
        for top in range(0, height, 7):
            yield whole.part(top, top + 7)

    has_groups = False

    def half_width(self, scale: Array, *, mean_scale: float | None = None) -> Array:  # noqa: ARG002
        return scale


def carry_out(source: Path, target: Path, restorer: Any = None, **settings: Any) -> list[JobResult]:
    options = RestoreOptions(source=source, target=target, **settings)
    terms = Terms(weights="of the halver", settings=options.terms())
    plan = plan_batch(options, terms)
    with working_in(plan, terms) as journal:
        return list(restore_batch(plan, restorer or Halver(), options, journal=journal))


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    return save_smooth(tmp_path / "in/a.png", 40, 30)


def levels(path: Path | str) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened).astype(int)


def test_strength_is_how_far_the_output_goes(damaged: Path, tmp_path: Path) -> None:
    before = levels(damaged)
    for strength in (0.0, 0.3, 1.0):
        carry_out(damaged, tmp_path / f"out{strength}", strength=strength)
        expected = before + strength * (before / 2 - before)
        np.testing.assert_allclose(levels(tmp_path / f"out{strength}/a.png"), expected, atol=0.5 + 1e-3)
    assert np.array_equal(levels(tmp_path / "out0.0/a.png"), before)


def test_what_the_network_is_unsure_of_stays_as_it_was(damaged: Path, tmp_path: Path) -> None:
    carry_out(damaged, tmp_path / "out", keep_unsure=64)
    before, after = levels(damaged), levels(tmp_path / "out/a.png")
    unsure = np.linspace(0, 0.5, 40) * 255 > 64
    assert np.array_equal(after[:, unsure], before[:, unsure])
    edge = int(np.argmax(unsure))
    sure = slice(0, edge - 2)
    np.testing.assert_allclose(after[:, sure], before[:, sure] / 2, atol=0.5 + 1e-3)
    between = slice(edge - 2, edge)
    assert (after[:, between] > before[:, between] / 2 + 1).any(), "it does not fade in"


@given(st.integers(0, 2**32), st.floats(0, 1), st.floats(0, 255))
def test_shares_keep_what_is_to_be_kept_to_the_bit(seed: int, strength: float, limit: float) -> None:
    rng = np.random.default_rng(seed)
    original, restored = rng.random((2, 3, 9, 11), dtype=np.float32) ** 3  # on no common grid
    half_width, only = rng.random((9, 11), dtype=np.float32), rng.random((9, 11)) < 0.5
    share = shares((9, 11), strength=strength, half_width=half_width, keep_unsure=limit, only=only)
    mixed = blend(original, restored, share)
    kept = (half_width * 255 > limit) | ~only
    assert np.array_equal(mixed[:, kept], original[:, kept])
    assert (
        (mixed >= np.minimum(original, restored) - 1e-6) & (mixed <= np.maximum(original, restored) + 1e-6)
    ).all()
    assert np.array_equal(blend(original, restored, shares((9, 11))), restored)


def write_mask(path: Path, width: int = 40, height: int = 30) -> np.ndarray:
    mask = np.zeros((height, width), dtype=bool)
    mask[5:12, 7:20] = True
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(path)
    return mask


def as_rgba(pixels: np.ndarray) -> Image.Image:
    image = Image.fromarray(pixels)
    image.putalpha(Image.fromarray(pixels[..., 0]))
    return image


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.png", Image.fromarray),
        ("a.png", lambda pixels: Image.fromarray(pixels[..., 0])),
        ("a.png", lambda pixels: Image.fromarray(pixels[..., 0].astype(np.uint16) * 250 + 3)),
        ("a.png", as_rgba),
        ("a.tif", Image.fromarray),
        ("a.bmp", Image.fromarray),
    ],
    ids=["rgb", "grey", "grey16", "rgba", "tiff", "bmp"],
)
def test_outside_the_mask_every_bit_is_kept(name: str, kind: Callable[..., Image.Image], tmp_path: Path) -> None:
    source = tmp_path / "in" / name
    source.parent.mkdir()
    kind(smooth_picture(40, 30)).save(source)
    mask = write_mask(tmp_path / "masks/a.png")
    (result,) = carry_out(tmp_path / "in", tmp_path / "out", masks=tmp_path / "masks", only_masked=True)
    assert (result.outcome, result.reason) == ("restored", "")
    before, after = levels(source), levels(tmp_path / "out" / name)
    assert np.array_equal(after[~mask], before[~mask])
    if after.shape[-1] == 4:
        before, after = before[..., :3], after[..., :3]
    np.testing.assert_allclose(after[mask], before[mask] / 2, atol=0.5 + 1e-3 * before.max())


def test_a_lossy_file_says_that_it_keeps_no_bits(tmp_path: Path) -> None:
    save_smooth(tmp_path / "in/a.jpg", 40, 30)
    write_mask(tmp_path / "masks/a.png")
    (result,) = carry_out(tmp_path / "in", tmp_path / "out", masks=tmp_path / "masks", only_masked=True)
    assert "use PNG or TIFF" in result.reason


def test_a_mask_is_given_to_the_network(damaged: Path, tmp_path: Path) -> None:
    mask, restorer = write_mask(tmp_path / "masks/a.png"), Halver()
    carry_out(damaged, tmp_path / "out", restorer, masks=tmp_path / "masks")
    assert np.array_equal(restorer.lost, mask)
    np.testing.assert_allclose(levels(tmp_path / "out/a.png"), levels(damaged) / 2, atol=0.5 + 1e-3)


def test_a_mask_of_another_size_fails_its_picture_alone(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_smooth(tmp_path / f"in/{name}.png", 40, 30)
    write_mask(tmp_path / "masks/a.png", 41, 30)
    write_mask(tmp_path / "masks/b.png")
    results = carry_out(tmp_path / "in", tmp_path / "out", masks=tmp_path / "masks")
    assert [result.outcome for result in results] == ["failed", "restored"]
    assert "40 x 30" in results[0].reason
    assert "41 x 30" in results[0].reason


def test_every_picture_needs_its_mask_and_the_masks_are_no_pictures(tmp_path: Path) -> None:
    for name in ("a", "x/b"):
        save_smooth(tmp_path / f"in/{name}.png", 40, 30)
    masks = tmp_path / "in/masks"
    write_mask(masks / "a.png")
    with pytest.raises(PairingError, match="1 of 2 pictures") as caught:
        plan_batch(RestoreOptions(source=tmp_path / "in", target=tmp_path / "out", masks=masks))
    assert caught.value.details[0].startswith("x/b.png")
    write_mask(masks / "x/b.png")
    plan = plan_batch(RestoreOptions(source=tmp_path / "in", target=tmp_path / "out", masks=masks))
    assert [str(job.name) for job in plan.jobs] == ["a.png", "x/b.png"]
    with pytest.raises(UsageError, match="pictures themselves"):
        plan_batch(RestoreOptions(source=tmp_path / "in", target=tmp_path / "out", masks=tmp_path / "in"))


def test_an_average_is_the_mean_of_the_samples(damaged: Path, tmp_path: Path) -> None:
    carry_out(damaged, tmp_path / "out", average=3, samples=2, strength=0.5)
    before = levels(damaged)

    def expected(brighter: float) -> np.ndarray:
        return before + 0.5 * (np.clip(before / 2 + 25.5 * brighter, 0, 255) - before)

    np.testing.assert_allclose(levels(tmp_path / "out/a.png"), expected(2), atol=0.6)
    for number in (1, 2):  # they are finished like the output
        np.testing.assert_allclose(levels(tmp_path / f"out/a.png.sample-{number}.png"), expected(number), atol=0.6)
    assert not (tmp_path / "out/a.png.sample-3.png").exists()


def test_creativity_goes_from_the_mean_towards_a_sample(damaged: Path, tmp_path: Path) -> None:
    for creativity in (0.0, 0.4, 1.0):
        carry_out(damaged, tmp_path / f"out{creativity}", creativity=creativity, seed=1)
        expected = np.clip(levels(damaged) / 2 + 25.5 * 11 * creativity, 0, 255)
        np.testing.assert_allclose(levels(tmp_path / f"out{creativity}/a.png"), expected, atol=0.6)


def test_maps_say_what_is_documented(damaged: Path, tmp_path: Path) -> None:
    (result,) = carry_out(damaged, tmp_path / "out", uncertainty=True, changes=True)
    raw = levels(tmp_path / "out/a.png.uncertainty.png")
    with Image.open(tmp_path / "out/a.png.uncertainty.png") as opened:
        assert opened.mode.startswith("I;16")
        assert "65535" in opened.text["Description"]
    expected = np.linspace(0, 0.5, 40)
    np.testing.assert_allclose(raw / 65535, np.broadcast_to(expected, (30, 40)), atol=1e-5)
    assert result.unsure == pytest.approx(255 * expected.mean(), abs=1e-3)
    assert result.as_row()["unsure"] == pytest.approx(255 * expected.mean(), abs=1e-2)
    before, after = levels(damaged), levels(tmp_path / "out/a.png")
    changes = levels(tmp_path / "out/a.png.changes.png")
    assert np.array_equal(changes, 128 + after - before)
    colour = levels(tmp_path / "out/a.png.uncertainty-colour.png")
    assert colour.shape[0] > 30, "there is no legend"
    brightness = colour[:30, :40].sum(axis=2)
    assert (np.diff(brightness[0][expected * 255 < 64]) > 0).all()
    assert len(np.unique(brightness[0][expected * 255 > 64])) == 1  # the scale is the same for all pictures


def test_changes_of_more_than_half_the_range_do_not_wrap(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (20, 20), (255, 255, 255)).save(tmp_path / "in/a.png")

    class Blackener(Halver):
        def restore(self, picture: Array, *, lost: Any = None) -> Array:  # noqa: ARG002
            return np.zeros_like(picture)

    carry_out(tmp_path / "in", tmp_path / "out", Blackener(), changes=True)
    assert (levels(tmp_path / "out/a.png.changes.png") == 1).all()


def files(folder: Path) -> set[str]:
    """What is there, but for the run's own records."""
    return {path.name for path in folder.iterdir() if path.name not in (JOURNAL, ".artrestore-lock")}


def outcomes(results: list[JobResult]) -> list[str]:
    return [result.outcome for result in results]


def test_a_picture_is_done_when_all_that_was_asked_for_is_there(damaged: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert outcomes(carry_out(damaged, out)) == ["restored"]
    assert outcomes(carry_out(damaged, out)) == ["skipped"]
    assert outcomes(carry_out(damaged, out, changes=True)) == ["restored"]
    assert outcomes(carry_out(damaged, out, samples=2)) == ["restored"]
    assert outcomes(carry_out(damaged, out, changes=True, samples=2)) == ["skipped"]
    (out / "a.png").unlink()
    assert outcomes(carry_out(damaged, out, changes=True, samples=2)) == ["restored"]


def test_replacing_a_picture_removes_what_belonged_to_the_old_one(damaged: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    carry_out(damaged, out, uncertainty=True, samples=3)
    (out / "b.png.changes.png").write_bytes(b"of another picture")
    carry_out(damaged, out, samples=1, overwrite=True)
    assert files(out) == {"a.png", "a.png.sample-1.png", "b.png.changes.png"}
    (out / "a.png").unlink()
    carry_out(damaged, out, changes=True)
    assert files(out) == {"a.png", "a.png.changes.png", "b.png.changes.png"}


def test_a_failure_loses_nothing_and_leaves_nothing_half_done(damaged: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    carry_out(damaged, out, samples=1)
    there = {name: (out / name).read_bytes() for name in files(out)}
    results = carry_out(damaged, out, Halver(fails=True), samples=2, overwrite=True)
    assert outcomes(results) == ["failed"]
    assert {name: (out / name).read_bytes() for name in files(out)} == there

    class Tired(Halver):
        def bands(self, source: Source, request: Request) -> Iterator[Band]:
            if request.draw == 1:
                raise RuntimeError("too tired")
            yield from super().bands(source, request)

    assert outcomes(carry_out(damaged, out, Tired(), samples=2, overwrite=True)) == ["failed"]
    assert files(out) == set()  # rather than samples of a picture that is not there


def test_what_lies_beside_a_picture_is_not_taken_for_one(tmp_path: Path) -> None:
    names = ("a.jpg", "x/b.png")
    for name in names:
        save_smooth(tmp_path / name)
        for kind in ("uncertainty", "uncertainty-colour", "changes", "sample-1", "sample-12"):
            save_smooth(companion(tmp_path / name, kind))
    pictures = [
        "b.png.changes.png",
        "a.jpg.sample-0.png",
        "a.jpg.other.png",
        "a.changes.png",
        "notes.txt.changes.png",
    ]
    for name in pictures:
        save_smooth(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    listing = list_pictures(tmp_path)
    assert set(listing.pictures) == {PurePosixPath(name) for name in (*names, *pictures)}
    assert listing.others == 10 + 1
    alone = list_pictures(companion(tmp_path / "a.jpg", "changes"))
    assert alone.pictures == (PurePosixPath("a.jpg.changes.png"),)


def test_a_map_that_would_fall_on_another_output_is_refused(tmp_path: Path) -> None:
    save_smooth(tmp_path / "in/A.png")
    save_smooth(tmp_path / "in/a.png.changes.png")
    with pytest.raises(OutputError, match="share one output"):
        carry_out(tmp_path / "in", tmp_path / "out", changes=True)


@pytest.mark.parametrize(
    "settings",
    [
        {"average": 2, "creativity": 0.5}, {"only_masked": True}, {"strength": 1.5}, {"strength": -0.1},
        {"creativity": 2}, {"samples": -1}, {"keep_unsure": float("nan")}, {"keep_unsure": -1}, {"seed": -1},
        {"nonsense": 1},
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    assert resolve_options(source=Path("a"), target=Path("b"), masks=Path("c"), only_masked=True).masks
    with pytest.raises(UsageError):
        resolve_options(source=Path("a"), target=Path("b"), **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"uncertainty": True},
        {"keep_unsure": 9},
        {"samples": 1},
        {"average": 1},
        {"creativity": 0.0},
        {"masks": "m"},
        {"keep_tone": True},
    ],
    ids=str,
)
def test_what_a_network_cannot_do_is_refused_before_work(settings: dict[str, Any], tmp_path: Path) -> None:
    one, two = (
        write_tiny_weights(tmp_path / f"{name}.safetensors", name) for name in ("skip-vae", "hierarchical-vae")
    )
    common = {"source": tmp_path, "target": tmp_path / "out", "device": "cpu"}
    make_restorer(resolve_options(weights=two, **common, **settings))
    with pytest.raises(UnsupportedError) as caught:
        make_restorer(resolve_options(weights=one, **common, **settings))
    assert caught.value.hint


def test_where_tone_is_all_that_a_network_corrects_keeping_it_changes_nothing(
    damaged: Path, tmp_path: Path
) -> None:
    model = build("hierarchical-vae", TINY_FLAGSHIP)
    shaken(model.get_submodule("tone"))
    header = WeightsHeader(architecture=model.name, config=asdict(model.config), training={}, shapes={})
    write_weights(tmp_path / "tone.safetensors", model.weights(), header)
    for keep_tone in (True, False):
        out = tmp_path / f"out{keep_tone}"
        restore_folder(
            damaged.parent, out, weights=tmp_path / "tone.safetensors", device="cpu", keep_tone=keep_tone
        )
        assert np.array_equal(levels(out / "a.png"), levels(damaged)) == keep_tone


def test_a_network_that_sees_no_masks_can_still_restore_only_what_they_mark(damaged: Path, tmp_path: Path) -> None:
    weights = write_tiny_weights(tmp_path / "w.safetensors", "skip-vae")
    mask = write_mask(tmp_path / "masks/a.png")
    (result,) = restore_folder(
        damaged.parent, tmp_path / "out", weights=weights, device="cpu", masks=tmp_path / "masks", only_masked=True
    )
    changed = (read_rgb8(tmp_path / "out/a.png") != read_rgb8(damaged)).any(axis=2)
    assert result.outcome == "restored"
    assert changed[mask].any()
    assert not changed[~mask].any()


def test_the_flagship_writes_all_of_it(damaged: Path, tmp_path: Path) -> None:
    weights = write_tiny_weights(tmp_path / "w.safetensors", "hierarchical-vae")
    settings = {"weights": weights, "device": "cpu", "uncertainty": True, "changes": True, "samples": 2}
    for out in ("one", "two"):
        (result,) = restore_folder(damaged, tmp_path / out, **settings)
        assert result.outcome == "restored", result.reason
        assert result.unsure
    expected = {
        f"a.png.{kind}.png" for kind in OutputOptions(uncertainty=True, changes=True, samples=2).companions
    }
    assert files(tmp_path / "one") == expected | {"a.png"}
    for name in files(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    first, second = (levels(tmp_path / f"one/a.png.sample-{n}.png") for n in (1, 2))
    assert not np.array_equal(first, second)
