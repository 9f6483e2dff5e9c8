"""`artrestore damage`: what it writes, that it can be relied on, and what it refuses."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artrestore.damage.recipes import load_recipe
from artrestore.damaging import batch
from artrestore.damaging.batch import damage_batch
from artrestore.damaging.plan import plan_damage
from artrestore.errors import ArtRestoreError, OutputError
from artrestore.io.locations import list_pictures
from artrestore.io.pictures import read_rgb, read_rgb8, read_size
from artrestore.pairing import pair_by_name
from conftest import save_smooth


def start_damaging(folder: Path, pictures: int, **pipes: int) -> subprocess.Popen[str]:
    """The command as a process of its own with two more; it has work for a second at least."""
    for index in range(pictures):
        save_smooth(folder / "clear" / f"{index}.png", 400, 300, seed=index)
    command = [
        sys.executable,
        "-m",
        "artrestore",
        "damage",
        "clear",
        "out",
        "--recipe",
        "severe",
        "--workers",
        "2",
    ]
    return subprocess.Popen(command, text=True, **pipes)


@pytest.fixture
def clear(tmp_path: Path) -> Path:
    for name in ("ship (1).jpg", "sub/ship (1).png", "sub/föx.webp"):
        save_smooth(tmp_path / "clear" / name, 64, 48, seed=len(name))
    return tmp_path / "clear"


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_it_mirrors_the_tree_and_train_pairs_what_it_names(clear: Path, run) -> None:
    before = files(clear)
    done = run("damage", clear, "out", "--variants", 2, "--workers", 1)
    assert done.exit_code == 0, done.output
    listing, made = list_pictures(clear), list_pictures(Path("out"))
    assert [str(p) for p in made.pictures][:2] == ["ship (1)_damaged1.png", "ship (1)_damaged2.png"]
    pairing = pair_by_name(listing.pictures, made.pictures)
    assert len(pairing.pairs) == 6
    assert not pairing.unpaired_clear
    assert files(clear) == before


def test_files_depend_on_seed_and_path_alone(clear: Path, run) -> None:
    options = ("--recipe", "severe", "--variants", 2)
    for out, more in {"a": ("--workers", 1), "b": ("--workers", 2), "c": ("--workers", 1, "--seed", 1)}.items():
        assert run("damage", clear, out, "--masks", f"{out}-masks", *options, *more).exit_code == 0
    assert files(Path("a")) == files(Path("b"))
    assert files(Path("a-masks")) == files(Path("b-masks"))
    assert files(Path("a"))["ship (1)_damaged1.png"] != files(Path("c"))["ship (1)_damaged1.png"]
    # Another picture beside it, or more variants, change nothing of the ones that were there.
    save_smooth(clear / "aaa.png", 30, 30)
    assert run("damage", clear, "d", *options[:2], "--variants", 3, "--workers", 1).exit_code == 0
    assert files(Path("d")).items() >= files(Path("a")).items()


def test_variants_and_equal_pictures_in_other_places_differ(tmp_path: Path, run) -> None:
    for name in ("a.png", "b/a.png"):
        save_smooth(tmp_path / "clear" / name, 64, 48, seed=1)
    assert run("damage", tmp_path / "clear", "out", "--recipe", "severe", "--variants", 2).exit_code == 0
    pictures = [content for name, content in files(Path("out")).items() if name.endswith(".png")]
    assert len(set(pictures)) == 4


def test_the_record_tells_what_was_done(clear: Path, run) -> None:
    assert run("damage", clear, "out", "--recipe", "severe", "--masks", "masks", "--seed", 5).exit_code == 0
    record = json.loads(Path("out/sub/föx_damaged1.json").read_text(encoding="utf-8"))
    assert record["clear"] == "sub/föx.webp"
    assert (record["seed"], record["variant"], record["recipe"]) == (5, 1, "severe")
    assert record["steps"]
    for step in record["steps"]:
        assert 0 < step["strength"] <= 1
        assert step["parameters"]
    mask = read_rgb8(Path("masks/sub/föx_damaged1.png"))
    assert set(np.unique(mask)) <= {0, 255}
    assert np.mean(mask == 255) == pytest.approx(record["lost"])
    pixels, reference = (read_rgb(path) for path in (Path("out/sub/föx_damaged1.png"), clear / "sub/föx.webp"))
    assert -10 * np.log10(np.mean((pixels - reference) ** 2)) == pytest.approx(record["psnr"], abs=1e-3)


def test_a_second_run_skips_what_is_done_and_refuses_other_settings(clear: Path, run) -> None:
    assert run("damage", clear, "out").exit_code == 0
    first = files(Path("out"))
    Path("out/ship (1)_damaged1.json").unlink()
    Path("out/ship (1)_damaged1.png").unlink()
    again = run("damage", clear, "out")
    assert "2 were there already" in again.output
    assert files(Path("out")) == first
    other = run("damage", clear, "out", "--seed", 1)
    assert other.exit_code == 6
    assert "with other settings" in other.output
    assert files(Path("out")) == first
    assert run("damage", clear, "out", "--seed", 1, "--overwrite").exit_code == 0
    assert files(Path("out")) != first


def test_masks_that_are_missing_are_made(clear: Path, run) -> None:
    assert run("damage", clear, "out").exit_code == 0
    assert run("damage", clear, "out", "--masks", "masks").exit_code == 0
    assert len(files(Path("masks"))) == 3


def test_an_interruption_before_the_picture_is_mended_by_the_same_command(clear: Path, run) -> None:
    command = ("damage", clear, "out", "--masks", "masks", "--recipe", "severe")
    assert run(*command).exit_code == 0
    whole = files(Path())
    Path("out/ship (1)_damaged1.png").unlink()  # the picture is what is written last
    Path("masks/sub/ship (1)_damaged1.png").unlink()
    done = run(*command)
    assert (done.exit_code, "1 were there already" in done.output) == (0, True), done.output
    assert files(Path()) == whole


@pytest.mark.parametrize("stranger", ["out/ship (1)_damaged1.png", "out/ship (1)_damaged1.json"])
def test_what_somebody_else_put_there_is_not_written_over(clear: Path, stranger: str, run) -> None:
    Path(stranger).parent.mkdir(parents=True)
    Path(stranger).write_text("{}")
    done = run("damage", clear, "out")
    assert done.exit_code == 6
    assert stranger in done.output
    assert Path(stranger).read_text() == "{}"


def test_masks_of_another_run_are_not_written_over(clear: Path, run) -> None:
    assert run("damage", clear, "one", "--masks", "masks", "--recipe", "severe").exit_code == 0
    masks = files(Path("masks"))
    done = run("damage", clear, "two", "--masks", "masks", "--recipe", "severe", "--seed", 1)
    assert (done.exit_code, "masks" in done.output) == (6, True)
    assert files(Path("masks")) == masks


def test_a_clear_picture_that_changed_is_not_taken_for_done(clear: Path, run) -> None:
    assert run("damage", clear, "out").exit_code == 0
    save_smooth(clear / "ship (1).jpg", 64, 48, seed=99)
    done = run("damage", clear, "out")
    assert (done.exit_code, "made of other pictures" in done.output) == (6, True)


def test_an_untouched_picture_is_the_clear_one(tmp_path: Path, run) -> None:
    (tmp_path / "clear").mkdir()
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "clear/deep.png", dpi=(300, 300))
    Path("none.toml").write_text('untouched = 1.0\n[[steps]]\nkind = "noise"\n')
    assert run("damage", "clear", "out", "--recipe", "none.toml").exit_code == 0
    record = json.loads(Path("out/deep_damaged1.json").read_text())
    assert (record["psnr"], record["touched"], record["steps"]) == (None, 0, [])
    assert np.array_equal(*(read_rgb8(path) for path in (Path("clear/deep.png"), Path("out/deep_damaged1.png"))))
    with Image.open("out/deep_damaged1.png") as opened:
        assert opened.info["dpi"][0] == pytest.approx(300, abs=0.1)


def test_the_sheet_is_drawn_although_a_picture_failed(clear: Path, run) -> None:
    (clear / "a bad one.png").write_bytes(b"nonsense")
    assert run("damage", clear, "out", "--sheet", "sheet.png").exit_code == 7
    assert Path("sheet.png").exists()


def test_processes_end_with_a_killed_parent(tmp_path: Path) -> None:
    parent = start_damaging(tmp_path, pictures=12, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not list(Path().glob("out/*.png")):
        time.sleep(0.02)
    parent.kill()
    # The processes hold the other end of this pipe until they end.
    assert parent.communicate(timeout=30) is not None


def test_one_bad_picture_fails_alone(clear: Path, run) -> None:
    (clear / "bad.png").write_bytes(b"nonsense")
    done = run("damage", clear, "out")
    assert done.exit_code == 7
    assert "bad.png is not a picture" in done.output
    assert len(list_pictures(Path("out")).pictures) == 3


def test_grey_and_16_bit_pictures_become_colour(tmp_path: Path, run) -> None:
    (tmp_path / "clear").mkdir()
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64)
    Image.fromarray(ramp.astype(np.uint16)).save(tmp_path / "clear/deep.png")
    Image.fromarray((ramp // 257).astype(np.uint8)).save(tmp_path / "clear/grey.png")
    assert run("damage", tmp_path / "clear", "out", "--recipe", "severe").exit_code == 0
    for name in ("deep", "grey"):
        with Image.open(f"out/{name}_damaged1.png") as opened:
            assert opened.mode == "RGB"


def test_the_sheet_shows_every_kind_and_recipe(tmp_path: Path, run) -> None:
    save_smooth(tmp_path / "clear/a.png", 40, 30)
    Path("mine.toml").write_text('[[steps]]\nkind = "noise"\n')
    done = run("damage", tmp_path / "clear", "out", "--sheet", "sheet.png", "--recipe", "mine.toml")
    assert done.exit_code == 0, done.output
    width, height = read_size(Path("sheet.png"))
    assert width > 4 * 300
    assert height > (26 + 8) * 100


@pytest.mark.parametrize(
    ("names", "arguments", "code", "said"),
    [
        (["a.png"], ["clear", "clear"], 6, "originals are never written over"),
        (["a.png"], ["clear", "out", "--masks", "out/masks"], 6, "neither holds the other"),
        (["a.png"], ["clear", "out", "--masks", "clear"], 6, "originals are never written over"),
        (["a.png", "a.jpg"], ["clear", "out"], 6, "could not be told apart"),
        (["a.png", "a_damaged1.png"], ["clear", "out"], 6, "could not be told apart"),
        (["a.png"], ["clear", "out", "--recipe", "baroque"], 2, "no recipe named baroque"),
        (["a.png"], ["clear", "out", "--sheet", "sheet.jpg"], 2, "The sheet is a PNG"),
        (["a.png"], ["none", "out"], 3, "no folder none"),
        (["a.png"], ["clear", "clear/out"], 6, "would be taken for clear pictures"),
        (["a.png"], ["clear", "out", "--masks", "clear/masks"], 6, "would be taken for clear pictures"),
        (["a.png"], ["clear", "out", "--sheet", "clear/a.png"], 6, "would be taken for clear pictures"),
        (["a.png"], ["clear", "out", "--sheet", "out/sheet.png"], 6, "would be taken for damaged pictures"),
        (["a.png", "A.jpg"], ["clear", "out"], 6, "A.jpg and a.png"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    names: list[str], arguments: list[str], code: int, said: str, run
) -> None:
    for name in names:
        save_smooth(Path("clear") / name, 30, 30)
    before = files(Path("clear"))
    done = run("damage", *arguments)
    assert (done.exit_code, said in done.output) == (code, True), done.output
    assert files(Path("clear")) == before
    assert not Path("out").exists()


def test_a_link_never_leads_onto_an_original(clear: Path) -> None:
    Path("out").mkdir()
    (Path("out") / "sub").symlink_to(clear / "sub")
    with pytest.raises(OutputError, match="A link leads"):
        plan_damage(clear, Path("out"), load_recipe("mild"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_whole_files_and_the_same_command_goes_on(tmp_path: Path, number: int, run) -> None:
    process = start_damaging(tmp_path, pictures=48, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while not list(Path().glob("out/*.json")):
        time.sleep(0.02)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Type the same command again" in output
    assert len(list(Path("out").glob("*.json"))) < 48
    assert run("damage", "clear", "out", "--recipe", "severe", "--workers", 1).exit_code == 0
    assert run("damage", "clear", "whole", "--recipe", "severe", "--workers", 1).exit_code == 0
    assert files(Path("out")) == files(Path("whole"))


def test_a_process_that_dies_is_told(clear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_prepare_process", _die)
    with pytest.raises(ArtRestoreError, match="A process that damages pictures died"):
        list(damage_batch(plan_damage(clear, Path("out"), load_recipe("mild")), workers=2))


def _die() -> None:
    sys.exit(1)


def test_workers_load_no_torch(clear: Path) -> None:
    program = "import sys; import artrestore.damaging.batch; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
