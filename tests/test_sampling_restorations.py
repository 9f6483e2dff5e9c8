"""`artrestore sample --from`: several plausible restorations of one picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artrestore.io.pictures import read_rgb8
from conftest import save_smooth, write_tiny_weights


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_tiny_weights(tmp_path / "flagship.safetensors", "hierarchical-vae")


def test_a_grid_and_single_restorations_are_drawn(weights: Path, run) -> None:
    save_smooth(Path("in/a.jpg"), 50, 40, dpi=(150, 150))
    arguments = ("sample", "-n", 3, "--from", "in/a.jpg", "--weights", weights, "--separate", "each", "--seed", 4)
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "3 restorations of in/a.jpg" in result.output
    drawn = [read_rgb8(Path(f"each/sample-000{number}.png")) for number in (1, 2, 3)]
    assert all(picture.shape == (40, 50, 3) for picture in drawn)
    assert not np.array_equal(drawn[0], drawn[1])
    with Image.open("each/sample-0001.png") as opened:
        assert round(opened.info["dpi"][0]) == 150
    grid = read_rgb8(Path("samples.png"))
    assert np.array_equal(grid[2:42, 2:52], drawn[0])
    assert np.array_equal(grid[2:42, 54:104], drawn[1])
    assert run(*arguments).exit_code == 6
    assert run(*arguments, "--overwrite").exit_code == 0
    assert np.array_equal(read_rgb8(Path("samples.png")), grid)
    run(*arguments, "--overwrite", "--seed", 5)
    assert not np.array_equal(read_rgb8(Path("samples.png")), grid)


def test_they_are_those_that_restore_writes(weights: Path, run) -> None:
    save_smooth(Path("in/a.png"), 50, 40)
    run("sample", "-n", 2, "--from", "in/a.png", "--weights", weights, "--separate", "each", "--seed", 7)
    result = run("restore", "in", "out", "--weights", weights, "--samples", 2, "--seed", 7)
    assert result.exit_code == 0, result.output
    for number in (1, 2):
        written = read_rgb8(Path(f"out/a.png.sample-{number}.png"))
        assert np.array_equal(written, read_rgb8(Path(f"each/sample-000{number}.png")))


def test_without_temperature_all_are_the_mean(weights: Path, run) -> None:
    save_smooth(Path("in/a.png"), 50, 40)
    run("restore", "in", "out", "--weights", weights)
    run("sample", "-n", 2, "--from", "in/a.png", "--weights", weights, "--separate", "each", "--temperature", 0)
    for number in (1, 2):
        assert np.array_equal(read_rgb8(Path("out/a.png")), read_rgb8(Path(f"each/sample-000{number}.png")))


def test_large_pictures_are_made_small_in_the_grid_alone(weights: Path, run) -> None:
    save_smooth(Path("in/a.png"), 600, 300)
    run("sample", "-n", 2, "--from", "in/a.png", "--weights", weights, "--separate", "each")
    assert read_rgb8(Path("each/sample-0001.png")).shape == (300, 600, 3)
    assert read_rgb8(Path("samples.png")).shape == (240 + 4, 2 * 482 + 2, 3)


def test_what_cannot_be_drawn_is_refused(weights: Path, tmp_path: Path, run) -> None:
    picture = save_smooth(tmp_path / "in/a.png")
    before = picture.read_bytes()
    one = write_tiny_weights(tmp_path / "one.safetensors", "conv-vae")
    for arguments, code in (
        (("--from", picture, "--weights", one), 4),
        (("--from", "nowhere.png", "--weights", weights), 3),
        (("--from", picture, "--weights", weights, "--temperature", "nan"), 2),
        (("--from", picture, "--weights", weights, "--out", picture, "--overwrite"), 6),
        (("--weights", weights), 4),
    ):
        result = run("sample", "-n", 1, *arguments)
        assert result.exit_code == code, result.output
        assert "Hint:" in result.output or code in (2, 3)
    assert picture.read_bytes() == before
    assert not Path("samples.png").exists()
