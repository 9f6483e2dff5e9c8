"""Large pictures and those of several pages: read, restored and written by rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from artrestore.io.pictures import PictureWriter, open_picture, read_picture
from artrestore.restoration import streaming
from artrestore.restoration.batch import restore_folder
from artrestore.restoration.options import resolve_options
from artrestore.restoration.plan import plan_batch
from conftest import smooth_picture, write_tiny_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "flagship.safetensors"
    write_tiny_weights(path, "hierarchical-vae")
    return path


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MOST_IN_MEMORY", 1000)


def save(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def pixels(height: int, width: int) -> np.ndarray:
    return smooth_picture(width, height)


def restore(source: Path, target: Path, weights: Path, **settings: Any) -> Any:
    (result,) = restore_folder(
        source, target, weights=weights, precision="fp32", tile_size=64, overlap=16, **settings
    )
    assert result.outcome == "restored", result.reason
    return result


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "webp", "bmp", "jp2"])
def test_by_rows_a_picture_is_restored_as_it_is_as_a_whole(
    tmp_path: Path, weights: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / f"in/a.{suffix}", pixels(200, 90))
    whole = restore(tmp_path / "in", tmp_path / "whole", weights)
    monkeypatch.setattr(streaming, "MOST_IN_MEMORY", 1000)
    rows = restore(tmp_path / "in", tmp_path / "rows", weights)
    assert (tmp_path / f"whole/a.{suffix}").read_bytes() == (tmp_path / f"rows/a.{suffix}").read_bytes()
    assert rows.size == whole.size == (90, 200)
    assert rows.change == pytest.approx(whole.change, rel=1e-4)


def test_maps_samples_and_masks_are_the_same_by_rows(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "in/a.png", pixels(200, 90))
    lost = np.zeros((200, 90), dtype=np.uint8)
    lost[50:120, 30:60] = 255
    save(tmp_path / "masks/a.png", lost)
    settings = {
        "uncertainty": True, "changes": True, "samples": 2, "masks": tmp_path / "masks", "keep_unsure": 30.0,
        "strength": 0.8,
    }  # fmt: skip
    whole = restore(tmp_path / "in", tmp_path / "whole", weights, **settings)
    monkeypatch.setattr(streaming, "MOST_IN_MEMORY", 1000)
    rows = restore(tmp_path / "in", tmp_path / "rows", weights, **settings)
    names = sorted(path.name for path in (tmp_path / "whole").glob("a.png*"))
    assert len(names) == 6
    for name in names:
        one, other = (np.asarray(Image.open(tmp_path / folder / name)) for folder in ("whole", "rows"))
        np.testing.assert_array_equal(one, other, err_msg=name)
    assert rows.unsure == pytest.approx(whole.unsure, rel=1e-4)


def test_every_page_is_restored(tmp_path: Path, weights: Path) -> None:
    first, second = pixels(80, 60), pixels(50, 70)
    save(tmp_path / "in/book.tif", first, save_all=True, append_images=[Image.fromarray(second)], dpi=(300, 300))
    save(tmp_path / "single/1.tif", first)
    save(tmp_path / "single/2.tif", second)
    restore(tmp_path / "in", tmp_path / "out", weights)
    restore_folder(
        tmp_path / "single", tmp_path / "alone", weights=weights, precision="fp32", tile_size=64, overlap=16
    )
    with open_picture(tmp_path / "out/book.tif") as book:
        assert book.pages == 2
        for number in (1, 2):
            alone = read_picture(tmp_path / f"alone/{number}.tif").native
            np.testing.assert_array_equal(book.page(number - 1).read().native, alone)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="nothing tells which files are open")
def test_pages_do_not_add_up_to_open_files(tmp_path: Path) -> None:
    many = [Image.fromarray(pixels(20, 30)) for _ in range(12)]
    path = save(tmp_path / "book.tif", pixels(20, 30), save_all=True, append_images=many)
    opened = []
    with open_picture(path) as book, PictureWriter(tmp_path / "out.tif", book) as writer:
        for index in range(book.pages):
            page = book.page(index)
            writer.write_rows(index, 0, page.rows(0, page.height))
            opened.append(len(list(Path("/proc/self/fd").iterdir())))
        assert book.page(3).rows(0, 20).shape == (3, 20, 30), "a page that rests can be read again"
    assert opened[-1] == opened[1]
    with open_picture(tmp_path / "out.tif") as book:
        assert book.pages == 13
        np.testing.assert_array_equal(book.page(5).read().native, np.asarray(many[4]))


def test_pages_with_maps_are_refused(tmp_path: Path, weights: Path) -> None:
    save(tmp_path / "in/book.tif", pixels(40, 60), save_all=True, append_images=[Image.fromarray(pixels(40, 60))])
    (result,) = restore_folder(tmp_path / "in", tmp_path / "out", weights=weights, uncertainty=True)
    assert result.outcome == "failed"
    assert "2 pages" in result.reason
    assert not list((tmp_path / "out").glob("book*"))


@pytest.mark.usefixtures("small_memory")
def test_a_large_picture_that_is_cut_short_leaves_nothing(tmp_path: Path, weights: Path) -> None:
    path = save(tmp_path / "in/a.png", np.random.default_rng(0).integers(0, 255, (300, 200, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:90_000])
    (result,) = restore_folder(tmp_path / "in", tmp_path / "out", weights=weights, changes=True)
    assert result.outcome == "failed"
    assert [p.name for p in (tmp_path / "out").iterdir() if "artrestore" not in p.name] == []


@pytest.mark.usefixtures("small_memory")
def test_a_large_picture_has_no_metrics_and_says_so(tmp_path: Path, weights: Path) -> None:
    save(tmp_path / "in/a.png", pixels(60, 60))
    save(tmp_path / "clear/a.png", pixels(60, 60))
    result = restore(tmp_path / "in", tmp_path / "out", weights, clear=tmp_path / "clear")
    assert result.after is None
    assert "for metrics" in result.reason


@pytest.mark.usefixtures("small_memory")
def test_a_large_picture_that_is_stored_turned_is_restored_upright(tmp_path: Path, weights: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "in/deep/a.png", pixels(70, 120), exif=exif)
    save(tmp_path / "upright/a.png", np.rot90(pixels(70, 120), -1).copy())
    result = restore(tmp_path / "in", tmp_path / "out", weights)
    assert result.size == (70, 120)
    restore(tmp_path / "upright", tmp_path / "expected", weights)
    one, other = (read_picture(tmp_path / path).native for path in ("out/deep/a.png", "expected/a.png"))
    np.testing.assert_array_equal(one, other)


def test_room_is_wanted_for_the_rows_of_the_largest_picture(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, height in enumerate((60, 100, 80)):
        save(tmp_path / f"in/{number}.png", pixels(height, 70))
    options = resolve_options(source=tmp_path / "in", target=tmp_path / "out", weights=weights)
    in_memory = plan_batch(options).needed_bytes
    monkeypatch.setattr(streaming, "MOST_IN_MEMORY", 1000)
    assert plan_batch(options).needed_bytes == in_memory + 100 * 70 * 3
