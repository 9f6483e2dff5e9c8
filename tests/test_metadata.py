"""What a file says beside its pixels, before and after."""

import json
import re
import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from PIL import Image, IptcImagePlugin

from artrestore.io.metadata import Density
from artrestore.io.pictures import Provenance, SaveOptions, open_picture, read_picture, write_picture
from artrestore.io.provenance import add_provenance
from conftest import save_smooth, smooth_picture
from making import XMP, exif, noise, png, tiff
from profiles import ADOBE_RGB

UPRIGHT_XMP = XMP.replace(b'Orientation="6"', b'Orientation="1"')
NOTE = Provenance(
    version="9.8.7", weights="ab" * 32, settings={"tile_size": 256, "strength": 1.0, "name": "a<b&c"}
)
IPTC = b"8BIM\x04\x04\0\0\0\0\0\x0b\x1c\x02\x78\0\x06a ship\0"
MAKERS_NOTE = 0x927C


def written(source: Path, suffix: str | None = None, **options: Any) -> Path:
    """The file that a network which changes nothing makes of one."""
    target = source.with_name(f"out{suffix or source.suffix}")
    write_picture(target, read_picture(source), SaveOptions(**options))
    return target


def density_of(path: Path) -> Density | None:
    with open_picture(path) as file:
        return file.page(0).metadata.density


def xmp_of(path: Path) -> bytes | None:
    with open_picture(path) as file:
        return file.page(0).metadata.xmp


