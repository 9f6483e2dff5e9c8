"""Reading, restoring and writing go on side by side, and what ends one picture ends no other."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import Result

from artrestore.errors import DiskFullError
from artrestore.restoration.batch import JobResult, make_restorer, restore_batch, restore_folder
from artrestore.restoration.jobs import Plan, with_not_reached
from artrestore.restoration.options import RestoreOptions, resolve_options
from artrestore.restoration.plan import plan_batch
from artrestore.restoration.steps import Steps
from conftest import save_smooth, smooth_picture, write_tiny_weights
from hostile import make_hostile_folder


@pytest.fixture
def options(tiny_weights: Path) -> RestoreOptions:
    for index in range(6):
        save_smooth(Path(f"in/{index}.png"), 40, 30, seed=index)
    return resolve_options(source=Path("in"), target=Path("out"), weights=tiny_weights, device="cpu")


def carry_out(options: RestoreOptions, stop: threading.Event | None = None) -> tuple[Plan, Iterator[JobResult]]:
    plan = plan_batch(options)
    return plan, restore_batch(plan, make_restorer(options), options, stop=stop)


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The steps in the order in which they begin and end.

    No picture is done with being restored before the next one is read, nor with being written before the next one
    is begun: were the steps taken in turn, they would wait in vain, and fail.
    """
    seen: list[tuple[str, int]] = []
    changed = threading.Condition()

    def tell(*event: str | int) -> None:
        with changed:
            seen.append(event)  # type: ignore[arg-type]
            changed.notify_all()

    def wait_for(*event: str | int) -> None:
        with changed:
            assert changed.wait_for(lambda: event in seen, timeout=20), f"{event} did not come"

    def observed(name: str, step: Callable[..., Any], other: str | None) -> Callable[..., Any]:
        def call(self: Steps, *values: Any) -> Any:
            number = int(getattr(values[0], "job", values[0]).name.stem)
            tell(name, number)
            result = step(self, *values)
            if other and number < 5:
                wait_for(other, number + 1)
            tell(f"{name} done", number)
            return result

        return call

    for name, other in (("read", None), ("restore", "read done"), ("write", "restore")):
        monkeypatch.setattr(Steps, name, observed(name, getattr(Steps, name), other))
    return seen


def test_the_next_is_read_and_the_one_before_written_while_one_is_restored(options, events) -> None:
    _, results = carry_out(options)
    assert [(result.outcome, result.job.name.stem) for result in results] == [("restored", n) for n in "012345"]


def test_no_more_than_three_pictures_are_held_at_once(options, events) -> None:
    _, results = carry_out(options)
    list(results)
    held, most = set(), 0
    for step, number in events:
        if step == "read":
            held.add(number)
        elif step == "write done":
            held.discard(number)
        most = max(most, len(held))
    assert most == 3


def test_bad_files_of_all_kinds_fail_alone_and_in_order(options) -> None:
    Path("in/1.png").write_bytes(b"")
    Path("in/2.png").unlink()
    Path("in/2.png").symlink_to("in/2.png")
    Path("in/3.png").unlink()
    os.mkfifo("in/3.png")  # reading it would wait for ever
    _, results = carry_out(options)
    assert [result.outcome for result in results] == [
        "restored", "failed", "failed", "failed", "restored", "restored",
    ]  # fmt: skip


def test_a_picture_that_goes_while_the_run_is_on_fails_alone(options) -> None:
    _, results = carry_out(options)
    first = next(results)
    Path("in/4.png").unlink()
    rest = list(results)
    assert [result.outcome for result in (first, *rest)].count("failed") == 1
    assert rest[3].job.name.name == "4.png"


def test_a_picture_that_is_written_to_while_it_is_read_fails(options, monkeypatch: pytest.MonkeyPatch) -> None:
    from artrestore.restoration import reading

    read = reading.read_picture

    def slow(path: Path):
        picture = read(path)
        if path.name == "2.png":
            with path.open("ab") as file:
                file.write(b"more")
        return picture

    monkeypatch.setattr(reading, "read_picture", slow)
    results = list(carry_out(options)[1])
    assert [result.outcome for result in results].count("failed") == 1
    assert "changed while it was read" in results[2].reason


