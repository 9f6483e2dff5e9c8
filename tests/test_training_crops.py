"""Crops with their surroundings, and generated pictures."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from artrestore.damage.base import View
from artrestore.damage.recipes import Recipe, load_recipe, parse_recipe
from artrestore.training.batches import Batch, as_floats
from artrestore.training.cropping import Cropping
from artrestore.training.crops import (
    Pixels,
    in_palette,
    palette_of,
    place_of,
    recoloured,
    square_thumbnail,
    varied_scene,
)
from artrestore.training.data import CropDataset
from artrestore.training.details import with_details
from artrestore.training.leaves import dead_leaves
from artrestore.training.pairs import PicturePair
from artrestore.training.synthesis import Synthesis

NOTHING = parse_recipe('[[steps]]\nkind = "noise"\nprobability = 0\n', name="nothing")


def slope(height: int, width: int) -> Pixels:
    """A picture whose colour tells where one is: red grows to the right, green downwards."""
    red, green = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([red, green, np.full_like(red, 128)], axis=2).astype(np.uint8)


def at_place(thumbnail: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """The thumbnail's colour in the middle of a place: (3,)."""
    row, column = (int(128 * (place[axis] + place[axis + 2]) / 2) for axis in (0, 1))
    return thumbnail[:, min(row, 127), min(column, 127)].float()


def crops(cropping: Cropping, given: Pixels | None, clear: Pixels, count: int = 30) -> Batch:
    return cropping.random(given, clear, count, np.random.default_rng(0))


def test_recoloured_pictures_change_alike_and_in_colour_alone() -> None:
    picture = slope(64, 96)
    for seed in range(10):
        whole, part = recoloured([picture, picture[10:30, 20:50]], np.random.default_rng(seed))
        assert np.array_equal(whole[10:30, 20:50], part)
        assert 1 < np.abs(whole.astype(float) - picture).mean() < 60
        grey = whole.astype(float).mean(axis=2)
        assert (np.diff(grey, axis=0) >= -1).all()  # what was lighter is lighter
        assert (np.diff(grey, axis=1) >= -1).all()


def test_a_picture_lies_between_its_own_palette_and_another_ones() -> None:
    picture, other = slope(64, 96), slope(64, 96) // 3 + np.array([90, 20, 10], np.uint8)
    own, wanted = palette_of(picture), palette_of(other)
    np.testing.assert_allclose(in_palette(picture, own, np.random.default_rng(0)).astype(float), picture, atol=2)
    parts = []
    for seed in range(30):
        mapped = in_palette(picture, wanted, np.random.default_rng(seed))
        red = mapped[..., 0].astype(int)
        assert (np.diff(red, axis=1) >= 0).all()  # what had more red has no less
        parts.append((palette_of(mapped)[0] - own[0])[-1] / (wanted[0] - own[0])[-1])
    assert min(parts) < 0.2
    assert max(parts) > 0.8
    assert max(parts) < 1.05


def test_pictures_in_small_take_palettes_of_others() -> None:
    for name, level in (("dark", 40), ("light", 200)):
        noise = np.random.default_rng(0).normal(level, 8, (150, 150, 3))
        Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(f"{name}.png")
    pairs = [PicturePair(clear=Path(name), given=None) for name in ("dark.png", "light.png")]
    synthesis = Synthesis(recipe=NOTHING)

    def middling(recolour: float) -> int:
        cropping = Cropping(size=128, fit="thumbnail", synthesis=synthesis, surroundings=True, recolour=recolour)
        dataset = CropDataset(pairs, cropping, crops=1, seed=(0,))
        levels = [float(_batch(dataset[epoch, 0]).clear.float().mean()) for epoch in range(60)]
        return sum(90 < level < 220 for level in levels)

    assert middling(0.0) == 0
    assert 5 < middling(0.5) < 30


def _batch(item: object) -> Batch:
    assert isinstance(item, Batch)
    return item