def full(path: Path) -> Path:
    """A picture with EXIF, XMP and a profile."""
    if path.suffix == ".png":
        text = b"XML:com.adobe.xmp\0\0\0\0\0" + XMP
        described = [
            (b"iCCP", b"x\0\0" + zlib.compress(ADOBE_RGB)), (b"eXIf", exif(t274=6).tobytes()[6:]),
            (b"iTXt", text), (b"tEXt", b"Title\0A ship"), (b"pHYs", struct.pack(">IIB", 11811, 5906, 1)),
        ]  # fmt: skip
        return png(path, noise("rgb"), described)
    return save_smooth(path, icc_profile=ADOBE_RGB, exif=exif(t274=6), xmp=XMP)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_exif_xmp_and_profile_are_kept(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"a{suffix}"
    if suffix == ".tif":
        extra = [(700, 1, len(XMP), XMP, True), (274, 3, 1, 6, True), (315, 2, 3, "Me", True)]
        tiff(source, "rgb", noise("rgb"), iccprofile=ADOBE_RGB, extratags=extra, description="a ship")
    else:
        full(source)
    with Image.open(written(source)) as after:
        data = after.getexif()
        assert data.get(274, 1) == 1
        assert data[0x010E] == "a ship"
        if suffix != ".tif":
            assert data.get_ifd(0x8769)[0x9003] == "1911:05:04 10:00:00"
        assert after.info["icc_profile"] == ADOBE_RGB
    assert xmp_of(tmp_path / f"out{suffix}") == UPRIGHT_XMP


def test_exif_data_are_kept_to_the_byte_but_for_what_is_no_longer_true(tmp_path: Path) -> None:
    data = exif(t274=6)
    data.get_ifd(0x8769)[MAKERS_NOTE] = bytes(range(256))
    data.get_ifd(0x8769)[0xA002], data.get_ifd(0x8769)[0xA003] = 48, 40
    source = save_smooth(tmp_path / "a.jpg", 48, 40, exif=data)
    before, after = (read_exif(path) for path in (source, written(source)))
    assert len(before) == len(after)
    different = [index for index in range(len(before)) if before[index] != after[index]]
    assert len(different) == 3  # the orientation and the two sides, of one byte each
    with Image.open(tmp_path / "out.jpg") as image:
        below = image.getexif().get_ifd(0x8769)
        assert (below[0xA002], below[0xA003]) == image.size == (40, 48)
        assert below[MAKERS_NOTE] == bytes(range(256))


def read_exif(path: Path) -> bytes:
    with Image.open(path) as image:
        return bytes(image.info["exif"])


def test_the_thumbnail_of_the_picture_as_it_was_is_no_longer_referred_to(tmp_path: Path) -> None:
    blob = exif(t274=1).tobytes()
    assert blob[6:14] == b"MM\0*\0\0\0\x08"
    link = 16 + 12 * struct.unpack_from(">H", blob, 14)[0]  # where the offset of the thumbnail's directory stands
    thumbnail = struct.pack(">HHHIIHHIII", 2, 0x0201, 4, 1, 9, 0x0202, 4, 1, 9, 0)
    data = blob[:link] + struct.pack(">I", len(blob) - 6) + blob[link + 4 :] + thumbnail
    source = save_smooth(tmp_path / "a.jpg", exif=data)
    before, after = (read_exif(path) for path in (source, written(source)))
    assert before == data
    assert after == data[:link] + bytes(4) + data[link + 4 :]


def test_iptc_and_comments_of_a_jpeg_are_kept(tmp_path: Path) -> None:
    plain = save_smooth(tmp_path / "plain.jpg", comment=b"from the attic").read_bytes()
    content = b"Photoshop 3.0\0" + IPTC
    segment = b"\xff\xed" + struct.pack(">H", len(content) + 2) + content
    (tmp_path / "a.jpg").write_bytes(plain[:2] + segment + plain[2:])
    with Image.open(written(tmp_path / "a.jpg")) as after:
        assert IptcImagePlugin.getiptcinfo(after) == {(2, 120): b"a ship"}
        assert after.info["comment"] == b"from the attic"
    write_picture(tmp_path / "b.tif", read_picture(tmp_path / "a.jpg"))
    write_picture(tmp_path / "c.jpg", read_picture(tmp_path / "b.tif"))
    with Image.open(tmp_path / "c.jpg") as after:
        assert IptcImagePlugin.getiptcinfo(after) == {(2, 120): b"a ship"}


def test_iptc_data_of_a_tiff_are_kept(tmp_path: Path) -> None:
    iptc = IPTC[12:23]
    source = tiff(tmp_path / "a.tif", "grey", noise("grey"), extratags=[(33723, 7, len(iptc), iptc, True)])
    for suffix in (".tif", ".jpg"):
        with Image.open(written(source, suffix)) as after:
            assert IptcImagePlugin.getiptcinfo(after) == {(2, 120): b"a ship"}


def test_tags_that_describe_a_tiff_are_kept_and_those_of_its_packing_are_not(tmp_path: Path) -> None:
    tags = {270: "a ship", 271: "Scanner & Co", 315: "Me", 317: 2, 42113: "-9999"}
    save_smooth(tmp_path / "a.tif", compression="tiff_lzw", tiffinfo=tags)
    with Image.open(tmp_path / "a.tif") as before, Image.open(written(tmp_path / "a.tif")) as after:
        np.testing.assert_array_equal(np.asarray(before), np.asarray(after))
        assert {tag: after.tag_v2[tag] for tag in tags if tag != 317} == {
            tag: value for tag, value in tags.items() if tag != 317
        }


def test_the_exif_and_gps_directories_of_a_tiff_are_kept(tmp_path: Path) -> None:
    data = exif()
    data.get_ifd(0x8769)[0x829A] = 0.5
    data.get_ifd(0x8825)[1] = "N"
    source = written(save_smooth(tmp_path / "a.jpg", exif=data), ".tif").rename(tmp_path / "b.tif")
    with Image.open(written(source)) as after:
        assert after.getexif().get_ifd(0x8769)[0x829A] == 0.5
        assert after.getexif().get_ifd(0x8825)[1] == "N"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_tiff_files_of_any_build_tell_the_same(tmp_path: Path, order: str, *, big: bool) -> None:
    source = tiff(
        tmp_path / "a.tif", "rgb", noise("rgb", "uint16"), byteorder=order, bigtiff=big, description="a ship",
        resolution=(600, 300), resolutionunit="CENTIMETER", iccprofile=ADOBE_RGB,
    )  # fmt: skip
    with tifffile.TiffFile(written(source)) as after:
        page = after.pages[0]
        np.testing.assert_array_equal(page.asarray(), noise("rgb", "uint16"))
        assert page.description == "a ship"
        assert page.iccprofile == ADOBE_RGB
        assert (page.tags[282].value, page.tags[283].value, page.tags[296].value) == ((600, 1), (300, 1), 3)


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".bmp"])
def test_resolution_in_inches_is_kept(tmp_path: Path, suffix: str) -> None:
    source = save_smooth(tmp_path / f"a{suffix}", dpi=(300, 150))
    with Image.open(written(source)) as after:
        assert tuple(round(value, 1) for value in after.info["dpi"]) == (300, 150)


