"""What is decided before anything is done."""

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from artrestore.errors import (
    DiskFullError,
    InputError,
    NothingToDoError,
    OutputError,
    PairingError,
    UsageError,
)
from artrestore.io.locations import list_pictures
from artrestore.io.pictures import read_picture, write_picture
from artrestore.restoration.inputs import find_inputs
from artrestore.restoration.jobs import Plan
from artrestore.restoration.options import RestoreOptions
from artrestore.restoration.plan import plan_batch
from artrestore.restoration.space import in_words, require_space
from conftest import save_smooth, smooth_picture


def plan_of(source: Path | tuple[Path, ...], target: Path, **settings: object) -> Plan:
    return plan_batch(RestoreOptions(source=source, target=target, **settings))  # type: ignore[arg-type]


def names(plan: Plan) -> list[str]:
    return [str(job.name) for job in plan.jobs]


def targets(plan: Plan) -> list[str]:
    return [job.target.as_posix() for job in plan.jobs]


def touch(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def test_two_inputs_that_another_format_would_bring_together_are_refused() -> None:
    touch("in/a.jpg", "in/a.png", "in/b.png")
    assert targets(plan_of(Path("in"), Path("out"))) == ["out/a.jpg", "out/a.png", "out/b.png"]
    with pytest.raises(OutputError, match="share one output") as caught:
        plan_of(Path("in"), Path("out"), format="tiff")
    assert caught.value.details == ("a.jpg and a.png",)


def test_another_format_changes_the_suffix_of_those_that_have_another() -> None:
    touch("in/a.jpg", "in/b.TIFF", "in/c.d.png")
    assert targets(plan_of(Path("in"), Path("out"), format="tiff")) == ["out/a.tif", "out/b.TIFF", "out/c.d.tif"]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("STRASSE.png", "straße.png"),
        (unicodedata.normalize("NFC", "é.png"), unicodedata.normalize("NFD", "é.png")),
        (unicodedata.normalize("NFC", "É.png"), unicodedata.normalize("NFD", "é.png")),
        ("x/a.png", "X/a.png"),
    ],
)
def test_names_that_some_file_systems_take_for_one_are_refused(one: str, two: str) -> None:
    touch(f"in/{one}", f"in/{two}")
    if len(list_pictures(Path("in")).pictures) == 1:
        pytest.skip("this is such a file system")
    with pytest.raises(OutputError, match="share one output"):
        plan_of(Path("in"), Path("out"))


def test_globs_choose_pictures_by_name_or_by_whole_path() -> None:
    touch("in/a.tif", "in/b.png", "in/x/c.tif", "in/x/y/d.tif", "in/x/e.png")
    source, target = Path("in"), Path("out")
    assert names(plan_of(source, target, include=("*.tif",))) == ["a.tif", "x/c.tif", "x/y/d.tif"]
    assert names(plan_of(source, target, include=("x/*",))) == ["x/c.tif", "x/e.png", "x/y/d.tif"]
    assert names(plan_of(source, target, include=("x/*", "a.*"), exclude=("*.png", "x/y/*"))) == [
        "a.tif",
        "x/c.tif",
    ]
    assert plan_of(source, target, exclude=("*.png",)).filtered == 2
    with pytest.raises(NothingToDoError, match="none of the 5 pictures"):
        plan_of(source, target, include=("*.jpg",))


def test_hidden_and_system_files_are_left_out() -> None:
    touch(
        "in/a.png", "in/.hidden.png", "in/._a.png", "in/@eaDir/a.png", "in/x/__MACOSX/a.png", "in/Thumbs.db",
        "in/$RECYCLE.BIN/a.png", "in/.DS_Store", "in/System Volume Information/a.png", "in/.git/b.png",
    )  # fmt: skip
    assert names(plan_of(Path("in"), Path("out"))) == ["a.png"]