def test_a_stop_finishes_what_is_begun_and_reaches_no_more(options) -> None:
    stop = threading.Event()
    plan, batch = carry_out(options, stop)
    results = []
    for result in batch:
        results.append(result)
        stop.set()
    assert [result.outcome for result in results] == ["restored"] * 2
    assert {path.name for path in Path("out").iterdir()} == {"0.png", "1.png"}
    whole = with_not_reached(results, plan.jobs)
    assert [result.outcome for result in whole] == ["restored"] * 2 + ["not reached"] * 4
    assert [result.job for result in whole] == list(plan.jobs)


def test_no_space_is_told_for_its_picture_before_it_ends_the_run(options, monkeypatch) -> None:
    from artrestore.restoration import steps

    write = steps.write_picture

    def full(path: Path, *rest):
        if path.name == "2.png":
            raise DiskFullError("No space left")
        return write(path, *rest)

    monkeypatch.setattr(steps, "write_picture", full)
    _, batch = carry_out(options)
    results = []

    def collect() -> None:
        for result in batch:
            results.append(result)  # noqa: PERF402 (the last ones come before an error)

    with pytest.raises(DiskFullError):
        collect()
    assert [result.outcome for result in results[:3]] == ["restored", "restored", "failed"]
    assert len(results) <= 4
    assert not Path("out/5.png").exists()


def test_time_of_modification_is_kept_if_that_is_asked_for(options) -> None:
    os.utime("in/0.png", ns=(10**18, 10**18 + 123))
    settings = {"weights": options.weights, "device": "cpu"}
    restore_folder("in", "out", **settings)
    assert Path("out/0.png").stat().st_mtime_ns > 10**18 + 123
    restore_folder("in", "kept", keep_mtime=True, **settings)
    assert Path("kept/0.png").stat().st_mtime_ns == 10**18 + 123


def test_larger_pictures_than_allowed_fail(options) -> None:
    save_smooth(Path("in/9.png"), 41, 30)
    results = restore_folder("in", "out", weights=options.weights, device="cpu", max_pixels=1200)
    assert [result.outcome for result in results] == ["restored"] * 6 + ["failed"]
    assert "41 x 30" in results[-1].reason


def test_every_file_of_a_hostile_folder_has_one_result(tmp_path: Path, run: Callable[..., Result]) -> None:
    expected = make_hostile_folder(tmp_path / "in")
    write_tiny_weights(tmp_path / "w.safetensors", "conv-vae")
    ended = run(
        "restore", tmp_path / "in", tmp_path / "out", "--weights", tmp_path / "w.safetensors", "--device", "cpu",
        "--json", tmp_path / "results.json", "--max-pixels", 1_000_000,
    )  # fmt: skip
    assert ended.exit_code == 7, ended.output
    assert "Traceback" not in ended.output
    results = json.loads((tmp_path / "results.json").read_text())["pictures"]
    outcomes = {Path(result["source"]).name: result["outcome"] for result in results}
    assert len(outcomes) == len(results) > 100
    for name, outcome in outcomes.items():
        assert outcome in ("restored", "failed"), name
        readable = expected[name]
        if readable is not None and Path(name).suffix not in (".gif", ".heic"):
            assert (outcome == "restored") == readable, name
    assert all(result["reason"] for result in results if result["outcome"] == "failed")


def test_what_is_only_read_needs_another_format(tmp_path: Path, run: Callable[..., Result]) -> None:
    Image.fromarray(smooth_picture(40, 30)).convert("P").save(tmp_path / "a.gif")
    (tmp_path / "in").mkdir()
    (tmp_path / "a.gif").rename(tmp_path / "in/a.gif")
    write_tiny_weights(tmp_path / "w.safetensors", "conv-vae")
    words = ("restore", tmp_path / "in", tmp_path / "out", "--weights", tmp_path / "w.safetensors")
    refused = run(*words)
    assert refused.exit_code == 7
    assert "--format" in refused.output
    assert run(*words, "--format", "png").exit_code == 0
    assert (tmp_path / "out/a.png").exists()