def test_resolution_in_centimetres_is_kept(tmp_path: Path) -> None:
    jpeg = bytearray(save_smooth(tmp_path / "plain.jpg", dpi=(300, 150)).read_bytes())
    jpeg[13] = 2
    (tmp_path / "a.jpg").write_bytes(jpeg)
    tiff(tmp_path / "a.tif", "rgb", noise("rgb"), resolution=(118, 59), resolutionunit="CENTIMETER")
    png(tmp_path / "a.png", noise("rgb"), [(b"pHYs", struct.pack(">IIB", 11811, 5906, 1))])
    assert density_of(written(tmp_path / "a.jpg")) == Density(x=Fraction(300), y=Fraction(150), unit="cm")
    assert density_of(written(tmp_path / "a.tif")) == Density(x=Fraction(118), y=Fraction(59), unit="cm")
    expected = Density(x=Fraction(11811, 100), y=Fraction(5906, 100), unit="cm")
    assert density_of(written(tmp_path / "a.png")) == expected


def test_resolution_is_carried_to_another_format(tmp_path: Path) -> None:
    source = save_smooth(tmp_path / "a.jpg", dpi=(300, 150))
    for suffix in (".tif", ".png", ".bmp"):
        with Image.open(written(source, suffix)) as after:
            assert tuple(round(value) for value in after.info["dpi"]) == (300, 150)


def test_a_turned_picture_has_its_resolution_turned(tmp_path: Path) -> None:
    source = save_smooth(tmp_path / "a.jpg", dpi=(300, 150), exif=exif(t274=6))
    assert density_of(written(source)) == Density(x=Fraction(150), y=Fraction(300), unit="inch")


def test_a_jpeg_without_a_resolution_is_given_none(tmp_path: Path) -> None:
    assert density_of(written(save_smooth(tmp_path / "a.jpg"))) is None
    assert density_of(written(save_smooth(tmp_path / "a.png"), ".jpg")) is None


@pytest.mark.parametrize("suffix", [".tif", ".png", ".webp", ".jpg"])
@pytest.mark.parametrize("other", [".tif", ".png", ".webp", ".jpg"])
def test_what_a_picture_says_goes_along_to_another_format(tmp_path: Path, suffix: str, other: str) -> None:
    first = written(full(tmp_path / "a.png"), suffix)
    with Image.open(written(first.rename(tmp_path / f"b{suffix}"), other)) as after:
        data = after.getexif()
        assert data[0x010E] == "a ship"
        assert data.get_ifd(0x8769)[0x9003] == "1911:05:04 10:00:00"
        assert after.info["icc_profile"] == ADOBE_RGB
    assert xmp_of(tmp_path / f"out{other}") == UPRIGHT_XMP


def test_texts_of_a_png_and_how_its_colours_are_meant_are_kept(tmp_path: Path) -> None:
    kept = [
        (b"gAMA", struct.pack(">I", 45455)),
        (b"tEXt", b"Title\0A ship"),
        (b"zTXt", b"Note\0\0" + zlib.compress(b"x")),
    ]
    source = png(tmp_path / "a.png", noise("rgb"), [*kept, (b"tIME", bytes(7))])
    with open_picture(written(source)) as file:
        assert list(file.page(0).metadata.chunks) == kept


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_stripping_leaves_the_profile_and_the_resolution_alone(tmp_path: Path, suffix: str) -> None:
    first = written(full(tmp_path / "a.png"), suffix).rename(tmp_path / f"b{suffix}")
    target = written(first, strip_metadata=True)
    with open_picture(first) as before, open_picture(target) as after:
        assert before.page(0).metadata.xmp
        bare = after.page(0).metadata
        assert (bare.exif, bare.xmp, bare.photoshop, bare.comments, bare.chunks) == (None, None, None, (), ())
        assert 270 not in bare.tags
        assert after.page(0).form.profile == ADOBE_RGB
        if suffix != ".webp":
            assert bare.density is not None
    assert b"a ship" not in target.read_bytes()


