"""Files that an archive holds and nobody meant to be there: cut short, mislabelled, bombs, animated, empty."""

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from making import chunk

_PNG = b"\x89PNG\r\n\x1a\n"
_CUTS = (0.02, 0.3, 0.6, 0.9)  # of a file's length


def _picture(mode: str = "RGB", seed: int = 0, size: tuple[int, int] = (97, 83)) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)


def _bytes(image: Image.Image, format: str, **options: Any) -> bytes:  # noqa: A002 (Pillow's word)
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _tiff(pixels: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, metadata=None, software=False, **options)
    return buffer.getvalue()


def sound_files() -> dict[str, bytes]:
    """A small, sound file of each kind that is read, by its suffix and kind."""
    picture = _picture()
    return {
        "plain.png": _bytes(picture, "PNG"),
        "palette.png": _bytes(_picture("P"), "PNG", transparency=0),
        "plain.jpg": _bytes(picture, "JPEG", quality=90, exif=_exif()),
        "progressive.jpg": _bytes(picture, "JPEG", progressive=True),
        "cmyk.jpg": _bytes(_picture("CMYK"), "JPEG"),
        "plain.tif": _bytes(picture, "TIFF", exif=_exif()),
        "deflate.tif": _bytes(picture, "TIFF", compression="tiff_deflate"),
        "lzw.tif": _bytes(picture, "TIFF", compression="tiff_lzw"),
        "float.tif": _tiff(np.zeros((40, 50, 3), dtype=np.float32), photometric="rgb"),
        "lossy.webp": _bytes(picture, "WEBP"),
        "lossless.webp": _bytes(picture, "WEBP", lossless=True, exif=_exif()),
        "plain.gif": _bytes(_picture("P"), "GIF"),
        "plain.bmp": _bytes(picture, "BMP"),
        "plain.ppm": _bytes(picture, "PPM"),
        "plain.pgm": _bytes(_picture("L"), "PPM"),
        "plain.tga": _bytes(picture, "TGA"),
        "plain.jp2": _bytes(picture, "JPEG2000"),
    }


def _exif() -> bytes:
    data = Image.Exif()
    data[0x010E], data[0x0112] = "a ship", 6
    data.get_ifd(0x8769)[0x9003] = "1911:05:04 10:00:00"
    return data.tobytes()


def _bombs() -> Iterator[tuple[str, bytes]]:
    side = 60_000  # 3.6 gigapixels
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1 << 20))
    yield "bomb.png", _PNG + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    profile = zlib.compressobj(9)
    blown = b"".join(profile.compress(bytes(1 << 20)) for _ in range(100)) + profile.flush()
    tiny = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    body = chunk(b"iCCP", b"x\0\0" + blown) + chunk(b"IDAT", zlib.compress(bytes(4)))
    yield "blown profile.png", _PNG + chunk(b"IHDR", tiny) + body + chunk(b"IEND", b"")
    tiff = bytearray(_tiff(np.zeros((8, 8), dtype=np.uint8), photometric="minisblack"))
    with tifffile.TiffFile(io.BytesIO(bytes(tiff))) as file:
        places = [file.pages[0].tags[tag].offset + 8 for tag in (256, 257)]
    for place in places:
        tiff[place - 6 : place - 4] = struct.pack("<H", 4)
        tiff[place : place + 4] = struct.pack("<I", 90_000)
    yield "bomb.tif", bytes(tiff)
    yield "bomb.ppm", b"P6 99999 99999 255 " + bytes(100)
    yield "bomb.bmp", _bytes(_picture(size=(4, 4)), "BMP")[:18] + struct.pack("<ii", 99_999, 99_999) + bytes(60)
    size = struct.pack("<HH", 65_535, 65_535)
    yield "bomb.tga", bytes([0, 0, 10]) + bytes(9) + size + bytes([24, 0]) + bytes(90)
    gif = _bytes(_picture("P", size=(4, 4)), "GIF")
    yield "bomb.gif", gif[:6] + size + gif[10:]


def _animated() -> Iterator[tuple[str, bytes]]:
    frames = [_picture(seed=seed, size=(20, 20)) for seed in range(3)]
    for kind, name in (("GIF", "animated.gif"), ("WEBP", "animated.webp"), ("PNG", "animated.png")):
        yield name, _bytes(frames[0], kind, save_all=True, append_images=frames[1:])


