"""The user's own settings: options win over the environment, that over the file, and that over the defaults."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from artrestore.cli.app import app
from artrestore.errors import UsageError
from artrestore.io.locations import settings_file
from artrestore.io.settings import read_settings, setting, write_setting
from conftest import save_smooth, write_tiny_weights

Run = Callable[..., Result]


@pytest.fixture
def weights(tmp_path: Path) -> dict[str, Path]:
    """Weights for each of the places that may name some."""
    names = ("option", "environment", "file")
    return {name: write_tiny_weights(tmp_path / f"{name}.safetensors", "skip-vae") for name in names}


def used(run: Run, *options: object) -> str:
    """The name of the weights that `restore` takes."""
    save_smooth(Path("in/a.png"))
    done = run("restore", "in", "out", "--device", "cpu", "--overwrite", *options)
    assert done.exit_code == 0, done.output
    (line,) = [line for line in done.output.splitlines() if ".safetensors" in line]
    return Path(line.partition(".safetensors")[0]).name.rpartition("(")[2]


def test_options_win_over_the_environment_and_that_over_the_file(
    run: Run, weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("config", "set", "weights", weights["file"]).exit_code == 0
    assert used(run) == "file"
    monkeypatch.setenv("ARTRESTORE_WEIGHTS", str(weights["environment"]))
    assert used(run) == "environment"
    assert used(run, "--weights", weights["option"]) == "option"


def test_show_tells_where_each_value_comes_from(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARTRESTORE_OFFLINE")

    def shown() -> dict[str, list[str]]:
        lines = [line for line in run("config", "show").output.splitlines() if line.startswith("│")]
        return {cells[1]: cells[2:4] for line in lines for cells in [[c.strip() for c in line.split("│")]]}

    assert shown() == {
        "weights": ["default", "default"], "device": ["auto", "default"], "offline": ["no", "default"],
        "manifests": ["-", "default"],
    }  # fmt: skip
    run("config", "set", "device", "cpu")
    run("config", "set", "offline", "false")
    assert shown()["device"] == ["cpu", "file"]
    assert shown()["offline"] == ["no", "file"]
    monkeypatch.setenv("ARTRESTORE_DEVICE", "cuda:1")
    monkeypatch.setenv("ARTRESTORE_OFFLINE", "1")
    assert shown()["device"] == ["cuda:1", "environment (ARTRESTORE_DEVICE)"]
    assert shown()["offline"] == ["yes", "environment (ARTRESTORE_OFFLINE)"]


def test_a_device_of_the_settings_is_asked_for(
    run: Run, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_smooth(Path("in/a.png"))
    command = ("restore", "in", "out", "--weights", tiny_weights)
    run("config", "set", "device", "cuda:99")
    assert run(*command).exit_code == 5
    assert run("sample", "--weights", tiny_weights).exit_code == 5
    assert run(*command, "--device", "cpu").exit_code == 0
    monkeypatch.setenv("ARTRESTORE_DEVICE", "cpu")
    assert run(*command).exit_code == 0


def test_training_takes_the_device_unless_its_own_settings_say_another(
    run: Run, picture_set: tuple[Path, Path], tiny_config: Path
) -> None:
    run("config", "set", "device", "cuda:99")
    command = ("train", *picture_set, "--config", tiny_config, "--steps", 1, "--out", "run")
    assert run(*command).exit_code == 5
    tiny_config.write_text('device = "cpu"\n' + tiny_config.read_text())
    done = run(*command)
    assert done.exit_code == 0, done.output


def test_sampling_is_left_alone_by_weights_that_restore(run: Run, weights: dict[str, Path]) -> None:
    run("config", "set", "weights", weights["file"])  # which cannot sample
    done = run("sample", "-n", 1, "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert "generative" in done.output


def test_sampling_is_left_alone_by_weights_of_the_environment_but_for_restorations(
    run: Run, weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTRESTORE_WEIGHTS", str(weights["file"]))  # which cannot sample
    done = run("sample", "-n", 1, "--device", "cpu")
    assert done.exit_code == 0, done.output
    save_smooth(Path("a.png"))
    done = run("sample", "-n", 1, "--from", "a.png", "--out", "b.png", "--device", "cpu")
    assert (done.exit_code, weights["file"].name in done.output) == (4, True), done.output


def test_changing_a_setting_keeps_the_rest_of_the_file_and_its_comments(run: Run, tmp_path: Path) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text('# ours\ndevice = "cpu"  # the other one is broken\nweights = "default"\n')
    assert run("config", "set", "weights", "generative").exit_code == 0
    assert run("config", "set", "offline", "true").exit_code == 0
    assert settings_file().read_text() == (
        '# ours\ndevice = "cpu"  # the other one is broken\nweights = "generative"\noffline = true\n'
    )
    assert run("config", "set", "weights").exit_code == 0
    assert "weights" not in settings_file().read_text()
    settings = read_settings()
    assert (settings.weights, settings.device, settings.offline) == (None, "cpu", True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("device", "banana"), "no kind of device"),
        (("weights", "https://a.org/w"), "does not tell the file's hash"),
        (("weights", "a", "b"), "takes one value"),
        (("offline", "perhaps"), "true or false"),
        (("manifests", "none.toml"), "cannot be used"),
        (("manifests", "http://a.org/m.toml"), "without encryption"),
        (("manifests", "hf:a/b/c@d"), "a file or a web address"),
        (("colour", "red"), "colour"),
    ],
)
def test_what_no_command_could_use_is_not_set(run: Run, arguments: tuple[str, ...], told: str) -> None:
    done = run("config", "set", *arguments)
    assert done.exit_code in (2, 4)
    assert told in done.output
    assert not settings_file().exists()


@pytest.mark.parametrize("text", ["[", "colour = 1", 'offline = "perhaps"', "\x00", "manifests = 3"])
def test_a_file_that_cannot_be_used_is_refused_by_its_path_and_can_be_found(run: Run, text: str) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text(text)
    done = run("restore", "in", "out")
    assert done.exit_code == 2
    assert str(settings_file()) in done.output
    assert run("config", "path").output == f"{settings_file()}\n"
    assert run("config", "set", "device", "cpu").exit_code == 2
    assert settings_file().read_text() == text


def test_the_file_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert settings_file() == tmp_path / "home/config.toml"
    monkeypatch.setenv("ARTRESTORE_CONFIG", str(tmp_path / "mine.toml"))
    write_setting("device", "cpu")
    assert (tmp_path / "mine.toml").read_text() == 'device = "cpu"\n'
    assert setting("device") == ("cpu", "file")
    monkeypatch.delenv("ARTRESTORE_CONFIG")
    monkeypatch.delenv("ARTRESTORE_HOME")
    assert settings_file().parts[-2:] == ("artrestore", "config.toml")


def test_a_link_to_the_file_stays_one(tmp_path: Path) -> None:
    settings_file().parent.mkdir()
    settings_file().symlink_to(tmp_path / "mine.toml")
    write_setting("device", "cpu")
    assert settings_file().is_symlink()
    assert (tmp_path / "mine.toml").read_text() == 'device = "cpu"\n'


def test_a_setting_that_cannot_be_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError):
        write_setting("colour", "red")
    assert not settings_file().exists()


def test_secrets_in_addresses_are_not_shown(run: Run) -> None:
    run("config", "set", "manifests", "https://anna:hunter2@a.org/m.toml?token=hunter2")
    assert "hunter2" in settings_file().read_text()
    done = run("config", "show")
    assert "https://a.org/m.toml" in done.output
    assert "hunter2" not in done.output


def test_every_command_that_takes_weights_takes_offline() -> None:
    import typer.main

    commands = typer.main.get_command(app).commands
    for name in ("restore", "calibrate", "sample", "train"):
        assert any("--offline" in parameter.opts for parameter in commands[name].params), name
    for name in ("download", "list", "info", "export", "publish"):
        assert any("--offline" in parameter.opts for parameter in commands["weights"].commands[name].params), name
