"""Pixels in and out: what a network that changes nothing gives back, and what one that changes something does."""

import errno
import io
import multiprocessing
import os
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch.nn.functional import adaptive_avg_pool2d

from artrestore.errors import PictureError, UsageError
from artrestore.io.pictures import (
    Blank,
    Form,
    Picture,
    PictureWriter,
    SaveOptions,
    is_lossy,
    open_picture,
    read_picture,
    read_rgb,
    read_rgb8,
    read_size,
    write_picture,
)
from conftest import save_smooth, smooth_picture
from making import exif, make, noise, pillow, png, tiff
from profiles import ADOBE_RGB, CMYK, DISPLAY_P3, GREY_GAMMA, PROPHOTO, SRGB

TELEPHONE = Path(__file__).parent / "pictures"  # made by an encoder that the tests need not have
TO_SRGB = "colours were converted from the file's profile to sRGB"
LOSSLESS = [
    (".png", "grey", "uint8", None), (".png", "grey", "uint16", None), (".png", "grey+alpha", "uint8", None),
    (".png", "rgb", "uint8", None), (".png", "rgb", "uint16", None), (".png", "rgb+alpha", "uint8", None),
    (".png", "rgb+alpha", "uint16", None), (".png", "rgb", "uint8", ADOBE_RGB),
    (".png", "rgb", "uint16", DISPLAY_P3), (".png", "grey", "uint16", GREY_GAMMA),
    (".tif", "grey", "uint8", None), (".tif", "grey", "uint16", GREY_GAMMA), (".tif", "rgb", "uint8", PROPHOTO),
    (".tif", "rgb", "uint16", ADOBE_RGB), (".tif", "rgb+alpha", "uint16", DISPLAY_P3),
    (".tif", "cmyk", "uint8", None), (".tif", "cmyk", "uint8", CMYK), (".tif", "cmyk", "uint16", CMYK),
    (".tif", "rgb", "float32", None), (".tif", "grey", "float32", None), (".tif", "rgb", "float32", ADOBE_RGB),
    (".tif", "lab", "uint8", None), (".tif", "rgb", "uint8", SRGB),
    (".webp", "rgb", "uint8", ADOBE_RGB), (".webp", "rgb+alpha", "uint8", None),
    (".jp2", "grey", "uint8", None), (".jp2", "rgb", "uint8", None), (".jp2", "rgb+alpha", "uint8", None),
    (".bmp", "grey", "uint8", None), (".bmp", "rgb", "uint8", None),
    (".tga", "grey", "uint8", None), (".tga", "rgb+alpha", "uint8", None),
    (".pgm", "grey", "uint8", None), (".pgm", "grey", "uint16", None),
    (".ppm", "rgb", "uint8", None), (".ppm", "rgb", "uint16", None),
]  # fmt: skip


def of(path: Path) -> tuple[np.ndarray, Form]:
    with open_picture(path) as file:
        page = file.page(0)
        return page.native(0, page.height), page.form


def restore_by_rows(source: Path, target: Path, strip: int = 7) -> tuple[str, ...]:
    with open_picture(source) as file, PictureWriter(target, file) as writer:
        for index in range(file.pages):
            page = file.page(index)
            for top in range(0, page.height, strip):
                writer.write_rows(index, top, page.rows(top, min(top + strip, page.height)))
    return writer.notes


@pytest.mark.parametrize(("suffix", "kind", "levels", "profile"), LOSSLESS)
def test_what_is_not_changed_is_kept_to_the_bit(
    tmp_path: Path, suffix: str, kind: str, levels: str, profile: bytes | None
) -> None:
    source, target, streamed = (tmp_path / f"{name}{suffix}" for name in "abc")
    make(source, kind, levels, profile)
    picture = read_picture(source)
    assert write_picture(target, picture.with_rgb(picture.rgb)) == ()
    before, after = of(source), of(target)
    np.testing.assert_array_equal(before[0], noise(kind, levels) ^ ([0, 128, 128] if kind == "lab" else 0)
                                  if levels == "uint8" else noise(kind, levels))  # fmt: skip
    np.testing.assert_array_equal(before[0], after[0])
    assert before[1] == after[1] == picture.form
    assert before[1].profile == profile
    assert restore_by_rows(source, streamed) == ()
    assert streamed.read_bytes() == target.read_bytes()