def test_some_pictures_are_recoloured_with_their_thumbnails_before_they_are_damaged() -> None:
    synthesis, picture = Synthesis(recipe=NOTHING), slope(200, 200)
    as_it_is = Cropping(size=64, synthesis=synthesis, surroundings=True)
    blue = crops(as_it_is, None, picture).clear[:, 2].float().flatten(1).mean(1)
    assert (blue - 128).abs().max() < 1
    batch = crops(replace(as_it_is, recolour=0.5), None, picture)
    assert batch.around is not None
    blue, around = (values[:, 2].float().flatten(1).mean(1) for values in (batch.clear, batch.around.thumbnail))
    changed = (blue - 128).abs() > 2
    assert 5 < int(changed.sum()) < 25  # of 30
    torch.testing.assert_close(batch.given, batch.clear)
    assert (around[changed] - 128).abs().mean() > 2
    assert (around[~changed] - 128).abs().mean() < 2


@pytest.mark.parametrize("shape", [(400, 300), (300, 500)])
def test_a_pairs_crop_lies_where_its_place_says_however_it_is_mirrored(shape: tuple[int, int]) -> None:
    picture = slope(*shape)
    batch = crops(Cropping(size=64, surroundings=True), picture, picture)
    assert batch.around is not None
    for crop, thumbnail, place in zip(batch.given, batch.around.thumbnail, batch.around.place, strict=True):
        middle = crop[:, 30:34, 30:34].float().mean((1, 2))
        torch.testing.assert_close(middle, at_place(thumbnail, place), atol=4, rtol=0)
    to_the_right = batch.given[:, 0, :, -1].float().mean(1) > batch.given[:, 0, :, 0].float().mean(1)
    assert to_the_right.any()
    assert not to_the_right.all()  # some are mirrored, and their thumbnails with them


@pytest.mark.parametrize("shape", [(900, 640), (640, 1000)])
def test_a_damaged_crop_lies_where_its_place_says_however_it_is_turned(shape: tuple[int, int]) -> None:
    batch = crops(
        Cropping(size=64, synthesis=Synthesis(recipe=NOTHING), surroundings=True), None, slope(*shape), count=60
    )
    assert batch.around is not None
    for crop, thumbnail, place in zip(batch.given, batch.around.thumbnail, batch.around.place, strict=True):
        middle = crop[:, 28:36, 28:36].float().mean((1, 2))
        # At a picture's border a crop that is said to be larger than it is must move a little inwards.
        torch.testing.assert_close(middle, at_place(thumbnail, place), atol=16, rtol=0)


@pytest.mark.parametrize("fit", ["crop", "thumbnail"])
def test_many_of_the_pictures_are_details_of_one(fit: Literal["crop", "thumbnail"]) -> None:
    synthesis = Synthesis(recipe=NOTHING)
    batch = crops(Cropping(size=64, fit=fit, synthesis=synthesis, surroundings=True), None, slope(600, 800), 200)
    assert batch.around is not None
    reds_and_greens = batch.around.thumbnail[:, :2].flatten(2).float()
    parts = (reds_and_greens.amax(2) - reds_and_greens.amin(2)) / 255
    assert 80 < (parts.amin(1) > 0.75).sum() < 150
    assert 0.2 < parts.amin() < 0.3


def recipe_of(kind: str) -> Recipe:
    return parse_recipe(
        f'severity = [1.0, 1.0]\n[[steps]]\nkind = "{kind}"\nstrength = [0.4, 1.0]\n', name=f"{kind} alone"
    )


@pytest.mark.parametrize("kind", ["fading", "yellowed-varnish", "uneven-light", "colour-cast", "silvering"])
def test_tone_is_damaged_alike_in_a_crop_and_in_its_thumbnail(kind: str) -> None:
    synthesis, differences = Synthesis(recipe=recipe_of(kind)), []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        clear = np.full((*rng.integers(300, 900, 2), 3), (150, 120, 90), np.uint8)
        scene = varied_scene(clear, 64, rng)
        damaged, thumbnail, _ = synthesis.damage_with_thumbnail(scene.crop, scene.view, scene.small, rng)
        assert (damaged.float() - scene.crop.float()).abs().mean() > 0.1
        found = at_place(thumbnail, place_of(scene.view))
        differences.append((damaged[:, 30:34, 30:34].float().mean((1, 2)) - found).abs().max().item())
    assert np.median(differences) < 2


