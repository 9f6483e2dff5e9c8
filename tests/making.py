"""Pictures of every kind, made without the code that is tested: by Pillow, by tifffile, and by hand."""

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

_CHANNELS = {"grey": 1, "grey+alpha": 2, "rgb": 3, "rgb+alpha": 4, "cmyk": 4, "lab": 3}
_PNG_KINDS = {1: 0, 2: 4, 3: 2, 4: 6}
_TIFF_KINDS = {"grey": "minisblack", "rgb": "rgb", "cmyk": "separated", "lab": "cielab"}
XMP = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    b' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
    b' tiff:Orientation="6"><dc:source>box 7, folder 3</dc:source></rdf:Description></rdf:RDF></x:xmpmeta>'
    b'<?xpacket end="w"?>'
)


def noise(kind: str, levels: str = "uint8", size: tuple[int, int] = (41, 30), seed: int = 0) -> np.ndarray:
    """Random pixels (H, W, channels); a third of any alpha is wholly transparent."""
    rng = np.random.default_rng(seed)
    shape = (size[1], size[0], _CHANNELS[kind])
    if levels == "float32":
        pixels = rng.uniform(-0.2, 1.4, shape).astype(np.float32)
    else:
        pixels = rng.integers(0, np.iinfo(levels).max + 1, shape, dtype=levels)
    if kind.endswith("alpha"):
        pixels[::3, :, -1] = 0
    return pixels


def exif(**tags: Any) -> Image.Exif:
    """EXIF data: a description, and what is given as tag numbers (`t274=6`)."""
    data = Image.Exif()
    data[0x010E] = "a ship"
    data.get_ifd(0x8769)[0x9003] = "1911:05:04 10:00:00"
    for tag, value in tags.items():
        data[int(tag[1:])] = value
    return data


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(path: Path, pixels: np.ndarray, extra: Iterable[tuple[bytes, bytes]] = ()) -> Path:
    """A PNG of (H, W, channels) with 8 or 16 bits, and chunks before its pixels."""
    height, width, channels = pixels.shape
    depth = 8 * pixels.itemsize
    rows = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, depth, _PNG_KINDS[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks))
    return path


def tiff(path: Path, kind: str, pixels: np.ndarray, **options: Any) -> Path:
    """A TIFF of (H, W, channels) by tifffile, or one more page of it with `append=True`."""
    colour, _, alpha = kind.partition("+")
    if alpha:
        options["extrasamples"] = ["unassalpha"]
    shaped = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    tifffile.imwrite(path, shaped, photometric=_TIFF_KINDS[colour], metadata=None, software=False, **options)
    return path


def pillow(path: Path, kind: str, pixels: np.ndarray, **options: Any) -> Path:
    """A file of 8 bits by Pillow, in the format of its suffix."""
    mode = {"grey": "L", "grey+alpha": "LA", "rgb": "RGB", "rgb+alpha": "RGBA", "cmyk": "CMYK"}[kind]
    Image.frombytes(mode, pixels.shape[1::-1], pixels.tobytes()).save(path, **options)
    return path


def make(path: Path, kind: str, levels: str = "uint8", profile: bytes | None = None) -> Path:
    """Random pixels in a file of any format that holds them."""
    pixels = noise(kind, levels)
    if path.suffix == ".tif":
        return tiff(path, kind, pixels, iccprofile=profile)
    if path.suffix == ".png":
        described = [] if profile is None else [(b"iCCP", b"x\0\0" + zlib.compress(profile))]
        return png(path, pixels, described)
    if path.suffix in (".pgm", ".ppm") and levels == "uint16":
        head = f"P{5 if kind == 'grey' else 6}\n# made by hand\n{pixels.shape[1]} {pixels.shape[0]}\n65535\n"
        path.write_bytes(head.encode() + pixels.astype(">u2").tobytes())
        return path
    options: dict[str, Any] = {"lossless": True, "exact": True} if path.suffix == ".webp" else {}
    if path.suffix == ".jpg":
        options |= {"quality": 90}
    return pillow(path, kind, pixels, **options, **({} if profile is None else {"icc_profile": profile}))