@pytest.mark.parametrize(
    ("kind", "profile"), [("grey", None), ("rgb", None), ("rgb", ADOBE_RGB), ("cmyk", None), ("cmyk", CMYK)]
)
def test_jpeg_is_kept_within_its_own_rounding(tmp_path: Path, kind: str, profile: bytes | None) -> None:
    smooth = np.asarray(
        Image.fromarray(smooth_picture(48, 40)).convert({"grey": "L", "rgb": "RGB"}.get(kind, "CMYK"))
    )
    options = {} if profile is None else {"icc_profile": profile}
    source = pillow(tmp_path / "a.jpg", kind, smooth.reshape(40, 48, -1), quality=90, **options)
    write_picture(tmp_path / "b.jpg", read_picture(source))
    before, after = of(source), of(tmp_path / "b.jpg")
    assert before[1] == after[1]
    assert np.abs(before[0].astype(int) - after[0]).max() <= 8
    assert np.abs(before[0].astype(int) - after[0]).mean() < 1


def test_a_jpeg_of_the_best_quality_loses_next_to_nothing(tmp_path: Path) -> None:
    source = save_smooth(tmp_path / "a.jpg", quality=100, subsampling=0)
    write_picture(tmp_path / "b.jpg", read_picture(source))
    difference = np.abs(of(source)[0].astype(int) - of(tmp_path / "b.jpg")[0])
    assert difference.max() <= 3  # of its own luminance and colour difference, which are rounded
    assert difference.mean() < 0.5


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(tmp_path: Path, suffix: str, orientation: int) -> None:
    options = {".webp": {"lossless": True}, ".jpg": {"quality": 100, "subsampling": 0}}.get(suffix, {})
    source = save_smooth(tmp_path / f"a{suffix}", 48, 40, exif=exif(t274=orientation), **options)
    if suffix == ".tif":
        pixels = tifffile.imread(source)  # Pillow turns a TIFF by itself
    else:
        with Image.open(source) as stored:
            pixels = np.asarray(stored.convert("RGB"))
    turns = {
        1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1],
        5: pixels.transpose(1, 0, 2), 6: np.rot90(pixels, -1), 7: pixels[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(pixels),
    }  # fmt: skip
    upright = turns[orientation]
    assert read_size(source) == upright.shape[1::-1]
    np.testing.assert_allclose(read_rgb8(source).astype(int), upright, atol=1 if suffix == ".jpg" else 0)
    target = tmp_path / f"b{suffix}"
    restore_by_rows(source, target)
    with Image.open(target) as after:
        assert after.getexif().get(274, 1) == 1
        assert after.getexif()[0x010E] == "a ship"
        np.testing.assert_allclose(np.asarray(after.convert("RGB")).astype(int), upright, atol=4)


def test_a_large_turned_picture_goes_through_a_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = save_smooth(tmp_path / "a.png", 300, 290, exif=exif(t274=6))
    expected = read_rgb(source)
    monkeypatch.setattr("artrestore.io.rows._IN_MEMORY", 0)
    with open_picture(source, scratch=tmp_path) as file:
        page = file.page(0)
        rows = [page.rows(top, top + 50) for top in range(0, 300, 50)]
    np.testing.assert_array_equal(np.concatenate(rows, axis=1), expected)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("profile", [ADOBE_RGB, DISPLAY_P3, PROPHOTO])