def test_links_that_go_round_in_circles_are_passed_over(tmp_path: Path) -> None:
    save_smooth(tmp_path / "in/a.png")
    (tmp_path / "in/round").symlink_to(tmp_path / "in")
    (tmp_path / "in/self.png").symlink_to(tmp_path / "in/self.png")
    (tmp_path / "in/nowhere.png").symlink_to(tmp_path / "nowhere")
    assert names(plan_of(tmp_path / "in", tmp_path / "out")) == ["a.png", "nowhere.png", "self.png"]
    assert names(plan_of(tmp_path / "in", tmp_path / "in/round/out")) == ["a.png", "nowhere.png", "self.png"]


def test_several_inputs_keep_their_folders_apart() -> None:
    touch("one/a.png", "two/a.png", "two/x/b.png", "c.png")
    plan = plan_of((Path("c.png"), Path("one"), Path("two")), Path("out"))
    assert targets(plan) == ["out/c.png", "out/one/a.png", "out/two/a.png", "out/two/x/b.png"]
    touch("deep/one/a.png")
    with pytest.raises(OutputError, match="share one output") as caught:
        plan_of((Path("one"), Path("deep/one")), Path("out"))
    assert caught.value.details == ("deep/one/a.png and one/a.png",)


def test_a_picture_that_is_named_twice_is_restored_once() -> None:
    touch("in/a.png", "b.png")
    assert targets(plan_of((Path("b.png"), Path("b.png"), Path("in")), Path("out"))) == [
        "out/b.png",
        "out/in/a.png",
    ]


def test_one_picture_may_become_a_file() -> None:
    touch("in/a.png", "there.dat")
    for target in ("out/b.png", "b.tif", "there.dat"):
        plan = plan_of(Path("in/a.png"), Path(target))
        assert (targets(plan), plan.folder) == ([target], None)
    Path("folder.png").mkdir()
    assert targets(plan_of(Path("in/a.png"), Path("folder.png"))) == ["folder.png/a.png"]
    assert targets(plan_of(Path("in"), Path("new.png"))) == ["new.png/a.png"]
    with pytest.raises(UsageError, match="--format tiff"):
        plan_of(Path("in/a.png"), Path("b.png"), format="tiff")


def test_a_file_is_never_its_own_output() -> None:
    touch("in/a.png")
    Path("link.png").symlink_to("in/a.png")
    for target in ("in/a.png", "in/../in/a.png", "link.png"):
        with pytest.raises(OutputError, match="never written over"):
            plan_of(Path("in/a.png"), Path(target), overwrite=True)


@pytest.mark.parametrize(
    ("source", "target", "settings"),
    [
        ("x.png.changes.png", "x.png", {"changes": True}),
        ("x.png.sample-1.png", "x.png", {}),
        ("in/a.png", "masks", {"masks": Path("masks")}),
        ("in/a.png", "clear/a.png", {"clear": Path("clear")}),
    ],
)
def test_what_a_picture_is_made_from_is_neither_written_over_nor_removed(
    source: str, target: str, settings: dict[str, object]
) -> None:
    touch("x.png.changes.png", "x.png.sample-1.png", "in/a.png", "masks/a.png", "clear/a.png")
    with pytest.raises(OutputError, match="an original, a mask or a clear picture"):
        plan_of(Path(source), Path(target), overwrite=True, **settings)


def test_a_mask_belongs_to_the_picture_whose_name_it_has_and_to_no_other() -> None:
    touch("in/ship.png", "in/ship_2.jpg", "masks/ship.png")
    with pytest.raises(PairingError, match="1 of 2 pictures") as caught:
        plan_of(Path("in"), Path("out"), masks=Path("masks"))
    assert caught.value.details == ("ship_2.jpg: no mask has its name",)
    touch("masks/ship_2.png")
    assert [str(job.mask) for job in plan_of(Path("in"), Path("out"), masks=Path("masks")).jobs] == [
        "masks/ship.png",
        "masks/ship_2.png",
    ]


