"""Comparing networks on the same pictures."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import Result

from artrestore.cli.compare import _named
from artrestore.io.weights_file import read_header, read_tensors, write_weights
from artrestore.models.cost import multiply_adds_per_pixel
from artrestore.models.registry import ARCHITECTURES, build
from artrestore.scoring import score_folders
from conftest import TINY_OF, write_tiny_weights


@pytest.fixture
def compared(picture_set: tuple[Path, Path], run) -> Result:
    """Two networks compared, and all files written."""
    write_tiny_weights(Path("one.safetensors"), "conv-vae")
    write_tiny_weights(Path("runs/gan/best.safetensors"), "pix2pix")
    clear, damaged = picture_set
    return run(
        "compare", "one.safetensors", "runs/gan/best.safetensors", "--damaged", damaged, "--clear", clear,
        "--json", "c.json", "--csv", "c.csv", "--sheet", "c.png", "--device", "cpu", "--precision", "fp32",
    )  # fmt: skip


def test_the_table_has_a_row_for_each_network_and_one_for_what_was_given(compared: Result) -> None:
    assert compared.exit_code == 0, compared.output
    assert "Means over 10 pictures" in compared.output
    for word in (
        "MSE",
        "NRMSE",
        "PSNR",
        "SSIM",
        "Hist.",
        "met.",
        "kMAC/",
        "s/MP",
        "Train",
        "damaged",
        "one",
        "gan",
    ):
        assert word in compared.output


def test_a_network_scores_as_if_its_restorations_were_scored(
    compared: Result, picture_set: tuple[Path, Path], run
) -> None:
    networks = {row["name"]: row for row in json.loads(Path("c.json").read_text())["networks"]}
    assert list(networks) == ["damaged", "one", "gan"]
    clear, damaged = picture_set
    arguments = ("--weights", "runs/gan/best.safetensors", "--device", "cpu", "--precision", "fp32")
    assert run("restore", damaged, "restored", *arguments).exit_code == 0
    scores = score_folders("restored", clear, damaged)
    for name, side in (("gan", "after"), ("damaged", "before")):
        expected = sum(getattr(score, side).psnr for score in scores) / len(scores)
        assert networks[name]["psnr"] == pytest.approx(expected, abs=1e-6)


def test_json_holds_every_picture_and_csv_the_table(compared: Result) -> None:
    found = json.loads(Path("c.json").read_text())
    assert len(found["by_picture"]) == found["pictures"] == 10
    assert set(found["by_picture"][0]["metrics"]) == {"damaged", "one", "gan"}
    gan = found["networks"][2]
    assert gan["parameters"] == build("pix2pix", TINY_OF["pix2pix"]).parameter_count
    assert gan["seconds_per_megapixel"] > 0
    with Path("c.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["architecture"] for row in rows] == ["", "conv-vae", "pix2pix"]
    assert float(rows[1]["ssim"]) == found["networks"][1]["ssim"]


def test_the_sheet_shows_damaged_each_network_and_clear(compared: Result) -> None:
    with Image.open("c.png") as sheet:
        assert 4 * 256 < sheet.width < 5 * 256


def test_the_table_fits_a_terminal_of_80_columns(
    picture_set: tuple[Path, Path], run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = [f"{name}={write_tiny_weights(Path(f'{name}.safetensors'), name)}" for name in ARCHITECTURES]
    clear, damaged = picture_set
    result = run("compare", *names, "--damaged", damaged / "b", "--clear", clear / "b", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert max(map(len, result.output.splitlines())) <= 80
    assert "…" not in result.output
    rows = [line.split()[0] for line in result.output.splitlines() if ".0M " in line or ".2M " in line]
    assert rows == ["conv-vae", "skip-vae", "unet-vae", "pix2pix", "resnet-vae", "hierarchical-vae"]


def test_what_a_weight_file_tells_of_its_training_is_in_the_table(picture_set: tuple[Path, Path], run) -> None:
    clear, damaged = picture_set
    settings = ("--steps", 2, "--batch-size", 4, "--workers", 0, "--device", "cpu", "--config", "tiny.toml")
    tiny = "\n".join(f"{key} = {json.dumps(value)}" for key, value in TINY_OF["conv-vae"].items())
    Path("tiny.toml").write_text(f"[model]\n{tiny}\n")
    assert run("train", clear, damaged, "--arch", "conv-vae", "--out", "a", *settings).exit_code == 0
    more = ("train", clear, damaged, "--from", "a/last.safetensors", "--out", "b", "--steps", 2, "--batch-size", 4)
    assert run(*more, "--workers", 0, "--device", "cpu").exit_code == 0
    files = [f"{name}=" + f"{name}/last.safetensors" for name in "ab"]
    result = run("compare", *files, "--damaged", damaged, "--clear", clear, "--json", "c.json", "--device", "cpu")
    assert "not trained on the same" not in result.output + result.stderr
    _, first, second = json.loads(Path("c.json").read_text())["networks"]
    assert first["trained_pictures"] == 4
    both = [second["trained_seconds"], first["trained_seconds"]]
    assert both[0] == pytest.approx(second["record"]["seconds"] + both[1])  # the run it began from counts
    write_tiny_weights(Path("c.safetensors"))
    assert "-" in run("compare", "c.safetensors", "--damaged", damaged, "--clear", clear).output


def test_networks_that_learnt_from_other_pictures_are_told_of(picture_set: tuple[Path, Path], run) -> None:
    for name in ("a", "b"):
        path = write_tiny_weights(Path(f"{name}.safetensors"))
        header = replace(read_header(path), training={"data": {"digest": name}})
        write_weights(path, read_tensors(path), header)
    clear, damaged = picture_set
    result = run("compare", "a.safetensors", "b.safetensors", "--damaged", damaged / "b", "--clear", clear / "b")
    assert result.exit_code == 0, result.output
    assert "not trained on the same pictures" in " ".join(result.stderr.split())


def test_names_and_addresses_of_weights_are_no_files_named_by_an_equals_sign() -> None:
    address = "https://example.org/net.safetensors#sha256=" + "ab" * 32
    assert _named([address, f"mine={address}", "default", "b=c.safetensors", "runs/gan/best.safetensors"]) == {
        "net-abababab": address, "mine": address, "default": "default", "b": "c.safetensors",
        "gan": "runs/gan/best.safetensors",
    }  # fmt: skip


def test_networks_of_one_name_are_refused(picture_set: tuple[Path, Path], run) -> None:
    for folder in ("a", "b"):
        write_tiny_weights(Path(folder) / "x.safetensors")
    clear, damaged = picture_set
    result = run("compare", "a/x.safetensors", "b/x.safetensors", "--damaged", damaged, "--clear", clear)
    assert result.exit_code == 2
    assert "names of their own" in result.stderr
    assert "Hint:" in result.stderr


def test_pictures_without_a_clear_one_are_refused_before_work(picture_set: tuple[Path, Path], run) -> None:
    clear, damaged = picture_set
    next(clear.rglob("*.png")).unlink()
    result = run("compare", "default", "--damaged", damaged, "--clear", clear, "--json", "c.json")
    assert result.exit_code == 3
    assert not Path("c.json").exists()


def test_multiply_adds_are_those_of_the_layers() -> None:
    config = {"picture_size": 32, "widths": (8, 16), "hidden_dim": 4, "latent_dim": 2}
    down = 3 * 8 * 16 * 16 * 16 + 8 * 16 * 16 * 8 * 8
    dense = 16 * 8 * 8 * 4 + 2 * 4 * 2 + 2 * 4 + 4 * 16 * 8 * 8
    assert multiply_adds_per_pixel("conv-vae", config) * 32 * 32 == 2 * down + dense