def test_colours_are_restored_in_srgb_and_go_back_to_the_profile(tmp_path: Path, profile: bytes) -> None:
    muted = np.clip(noise("rgb", "uint16") // 2 + 16000, 0, 65535).astype(np.uint16)
    picture = read_picture(png(tmp_path / "a.png", muted, [(b"iCCP", b"x\0\0" + zlib.compress(profile))]))
    assert np.abs(picture.rgb - muted.transpose(2, 0, 1) / 65535).max() > 0.03
    lighter = np.clip(picture.rgb * 0.9 + 0.02, 0, 1)
    write_picture(tmp_path / "b.png", picture.with_rgb(lighter))
    again = read_picture(tmp_path / "b.png")
    inside = ((picture.rgb > 0.02) & (picture.rgb < 0.98)).all(axis=0)  # what sRGB can show
    assert inside.mean() > 0.3
    assert np.abs(again.rgb - lighter)[:, inside].max() * 255 < 1
    assert again.form.profile == profile


def test_colours_that_srgb_cannot_show_survive_a_restoration(tmp_path: Path) -> None:
    vivid = np.zeros((8, 8, 3), dtype=np.uint8)
    vivid[:4, :, 1] = 255  # a green that is outside sRGB; the rest is black
    source = make(tmp_path / "a.tif", "rgb", profile=DISPLAY_P3)
    tiff(source, "rgb", vivid, iccprofile=DISPLAY_P3)
    picture = read_picture(source)
    changed = picture.rgb.copy()
    changed[:, 4:] += 0.2  # the network lightens the black only
    write_picture(tmp_path / "b.tif", picture.with_rgb(changed))
    after = of(tmp_path / "b.tif")[0]
    np.testing.assert_array_equal(after[:4], vivid[:4])
    assert after[4:].min() > 20


def test_lab_is_understood_as_other_readers_do(tmp_path: Path) -> None:
    mid = np.full((8, 8, 3), [50, 0, 0], dtype=np.float32)  # L*, a*, b*
    stored8 = np.rint(mid * [2.55, 1, 1]).astype(np.uint8)
    stored16 = np.rint(mid * [655.35, 256, 256]).astype(np.uint16)
    for name, pixels in (("8", stored8), ("16", stored16)):
        grey = read_rgb(tiff(tmp_path / f"{name}.tif", "lab", pixels)) * 255
        np.testing.assert_allclose(grey, 119, atol=1.5)  # sRGB of L* = 50


def test_sixteen_bit_lab_loses_half_a_level_of_lightness_at_most(tmp_path: Path) -> None:
    make(tmp_path / "a.tif", "lab", "uint16")
    write_picture(tmp_path / "b.tif", read_picture(tmp_path / "a.tif"))
    before, after = (tifffile.imread(tmp_path / name).astype(int) for name in ("a.tif", "b.tif"))
    np.testing.assert_array_equal(before[..., 1:], after[..., 1:] & 0xFFFF)
    assert (before[..., 0] - after[..., 0]).max() <= 1


def test_transparent_pixels_keep_their_colour_and_alpha_is_untouched(tmp_path: Path) -> None:
    source = make(tmp_path / "a.png", "rgb+alpha", "uint16")
    picture = read_picture(source)
    write_picture(tmp_path / "b.png", picture.with_rgb(1 - picture.rgb))
    before, after = of(source)[0], of(tmp_path / "b.png")[0]
    np.testing.assert_array_equal(before[..., 3], after[..., 3])
    hidden = before[..., 3] == 0
    np.testing.assert_array_equal(before[hidden], after[hidden])
    np.testing.assert_array_equal(65535 - before[~hidden][:, :3], after[~hidden][:, :3])


def test_floating_point_values_outside_the_range_survive(tmp_path: Path) -> None:
    pixels = np.full((4, 4, 3), [0.5, 3.0, -0.5], dtype=np.float32)
    pixels[0, 0] = np.nan
    picture = read_picture(tiff(tmp_path / "a.tif", "rgb", pixels))
    assert picture.notes == ("pixels that are no numbers were kept as they are",)
    assert np.isfinite(picture.rgb).all()
    darker = picture.rgb - np.float32(0.25)
    write_picture(tmp_path / "b.tif", picture.with_rgb(darker))
    after = tifffile.imread(tmp_path / "b.tif")
    assert np.isnan(after[0, 0]).all()
    np.testing.assert_allclose(after[1, 1], [0.25, 2.75, -0.5], atol=1e-6)


def test_every_page_is_kept_though_pages_differ(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    tiff(source, "rgb", noise("rgb", "uint16"), resolution=(300, 300), compression=8)
    tiff(source, "grey", noise("grey", size=(23, 57)), append=True)
    tiff(source, "cmyk", noise("cmyk", size=(5, 6)), append=True, iccprofile=CMYK)
    restore_by_rows(source, tmp_path / "b.tif")
    with open_picture(source) as file:
        whole = [file.page(index).read() for index in range(file.pages)]
    write_picture(tmp_path / "c.tif", whole)
    for name in ("b.tif", "c.tif"):
        with tifffile.TiffFile(source) as before, tifffile.TiffFile(tmp_path / name) as after:
            assert len(after.pages) == 3
            for one, other in zip(before.pages, after.pages, strict=True):
                np.testing.assert_array_equal(one.asarray(), other.asarray())
                assert one.photometric == other.photometric
    with pytest.raises(PictureError, match="3 pages"):
        read_picture(source)
    with pytest.raises(PictureError, match="3 pages"):
        write_picture(tmp_path / "c.png", whole)


def test_a_tiff_stays_uncompressed_or_becomes_deflated(tmp_path: Path) -> None:
    for name, options in (("plain", {}), ("lzw", {"compression": "tiff_lzw"})):
        source = save_smooth(tmp_path / f"{name}.tif", **options)
        write_picture(tmp_path / f"{name}2.tif", read_picture(source))
        with Image.open(source) as before, Image.open(tmp_path / f"{name}2.tif") as after:
            np.testing.assert_array_equal(np.asarray(before), np.asarray(after))
            assert after.info["compression"] == ("raw" if name == "plain" else "tiff_adobe_deflate")


def test_bigtiff_is_written_where_offsets_need_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artrestore.io.tiff._MOST", 0)
    source = tmp_path / "a.tif"
    tiff(source, "rgb", noise("rgb"), description="a ship", resolution=(300, 300))
    tiff(source, "grey", noise("grey"), append=True)
    restore_by_rows(source, tmp_path / "b.tif")
    restore_by_rows(tmp_path / "b.tif", tmp_path / "c.tif")
    with tifffile.TiffFile(tmp_path / "c.tif") as after:
        assert after.is_bigtiff
        np.testing.assert_array_equal(after.pages[0].asarray(), noise("rgb"))
        np.testing.assert_array_equal(after.pages[1].asarray(), noise("grey")[..., 0])
        assert after.pages[0].description == "a ship"


def test_rows_may_be_read_again_and_thumbnails_are_means_of_areas(tmp_path: Path) -> None:
    for suffix in (".png", ".tif", ".jpg"):
        path = save_smooth(tmp_path / f"a{suffix}", 301, 290)
        with open_picture(path) as file:
            page = file.page(0)
            small = page.thumbnail(128, 64)
            whole = page.rows(0, 290)
            np.testing.assert_array_equal(page.rows(100, 150), whole[:, 100:150])
            np.testing.assert_array_equal(page.rows(40, 60), whole[:, 40:60])
        expected = adaptive_avg_pool2d(torch.from_numpy(whole), (64, 128)).numpy()
        np.testing.assert_allclose(small, expected, atol=1e-6)


def test_a_small_picture_has_a_thumbnail_too(tmp_path: Path) -> None:
    with open_picture(save_smooth(tmp_path / "a.png", 5, 3)) as file:
        small = file.page(0).thumbnail(8, 8)
        expected = adaptive_avg_pool2d(torch.from_numpy(file.page(0).read().rgb), 8).numpy()
    np.testing.assert_allclose(small, expected, atol=1e-6)


def test_a_map_is_written_by_rows(tmp_path: Path) -> None:
    levels = noise("grey", "uint16")
    with PictureWriter(tmp_path / "a.png", Blank(width=41, height=30)) as writer:
        for top in range(0, 30, 10):
            writer.write_rows(0, top, levels[top : top + 10].transpose(2, 0, 1) / np.float32(65535))
    with Image.open(tmp_path / "a.png") as after:
        np.testing.assert_array_equal(np.asarray(after), levels[..., 0])


def test_what_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    source = make(tmp_path / "a.png", "rgb")

    def stop_early() -> None:
        with open_picture(source) as file, PictureWriter(tmp_path / "b.png", file) as writer:
            writer.write_rows(0, 0, file.page(0).rows(0, 10))

    def fail() -> None:
        with open_picture(source) as file, PictureWriter(tmp_path / "b.png", file) as writer:
            writer.write_rows(0, 0, file.page(0).rows(0, 10))
            raise KeyboardInterrupt

    with pytest.raises(PictureError, match="not restored to its end"):
        stop_early()
    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("source", "target", "note"),
    [
        (("a.png", "rgb+alpha", "uint8"), "b.jpg", "transparency was put on white"),
        (("a.png", "rgb", "uint16"), "b.jpg", "16 bits were reduced to 8 bits"),
        (("a.tif", "cmyk", "uint8"), "b.png", "CMYK was converted to sRGB"),
        (("a.tif", "lab", "uint8"), "b.png", "Lab was converted to sRGB"),
        (("a.tif", "rgb", "float32"), "b.png", "floating-point values were reduced to 16 bits"),
        (("a.png", "rgb", "uint8", ADOBE_RGB), "b.ppm", TO_SRGB),
        (("a.tif", "grey", "uint16", GREY_GAMMA), "b.pgm", TO_SRGB),
        (("a.tif", "grey+alpha", "uint16"), "b.png", None),
        (("a.png", "grey", "uint8"), "b.webp", None),
    ],
)  # fmt: skip
def test_another_format_takes_what_it_can_and_says_what_it_cannot(
    tmp_path: Path, source: tuple[str, ...], target: str, note: str | None
) -> None:
    name, kind, levels, *profile = source
    picture = read_picture(make(tmp_path / name, kind, levels, *profile))
    options = SaveOptions(quality=100) if target.endswith("jpg") else SaveOptions()
    notes = write_picture(tmp_path / target, picture, options)
    assert notes == (() if note is None else (note,))
    after = read_picture(tmp_path / target)
    seen = picture.rgb
    if target == "b.jpg" and picture.alpha is not None:
        seen = 1 + (seen - 1) * (picture.alpha / 255)
    lossy = is_lossy(tmp_path / target, picture.metadata)
    np.testing.assert_allclose(after.rgb, seen, atol=0.06 if lossy else 1.01 / 255)


@pytest.mark.parametrize("levels", ["uint8", "uint16"])
def test_colours_premultiplied_by_alpha_become_plain_ones_and_stay_so(tmp_path: Path, levels: str) -> None:
    half = 128 if levels == "uint8" else 128 * 256
    stored = np.empty((30, 41, 4), dtype=levels)
    stored[...] = np.array([half // 2, half // 4, 0, half], dtype=levels)  # half of 1/2, 1/4 and 0
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extrasamples=["assocalpha"], metadata=None)
    picture = read_picture(tmp_path / "a.tif")
    assert picture.notes == ("colours that were premultiplied by their transparency became plain ones",)
    np.testing.assert_allclose(picture.rgb[:, 0, 0], [0.5, 0.25, 0], atol=0.005)
    write_picture(tmp_path / "b.tif", picture)
    again = read_picture(tmp_path / "b.tif")
    np.testing.assert_array_equal(again.native, picture.native)
    np.testing.assert_array_equal(again.native[..., 3], stored[..., 3])
    with tifffile.TiffFile(tmp_path / "b.tif") as after:
        assert tuple(after.pages[0].extrasamples) == (2,)  # unassociated


def test_alpha_on_white_is_white_where_nothing_was_seen(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 4), dtype=np.uint8)
    write_picture(tmp_path / "b.jpg", read_picture(png(tmp_path / "a.png", pixels)))
    assert read_rgb8(tmp_path / "b.jpg").min() == 255


def test_the_bit_depth_can_be_chosen(tmp_path: Path) -> None:
    picture = read_picture(make(tmp_path / "a.png", "rgb"))
    finer = picture.rgb + np.float32(0.4 / 255) * (picture.rgb < 0.9)
    deep = picture.with_rgb(finer, bit_depth=16)
    write_picture(tmp_path / "b.png", deep, SaveOptions(bit_depth=16))
    np.testing.assert_allclose(read_rgb(tmp_path / "b.png"), finer, atol=1 / 65535)
    write_picture(tmp_path / "c.png", read_picture(tmp_path / "b.png"), SaveOptions(bit_depth=8))
    np.testing.assert_array_equal(of(tmp_path / "c.png")[0], noise("rgb"))


def test_the_quality_of_a_jpeg_is_kept_if_it_is_high_and_raised_if_it_is_low(tmp_path: Path) -> None:
    tables = {}
    for quality in (40, 95, 98):
        source = save_smooth(tmp_path / f"{quality}.jpg", quality=quality)
        write_picture(tmp_path / f"{quality}b.jpg", read_picture(source))
        with Image.open(tmp_path / f"{quality}b.jpg") as after:
            tables[quality] = sum(after.quantization[0])
            assert [part[1:3] for part in after.layer] == [(1, 1)] * 3  # no colour is made coarser
    assert tables[40] == tables[95] > tables[98]
    write_picture(tmp_path / "chosen.jpg", read_picture(tmp_path / "98.jpg"), SaveOptions(quality=50))
    with Image.open(tmp_path / "chosen.jpg") as after:
        assert sum(after.quantization[0]) > tables[95]


def test_lossless_webp_stays_lossless_and_lossy_stays_lossy(tmp_path: Path) -> None:
    for name, lossless in (("a", True), ("b", False)):
        source = save_smooth(tmp_path / f"{name}.webp", lossless=lossless)
        picture = read_picture(source)
        write_picture(tmp_path / f"{name}2.webp", picture)
        same = np.array_equal(read_rgb8(source), read_rgb8(tmp_path / f"{name}2.webp"))
        assert same == lossless != is_lossy(source, picture.metadata)


@pytest.mark.parametrize("change", [{"format": "psd"}, {"quality": 0}, {"quality": 101}, {"bit_depth": 12}])
def test_options_that_mean_nothing_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        SaveOptions(**change)


def test_a_format_can_be_asked_for_whatever_the_suffix(tmp_path: Path) -> None:
    picture = read_picture(make(tmp_path / "a.png", "rgb"))
    write_picture(tmp_path / "b.out", picture, SaveOptions(format="tiff"))
    with Image.open(tmp_path / "b.out") as after:
        assert after.format == "TIFF"
    with pytest.raises(PictureError, match="no suffix"):
        write_picture(tmp_path / "c.out", picture)


def test_a_picture_too_long_for_its_format_is_refused_before_work(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="ends at 16383"):
        write_picture(tmp_path / "a.webp", Picture(rgb=np.zeros((3, 1, 16384), dtype=np.float32)))


@pytest.mark.parametrize("name", ["a[page=1].tif", "-.tif", os.fsdecode(b"caf\xe9.tif"), "a\nb.tif", "画.tif"])
def test_any_name_is_only_a_name(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    tiff(source, "rgb", noise("rgb")) if name.isascii() or name[0] == "画" else Path(source).write_bytes(
        tiff(tmp_path / "x.tif", "rgb", noise("rgb")).read_bytes()
    )
    (tmp_path / "out").mkdir()
    restore_by_rows(source, tmp_path / "out" / name)
    np.testing.assert_array_equal(read_rgb8(tmp_path / "out" / name), noise("rgb"))


def test_palettes_and_black_and_white_become_plain_and_say_so(tmp_path: Path) -> None:
    image = Image.fromarray(smooth_picture(20, 13))
    image.convert("P").save(tmp_path / "p.png", transparency=3)
    image.convert("P").save(tmp_path / "p.tif")
    image.convert("1").save(tmp_path / "one.png")
    image.convert("1").save(tmp_path / "one.tif")
    palettes = [read_picture(tmp_path / name) for name in ("p.png", "p.tif")]
    assert [picture.notes for picture in palettes] == [("its palette became plain colours",)] * 2
    assert palettes[0].alpha is not None
    expected = np.asarray(image.convert("P").convert("RGB")).transpose(2, 0, 1)
    np.testing.assert_array_equal(np.rint(palettes[1].rgb * 255), expected)
    for name in ("one.png", "one.tif"):
        picture = read_picture(tmp_path / name)
        assert picture.grey
        assert picture.notes == ("black and white became 8-bit greyscale",)
        np.testing.assert_array_equal(picture.rgb[0] > 0.5, np.asarray(image.convert("1")))


def test_formats_that_are_only_read_need_another_to_be_written(tmp_path: Path) -> None:
    Image.fromarray(smooth_picture(20, 13)).save(tmp_path / "a.gif")
    picture = read_picture(tmp_path / "a.gif")
    write_picture(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), picture.rgb)
    with pytest.raises(PictureError, match="no suffix of a format"):
        write_picture(tmp_path / "b.gif", picture)


def test_heic_is_read_and_turned_as_it_was_taken(tmp_path: Path) -> None:
    # 64 x 48 pixels, red rising to the right and green downwards, taken with the camera held upright.
    picture = read_picture(TELEPHONE / "turned.heic")
    assert picture.rgb.shape == (3, 64, 48)
    red, green, blue = np.rint(picture.rgb * 255)
    assert red[:, 20].std() > 60 > 10 > red[30].std()
    assert green[30, 0] > 200 > 40 > green[30, -1]
    assert abs(blue - 90).max() < 12
    write_picture(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), picture.rgb)


