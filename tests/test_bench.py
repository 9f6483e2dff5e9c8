"""The benchmarks run, on next to nothing, and are listed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from artrestore.io.weights_file import read_header
from artrestore.models.loading import load_model
from artrestore.sampling.density import fit_gaussian
from artrestore.sampling.encodings import encode, read_squares
from conftest import TINY_OF, save_smooth, write_tiny_weights

BENCH = Path(__file__).parents[1] / "bench"
FEW = "--side 64 --pictures 2 --device cpu"
SMALL = "--crop-size 32 --batch-size 2 --workers 0 --device cpu"
# What to type, and what is printed then.
COMMANDS = {
    f"flagship.py clear --weights a=a.safetensors b=b.safetensors --only mild dust --variants 1 {FEW}": (
        "undamaged (2)", "mild (2)", "dust (2)", "Summary",
    ),
    f"kodak.py clear --weights a=a.safetensors {FEW}": ("sigma 50", "FFDNet"),
    "uncertainty.py clear --weights a.safetensors --recipe mild --no-kinds --crops 2 --side 64 --samples 2": (
        "not calibrated", "all recipes", "AUSE", "spread over error",
    ),
    f"flagship_sheet.py clear sheets --weights a.safetensors --recipes mild --large clear --detail 64 {FEW}": (
        "Sheets are in sheets",
    ),
    "damage.py clear --loader-only --recipes none --workers 1 --size 32 --seconds 0.1": ("1 worker", "none"),
    "study.py clear clear --arch conv-vae pix2pix --minutes 0.02 --recipe mild --variants 1 --samples 4 "
    "--workers 0 --config tiny --device cpu": ("Means over 3 pictures", "pix2pix", "sample -n 4"),
    "beta_sweep.py clear clear --arch conv-vae --betas 0.1 10 --minutes 0.02 --samples 8 --workers 0 --device cpu "
    "--config tiny/conv-vae.toml": ("PSNR", "active", "beta.png"),
    "pack_pictures.py clear packed": ("3 pictures",),
    "revive.py a.safetensors b.safetensors --pictures clear --coarsest": ("were dead", "times the median one"),
    "gigapixel.py --megapixels 0.3 --scratch .": ("GiB", "548 x 548 tif"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def material() -> None:
    for index in range(3):
        save_smooth(Path(f"clear/{index}.png"), 80, 72, seed=index)
    write_tiny_weights(Path("a.safetensors"), "hierarchical-vae")
    write_tiny_weights(Path("b.safetensors"), "skip-vae")
    for name in ("conv-vae", "pix2pix"):
        fields = "\n".join(f"{key} = {json.dumps(value)}" for key, value in TINY_OF[name].items())
        Path("tiny").mkdir(exist_ok=True)
        Path(f"tiny/{name}.toml").write_text(f"batch_size = 4\n[model]\n{fields}\n")


def bench(command: str) -> subprocess.CompletedProcess[str]:
    script, *arguments = command.split()
    return subprocess.run(
        [sys.executable, BENCH / script, *arguments], capture_output=True, text=True, timeout=300,
        env={**os.environ, "COLUMNS": "200"}, check=False,
    )  # fmt: skip


def test_every_benchmark_is_listed() -> None:
    listed = (BENCH / "README.md").read_text()
    assert {path.name for path in BENCH.glob("*.py") if path.name not in listed} == set()


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[0])
def test_a_benchmark_runs_and_prints_what_it_measures(command: str) -> None:
    done = bench(command)
    assert done.returncode == 0, done.stderr
    assert [text for text in COMMANDS[command] if text not in done.stdout] == []


@pytest.mark.slow
def test_uncertainty_is_not_measured_where_none_was_learned() -> None:
    done = bench("uncertainty.py clear --weights b.safetensors --device cpu")
    assert done.returncode == 1
    assert "cannot tell how sure it is" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_flagship_is_trained_exported_and_calibrated_by_one_command() -> None:
    done = bench(f"train_flagship.py clear --calibrate-on clear --out out --minutes 0.1 {SMALL}")
    assert done.returncode == 0, done.stderr
    header = read_header(Path("out/default.safetensors"))
    assert header.calibration is not None
    assert header.training["stage"] == "uncertainty"
    assert header.training["began_from"]["stage"] == "refine"


def test_a_folded_density_becomes_the_prior_and_pictures_decode_as_before() -> None:
    for index in range(24):
        save_smooth(Path(f"many/{index}.png"), 40, 36, seed=index)
    write_tiny_weights(Path("r.safetensors"), "resnet-vae")
    done = bench("fold_density.py r.safetensors many f.safetensors")
    assert done.returncode == 0, done.stderr
    before, after = (load_model(f"{name}.safetensors", device="cpu") for name in "rf")
    pictures = torch.cat(read_squares(before, Path("many")))
    posterior = encode(after, pictures)
    with torch.inference_mode():
        torch.testing.assert_close(after.model(pictures), before.model(pictures), atol=1e-4, rtol=0)
    fitted = fit_gaussian(posterior)
    torch.testing.assert_close(fitted.means[0], torch.zeros_like(fitted.means[0]), atol=1e-3, rtol=0)
    variances = (fitted.roots[0] @ fitted.roots[0].T).diagonal()
    torch.testing.assert_close(variances, torch.ones_like(variances), atol=1e-2, rtol=0)


@pytest.mark.slow
def test_the_weights_of_sample_are_trained_and_folded_by_one_command() -> None:
    done = bench("train_flagship.py clear --generative --out out --minutes 0.05 --batch-size 2 --device cpu")
    assert done.returncode == 0, done.stderr
    assert read_header(Path("out/generative.safetensors")).architecture == "resnet-vae"


@pytest.mark.slow
def test_nafnet_trains_as_one_more_architecture() -> None:
    pytest.importorskip("spandrel")
    done = bench(f"nafnet.py train clear --arch nafnet --steps 1 --out run {SMALL}")
    assert done.returncode == 0, done.stderr
    assert read_header(Path("run/best.safetensors")).architecture == "nafnet"
