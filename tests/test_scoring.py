import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artrestore.errors import InputError, PairingError
from artrestore.metrics import Metrics, pooled_psnr, summarize
from artrestore.scoring import score_folders
from conftest import save_smooth, smooth_picture


def save_shifted(path: Path, shift: int, seed: int = 0) -> None:
    """The smooth picture held to 50..200, and brighter by `shift` levels: its error is known."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = 50 + smooth_picture(48, 40, seed).astype(float) * 150 / 255
    Image.fromarray((np.rint(pixels) + shift).astype(np.uint8)).save(path)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    for index, (after, before) in enumerate([(5, 20), (10, 40)]):
        save_shifted(tmp_path / f"clear/x/{index}.png", 0, index)
        save_shifted(tmp_path / f"restored/x/{index}_v.png", after, index)
        save_shifted(tmp_path / f"damaged/x/{index}_v.png", before, index)
    return tmp_path / "restored", tmp_path / "clear", tmp_path / "damaged"


def test_metrics_are_those_of_the_known_error(folders: tuple[Path, Path, Path]) -> None:
    scores = score_folders(*folders)
    assert [s.name for s in scores] == ["x/0_v.png", "x/1_v.png"]
    for s, after, before in zip(scores, (5, 10), (20, 40), strict=True):
        assert s.before
        assert s.after.psnr == pytest.approx(-20 * math.log10(after / 255), abs=1e-3)
        assert s.before.psnr == pytest.approx(-20 * math.log10(before / 255), abs=1e-3)


def test_mean_and_deviation_are_over_pictures(folders: tuple[Path, Path, Path]) -> None:
    after = [s.after for s in score_folders(*folders)]
    values = [m.psnr for m in after]
    summary = summarize(after)["psnr"]
    assert summary.mean == pytest.approx(np.mean(values))
    assert summary.std == pytest.approx(np.std(values))
    assert pooled_psnr(after) == pytest.approx(-10 * math.log10((25 + 100) / 2 / 255**2), abs=1e-3)


def test_a_perfect_picture_among_others_gives_infinity_and_no_warning() -> None:
    perfect = Metrics(mse=0, nrmse=0, psnr=math.inf, ssim=1, hist_corr=1)
    good = Metrics(mse=0.01, nrmse=0.1, psnr=20, ssim=0.9, hist_corr=0.9)
    summary = summarize([perfect, good])["psnr"]
    assert summary.mean == math.inf
    assert math.isnan(summary.std)


def test_sizes_that_differ_are_an_error_naming_both(folders: tuple[Path, Path, Path]) -> None:
    save_smooth(folders[0] / "x/0_v.png", 30, 30)
    with pytest.raises(InputError, match="nothing is resized") as caught:
        score_folders(*folders)
    assert "30 x 30" in caught.value.details[0]
    assert "48 x 40" in caught.value.details[0]


def test_a_picture_without_its_damaged_one_is_refused(folders: tuple[Path, Path, Path]) -> None:
    (folders[2] / "x/1_v.png").unlink()
    with pytest.raises(PairingError) as caught:
        score_folders(*folders)
    assert caught.value.details == ("x/1_v.png",)


def test_the_command_shows_and_writes_all_figures(folders: tuple[Path, Path, Path], tmp_path: Path, run) -> None:
    restored, clear, damaged = folders
    files = {key: tmp_path / f"score.{key}" for key in ("json", "csv", "png")}
    result = run(
        "score", restored, clear, "--damaged", damaged, "--json", files["json"], "--csv", files["csv"],
        "--sheet", files["png"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    for word in ("MSE", "NRMSE", "PSNR", "SSIM", "Hist. corr.", "Mean", "Standard deviation", "Gain", "x/0_v.png"):
        assert word in result.output
    summary = json.loads(files["json"].read_text())["summary"]
    gained = summary["restored"]["psnr"]["mean"] - summary["damaged"]["psnr"]["mean"]
    assert gained == pytest.approx(20 * math.log10(4), abs=1e-3)
    assert f"+{gained:.2f}" in result.output
    with files["csv"].open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["gain_psnr"]) == pytest.approx(gained, abs=1e-3)
    with Image.open(files["png"]) as sheet:
        assert sheet.width > 3 * 300


def test_the_command_without_damaged_ones_shows_no_gain(folders: tuple[Path, Path, Path], run) -> None:
    result = run("score", folders[0], folders[1])
    assert result.exit_code == 0
    assert "Gain" not in result.output