def test_damaged_exif_is_noted_and_does_not_lose_the_picture(tmp_path: Path) -> None:
    source = save_smooth(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xee" * 60)
    assert read_picture(source).notes == ("damaged EXIF data were left out",)
    assert read_picture(written(source)).size == (48, 40)


def test_data_too_long_for_a_jpeg_are_left_out_with_a_note(tmp_path: Path) -> None:
    long = UPRIGHT_XMP.replace(b"box 7", b"box 7" * 20_000)
    source = png(tmp_path / "a.png", noise("rgb"), [(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + long)])
    notes = write_picture(tmp_path / "b.jpg", read_picture(source))
    assert notes == ("XMP data are too long for JPEG and were left out",)


@pytest.mark.parametrize(("padding", "noted"), [(0, False), (900, True)])
def test_provenance_makes_no_packet_too_long_for_a_jpeg(tmp_path: Path, padding: int, *, noted: bool) -> None:
    packet = XMP.replace(b"box 7", b"box 7" + b"x" * (65_400 - padding - len(XMP)))
    packet = packet.replace(b"<?xpacket end", b" " * padding + b"<?xpacket end")
    assert len(packet) == 65_400
    source = png(tmp_path / "a.png", noise("rgb"), [(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)])
    notes = write_picture(tmp_path / "b.jpg", read_picture(source), provenance=NOTE)
    found = xmp_of(tmp_path / "b.jpg")
    assert found is not None
    assert len(history(found)) == int(noted)
    assert (notes == ()) == noted
    assert b"box 7xxx" in found


def test_a_profile_that_cannot_be_used_is_kept_and_noted(tmp_path: Path) -> None:
    broken = bytearray(ADOBE_RGB)
    broken[200:] = b"\xff" * len(broken[200:])
    source = save_smooth(tmp_path / "a.png", icc_profile=bytes(broken))
    picture = read_picture(source)
    np.testing.assert_array_equal(np.rint(picture.rgb * 255), smooth_picture(48, 40).transpose(2, 0, 1))
    write_picture(tmp_path / "b.png", picture)
    with Image.open(tmp_path / "b.png") as after:
        assert after.info["icc_profile"] == bytes(broken)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("described", [True, False])
def test_what_was_done_is_told_in_the_picture(tmp_path: Path, suffix: str, *, described: bool) -> None:
    plain = noise("rgb")
    source = full(tmp_path / "a.png") if described else png(tmp_path / "a.png", plain)
    picture = read_picture(source)
    target = tmp_path / f"b{suffix}"
    assert write_picture(target, picture, provenance=NOTE) == ()
    again = tmp_path / f"c{suffix}"
    write_picture(again, picture, provenance=NOTE)
    assert again.read_bytes() == target.read_bytes()
    packet = xmp_of(target)
    assert packet is not None
    assert (b"box 7, folder 3" in packet) == described
    (entry,) = history(packet)
    assert entry["softwareAgent"] == "artrestore 9.8.7"
    assert entry["weights"] == "sha256:" + "ab" * 32
    assert json.loads(entry["parameters"]) == NOTE.settings


def history(packet: bytes) -> list[dict[str, str]]:
    """The entries of the history, in order, as an XML parser finds them."""
    names = {"r": "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "m": "http://ns.adobe.com/xap/1.0/mm/"}
    tree = ElementTree.fromstring(re.sub(rb"<\?xpacket.*?\?>", b"", packet).decode().strip("\ufeff\n "))  # noqa: S314
    assert len(tree.findall(".//m:History", names)) <= 1
    entries = tree.findall(".//m:History/r:Seq/r:li", names)
    return [{child.tag.split("}")[-1]: child.text or "" for child in entry} for entry in entries]


def test_a_second_restoration_is_added_to_the_history() -> None:
    once = add_provenance(XMP, NOTE)
    assert once is not None
    twice = add_provenance(once, Provenance(version="10", weights="cd", settings={}))
    assert twice is not None
    assert [entry["softwareAgent"] for entry in history(twice)] == ["artrestore 9.8.7", "artrestore 10"]


@pytest.mark.parametrize(
    "packet",
    [
        b"no XML", b"<a>cut", b"\xff\xfe<\0a\0/\0>\0", b"<a/>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><rdf:RDF xmlns:rdf="x">&b;</rdf:RDF>',
    ],
)  # fmt: skip
def test_xmp_that_cannot_be_added_to_is_left_as_it_is_with_a_note(tmp_path: Path, packet: bytes) -> None:
    source = png(tmp_path / "a.png", noise("rgb"), [(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)])
    notes = write_picture(tmp_path / "b.png", read_picture(source), provenance=NOTE)
    assert notes == ("what was done could not be noted in its XMP data, which are damaged",)
    assert xmp_of(tmp_path / "b.png") == packet
