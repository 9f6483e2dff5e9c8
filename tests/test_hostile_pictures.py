"""What is no sound picture is that file's error and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from artrestore.errors import PictureError
from artrestore.io.pictures import PictureWriter, open_picture, read_size
from conftest import save_smooth
from hostile import make_hostile_folder, sound_files

SOUND = sound_files()
# Whatever a header claims, a fuzzed file may not take the memory of the machine that tests.
FEW = 1_000_000


def read_all(path: Path, max_pixels: int = FEW) -> bool:
    """Read every page in every way; whether that went well. Any other error than ours fails the test."""
    try:
        with open_picture(path, max_pixels=max_pixels) as file:
            for index in range(min(file.pages, 3)):
                page = file.page(index)
                page.thumbnail(16, 16)
                rgb = page.read().rgb
                assert rgb.shape == (3, page.height, page.width)
                assert 0 <= rgb.min() <= rgb.max() <= 1
    except PictureError as error:
        refusal = error.message
    else:
        return True
    assert str(path) in refusal
    assert "\n" not in refusal.replace(str(path), "")
    return False


def test_every_file_of_a_hostile_folder_is_read_or_refused(tmp_path: Path) -> None:
    expected = make_hostile_folder(tmp_path / "in")
    assert len(expected) >= 60
    found = {name: read_all(tmp_path / "in" / name) for name in expected}
    wrong = {name: is_read for name, is_read in found.items() if expected[name] not in (None, is_read)}
    assert wrong == {}


@pytest.mark.parametrize("name", SOUND)
def test_sound_files_are_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(SOUND[name])
    assert read_all(tmp_path / name)


@given(
    name=st.sampled_from(sorted(SOUND)),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    head=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    cut=st.one_of(st.just(1.0), st.floats(0, 1)),
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(name="plain.tif", changes=[], head=[(4, 255), (5, 255)], cut=1.0)
def test_only_our_own_errors_leave_the_reader(
    tmp_path: Path, name: str, changes: list[tuple[float, int]], head: list[tuple[int, int]], cut: float
) -> None:
    content = bytearray(SOUND[name])
    for place, value in changes:
        content[int(place * len(content))] = value
    for place, value in head:
        content[place] = value
    path = tmp_path / name
    path.write_bytes(content[: round(cut * len(content))])
    read_all(path)


def test_a_damaged_directory_of_a_tiff_is_that_files_error(tmp_path: Path) -> None:
    content = save_smooth(tmp_path / "a.tif").read_bytes()
    first = int.from_bytes(content[4:8], "little")
    entries = int.from_bytes(content[first : first + 2], "little")
    place = first + 2 + 12 * entries  # where the offset of the next directory stands
    empty = b"\0" * (len(content) % 2) + (0).to_bytes(2, "little") + bytes(4)  # a directory without dimensions
    offset = (len(content) + len(content) % 2).to_bytes(4, "little")
    (tmp_path / "b.tif").write_bytes(content[:place] + offset + content[place + 4 :] + empty)
    assert not read_all(tmp_path / "b.tif")


def read_first(path: Path, max_pixels: int) -> None:
    with open_picture(path, max_pixels=max_pixels) as file:
        file.page(0)


def test_too_many_pixels_are_refused_by_the_header_alone(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="claims 48 x 40 pixels") as caught:
        read_first(save_smooth(tmp_path / "a.png"), max_pixels=100)
    assert "--max-pixels" in caught.value.hint


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(PictureError, match="pipe"):
        read_size(tmp_path / "a.png")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_what_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = save_smooth(tmp_path / "a.png")
    path.chmod(0)
    with pytest.raises(PictureError, match="Permission denied"):
        read_size(path)


def test_damage_that_shows_only_late_leaves_no_output(tmp_path: Path) -> None:
    content = save_smooth(tmp_path / "whole.png", 400, 900).read_bytes()
    (tmp_path / "in.png").write_bytes(content[: len(content) // 2])

    def restore() -> None:
        with open_picture(tmp_path / "in.png") as file, PictureWriter(tmp_path / "out.png", file) as writer:
            for top in range(0, 900, 100):
                writer.write_rows(0, top, file.page(0).rows(top, top + 100))

    with pytest.raises(PictureError, match="cut short"):
        restore()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.png", "whole.png"]


def test_nothing_is_printed_about_a_bad_file(tmp_path: Path) -> None:
    for name, content in SOUND.items():
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    program = (
        "from pathlib import Path\nfrom artrestore.io.pictures import read_rgb\n"
        f"for path in sorted(Path({str(tmp_path)!r}).iterdir()):\n"
        "    try: read_rgb(path)\n    except Exception as error: assert type(error).__name__ == 'PictureError'"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