def test_ten_bits_of_heic_are_read_as_eight_and_said_to_be(tmp_path: Path) -> None:
    picture = read_picture(TELEPHONE / "ten-bit.heic")  # which has no EXIF data either
    assert picture.rgb.shape == (3, 48, 64)
    assert np.rint(picture.rgb[1, :, 30] * 255).std() > 60
    assert picture.notes == ("10-bit colour was reduced to 8 bits",)


def test_heic_without_its_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
    with pytest.raises(PictureError, match="is HEIC") as caught, open_picture(tmp_path / "a.heic") as file:
        file.page(0)
    assert "artrestore[heic]" in caught.value.hint


def test_the_preview_that_cameras_hide_in_a_jpeg_is_no_page(tmp_path: Path) -> None:
    frames = [Image.fromarray(smooth_picture(48, 40)), Image.fromarray(smooth_picture(12, 10))]
    frames[0].save(tmp_path / "a.mpo", save_all=True, append_images=frames[1:])
    (tmp_path / "a.mpo").rename(tmp_path / "a.jpg")
    assert read_picture(tmp_path / "a.jpg").size == (48, 40)


def test_content_counts_and_not_the_name(tmp_path: Path) -> None:
    save_smooth(tmp_path / "really_a_png.png").rename(tmp_path / "called.jpg")
    picture = read_picture(tmp_path / "called.jpg")
    assert picture.size == (48, 40)
    assert picture.notes == ("it is PNG in spite of its name",)


