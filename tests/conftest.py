"""Small pictures, small networks and the ways to run the program that many tests share."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image
from typer.testing import CliRunner, Result

from artrestore.cli.app import app
from artrestore.io.weights_file import WeightsHeader, write_weights
from artrestore.models.base import RestorationModel
from artrestore.models.registry import build
from artrestore.training.config import TrainConfig, resolve_config

settings.register_profile("untimed", deadline=None)  # a shared machine may stall any example
settings.load_profile("untimed")

TINY = {"picture_size": 32, "widths": (8, 12, 16), "hidden_dim": 16, "latent_dim": 6}
TINY_FLAGSHIP = {
    "widths": (8, 8, 8, 8), "blocks": (1, 1, 1), "middle_blocks": 2, "noise": (2, 2, 2), "coarse_passes": 1,
}  # fmt: skip
TINY_UNET = {"widths": (8, 8, 16, 16, 16)}  # which makes pictures of 32 pixels
TINY_OF = {
    "conv-vae": TINY,
    "skip-vae": TINY,
    "unet-vae": {**TINY_UNET, "latent_dim": 6},
    "pix2pix": {**TINY_UNET, "discriminator_widths": (4, 8), "discriminator_hidden": 8},
    "resnet-vae": {"picture_size": 32, "widths": (8, 12, 16), "latent_dim": 8},
    "hierarchical-vae": TINY_FLAGSHIP,
}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees another's runs, weights or settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARTRESTORE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("ARTRESTORE_OFFLINE", "0")  # set, so that what --offline sets is undone
    for name in ("ARTRESTORE_WEIGHTS", "ARTRESTORE_DEVICE", "ARTRESTORE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def smooth_picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A colourful picture without hard edges, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def save_smooth(path: Path, width: int = 48, height: int = 40, seed: int = 0, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(smooth_picture(width, height, seed)).save(path, **options)
    return path


@pytest.fixture
def picture_set(tmp_path: Path) -> tuple[Path, Path]:
    """Folders of 5 clear pictures, in two sub-folders, and of 2 noisy versions of each."""
    clear, damaged = tmp_path / "clear", tmp_path / "damaged"
    for index in range(5):
        name = f"{'a' if index < 3 else 'b/c'}/picture ({index})"
        pixels = smooth_picture(48, 40, index)
        save_smooth(clear / f"{name}.png", seed=index)
        for variant in range(2):
            noise = np.random.default_rng((index, variant)).normal(0, 30, pixels.shape)
            target = damaged / f"{name}_{variant}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8)).save(target)
    return clear, damaged


@pytest.fixture
def tiny_config(tmp_path: Path) -> Path:
    """A settings file that makes the networks tiny and keeps all work in one process."""
    path = tmp_path / "tiny.toml"
    fields = "\n".join(f"{key} = {json.dumps(value)}" for key, value in TINY.items())
    path.write_text(f"workers = 0\nbatch_size = 8\ncrops_per_picture = 2\n[model]\n{fields}\n")
    return path


def shaken(model: RestorationModel) -> RestorationModel:
    """The model with every parameter moved a little: parts that begin at zero do something then."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def tiny_model(name: str, seed: int = 0) -> RestorationModel:
    """A tiny network of an architecture; the flagship, which begins as the identity, is shaken to do something."""
    torch.manual_seed(seed)
    model = build(name, TINY_OF[name])
    return shaken(model) if name == "hierarchical-vae" else model


def write_tiny_weights(path: Path, name: str = "conv-vae", seed: int = 0) -> Path:
    model = tiny_model(name, seed)
    header = WeightsHeader(architecture=name, config=asdict(model.config), training={}, shapes={})
    write_weights(path, model.weights(), header)
    return path


@pytest.fixture
def tiny_weights(tmp_path: Path) -> Path:
    return write_tiny_weights(tmp_path / "tiny.safetensors", "skip-vae")


@pytest.fixture
def run() -> Callable[..., Result]:
    """Run the program in process: `run("score", a, b)`; every argument becomes text."""

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def config(picture_set: tuple[Path, Path], tmp_path: Path) -> Callable[..., TrainConfig]:
    def make(**changes: Any) -> TrainConfig:
        settings = {
            "clear": picture_set[0], "distorted": picture_set[1], "out": tmp_path / "run", "model": TINY,
            "steps": 8, "batch_size": 8, "crops_per_picture": 2, "workers": 0, "device": "cpu",
            "precision": "fp32",
        }  # fmt: skip
        return resolve_config(settings | changes)

    return make
