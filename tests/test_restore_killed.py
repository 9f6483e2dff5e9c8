"""Whatever ends a run, the same command again gives what an uninterrupted run gives, and nothing is half done."""

import csv
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import killing
from artrestore.errors import DiskFullError
from artrestore.restoration.batch import make_restorer, restore_batch, restore_folder, working_in
from artrestore.restoration.jobs import JobResult
from artrestore.restoration.journal import JOURNAL, read_journal
from artrestore.restoration.options import resolve_options
from artrestore.restoration.plan import plan_batch, terms_of
from conftest import save_smooth, write_tiny_weights

COUNT = 8


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_tiny_weights(tmp_path / "w.safetensors", "hierarchical-vae")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for index in range(COUNT):
        save_smooth(tmp_path / f"in/{'ab'[index % 2]}/{index}.png", 90, 70, seed=index)
    return tmp_path / "in"


def produced(folder: Path) -> dict[str, bytes]:
    """All files, hidden ones too, but for the run's own records, which tell the time."""
    own = {JOURNAL, "artrestore-report.csv", ".artrestore-lock"}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in own
    }


def test_a_run_killed_at_twenty_random_moments_is_made_whole(
    pictures: Path, weights: Path, tmp_path: Path
) -> None:
    options = ("--weights", weights, "--device", "cpu", "--changes", "--samples", 1)
    log = tmp_path / "log"

    def whole_run(out: str) -> float:
        start = time.monotonic()
        process = killing.start("restore", pictures, tmp_path / out, *options, log=log)
        process.join(120)
        assert process.exitcode == 0, log.read_text()
        return time.monotonic() - start

    whole_run("warm")
    length = whole_run("whole")
    expected = produced(tmp_path / "whole")
    assert len(expected) == 3 * COUNT
    cut_off, moments = 0, random.Random(5)  # noqa: S311 (nobody is to be kept from guessing them)
    for moment in range(20):
        out = f"out{moment}"
        process = killing.start("restore", pictures, tmp_path / out, *options, log=log)
        time.sleep(moments.uniform(0.1, 1) * length)
        process.kill()
        process.join()
        left = produced(tmp_path / out)
        cut_off += bool(left) and left != expected
        whole_run(out)
        assert produced(tmp_path / out) == expected, f"killed at moment {moment}"
        history = read_journal(tmp_path / out)
        assert {entry.outcome for entry in history.entries.values()} == {"restored"}
        assert (len(history.entries), history.damaged) == (COUNT, 0)
    assert cut_off, "no kill came while it was at work"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_finishes_the_pictures_under_way(
    number: int, pictures: Path, weights: Path, tmp_path: Path
) -> None:
    process = killing.start(
        "restore", pictures, "out", "--weights", weights, "--device", "cpu", "--json", "out.json",
        log=tmp_path / "log", pause=0.5,
    )  # fmt: skip
    killing.wait_for(Path("out/a/0.png"), process)
    os.kill(process.pid or 0, number)
    process.join(60)
    told = (tmp_path / "log").read_text()
    assert process.exitcode == 130, told
    assert "Error: Stopped after" in told
    assert "Traceback" not in told
    results = json.loads(Path("out.json").read_text())
    counts = results["counts"]
    assert 2 <= counts["restored"] < COUNT
    assert counts["not_reached"] == COUNT - counts["restored"]
    assert results["exit_code"] == 130
    made = [Path(picture["output"]) for picture in results["pictures"] if picture["outcome"] == "restored"]
    assert sorted(tmp_path / "out" / name for name in produced(Path("out"))) == sorted(made)
    with Path("out/artrestore-report.csv").open() as file:
        assert len(list(csv.DictReader(file))) == COUNT


def test_a_second_signal_stops_at_once_and_leaves_nothing_half_done(
    pictures: Path, weights: Path, tmp_path: Path
) -> None:
    process = killing.start(
        "restore", pictures, "out", "--weights", weights, "--device", "cpu", log=tmp_path / "log", pause=30
    )
    killing.wait_for(Path("out"), process)
    time.sleep(0.3)
    start = time.monotonic()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(process.pid or 0, number)
        time.sleep(0.3)
    process.join(60)
    told = (tmp_path / "log").read_text()
    assert process.exitcode == 130, told
    assert time.monotonic() - start < 15
    assert f"{COUNT} not reached" in told
    assert "Traceback" not in told
    assert produced(Path("out")) == {}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 kB."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)]
    if os.name != "posix" or os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only who administers the system can make a small disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)  # noqa: S607 (it is where the system has it)


def test_a_disk_that_fills_up_loses_nothing(
    pictures: Path, weights: Path, tmp_path: Path, small_disk: Path
) -> None:
    settings = {"weights": weights, "device": "cpu", "changes": True}
    restore_folder(pictures, tmp_path / "whole", **settings)
    expected = produced(tmp_path / "whole")
    options = resolve_options(source=pictures, target=small_disk / "out", **settings)
    plan, terms = plan_batch(options), terms_of(options)
    room = sum(map(len, expected.values())) // 2  # the rest is used up by others while it is at work
    (small_disk / "others").write_bytes(bytes(plan.free_bytes - room))
    results: list[JobResult] = []
    with working_in(plan, terms) as journal, pytest.raises(DiskFullError, match="No space left"):
        results.extend(restore_batch(plan, make_restorer(options), options, journal=journal, terms=terms))
    assert 0 < len(results) < COUNT
    assert "failed" in [result.outcome for result in results]
    made = produced(small_disk / "out")
    assert made
    assert made.items() <= expected.items(), "something is there that is not whole"
    (small_disk / "others").unlink()
    assert {result.outcome for result in restore_folder(pictures, small_disk / "out", **settings)} <= {
        "restored",
        "skipped",
    }
    assert produced(small_disk / "out") == expected


def test_a_full_disk_has_its_own_exit_code(
    pictures: Path, tiny_weights: Path, small_disk: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small_disk / "others").write_bytes(bytes(390_000))
    refused = run("restore", pictures, small_disk / "out", "--weights", tiny_weights)
    assert refused.exit_code == 9
    assert "bytes) are free" in refused.stderr
    assert not (small_disk / "out").exists()
    monkeypatch.setattr("artrestore.restoration.plan.estimate_bytes", lambda *_: 0)  # it may be wrong
    filled = run("restore", pictures, small_disk / "out", "--weights", tiny_weights, "--json", "a.json")
    assert filled.exit_code == 9, filled.output
    counts = json.loads(Path("a.json").read_text())["counts"]
    assert counts["planned"] == COUNT == sum(count for name, count in counts.items() if name != "planned")
    for name in produced(small_disk / "out"):
        with Image.open(small_disk / "out" / name) as opened:
            opened.load()
