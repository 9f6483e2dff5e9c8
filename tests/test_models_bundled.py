"""The weights that come with the package, by name."""

from pathlib import Path

import pytest

from artrestore.errors import WeightsError
from artrestore.models import loading
from artrestore.models.loading import find_weights, load_model
from artrestore.models.registry import BUNDLED_WEIGHTS, DEFAULT_WEIGHTS, GENERATIVE_WEIGHTS
from conftest import write_tiny_weights

MOST_BYTES = {"default": 20_000_000, "generative": 8_000_000}


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bundled"
    folder.mkdir()
    monkeypatch.setattr("artrestore.models.loading.BUNDLED_FOLDER", folder)
    write_tiny_weights(folder / "default.safetensors", "hierarchical-vae")
    write_tiny_weights(folder / "generative.safetensors", "conv-vae")
    return folder


def test_nothing_named_means_the_bundled_default(bundled: Path) -> None:
    assert load_model(device="cpu").path == bundled / "default.safetensors"
    assert load_model(DEFAULT_WEIGHTS, device="cpu").model.name == "hierarchical-vae"


def test_bundled_weights_are_loaded_by_name_and_files_by_path(bundled: Path, tmp_path: Path) -> None:
    assert load_model(GENERATIVE_WEIGHTS, device="cpu").model.name == "conv-vae"
    assert load_model(Path(GENERATIVE_WEIGHTS), device="cpu").model.name == "conv-vae"
    mine = write_tiny_weights(tmp_path / "mine.safetensors", "skip-vae")
    assert load_model(mine, device="cpu").path == mine


def test_a_run_is_not_taken_unless_it_is_named(bundled: Path) -> None:
    Path("runs/a").mkdir(parents=True)
    write_tiny_weights(Path("runs/a/best.safetensors"), "skip-vae")
    assert load_model(device="cpu").model.name == "hierarchical-vae"


def test_a_name_that_is_neither_a_file_nor_bundled_is_refused_with_those_that_are(bundled: Path) -> None:
    with pytest.raises(WeightsError, match="no weight file defualt") as caught:
        find_weights("defualt")
    assert caught.value.hint == "Did you mean default?"
    with pytest.raises(WeightsError, match="no weight file other") as caught:
        find_weights("other")
    assert all(name in caught.value.hint for name in BUNDLED_WEIGHTS)
    (bundled / "generative.safetensors").unlink()
    with pytest.raises(WeightsError, match="did not come with this installation"):
        find_weights("generative")


@pytest.mark.parametrize("name", BUNDLED_WEIGHTS)
def test_bundled_weights_are_small_and_can_be_used(name: str) -> None:
    path = loading.BUNDLED_FOLDER / f"{name}.safetensors"
    if not path.exists():
        pytest.skip(f"the weights `{name}` are not there yet")
    assert path.stat().st_size <= MOST_BYTES[name]
    spec = load_model(name, device="cpu").model.spec
    assert spec.can_quantify if name == DEFAULT_WEIGHTS else spec.can_sample