def _read(path: Path) -> None:
    read_rgb8(path)


@pytest.mark.skipif(sys.platform != "linux", reason="the system must list what a process has mapped")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".ppm"])
def test_what_is_read_by_rows_is_not_mapped_so_that_it_takes_no_memory(suffix: str, tmp_path: Path) -> None:
    path = save_smooth(tmp_path / f"large{suffix}", 256, 4096)
    with open_picture(path) as file:
        page = file.page(0)
        page.native(0, page.height // 2)
        assert str(path) not in Path("/proc/self/maps").read_text()
        page.native(page.height // 2, page.height)


def test_a_disk_that_breaks_while_a_jpeg_is_read_makes_it_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Breaking(io.BufferedReader):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 40_000:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    path = pillow(tmp_path / "a.jpg", "rgb", noise("rgb", size=(256, 256)), quality=95)
    with open_picture(path) as file:
        monkeypatch.setattr(Path, "open", lambda self, _: Breaking(io.FileIO(self)))
        with pytest.raises(PictureError):
            file.page(0).native(0, 256)
    assert "Traceback" not in capfd.readouterr().err


def test_a_process_that_has_read_and_written_may_still_fork(tmp_path: Path) -> None:
    source = make(tmp_path / "a.png", "rgb", profile=ADOBE_RGB)
    restore_by_rows(source, tmp_path / "b.png")
    child = multiprocessing.get_context("fork").Process(target=_read, args=(source,))
    child.start()
    child.join(20)
    assert child.exitcode == 0, "the child hangs"
