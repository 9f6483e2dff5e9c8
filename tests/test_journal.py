"""What a second run makes of the first one's journal."""

import json
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artrestore.errors import OutputError
from artrestore.io.digests import FileMark
from artrestore.restoration.batch import JobResult, restore_folder
from artrestore.restoration.journal import JOURNAL, Entry, Terms, open_journal, read_journal
from conftest import save_smooth, write_tiny_weights

TERMS = Terms(weights="0" * 64, settings={"strength": 1.0})


@pytest.fixture
def restore(tmp_path: Path) -> Callable[..., list[JobResult]]:
    """Restore `in` into `out` with tiny weights."""
    weights = write_tiny_weights(tmp_path / "w.safetensors", "hierarchical-vae")
    for index, name in enumerate(("a.png", "b.png", "x/c.tif")):
        save_smooth(tmp_path / "in" / name, 40, 30, seed=index)

    def call(**settings: object) -> list[JobResult]:
        settings = {"source": "in", "target": "out", "weights": weights, "device": "cpu"} | settings
        return restore_folder(**settings)  # type: ignore[arg-type]

    return call


def told(results: list[JobResult]) -> list[tuple[str, str]]:
    return [(result.outcome, result.reason or result.job.again) for result in results]


DONE = ("skipped", "already done")


def test_what_is_done_and_still_valid_is_skipped(restore) -> None:
    assert told(restore()) == [("restored", "")] * 3
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*.*") if path.is_file()}
    for path in Path("in").rglob("*.*"):
        os.utime(path)  # what counts is the content
    assert told(restore()) == [DONE] * 3
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_an_input_that_has_changed_is_done_again(restore) -> None:
    restore()
    save_smooth(Path("in/b.png"), 40, 30, seed=7)
    assert told(restore()) == [DONE, ("restored", "the input has changed"), DONE]
    assert told(restore()) == [DONE] * 3


def test_a_change_that_keeps_length_and_time_is_found(restore) -> None:
    save_smooth(Path("in/b.bmp"), 40, 30)
    restore()
    path = Path("in/b.bmp")
    times = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert [result.job.again for result in restore() if result.outcome == "restored"] == ["the input has changed"]


def test_an_output_that_has_changed_or_gone_is_done_again(restore) -> None:
    restore(changes=True)
    good = {name: Path("out", name).read_bytes() for name in ("a.png", "b.png", "x/c.tif.changes.png")}
    Path("out/a.png").write_bytes(good["a.png"][:-20])
    Path("out/b.png").unlink()
    Path("out/x/c.tif.changes.png").write_bytes(b"spoilt")
    assert told(restore(changes=True)) == [
        ("restored", "the output has changed"),
        ("restored", "its output is gone"),
        ("restored", "the output has changed"),
    ]
    assert {name: Path("out", name).read_bytes() for name in good} == good


def test_other_weights_and_other_settings_are_told(restore, tmp_path: Path) -> None:
    restore()
    assert {reason for _, reason in told(restore(strength=0.5, quality=80))} == {
        "other settings (strength, quality)"
    }
    other = write_tiny_weights(tmp_path / "other.safetensors", "hierarchical-vae", seed=1)
    assert {reason for _, reason in told(restore(strength=0.5, quality=80, weights=other))} == {"other weights"}
    copied = shutil.copy(other, tmp_path / "copy.safetensors")
    assert told(restore(strength=0.5, quality=80, weights=copied)) == [DONE] * 3


def test_what_changes_nothing_but_rounding_does_nothing_again(restore) -> None:
    restore()
    assert told(restore(tile_size=64, overlap=16, batch_size=3, max_pixels=10**6, seed=5)) == [DONE] * 3
    assert {reason for _, reason in told(restore(average=1, seed=5))} == {"other settings (average, seed)"}


def test_a_mask_that_has_changed_is_told(restore) -> None:
    for path in ("a.png", "b.png", "x/c.png"):
        save_smooth(Path("masks") / path, 40, 30)
    settings = {"masks": Path("masks"), "only_masked": True}
    restore(**settings)
    save_smooth(Path("masks/b.png"), 40, 30, seed=1)
    assert told(restore(**settings)) == [DONE, ("restored", "the mask has changed"), DONE]


def test_what_is_not_in_the_journal_is_left_alone_unless_overwritten(restore) -> None:
    Path("out").mkdir()
    Path("out/b.png").write_bytes(b"somebody else's")
    foreign = ("skipped", "already there, and the journal does not know it")
    assert told(restore()) == [("restored", ""), foreign, ("restored", "")]
    assert Path("out/b.png").read_bytes() == b"somebody else's"
    assert told(restore(overwrite=True)) == [("restored", "--overwrite")] * 3
    assert told(restore()) == [DONE] * 3


def test_the_restoration_of_another_folder_is_not_replaced(restore) -> None:
    restore()
    kept = Path("out/a.png").read_bytes()
    save_smooth(Path("box2/a.png"), 40, 30, seed=9)
    save_smooth(Path("box2/new.png"), 40, 30, seed=9)
    other, new = restore(source="box2")
    assert other.outcome == "skipped"
    assert "restored from another picture" in other.reason
    assert str(Path("in/a.png").absolute()) in other.reason
    assert new.outcome == "restored"
    assert Path("out/a.png").read_bytes() == kept


