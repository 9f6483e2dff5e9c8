"""Which network is trained, from where, and how that is announced."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artrestore.errors import UsageError, WeightsError
from artrestore.models.hierarchical_vae import HierarchicalVAE
from artrestore.models.registry import build
from artrestore.training.config import resolve_config
from artrestore.training.run import prepare_run
from conftest import TINY_FLAGSHIP, write_tiny_weights


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the package's own weights, with a tiny flagship as `default`."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    monkeypatch.setattr("artrestore.models.loading.BUNDLED_FOLDER", folder)
    write_tiny_weights(folder / "default.safetensors", "hierarchical-vae", seed=4)
    return folder


def resolve(**given: Any) -> Any:
    return resolve_config({"clear": "c", "steps": 2, "out": "run"} | given)


def test_the_weights_to_begin_from_say_what_network_it_is(bundled: Path) -> None:
    config = resolve(start_from="default")
    assert config.arch == "hierarchical-vae"
    assert config.start_from == "default"
    assert build(config.arch, config.model).config == build("hierarchical-vae", TINY_FLAGSHIP).config
    assert resolve(start_from="default", arch="hierarchical-vae").model == config.model
    assert config.stages == ("tone", "restore", "refine", "uncertainty")


def test_files_to_begin_from_are_found_again_from_any_folder(tmp_path: Path) -> None:
    write_tiny_weights(tmp_path / "mine.safetensors", "skip-vae")
    config = resolve(start_from="mine.safetensors")
    assert config.start_from == str(tmp_path / "mine.safetensors")
    assert config.arch == "skip-vae"
    with pytest.raises(WeightsError, match="no weight file"):
        resolve(start_from="nobodys.safetensors")


def test_fine_tuning_takes_a_fifth_of_the_learning_rate_unless_it_is_given(bundled: Path) -> None:
    assert resolve(arch="hierarchical-vae").backbone_rate == 1.0
    tuned = resolve(start_from="default")
    assert (tuned.learning_rate, tuned.backbone_rate) == (1e-3, 0.2)
    given = resolve(start_from="default", learning_rate=5e-4)
    assert (given.learning_rate, given.backbone_rate) == (5e-4, 1.0)


def test_a_second_stage_of_skip_vae_is_no_fine_tuning(tmp_path: Path) -> None:
    start = write_tiny_weights(tmp_path / "first.safetensors", "skip-vae")
    assert resolve(start_from=str(start)).backbone_rate == 1.0


@pytest.mark.parametrize("size", HierarchicalVAE.sizes)
def test_a_size_stands_for_its_numbers(size: str) -> None:
    config = resolve(arch="hierarchical-vae", size=size, model={"context": 32})
    assert config.model == {**HierarchicalVAE.sizes[size], "context": 32}


def test_sizes_are_refused_where_there_are_none_and_where_they_clash(bundled: Path) -> None:
    with pytest.raises(UsageError, match="skip-vae has no size small") as caught:
        resolve(size="small")
    assert "hierarchical-vae" in caught.value.hint
    with pytest.raises(UsageError, match="has no size tiny") as caught:
        resolve(arch="hierarchical-vae", size="tiny")
    assert "small, base, large" in caught.value.hint
    with pytest.raises(UsageError, match=r"size small and \[model\] both say what widths should be"):
        resolve(arch="hierarchical-vae", size="small", model={"widths": [8, 8, 8, 8]})
    other = resolve(start_from="default", size="small")
    assert build(other.arch, other.model).config != build("hierarchical-vae", TINY_FLAGSHIP).config


def test_weights_of_another_size_are_refused(bundled: Path, picture_set: tuple[Path, Path]) -> None:
    config = resolve(clear=picture_set[0], start_from="default", size="small")
    with pytest.raises(UsageError, match="with other settings") as caught:
        prepare_run(config)
    assert "--size" in caught.value.hint


def test_fine_tuning_from_the_bundled_weights_says_so_and_can_be_resumed(
    bundled: Path, picture_set: tuple[Path, Path], run: Callable[..., Any]
) -> None:
    arguments = ("--workers", 0, "--crop-size", 32, "--batch-size", 4, "--device", "cpu")
    first = run("train", picture_set[0], "--from", "default", "--steps", 4, *arguments, "--out", "tuned")
    assert first.exit_code == 0, first.output
    assert "Beginning from the weights default" in first.output
    assert "fine-tuned at a learning rate of 0.0002" in first.output
    assert "Stages tone, restore, refine, uncertainty: all crops are damaged on the fly" in first.output
    (bundled / "default.safetensors").unlink()
    more = run("train", "--resume", "--out", "tuned", "--steps", 8)
    assert more.exit_code == 0, more.output
    refused = run("train", "--resume", "--out", "tuned", "--size", "base")
    assert refused.exit_code == 2
    assert "Leave out --size" in refused.output


def test_every_new_setting_is_recorded(
    bundled: Path, picture_set: tuple[Path, Path], run: Callable[..., Any]
) -> None:
    result = run(
        "train", picture_set[0], "--from", "default", "--steps", 1, "--stages", "restore", "--generated", 0.5,
        "--ema", 0.9, "--crop-size", 48, "--workers", 0, "--batch-size", 2, "--out", "run", "--device", "cpu",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "50 % of the crops are taken from generated pictures" in result.output
    from artrestore.io.weights_file import read_header

    settings = read_header(Path("run/best.safetensors")).training["settings"]
    assert {"generated": 0.5, "ema": 0.9, "crop_size": 48, "backbone_rate": 0.2}.items() <= settings.items()


def test_how_sure_a_network_is_that_has_learned_nothing_is_not_asked() -> None:
    with pytest.raises(UsageError) as caught:
        resolve(arch="hierarchical-vae", stages=("uncertainty",))
    assert caught.value.details == (
        "the stage `uncertainty` needs a network that restores: name its weights (--from)",
    )


def test_learning_how_sure_it_is_does_not_claim_to_fine_tune(
    bundled: Path, picture_set: tuple[Path, Path], run: Callable[..., Any]
) -> None:
    result = run(
        "train", picture_set[0], "--from", "default", "--stages", "uncertainty", "--steps", 1, "--workers", 0,
        "--crop-size", 32, "--batch-size", 2, "--out", "run", "--device", "cpu",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "Beginning from the weights default" in result.output
    assert "fine-tuned" not in result.output


@pytest.mark.parametrize(
    "setting",
    ["stages = 5", "clear = 3", "distorted = [1]", "start_from = 5", "arch = 1", "size = 1.5", "model = 3"],
)
def test_a_settings_file_with_values_of_another_kind_is_refused(
    setting: str, run: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(setting)
    result = run("train", "--config", file)
    assert result.exit_code == 2, result.output
    assert f"{setting.split()[0]}: " in result.output
    assert "Hint:" in result.output


def test_generated_pictures_need_damage(run: Callable[..., Any], picture_set: tuple[Path, Path]) -> None:
    result = run("train", *picture_set, "--generated", 0.5)
    assert result.exit_code == 2
    assert "--recipe" in result.output
