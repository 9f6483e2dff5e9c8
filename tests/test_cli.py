"""The commands as people type them, in process."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file

from artrestore.errors import ArtRestoreError
from conftest import save_smooth, write_tiny_weights


def test_help_names_the_commands(run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for command in ("train", "restore", "score", "sample", "models", "doctor"):
        assert command in result.output


def test_a_wrong_option_is_a_usage_error(run) -> None:
    assert run("restore", "--nonsense").exit_code == 2
    assert run("train", "--fit", "stretch").exit_code == 2


def test_the_four_commands_work_one_after_the_other(picture_set, tiny_config: Path, run) -> None:
    clear, damaged = picture_set
    for arguments in (
        ("train", clear, damaged, "--arch", "conv-vae", "--epochs", 2, "--config", tiny_config, "--out", "runs/a"),
        ("restore", damaged, "restored", "--weights", "runs/a/best.safetensors"),
        ("score", "restored", clear, "--damaged", damaged),
        ("sample", "-n", 16, "--weights", "runs/a/best.safetensors"),
    ):
        result = run(*arguments)
        assert result.exit_code == 0, result.output
    assert len(list(Path("restored").rglob("*.png"))) == 10
    with Image.open("samples.png") as grid:
        assert grid.size == (4 * 34 + 2, 4 * 34 + 2)


def test_train_says_what_it_does(picture_set, tiny_config: Path, run) -> None:
    save_smooth(picture_set[0] / "lonely.png")
    result = run(
        "train", *picture_set, "--steps", 4, "--config", tiny_config, "--out", "runs/a", "--device", "cpu"
    )
    assert result.exit_code == 0, result.output
    for words in (
        "skip-vae", "on cpu", "8 pairs to learn from and 2 held out", "1 clear pictures have no distorted version",
        "clear 100%", "restore 100%", "val PSNR", "reconstruction", "KL", "grad", "pictures/s", "left",
        "runs/a/best.safetensors",
    ):  # fmt: skip
        assert words in result.output, words


def test_orphans_are_listed_and_nothing_is_trained(picture_set, tiny_config: Path, run) -> None:
    save_smooth(picture_set[1] / "orphan.png")
    result = run("train", *picture_set, "--steps", 4, "--config", tiny_config, "--out", "runs/a")
    assert result.exit_code == 3
    assert "orphan.png" in result.output
    assert "Hint:" in result.output
    assert not Path("runs").exists()


def test_resume_needs_the_run_and_its_own_settings(picture_set, tiny_config: Path, run) -> None:
    assert run("train", "--resume").exit_code == 2
    assert run("train", "--resume", "--out", "runs/none").exit_code == 3
    arguments = ("train", *picture_set, "--steps", 4, "--config", tiny_config, "--out", "runs/a")
    assert run(*arguments).exit_code == 0
    assert run(*arguments).exit_code == 6
    assert run("train", "--resume", "--out", "runs/a", "--seed", 9).exit_code == 2
    assert run("train", "--resume", "--out", "runs/a", "--steps", 6).exit_code == 0


def test_stages_are_chosen(picture_set, tiny_config: Path, run) -> None:
    common = ("--steps", 2, "--config", tiny_config)
    assert run("train", picture_set[0], "--stages", "clear", "--out", "runs/one", *common).exit_code == 0
    assert not Path("runs/one/best-clear.safetensors").exists()
    second = run(
        "train",
        *picture_set,
        "--stages",
        "restore",
        "--from",
        "runs/one/best.safetensors",
        "--out",
        "runs/two",
        *common,
    )
    assert second.exit_code == 0, second.output
    assert run("train", *picture_set, "--stages", "sleep", *common).exit_code == 2


def test_restore_shows_a_table_and_writes_a_report(picture_set, tiny_weights: Path, run) -> None:
    clear, damaged = picture_set
    result = run("restore", damaged, "out", "--weights", tiny_weights, "--clear", clear)
    assert result.exit_code == 0, result.output
    for words in ("48 x 40", "Time, s", "Change", "PSNR", "Mean", "10 restored, 0 skipped", "0 failed"):
        assert words in result.output, words
    with Path("out/artrestore-report.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    assert float(rows[0]["after_psnr"]) > 0
    again = run("restore", damaged, "out", "--weights", tiny_weights)
    assert "0 restored, 10 skipped" in again.output
    with Path("out/artrestore-report.csv").open() as file:
        assert list(csv.DictReader(file)) == rows  # of the run that restored them


def test_the_report_is_written_even_if_nobody_reads_the_table_to_its_end(
    picture_set, tiny_weights: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("artrestore.cli.restore_table._table", closed)
    run("restore", picture_set[1], "out", "--weights", tiny_weights)
    with Path("out/artrestore-report.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 10


def test_restore_says_how_unsure_it_is_and_what_that_is_worth(picture_set, tmp_path: Path, run) -> None:
    weights = write_tiny_weights(tmp_path / "a.safetensors", "hierarchical-vae")
    result = run("restore", picture_set[1], "out", "--weights", weights, "--uncertainty", "--changes")
    assert result.exit_code == 0, result.output
    assert "not calibrated" in result.output
    assert re.search(r"Change +Unsure", result.output)
    assert re.search(r"picture \(0\)_0.png +48 x 40 +\d+\.\d\d +\d+\.\d\d +\d+\.\d\d", result.output)
    assert len(list(Path("out").rglob("*.uncertainty-colour.png"))) == 10
    with Path("out/artrestore-report.csv").open() as file:
        assert all(float(row["unsure"]) > 0 for row in csv.DictReader(file))
    score = run("score", "out", picture_set[0])  # the maps are not taken for pictures
    assert score.exit_code == 0, score.output
    again = run("restore", picture_set[1], "out", "--weights", weights, "--overwrite", "--dry-run")
    assert "10 would be restored" in again.output
    assert again.output.count("remove ") == 30
    assert "not calibrated" not in run("restore", "out", "again", "--weights", weights).output
    assert len(list(Path("again").rglob("*.png"))) == 10


def test_a_long_run_shows_the_worst_and_the_mean(tmp_path: Path, tiny_weights: Path, run) -> None:
    for index in range(35):
        save_smooth(tmp_path / f"in/{index:02}.png", seed=index)
    result = run("restore", "in", "out", "--weights", tiny_weights)
    assert "The 10 worst of 35 restored" in result.output
    assert result.output.count("48 x 40") == 10
    assert "Mean" in result.output


def test_names_that_are_not_utf8_are_restored_and_shown(tmp_path: Path, tiny_weights: Path, run) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    save_smooth(tmp_path / "in" / name)
    result = run("restore", "in", "out", "--weights", tiny_weights)
    assert result.exit_code == 0, result.output
    assert "caf" in result.output
    assert Path("out", name).exists()
    assert "caf" in Path("out/artrestore-report.csv").read_text()


def test_the_tables_fit_a_terminal_of_80_columns(
    picture_set, tiny_weights: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artrestore.cli.console import console

    monkeypatch.setattr(console, "width", 80)
    clear, damaged = picture_set
    shown = run("restore", damaged, "out", "--weights", tiny_weights, "--clear", clear).output
    assert (
        len(re.findall(r"48 x 40 .* \d+\.\d\d → \d+\.\d\d .* \d\.\d{3} → \d\.\d{3}$", shown, re.MULTILINE)) == 10
    )
    assert "…" not in shown
    flagship = write_tiny_weights(Path("flagship.safetensors"), "hierarchical-vae")
    shown = run("restore", damaged, "two", "--weights", flagship, "--clear", clear, "--uncertainty").output
    assert len(re.findall(r"48 x 40 .* \d\.\d{3} → \d\.\d{3}$", shown, re.MULTILINE)) == 10
    assert "…" not in shown


def test_the_live_display_fits_a_terminal_of_80_columns() -> None:
    from rich.console import Console

    from artrestore.cli.train_display import render
    from artrestore.training.evaluation import Evaluation
    from artrestore.training.step import StepResult
    from artrestore.training.trainer import Progress

    losses = {"loss": 33973.3, "reconstruction": 33900.1, "kl": 73.2}
    progress = Progress(
        stage="restore", stage_number=2, stage_count=2, epoch=1234, step=98765, fraction=0.456,
        seconds_left=3723, learning_rate=1e-3, result=StepResult(losses=losses, grad_norm=123456, skipped=False),
        skipped=17, pictures_per_second=1234, evaluated=True,
        evaluation=Evaluation(psnr=25.37, ssim=0.6619, psnr_given=20.16, ssim_given=0.3823),
    )  # fmt: skip
    console = Console(width=80, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(render(progress))
    shown = capture.get()
    for words in (
        "restore (2/2)", "46%", "1:02:03", "1234", "98765", "17", "33973", "33900", "73.2", "123456",
        "25.37", "0.6619", "20.16",
    ):  # fmt: skip
        assert words in shown, words
    assert "…" not in shown
    assert len(shown.strip().splitlines()) == 4


def test_a_dry_run_does_nothing(picture_set, run) -> None:
    result = run("restore", picture_set[1], "out", "--dry-run")
    assert result.exit_code == 0
    assert "10 would be restored" in result.output
    assert not Path("out").exists()


def test_one_bad_picture_gives_its_reason_and_its_exit_code(tmp_path: Path, tiny_weights: Path, run) -> None:
    save_smooth(tmp_path / "in/a.png")
    (tmp_path / "in/b.png").write_bytes(b"")
    result = run("restore", "in", "out", "--weights", tiny_weights)
    assert result.exit_code == 7
    assert "failed: b.png" in result.output
    assert "empty" in result.output
    assert Path("out/a.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("restore", "nowhere", "out"), 3),
        (("restore", "in", "out", "--weights", "none.safetensors"), 4),
        (("restore", "in", "out", "--weights", "tiny.safetensors", "--uncertainty"), 4),
        (("restore", "in", "out", "--weights", "tiny.safetensors", "--masks", "in"), 2),
        (("restore", "in", "out", "--weights", "tiny.safetensors", "--only-masked"), 2),
        (("restore", "in", "out", "--weights", "tiny.safetensors", "--average", "2", "--creativity", "1"), 2),
        (("restore", "in", "out", "--weights", "tiny.safetensors", "--device", "cuda:77"), 5),
        (("restore", "in", "out", "--weights", "tiny.safetensors", "--device", "tpu"), 2),
        (("restore", "in", "out", "--weights", "tiny.safetensors", "--tile-size", "64"), 2),
        (("restore", "in", "in", "--weights", "tiny.safetensors"), 6),
        (("sample", "--weights", "tiny.safetensors"), 4),
        (("sample", "--out", "a.jpg", "--weights", "tiny.safetensors"), 2),
        (("restore", "in", "out", "--weights", "tiny.safetensors", "--device", "cpu:"), 2),
        (("score", "in", "nowhere"), 3),
        (("score", "in", "in", "--sheet", "sheet.jpg"), 2),
        (("train", "in", "nowhere"), 3),
    ],
    ids=str,
)
def test_errors_are_one_line_and_an_exit_code(
    arguments, code: int, tiny_weights: Path, tmp_path: Path, run
) -> None:
    save_smooth(tmp_path / "in/a.png")
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output
    assert not Path("out").exists()


def test_verbose_shows_the_traceback_before_or_after_the_command(run) -> None:
    for arguments in (("--verbose", "restore", "a", "b"), ("restore", "a", "b", "--verbose")):
        result = run(*arguments)
        assert "Traceback" in result.stderr
        assert "Error: There is no folder a" in result.stderr


def test_a_defect_is_reported_as_one(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("artrestore.restoration.plan.plan_batch", broken)
    result = run("restore", "a", "b")
    assert result.exit_code == 1
    assert "Unexpected ZeroDivisionError: oops" in result.stderr
    assert "--verbose" in result.stderr


def test_a_full_disk_ends_the_run_with_its_code(
    tmp_path: Path, tiny_weights: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_smooth(tmp_path / "in/a.png")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("artrestore.io.atomic._flush_to_disk", full)
    result = run("restore", "in", "out", "--weights", tiny_weights)
    assert result.exit_code == 9
    assert "No space left" in result.stderr
    assert not list(Path("out").rglob("*.png"))


def test_sample_draws_a_grid_and_single_pictures(tmp_path: Path, run) -> None:
    weights = write_tiny_weights(tmp_path / "a.safetensors", "conv-vae")
    arguments = ("sample", "-n", 3, "--weights", weights, "--separate", "each", "--seed", 4, "--temperature", 0.7)
    assert run(*arguments).exit_code == 0
    assert len(list(Path("each").glob("*.png"))) == 3
    first = Path("samples.png").read_bytes()
    assert run(*arguments).exit_code == 6
    assert run(*arguments, "--overwrite").exit_code == 0
    assert Path("samples.png").read_bytes() == first


def test_models_lists_the_registry(run) -> None:
    result = run("models")
    assert result.exit_code == 0
    for words in ("conv-vae", "by default: skip-vae", "128 x 128", "18,371,523", "yes", "no"):
        assert words in result.output


def test_doctor_tests_the_devices(run) -> None:
    result = run("doctor")
    assert result.exit_code == 0, result.output
    for words in ("torch", "cpu", "bf16", "fp32", "passed", "Cache folder", "auto"):
        assert words in result.output, words


def test_exit_codes_are_documented() -> None:
    page = (Path(__file__).parents[1] / "docs/reference/exit-codes.md").read_text()

    def tree(cls: type[ArtRestoreError]) -> set[int]:
        return {cls.exit_code}.union(*(tree(sub) for sub in cls.__subclasses__()))

    for code in tree(ArtRestoreError) | {0}:
        assert f"| {code} |" in page


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_run_goes_on_exactly(picture_set, tiny_config: Path, signal_number: int) -> None:
    program = [sys.executable, "-m", "artrestore", "train"]
    options = ["--steps", "300", "--config", str(tiny_config), "--device", "cpu", "--seed", "2"]
    new = [*program, *map(str, picture_set), *options]
    # A process group of its own with a worker in it: Ctrl-C in a terminal reaches both.
    stopped = subprocess.Popen(
        [*new, "--out", "runs/broken", "--workers", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert stopped.stdout
    for line in stopped.stdout:
        if "step 1 " in line:
            break
    time.sleep(0.3)
    os.killpg(stopped.pid, signal_number) if signal_number == signal.SIGINT else stopped.terminate()
    _, errors = stopped.communicate(timeout=60)
    assert stopped.returncode == 130, errors
    assert "Error: Stopped at step" in errors
    assert "--resume --out runs/broken" in errors
    assert "Traceback" not in errors
    for command in ([*program, "--resume", "--out", "runs/broken"], [*new, "--out", "runs/whole"]):
        subprocess.run(command, check=True, capture_output=True)
    one, two = (load_file(f"runs/{name}/last.safetensors") for name in ("broken", "whole"))
    assert all((one[key] == two[key]).all() for key in one)