def test_inputs_that_have_moved_are_known_by_their_content(restore) -> None:
    restore()
    Path("in").rename("moved")
    assert told(restore(source="moved")) == [DONE] * 3


def test_failures_are_tried_again_alone_if_that_is_asked_for(restore) -> None:
    Path("in/b.png").write_bytes(b"not a picture")
    Path("in/d.png").write_bytes(b"not a picture")
    restore()
    save_smooth(Path("in/b.png"), 40, 30)
    save_smooth(Path("in/e.png"), 40, 30)
    other = ("skipped", "it has not failed before")
    b, d = restore(retry_failed=True)[1:3]
    assert (b.outcome, b.job.again, d.outcome) == ("restored", "it failed before", "failed")
    assert (
        told([result for result in restore(retry_failed=True) if result.job.name.name != "d.png"]) == [other] * 4
    )
    assert [result.outcome for result in restore()] == ["skipped", "skipped", "failed", "restored", "skipped"]


def test_a_picture_that_was_begun_and_not_ended_is_done_again(restore) -> None:
    restore()
    lines = Path("out", JOURNAL).read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["outcome"] for line in lines].count("started") == 3
    (begun,) = [line for line in lines if b'"started"' in line and b'"b.png"' in line]
    Path("out", JOURNAL).write_bytes(b"".join([*lines, begun]))
    assert told(restore()) == [DONE, ("restored", "the run before was cut off"), DONE]


@pytest.mark.parametrize("cut", [1, 2, 30, 200])
def test_a_last_line_that_was_cut_short_is_left_out_and_mended(restore, cut: int) -> None:
    restore()
    journal = Path("out", JOURNAL)
    journal.write_bytes(journal.read_bytes()[:-cut])
    outcomes = [result.outcome for result in restore()]
    assert outcomes.count("restored") == (0 if cut == 1 else 1)
    assert outcomes.count("skipped") == (3 if cut == 1 else 2)
    for line in journal.read_bytes().splitlines():
        json.loads(line)


def test_damaged_lines_in_the_middle_cost_their_picture_only(restore) -> None:
    restore()
    journal = Path("out", JOURNAL)
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[1:1] = [b"\0\0\0\0\n", b'{"version": 1}\n', b"[]\n", b"\xff\xfe\n", b'{"version": 1, "outputs": 7}\n']
    journal.write_bytes(b"".join(lines))
    assert read_journal(Path("out")).damaged == 5
    assert told(restore()) == [DONE] * 3


def test_a_journal_of_a_later_version_is_refused(restore) -> None:
    restore()
    journal = Path("out", JOURNAL)
    journal.write_bytes(journal.read_bytes().replace(b'"version": 1', b'"version": 2'))
    with pytest.raises(OutputError, match="version 2"):
        restore()


def test_two_runs_on_one_output_folder_are_refused(restore) -> None:
    restore()
    length = read_journal(Path("out")).length
    with open_journal(Path("out"), TERMS, planned_at=length):
        refusals = []

        def second() -> None:
            try:
                restore(overwrite=True)
            except OutputError as error:
                refusals.append(error.message)

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert refusals == ["Another run is restoring into out"]
    assert told(restore()) == [DONE] * 3  # its lock is gone, though the file stays


def test_a_run_in_between_makes_a_plan_void(tmp_path: Path) -> None:
    with open_journal(tmp_path, TERMS, planned_at=0) as journal:
        journal.add(Entry(output="a", picture="a", source="/a", outcome="started", terms=TERMS))
    with pytest.raises(OutputError, match="just changed"), open_journal(tmp_path, TERMS, planned_at=0):
        pass


_TEXT = st.text(max_size=30) | st.binary(max_size=20).map(os.fsdecode)
_MARK = st.builds(
    FileMark, bytes=st.integers(0, 2**60), sha256=st.text("0123456789abcdef", min_size=64, max_size=64)
)


@given(
    st.builds(
        Entry, output=_TEXT, picture=_TEXT, source=_TEXT, outcome=st.sampled_from(["started", "failed"]),
        reason=_TEXT, input=st.none() | _MARK, mask=st.none() | _MARK, outputs=st.dictionaries(_TEXT, _MARK),
        terms=st.just(TERMS), seconds=st.integers(0, 10**6).map(float),
        figures=st.dictionaries(_TEXT, st.integers()),
    )
)  # fmt: skip
def test_a_line_holds_any_entry(entry: Entry) -> None:
    line = entry.as_line()
    assert line.count(b"\n") == 1
    assert Entry.from_line(line) == replace(entry, outputs=dict(entry.outputs), figures=dict(entry.figures))


@given(st.binary(max_size=200))
def test_no_line_at_all_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("journal")
    (folder / JOURNAL).write_bytes(content)
    history = read_journal(folder)
    assert history.length == len(content)
    assert history.entries == {}
