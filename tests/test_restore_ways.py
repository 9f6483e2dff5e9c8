"""The ways into `artrestore restore`, its results for machines, and its exit codes."""

import io
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image

import killing
from artrestore.io.tables import read_csv
from artrestore.restoration.journal import JOURNAL
from conftest import save_smooth, write_tiny_weights

REFERENCE = Path(__file__).parents[1] / "docs/reference"


def picture_bytes(**options: Any) -> bytes:
    return save_smooth(Path("piped.png"), 40, 30, **options).read_bytes()


def schema(name: str) -> dict[str, Any]:
    found = json.loads((REFERENCE / name).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return found


@pytest.fixture(autouse=True)
def weights(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARTRESTORE_WEIGHTS", str(tiny_weights))
    return tiny_weights


def test_a_picture_becomes_a_file(run) -> None:
    save_smooth(Path("a.png"), 40, 30)
    done = run("restore", "a.png", "deep/b.tif")
    assert done.exit_code == 0, done.output
    with Image.open("deep/b.tif") as opened:
        assert (opened.size, opened.format) == ((40, 30), "TIFF")
    assert [path.name for path in Path("deep").iterdir()] == ["b.tif"], "a file has no journal"
    again = run("restore", "a.png", "deep/b.tif")
    assert again.exit_code == 0
    assert "1 skipped" in again.output
    assert "1 restored, 0 skipped" in run("restore", "a.png", "deep/b.tif", "--overwrite").output


def test_leftovers_of_a_killed_run_beside_a_file_go_and_others_stay(run) -> None:
    from artrestore.io.atomic import temporary_beside

    save_smooth(Path("a.png"), 40, 30)
    Path("out").mkdir()
    ours, others = temporary_beside(Path("out/b.png"), ".png"), temporary_beside(Path("out/c.png"), ".png")
    for path in (ours, others):
        path.touch()
    assert run("restore", "a.png", "out/b.png").exit_code == 0
    assert (ours.exists(), others.exists()) == (False, True)


def test_several_inputs_go_into_one_folder(run) -> None:
    save_smooth(Path("a.png"), 40, 30)
    save_smooth(Path("box 1/x/b.png"), 40, 30)
    assert run("restore", "a.png", "box 1", "out").exit_code == 0
    assert {str(path) for path in Path("out").rglob("*.png")} == {"out/a.png", "out/box 1/x/b.png"}


def test_standard_input_and_output_take_the_place_of_files(run, weights: Path) -> None:
    from typer.testing import CliRunner

    from artrestore.cli.app import app

    content = picture_bytes()
    assert run("restore", "piped.png", "expected.png").exit_code == 0
    done = CliRunner().invoke(app, ["restore", "-", "-"], input=content)
    assert done.exit_code == 0, done.stderr
    assert done.stdout_bytes == Path("expected.png").read_bytes()
    assert "1 restored" in done.stderr
    as_jpeg = CliRunner().invoke(app, ["restore", "-", "-", "--format", "jpeg", "--quiet"], input=content)
    with Image.open(io.BytesIO(as_jpeg.stdout_bytes)) as opened:
        assert (opened.format, opened.size) == ("JPEG", (40, 30))
    assert as_jpeg.stderr == ""
    assert CliRunner().invoke(app, ["restore", "-", "named.webp"], input=content).exit_code == 0
    with Image.open("named.webp") as opened:
        assert opened.format == "WEBP"
    from_file = CliRunner().invoke(app, ["restore", "piped.png", "-"])
    assert from_file.stdout_bytes == Path("expected.png").read_bytes()


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\ncut short"])
def test_a_bad_picture_from_standard_input_gives_no_output(content: bytes) -> None:
    from typer.testing import CliRunner

    from artrestore.cli.app import app

    done = CliRunner().invoke(app, ["restore", "-", "-"], input=content)
    assert done.exit_code == (7 if content.startswith(b"\x89") else 3)
    assert done.stdout_bytes == b""
    assert "Error: " in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("a.png",), ("-", "in"), ("in", "-"), ("a.png", "-", "--json", "-"), ("in", "out", "--watch", "--dry-run"),
        ("-", "-", "--watch"), ("a.png", "-", "-"), ("a.png", "b.png", "--watch"),
        ("a.png", "b.png", "--format", "x"),
        ("a.png", "b.png", "--bit-depth", "12"), ("a.png", "b.png", "--quality", "0"),
        ("in", "out", "--overwrite", "--retry-failed"), ("in", "out", "--max-pixels", "0"),
        ("a.png", "-", "--changes"), ("a.png", "-", "--samples", "1"), ("-", "-", "--uncertainty"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_go_together_is_bad_usage(arguments: tuple[str, ...], run) -> None:
    save_smooth(Path("a.png"), 40, 30)
    save_smooth(Path("in/a.png"), 40, 30)
    assert run("restore", *arguments).exit_code == 2
    assert not Path("out").exists()


def test_the_results_for_machines_are_what_the_schema_says(run) -> None:
    save_smooth(Path("in/a.png"), 40, 30)
    save_smooth(Path("in", os.fsdecode(b"caf\xe9.png")), 40, 30)
    Path("in/bad.png").write_bytes(b"")
    assert run("restore", "in/a.png", "out").exit_code == 0
    Path("out/foreign").mkdir()
    done = run("restore", "in", "out", "--clear", "in", "--json", "results.json", "--changes")
    assert done.exit_code == 7, done.output
    results = json.loads(Path("results.json").read_text())
    jsonschema.validate(results, schema("results.schema.json"))
    assert results["counts"] == {"planned": 3, "restored": 2, "skipped": 0, "failed": 1, "not_reached": 0}
    assert (results["exit_code"], results["version"]) == (7, 1)
    by_name = {picture["picture"]: picture for picture in results["pictures"]}
    assert by_name["a.png"]["before"]["psnr"] is None  # infinite: the pictures are the same
    assert by_name["a.png"]["after"]["psnr"] > 0
    assert by_name["bad.png"]["outcome"] == "failed"
    assert by_name["a.png"]["beside"] == [str(Path("out/a.png.changes.png").absolute())]
    again = run("restore", "in", "out", "--json", "-", "--retry-failed")
    counts = json.loads(again.stdout)["counts"]
    assert counts == {"planned": 3, "restored": 0, "skipped": 2, "failed": 1, "not_reached": 0}
    jsonschema.validate(json.loads(again.stdout), schema("results.schema.json"))


def test_a_dry_run_tells_machines_what_it_would_do(run) -> None:
    save_smooth(Path("in/a.png"), 40, 30)
    save_smooth(Path("in/b.tif"), 40, 30)
    done = run("restore", "in", "out", "--dry-run", "--exclude", "*.tif", "--json", "plan.json")
    assert done.exit_code == 0
    assert "in/a.png -> out/a.png" in done.output
    assert "1 pictures left out" in done.output
    assert "would be written" in done.output
    results = json.loads(Path("plan.json").read_text())
    jsonschema.validate(results, schema("results.schema.json"))
    assert results["dry_run"]
    assert results["counts"]["not_reached"] == 1
    assert not Path("out").exists()


def test_every_line_of_the_journal_is_what_its_schema_says(run) -> None:
    save_smooth(Path("in/a.png"), 40, 30)
    Path("in/bad.png").write_bytes(b"")
    run("restore", "in", "out", "--changes", "--clear", "in")
    lines = [json.loads(line) for line in Path("out", JOURNAL).read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["started", "restored", "failed"]
    for line in lines:
        jsonschema.validate(line, schema("journal.schema.json"))


def test_quiet_says_nothing_but_errors(run) -> None:
    save_smooth(Path("in/a.png"), 40, 30)
    assert run("restore", "in", "out", "--quiet").output == ""
    Path("in/bad.png").write_bytes(b"")
    done = run("restore", "in", "out", "--quiet")
    assert done.stdout == ""
    assert "failed: bad.png" in done.stderr
    assert "1 restored" in run("restore", "in", "two").stdout, "it is quiet for good"


def test_a_second_run_tells_what_is_done_again_and_why(run) -> None:
    for name in ("a", "b", "c"):
        save_smooth(Path(f"in/{name}.png"), 40, 30)
    run("restore", "in", "out")
    save_smooth(Path("in/b.png"), 40, 30, seed=3)
    shown = run("restore", "in", "out", "--dry-run").output
    assert "out/b.png (again: the input has changed)" in shown
    assert "skip     a.png (already done)" in shown
    done = run("restore", "in", "out")
    assert done.exit_code == 0
    assert "2 skipped: already done" in done.output
    assert "1 restored again: the input has changed" in done.output
    assert "1 restored, 2 skipped, 0 failed" in done.output


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, ("in", "out")),
        (0, ("in", "done")),
        (7, ("mixed", "out")),
        (10, ("empty", "out")),
        (10, ("in", "out", "--include", "*.webp")),
        (2, ("in", "out", "--strength", "2")),
        (3, ("nowhere", "out")),
        (4, ("in", "out", "--weights", "none")),
        (6, ("in", "in")),
    ],
    ids=str,
)
def test_exit_codes(code: int, arguments: tuple[str, ...], run) -> None:
    save_smooth(Path("in/a.png"), 40, 30)
    save_smooth(Path("mixed/a.png"), 40, 30)
    Path("mixed/b.png").touch()
    Path("empty").mkdir()
    run("restore", "in", "done")
    assert run("restore", *arguments).exit_code == code


def test_a_drop_folder_is_watched_until_it_is_stopped(tmp_path: Path, weights: Path) -> None:
    save_smooth(Path("in/first.png"), 40, 30)
    process = killing.start(
        "restore", "in", "out", "--watch", "--weights", weights, "--device", "cpu", "--json", "out.json",
        log=tmp_path / "log",
    )  # fmt: skip
    killing.wait_for(Path("out/first.png"), process)
    whole = picture_bytes(seed=1)
    growing = Path("in/growing.png")
    for length in range(0, len(whole), len(whole) // 5 + 1):  # it is copied there slowly
        growing.write_bytes(whole[: length or 1])
        time.sleep(0.4)
        assert not Path("out/growing.png").exists()
    time.sleep(2.5)  # it rests, is taken for whole, and fails
    assert "failed growing.png" in (tmp_path / "log").read_text()
    growing.write_bytes(whole)
    killing.wait_for(Path("out/growing.png"), process)
    time.sleep(0.3)
    os.kill(process.pid or 0, signal.SIGINT)
    process.join(30)
    assert process.exitcode == 0, (tmp_path / "log").read_text()
    results = json.loads(Path("out.json").read_text())
    assert [picture["picture"] for picture in results["pictures"]] == ["first.png", "growing.png"]
    assert results["counts"]["restored"] == 2


def test_a_watcher_waits_for_rest_and_tells_each_change_once() -> None:
    from artrestore.restoration.inputs import find_inputs
    from artrestore.restoration.watch import Watcher

    watcher, path = Watcher(), save_smooth(Path("in/a.png"), 40, 30)

    def look() -> list[str]:
        return [str(name) for name in watcher.look(find_inputs([Path("in")], Path("out")))]

    assert [look(), look(), look()] == [[], ["a.png"], []]
    os.utime(path, ns=(1, 1))
    assert [look(), look(), look()] == [[], ["a.png"], []]
    path.unlink()
    assert look() == []


def test_provenance_is_noted_unless_it_is_left_out(run) -> None:
    save_smooth(Path("in/a.png"), 40, 30)
    run("restore", "in", "out", "--strength", "0.5")
    assert b"softwareAgent" in Path("out/a.png").read_bytes()
    run("restore", "in", "plain", "--strength", "0.5", "--no-provenance")
    assert b"softwareAgent" not in Path("plain/a.png").read_bytes()


def test_how_a_picture_is_stored_can_be_chosen(run, tmp_path: Path) -> None:
    save_smooth(Path("in/a.png"), 40, 30)
    run("restore", "in", "out", "--format", "tiff", "--bit-depth", "16")
    from artrestore.io.pictures import open_picture

    with open_picture(Path("out/a.tif")) as file:
        assert file.page(0).form.levels == "uint16"
    sizes = []
    for quality in (60, 98):
        run("restore", "in", f"q{quality}", "--format", "jpeg", "--quality", quality)
        sizes.append(Path(f"q{quality}/a.jpg").stat().st_size)
    assert sizes[0] < sizes[1]


def test_the_report_has_a_row_of_every_picture_whichever_this_run_was_about(run) -> None:
    for name in ("a.png", "b.png"):
        save_smooth(Path("in", name), 40, 30)
    Path("in/bad.png").write_bytes(b"")
    Path("in/gone.png").write_bytes(b"")
    assert run("restore", "in", "out").exit_code == 7
    Path("in/gone.png").unlink()

    def rows() -> dict[str, tuple[str, bool]]:
        found = read_csv(Path("out/artrestore-report.csv"))
        return {row["picture"]: (row["outcome"], bool(row["change"])) for row in found}

    whole = {"a.png": ("restored", True), "b.png": ("restored", True), "bad.png": ("failed", False)}
    for arguments in (("--retry-failed",), ("--include", "a.png"), ("--include", "a.png", "--overwrite"), ()):
        run("restore", "in", "out", *arguments)
        assert rows() == whole, arguments
    Path("out/b.png").unlink()
    run("restore", "in", "out", "--include", "a.png")
    assert rows() == {name: row for name, row in whole.items() if name != "b.png"}


def test_a_name_too_long_for_what_lies_beside_it_fails_alone(run, tmp_path: Path) -> None:
    flagship = write_tiny_weights(tmp_path / "f.safetensors", "hierarchical-vae")
    long = "n" * 240 + ".png"  # of 255 bytes at most
    for name in ("a.png", long):
        save_smooth(Path("in", name), 40, 30)
    done = run("restore", "in", "out", "--uncertainty", "--weights", flagship)
    assert done.exit_code == 7, done.output
    assert "name too long" in done.output
    assert sorted(path.name for path in Path("out").glob("*.png")) == [
        "a.png", "a.png.uncertainty-colour.png", "a.png.uncertainty.png",
    ]  # fmt: skip


def test_masks_and_samples_go_with_every_way_in(run, tmp_path: Path) -> None:
    flagship = write_tiny_weights(tmp_path / "f.safetensors", "hierarchical-vae")
    save_smooth(Path("in/a.png"), 40, 30)
    save_smooth(Path("masks/a.png"), 40, 30)
    done = run("restore", "in/a.png", "b.png", "--masks", "masks", "--samples", 1, "--weights", flagship)
    assert done.exit_code == 0, done.output
    assert Path("b.png.sample-1.png").exists()