def test_a_folder_is_listed_once_however_many_pictures_lie_there(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number}.png" for number in range(20)]
    touch(
        *(f"in/{name}" for name in names), "out/3.png.changes.png", "out/3.png.sample-2.png", "out/no.changes.png"
    )
    listed: list[Path] = []
    iterdir = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: (listed.append(path), iterdir(path))[1])
    stale = {str(job.name): job.stale for job in plan_of(Path("in"), Path("out"), overwrite=True).jobs}
    assert listed == [Path("out")]
    assert stale.pop("3.png") == (Path("out/3.png.changes.png"), Path("out/3.png.sample-2.png"))
    assert not any(stale.values())


def test_no_folder_may_hold_any_of_several_inputs() -> None:
    touch("one/a.png", "out/two/b.png")
    with pytest.raises(OutputError, match="never written over"):
        plan_of((Path("one"), Path("out/two")), Path("out"))


def test_an_output_that_cannot_be_written_is_found_before_work(tmp_path: Path) -> None:
    touch("in/a.png", "file")
    with pytest.raises(OutputError, match="is no folder"):
        plan_of(Path("in"), Path("file/out"))
    if os.geteuid() == 0:
        pytest.skip("who administers the system may write anywhere")
    Path("closed").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="may not write"):
        plan_of(Path("in"), Path("closed/out"))


def test_an_empty_folder_is_nothing_to_do_and_a_missing_one_an_error() -> None:
    Path("in").mkdir()
    with pytest.raises(NothingToDoError, match="No pictures in in"):
        plan_of(Path("in"), Path("out"))
    with pytest.raises(InputError, match="no folder") as caught:
        plan_of(Path("nowhere"), Path("out"))
    assert not isinstance(caught.value, NothingToDoError)
    assert not Path("out").exists()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".bmp", ".webp"])
def test_the_estimate_of_space_is_near_what_is_written(suffix: str) -> None:
    grain = np.random.default_rng(0).normal(0, 8, (300, 400, 3))
    Path("in").mkdir()
    Image.fromarray((smooth_picture(400, 300) + grain).clip(0, 255).astype("uint8")).save(f"in/a{suffix}")
    write_picture(Path(f"b{suffix}"), read_picture(Path(f"in/a{suffix}")))
    written = Path(f"b{suffix}").stat().st_size
    needed = plan_of(Path("in"), Path("out")).needed_bytes
    assert written / 2.5 < needed < 2.5 * written
    assert plan_of(Path("in"), Path("out"), changes=True).needed_bytes > needed


def test_outputs_that_find_no_room_are_refused_with_both_figures() -> None:
    plan = Plan(jobs=(), needed_bytes=12_300_000_000, free_bytes=4_000_000)
    with pytest.raises(DiskFullError, match=r"12\.3 GB \(12300000000 bytes\).*4\.0 MB \(4000000 bytes\)"):
        require_space(plan)
    require_space(Plan(jobs=(), needed_bytes=5, free_bytes=5))
    assert [in_words(count) for count in (0, 999, 1000, 10**15)] == ["0 bytes", "999 bytes", "1.0 kB", "1000.0 TB"]


def test_what_fails_to_open_is_planned_all_the_same() -> None:
    touch("in/a.png")
    Path("in/b.png").write_bytes(b"no picture")
    assert plan_of(Path("in"), Path("out")).needed_bytes == len(b"no picture")


_NAME = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(st.lists(_NAME, min_size=1, max_size=5, unique=True), st.binary(min_size=1, max_size=20))
def test_any_names_can_be_planned(tmp_path_factory: pytest.TempPathFactory, texts: list[str], raw: bytes) -> None:
    root = tmp_path_factory.mktemp("names")
    raw_name = os.fsdecode(bytes(byte for byte in raw if byte not in b"/\0"))
    made = set()
    for text in [*texts, raw_name]:
        path = root / f"x{text}.png"
        if len(os.fsencode(path.name)) < 200:
            path.touch()
            made.add(path.name)
    inputs = find_inputs([root], root.parent / "out")
    assert {str(name) for name in inputs.names} == made
    try:
        plan = plan_of(root, root.parent / "out")
    except OutputError:
        return  # two that some file systems take for one
    assert {job.target.name for job in plan.jobs} == made