def test_what_is_told_of_losses_covers_them_and_is_told_half_of_the_time() -> None:
    synthesis = Synthesis(recipe=recipe_of("missing"))
    clear = torch.full((3, 64, 64), 120, dtype=torch.uint8)
    view, small = View.whole(64, 64), np.full((64, 64, 3), 120, np.uint8)
    told, changed_pixels, covered = 0, 0, 0
    for seed in range(60):
        damaged, _, lost = synthesis.damage_with_thumbnail(clear, view, small, np.random.default_rng(seed))
        assert lost.shape == (1, 64, 64)
        if lost.any():
            told += 1
            changed = (damaged.float() - 120).abs().amax(0) > 60
            changed_pixels += int(changed.sum())
            covered += int((changed & lost[0]).sum())
    assert 15 < told < 45
    assert covered > 0.9 * changed_pixels  # all but soft edges and shadows


def test_whole_pictures_in_small_are_damaged_in_tone_and_in_nothing_finer() -> None:
    for kind, damaged in (("fading", True), ("noise", False)):
        cropping = Cropping(
            size=128, fit="thumbnail", synthesis=Synthesis(recipe=recipe_of(kind)), surroundings=True
        )
        batch = crops(cropping, None, slope(300, 500), count=8)
        assert batch.around is not None
        assert torch.equal(batch.given, batch.around.thumbnail)
        assert batch.around.place.tolist() == [[0, 0, 1, 1]] * 8
        difference = (batch.given.float() - batch.clear.float()).abs().max()
        assert difference > 20 if damaged else difference <= 1  # of rounding
        assert len({crop.numpy().tobytes() for crop in batch.clear}) == 8  # parts, turned and mirrored


def test_a_pair_in_small_is_mirrored_alike() -> None:
    damaged = slope(300, 500) // 2
    batch = crops(Cropping(size=128, fit="thumbnail", surroundings=True), damaged, slope(300, 500), count=8)
    torch.testing.assert_close(batch.given.float() * 2, batch.clear.float(), atol=2, rtol=0)
    assert len({crop.numpy().tobytes() for crop in batch.clear}) == 2


def test_thumbnails_are_square_whatever_the_picture() -> None:
    for shape in ((40, 30), (128, 128), (300, 1000)):
        thumbnail = square_thumbnail(slope(*shape))
        assert thumbnail.shape == (3, 128, 128)
        assert thumbnail.float().mean().item() == pytest.approx(slope(*shape).mean(), abs=2)


def test_batches_become_floats_between_zero_and_one() -> None:
    batch = as_floats(crops(Cropping(size=32, surroundings=True), slope(60, 60), slope(60, 60)))
    assert batch.around is not None
    for values in (batch.given, batch.clear, batch.around.thumbnail, batch.around.lost, batch.around.place):
        assert values.dtype == torch.float32
        assert 0 <= values.min() <= values.max() <= 1


# Generated pictures


