import errno
import json
import os
import stat
from pathlib import Path

import pytest

from artrestore.errors import InputError, OutputError
from artrestore.io.atomic import atomic_path, require_writable, write_text
from artrestore.io.locations import data_folder, list_pictures, require_pictures
from artrestore.io.tables import read_csv, write_csv, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("broken off")

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_write_replaces_the_file_with_normal_permissions(tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "a.txt"
    write_text(target, "one")
    write_text(target, "two")
    assert target.read_text() == "two"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask


def test_what_went_wrong_is_not_hidden_by_the_cleaning_up(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        write_text(tmp_path / "file" / "below.txt", "x")


def test_names_as_long_as_the_file_system_allows_can_be_written(tmp_path: Path) -> None:
    name = "画" * 80 + ".txt"
    write_text(tmp_path / name, "x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_full_disk_says_so(tmp_path: Path) -> None:
    def fill() -> None:
        with atomic_path(tmp_path / "a.txt"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        fill()


def test_space_that_is_not_there_is_found_before_work(tmp_path: Path) -> None:
    require_writable(tmp_path / "out", 1000)
    with pytest.raises(OutputError, match="No space left"):
        require_writable(tmp_path / "out", 1 << 60)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        require_writable(tmp_path / "file" / "below")


def test_listing_walks_the_tree_and_leaves_out_what_is_no_picture(tmp_path: Path) -> None:
    for name in ("b.PNG", "a/x.jpg", "a/Thumbs.db", "notes.txt", ".hidden.png", ".git/y.png", "out/z.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"")
    listing = list_pictures(tmp_path, exclude=[tmp_path / "out"])
    assert [str(path) for path in listing.pictures] == ["a/x.jpg", "b.PNG"]
    assert listing.others == 2


def test_missing_and_empty_folders_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        list_pictures(tmp_path / "nowhere")
    with pytest.raises(InputError, match="No pictures"):
        require_pictures(tmp_path)


def test_the_data_folder_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ARTRESTORE_HOME", str(tmp_path / "elsewhere"))
    assert data_folder() == tmp_path / "elsewhere"
    monkeypatch.delenv("ARTRESTORE_HOME")
    assert data_folder().name == "artrestore"


def test_json_is_strict_and_csv_has_a_header(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"psnr": float("inf"), "list": [1.5, float("nan")]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"psnr": None, "list": [1.5, None]}
    write_csv(tmp_path / "a.csv", [{"a": 1, "b": "x,y"}])
    assert (tmp_path / "a.csv").read_text() == 'a,b\n1,"x,y"\n'
    write_csv(tmp_path / "b.csv", [{"a": os.fsdecode(b"caf\xe9")}, {"c": 2}])
    assert read_csv(tmp_path / "b.csv") == [{"a": "caf\\udce9", "c": ""}, {"a": "", "c": "2"}]