def _strange() -> Iterator[tuple[str, bytes]]:
    """Files that need not fail, but must not do anything else than fail or be read."""
    sound = sound_files()
    yield "one pixel.png", _bytes(_picture(size=(1, 1)), "PNG")
    yield "one pixel.jpg", _bytes(_picture(size=(1, 1)), "JPEG")
    yield "one pixel.tif", _bytes(_picture(size=(1, 1)), "TIFF")
    yield "long.png", _bytes(_picture(size=(20_000, 1)), "PNG")
    yield "tall.tif", _bytes(_picture(size=(1, 20_000)), "TIFF")
    yield "nan.tif", _tiff(np.full((9, 9, 3), np.nan, dtype=np.float32), photometric="rgb")
    yield "infinite.tif", _tiff(np.full((9, 9), np.inf, dtype=np.float32), photometric="minisblack")
    yield "really png.jpg", sound["plain.png"]
    yield "really jpeg.tif", sound["plain.jpg"]
    yield "really tiff.bmp", sound["plain.tif"]
    yield "really webp.png", sound["lossy.webp"]
    yield "trailing rubbish.jpg", sound["plain.jpg"] + b"rubbish" * 1000
    yield "trailing rubbish.png", sound["plain.png"] + bytes(5000)
    yield "broken exif.jpg", _bytes(_picture(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xee" * 60)
    yield "broken profile.jpg", _bytes(_picture(), "JPEG", icc_profile=b"no profile" * 50)
    yield "broken profile.tif", _tiff(np.zeros((9, 9, 3), np.uint8), photometric="rgb", iccprofile=b"acsp" * 60)
    yield "empty profile.png", _bytes(_picture(), "PNG", icc_profile=b"\0")


def _wrong() -> Iterator[tuple[str, bytes]]:
    """Files that no decoder may take for pictures."""
    sound = sound_files()
    yield "empty.png", b""
    yield "one byte.jpg", b"\xff"
    yield "text.png", b"This is not a picture."
    yield "zeros.tif", bytes(4096)
    yield "zeros.tga", bytes(4096)
    yield "only a mark.png", _PNG
    yield "only a mark.jpg", b"\xff\xd8\xff"
    yield "only a mark.tif", b"II*\0"
    yield "only a mark.webp", b"RIFF\0\0\0\0WEBP"
    yield "drawing.png", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect/></svg>'
    yield "document.jpg", b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
    yield "script.tif", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"
    yield "layers.png", b"8BPS\0\1" + bytes(200)
    yield "vips.png", b"\xb6\xa6\xf2\x08" + bytes(200)
    yield "circle.tif", _circle()
    yield "no pages.tif", b"II*\0\0\0\0\0"
    yield "double.tif", _tiff(np.zeros((9, 9), dtype=np.float64), photometric="minisblack")
    yield "integers.tif", _tiff(np.zeros((9, 9), dtype=np.uint32), photometric="minisblack")
    yield "complex.tif", _tiff(np.zeros((9, 9), dtype=np.complex64), photometric="minisblack")
    yield "no size.ppm", b"P6 0 0 255 "
    yield "no end.png", sound["plain.png"][:33]


def _circle() -> bytes:
    """Two directories that each come after the other."""
    sound = bytearray(sound_files()["plain.tif"])
    first = struct.unpack_from("<I", sound, 4)[0]
    entries = struct.unpack_from("<H", sound, first)[0]
    struct.pack_into("<I", sound, first + 2 + 12 * entries, first)
    return bytes(sound)


def make_hostile_folder(folder: Path) -> dict[str, bool | None]:
    """Write the files; tell of each name whether it may be read: no (False), either way (None), yes (True).

    Besides, there are a folder named as a picture, and links that lead nowhere and to themselves.
    """
    expected: dict[str, bool | None] = {}
    folder.mkdir(parents=True, exist_ok=True)

    def put(name: str, content: bytes, readable: bool | None) -> None:
        (folder / name).write_bytes(content)
        expected[name] = readable

    for name, content in sound_files().items():
        for cut in _CUTS:
            put(f"cut at {cut:.0%} {name}", content[: max(4, int(cut * len(content)))], readable=False)
    for files, readable in ((_bombs(), None), (_animated(), False), (_strange(), None), (_wrong(), False)):
        for name, content in files:
            put(name, content, readable)
    for name in ("bomb.png", "bomb.tif", "bomb.ppm", "bomb.bmp", "bomb.tga", "bomb.gif"):
        expected[name] = False
    for name in ("one pixel.png", "one pixel.jpg", "one pixel.tif", "long.png", "tall.tif", "nan.tif",
                 "infinite.tif", "really png.jpg", "broken exif.jpg", "broken profile.jpg"):  # fmt: skip
        expected[name] = True
    (folder / "folder.png").mkdir()
    (folder / "dangling.png").symlink_to(folder / "nowhere.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    return expected | dict.fromkeys(("folder.png", "dangling.png", "loop.png"), False)