def test_the_same_generator_grows_the_same_leaves_and_others_do_not() -> None:
    first, again, other = (dead_leaves(96, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == (96, 96, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_leaves_have_the_edges_and_the_range_of_natural_pictures() -> None:
    pictures = np.stack([dead_leaves(128, np.random.default_rng(seed)) for seed in range(24)]).astype(np.float64)
    assert pictures.min() < 10
    assert pictures.max() > 245
    spread = pictures.mean(3).std((1, 2))
    assert spread.min() > 3
    # Differences of neighbours are mostly small and now and then large, as in photographs: a kurtosis far above
    # the 3 of a normal distribution, whatever the contrast.
    steps = np.diff(pictures.mean(3), axis=2).reshape(24, -1)
    kurtosis = (steps**4).mean(1) / (steps**2).mean(1) ** 2
    assert np.median(kurtosis) > 6


@pytest.mark.parametrize("side", [16, 48, 200])
def test_leaves_fall_on_pictures_of_any_size(side: int) -> None:
    assert dead_leaves(side, np.random.default_rng(0)).shape == (side, side, 3)


def generated(share: float, pictures: int = 60, **changes: object) -> list[Batch]:
    """Items of a dataset whose files are not there, unless all are generated; None where a file was asked for."""
    pairs = [PicturePair(clear=Path("nowhere.png"), given=None)] * pictures
    cropping = Cropping(size=32, synthesis=Synthesis(recipe=load_recipe("mild")), surroundings=True)
    dataset = CropDataset(pairs, cropping, crops=2, seed=(0,), generated=share)
    return [item for index in range(pictures) if isinstance(item := dataset[0, index], Batch)]


def test_generated_pictures_take_the_share_that_was_asked_for() -> None:
    assert len(generated(0.0)) == 0
    assert 8 <= len(generated(0.25)) <= 24
    items = generated(1.0)
    assert len(items) == 60
    assert len({item.clear.numpy().tobytes() for item in items}) == 60


def test_generated_pictures_are_damaged_and_come_with_surroundings() -> None:
    batch = generated(1.0, pictures=1)[0]
    assert batch.given.shape == (2, 3, 32, 32)
    assert batch.around is not None
    assert batch.around.thumbnail.shape == (2, 3, 128, 128)


def test_without_damage_a_generated_picture_is_its_own_clear_one() -> None:
    pair = PicturePair(clear=Path("nowhere.png"), given=Path("nowhere.png"))
    batch = CropDataset([pair], Cropping(size=32), crops=3, seed=(0,), generated=1.0)[0, 0]
    assert isinstance(batch, Batch)
    assert torch.equal(batch.given, batch.clear)


# Generated details


def test_details_are_the_same_for_the_same_generator_and_leave_the_picture_that_was_given_alone() -> None:
    picture = slope(96, 80)
    first, again, other = (with_details(picture, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == picture.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(picture, slope(96, 80))


def test_details_are_fine_and_stand_out() -> None:
    grey = np.full((128, 128, 3), 110, np.uint8)
    steps = np.stack([np.abs(with_details(grey, np.random.default_rng(seed)) - 110.0) for seed in range(60)])
    seen = (steps.max(3) > 25).mean((1, 2))
    assert np.median(seen) < 0.12  # of a picture
    assert (seen > 0.002).mean() > 0.7
    assert (steps.max((1, 2, 3)) > 60).mean() > 0.6


def test_some_details_are_the_faint_noise_of_the_file_itself() -> None:
    grey = np.full((96, 96, 3), 110, np.uint8)
    drawn = [with_details(grey, np.random.default_rng(seed)).astype(np.float64) for seed in range(60)]
    # Between neighbours, so that only what is everywhere counts; hairs and lights are in few places.
    spread = np.array([1.48 * np.median(np.abs(np.diff(d, axis=1))) for d in drawn])
    assert 0.25 < (spread > 0).mean() < 0.75
    assert np.quantile(spread, 0.95) < 10


def test_a_few_details_are_glints_by_the_hundred() -> None:
    grey = np.full((128, 128, 3), 110, np.uint8)
    drawn = [with_details(grey, np.random.default_rng(seed)).max(2) for seed in range(300)]
    # A top-hat leaves what is narrower than three pixels, and lighter by more than any noise of the file.
    narrow = [cv2.morphologyEx(d, cv2.MORPH_TOPHAT, np.ones((3, 3), np.uint8)) > 20 for d in drawn]
    specks = np.array([cv2.connectedComponents(n.astype(np.uint8))[0] - 1 for n in narrow])
    small = np.array([n.sum() for n in narrow]) < 4 * specks  # in pixels; lines of wood and cloth have more
    assert 0.005 < ((specks > 60) & small).mean() < 0.06


@pytest.mark.parametrize("surroundings", [False, True])
def test_details_are_part_of_what_is_to_be_restored(surroundings: bool) -> None:
    plain = np.full((200, 200, 3), 110, np.uint8)
    synthesis = Synthesis(recipe=NOTHING)
    cropping = Cropping(size=64, synthesis=synthesis, surroundings=surroundings, details=0.5)
    batch = crops(cropping, None, plain, count=40)
    assert torch.equal(batch.given, batch.clear)
    drawn = (batch.clear != 110).flatten(1).any(1).float().mean()
    assert 0.2 < drawn < 0.8
