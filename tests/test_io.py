import errno
import json
import os
import stat
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from artrestore.errors import InputError, OutputError, PictureError
from artrestore.io.atomic import atomic_path, require_writable, write_text
from artrestore.io.locations import data_folder, list_pictures, require_pictures
from artrestore.io.pictures import read_picture, read_rgb, read_rgb8, read_size, write_picture
from artrestore.io.tables import read_csv, write_csv, write_json
from conftest import save_smooth, smooth_picture


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


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".ppm", ".tga"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_lossless_formats_keep_every_pixel_and_stay_grey(tmp_path: Path, suffix: str, mode: str) -> None:
    source = tmp_path / f"a{suffix}"
    Image.fromarray(smooth_picture(20, 13)).convert(mode).save(source)
    write_picture(tmp_path / f"b{suffix}", read_picture(source))
    with Image.open(source) as before, Image.open(tmp_path / f"b{suffix}") as after:
        assert after.mode == mode
        np.testing.assert_array_equal(np.asarray(before), np.asarray(after))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_put_back_untouched(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(smooth_picture(20, 13)).convert(mode)
    alpha = np.random.default_rng(0).integers(0, 256, (13, 20), dtype=np.uint8)
    image.putalpha(Image.fromarray(alpha))
    image.save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    write_picture(tmp_path / "b.png", picture.with_rgb(1 - picture.rgb))
    with Image.open(tmp_path / "b.png") as after:
        assert after.mode == mode
        np.testing.assert_array_equal(np.asarray(after.getchannel("A")), alpha)


def test_a_palette_with_transparency_becomes_colour_with_alpha(tmp_path: Path) -> None:
    image = Image.fromarray(smooth_picture(20, 13)).convert("P")
    image.save(tmp_path / "a.png", transparency=3)
    assert read_picture(tmp_path / "a.png").alpha is not None


def test_sixteen_bit_grey_keeps_its_levels(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 65536, (13, 20), dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    write_picture(tmp_path / "b.png", picture.with_rgb(picture.rgb))
    with Image.open(tmp_path / "b.png") as after:
        np.testing.assert_array_equal(np.asarray(after), levels)
    np.testing.assert_array_equal(read_rgb8(tmp_path / "a.png")[..., 0], np.rint(levels / 257))


def write_png16(path: Path, pixels: np.ndarray) -> None:
    """Write 16-bit RGB, (H, W, 3), which Pillow cannot."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    content = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks.items():
        content += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    path.write_bytes(content)


def test_sixteen_bit_colour_is_noted_as_reduced(tmp_path: Path) -> None:
    from skimage.io import imsave

    pixels = np.random.default_rng(0).integers(0, 65536, (13, 20, 3), dtype=np.uint16)
    imsave(tmp_path / "a.tif", pixels, check_contrast=False)
    write_png16(tmp_path / "a.png", pixels)
    for name in ("a.tif", "a.png"):
        picture = read_picture(tmp_path / name)
        assert picture.notes == ("16-bit colour was reduced to 8 bits",)
        np.testing.assert_allclose(picture.rgb, pixels.transpose(2, 0, 1) / 65535, atol=1 / 255)


def test_profile_resolution_and_exif_are_kept_and_orientation_is_applied_once(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a ship"  # rotated by 90 degrees; description
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    save_smooth(tmp_path / "a.jpg", 48, 40, exif=exif, icc_profile=profile, dpi=(300, 300))
    picture = read_picture(tmp_path / "a.jpg")
    assert picture.size == (40, 48) == read_size(tmp_path / "a.jpg")
    assert read_rgb(tmp_path / "a.jpg").shape == (3, 48, 40)
    write_picture(tmp_path / "b.jpg", picture)
    with Image.open(tmp_path / "b.jpg") as after:
        assert after.size == (40, 48)
        assert 0x0112 not in after.getexif()
        assert after.getexif()[0x010E] == "a ship"
        assert after.info["icc_profile"] == profile
        assert after.info["dpi"] == (300, 300)


def test_how_a_tiff_was_packed_is_not_taken_for_metadata(tmp_path: Path) -> None:
    tags = {270: "a ship", 317: 2}  # description; predictor, which goes with its compression
    save_smooth(tmp_path / "a.tif", compression="tiff_lzw", tiffinfo=tags, dpi=(400, 400))
    write_picture(tmp_path / "b.tif", read_picture(tmp_path / "a.tif"))
    with Image.open(tmp_path / "a.tif") as before, Image.open(tmp_path / "b.tif") as after:
        np.testing.assert_array_equal(np.asarray(before), np.asarray(after))
        assert after.tag_v2[270] == "a ship"
        assert after.info["dpi"] == (400, 400)


def test_the_preview_that_cameras_hide_in_a_jpeg_is_no_page(tmp_path: Path) -> None:
    frames = [Image.fromarray(smooth_picture(48, 40)), Image.fromarray(smooth_picture(12, 10))]
    frames[0].save(tmp_path / "a.mpo", save_all=True, append_images=frames[1:])
    (tmp_path / "a.mpo").rename(tmp_path / "a.jpg")
    assert read_picture(tmp_path / "a.jpg").size == (48, 40)


def test_damaged_exif_is_noted_and_does_not_lose_the_picture(tmp_path: Path) -> None:
    save_smooth(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xee" * 60)
    picture = read_picture(tmp_path / "a.jpg")
    write_picture(tmp_path / "b.jpg", picture)
    assert read_rgb8(tmp_path / "b.jpg").shape == (40, 48, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8, 99])
def test_the_header_alone_tells_the_upright_size(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save_smooth(tmp_path / f"a{suffix}", 48, 40, exif=exif)
    assert read_size(path) == read_picture(path).size == ((40, 48) if orientation in (6, 8) else (48, 40))


def test_lossless_webp_stays_lossless(tmp_path: Path) -> None:
    for name, lossless in (("a", True), ("b", False)):
        source = save_smooth(tmp_path / f"{name}.webp", lossless=lossless)
        write_picture(tmp_path / f"{name}2.webp", read_picture(source))
        same = np.array_equal(read_rgb8(source), read_rgb8(tmp_path / f"{name}2.webp"))
        assert same == lossless


def test_sixteen_bit_pgm_keeps_its_levels(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 65536, (13, 20), dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.pgm")
    write_picture(tmp_path / "b.pgm", read_picture(tmp_path / "a.pgm"))
    with Image.open(tmp_path / "b.pgm") as after:
        np.testing.assert_array_equal(np.asarray(after), levels)


def test_one_bit_pictures_are_noted_as_changed(tmp_path: Path) -> None:
    Image.fromarray(smooth_picture(20, 13)).convert("1").save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").notes == ("black and white became 8-bit greyscale",)


def test_a_damaged_directory_of_a_tiff_is_that_files_error(tmp_path: Path) -> None:
    content = save_smooth(tmp_path / "a.tif").read_bytes()
    first = int.from_bytes(content[4:8], "little")
    entries = int.from_bytes(content[first : first + 2], "little")
    place = first + 2 + 12 * entries  # where the offset of the next directory stands
    empty = b"\0" * (len(content) % 2) + (0).to_bytes(2, "little") + bytes(4)  # a directory without dimensions
    offset = (len(content) + len(content) % 2).to_bytes(4, "little")
    (tmp_path / "b.tif").write_bytes(content[:place] + offset + content[place + 4 :] + empty)
    with pytest.raises(PictureError):
        read_picture(tmp_path / "b.tif")


def test_cmyk_is_converted_and_noted(tmp_path: Path) -> None:
    Image.fromarray(smooth_picture(20, 13)).convert("CMYK").save(tmp_path / "a.jpg")
    assert read_picture(tmp_path / "a.jpg").notes == ("CMYK was converted to RGB",)


def test_pictures_that_cannot_be_read_are_refused_by_name(tmp_path: Path) -> None:
    good = save_smooth(tmp_path / "good.png", 200, 200).read_bytes()
    frames = [Image.fromarray(smooth_picture(20, 13, seed)) for seed in range(2)]
    frames[0].save(tmp_path / "pages.tif", save_all=True, append_images=frames[1:])
    bad = {
        "empty.png": (b"", "empty"),
        "text.jpg": (b"hello", "not a picture"),
        "cut.png": (good[:300], "cut short"),
    }
    for name, (content, _) in bad.items():
        (tmp_path / name).write_bytes(content)
    for name, (_, message) in bad.items():
        with pytest.raises(PictureError, match=message):
            read_picture(tmp_path / name)
    with pytest.raises(PictureError, match="2 pages"):
        read_picture(tmp_path / "pages.tif")


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artrestore.io.pictures.MAX_PIXELS", 100)
    with pytest.raises(PictureError, match="too large"):
        read_picture(save_smooth(tmp_path / "a.png"))


def test_content_counts_and_not_the_name(tmp_path: Path) -> None:
    save_smooth(tmp_path / "really_a_png.png").rename(tmp_path / "called.jpg")
    assert read_picture(tmp_path / "called.jpg").size == (48, 40)


def test_a_picture_that_its_format_cannot_hold_fails_alone(tmp_path: Path) -> None:
    levels = np.zeros((13, 20), dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.png")
    with pytest.raises(PictureError, match="cannot hold"):
        write_picture(tmp_path / "b.jpg", read_picture(tmp_path / "a.png"))
    assert not (tmp_path / "b.jpg").exists()
