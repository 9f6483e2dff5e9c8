"""Formats that libvips' wheel lacks, through Pillow: read and written as a whole."""

import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from artrestore.errors import PictureError
from artrestore.io.formats import Format, Levels, Space
from artrestore.io.forms import Form, Native
from artrestore.io.metadata import Density, Metadata, exif_from_tags, exif_orientation

MOST_PIXELS = 400_000_000  # of a picture that can only be read as a whole
# Pillow warns and raises by a global; the check of `open_picture` is ours, so that it is an error for one file.
Image.MAX_IMAGE_PIXELS = None

_PLUGINS = {
    "bmp": "BMP", "jp2": "JPEG2000", "ppm": "PPM", "tga": "TGA", "gif": "GIF", "avif": "AVIF", "heic": "HEIF",
    "tiff": "TIFF",
}  # fmt: skip
_MODES: dict[str, tuple[Space, int, Levels]] = {
    "L": ("grey", 0, "uint8"), "LA": ("grey", 1, "uint8"), "RGB": ("rgb", 0, "uint8"), "RGBA": ("rgb", 1, "uint8"),
    "CMYK": ("cmyk", 0, "uint8"), "LAB": ("lab", 0, "uint8"), "I;16": ("grey", 0, "uint16"),
}  # fmt: skip
_WRITTEN = {("grey", 0): "L", ("grey", 1): "LA", ("rgb", 0): "RGB", ("rgb", 1): "RGBA"}


def open_image(path: Path, found: Format, page: int = 0) -> Image.Image:
    """Read the header of a file, by the decoder of its format alone.

    Raises:
        PictureError: the decoder is not installed.
    """
    if found.name == "heic":
        _register_heic(path)
    with warnings.catch_warnings(action="ignore"):  # damaged metadata: read as far as they go
        opened = Image.open(path, formats=[_PLUGINS[found.name]])
        if page:
            opened.seek(page)
    return opened


def form_of(opened: Image.Image, path: Path) -> tuple[Form, tuple[str, ...]]:
    """The form of the pixels that `pixels_of` gives, and what of them changes kind.

    Raises:
        PictureError: of a kind that cannot be restored.
    """
    mode, notes = opened.mode, []
    if mode in ("P", "PA"):
        notes.append("its palette became plain colours")
    if mode == "1":
        notes.append("black and white became 8-bit greyscale")
    if mode in ("RGB", "RGBA") and (bits := _bits(opened, path)) > 8:
        notes.append(f"{bits}-bit colour was reduced to 8 bits")
    if (plain := _plain_mode(opened)) not in _MODES:
        raise PictureError(f"{path} has pixels of kind {mode}, which cannot be restored")
    space, extra, levels = _MODES[plain]
    form = Form(
        space=space, levels=levels, extra=extra, alpha=extra > 0, profile=opened.info.get("icc_profile") or None
    )
    return form, tuple(notes)


class DecodedRows:
    """Rows of a picture that is decoded as a whole, when they are first asked for; see `io.rows.Rows`."""

    def __init__(self, opened: Any) -> None:
        self._opened = opened
        self._pixels: Native | None = None
        self.width, self.height = opened.size

    def read(self, top: int, bottom: int) -> Native:
        """Rows from `top` to before `bottom`, (bottom - top, W, channels)."""
        if self._pixels is None:
            self._pixels = pixels_of(self._opened)
        return self._pixels[top:bottom]


def pixels_of(opened: Image.Image) -> Native:
    """Decode to (H, W, channels) in the form that `form_of` tells."""
    with warnings.catch_warnings(action="ignore"):
        opened.load()
    mode = _plain_mode(opened)
    if mode == "I;16":
        pixels = np.asarray(opened).astype(np.uint16)  # of mode I, too, or in another byte order
    else:
        pixels = np.asarray(opened if opened.mode == mode else opened.convert(mode))
    if mode == "LAB":  # a and b come as signed numbers
        pixels = pixels ^ np.array([0, 128, 128], dtype=np.uint8)
    return pixels.reshape(opened.height, opened.width, -1)


def metadata_of(opened: Image.Image) -> Metadata:
    """What a file says, as far as Pillow finds it."""
    exif = (opened.info.get("exif") or b"").removeprefix(b"Exif\0\0") or None
    dpi = opened.info.get("dpi")
    density = None
    if dpi and len(dpi) == 2 and all(0 < value < 1e6 for value in dpi):
        x, y = (Fraction(float(value)).limit_denominator(1000) for value in dpi)
        density = Density(x=x, y=y, unit="inch")
    applied = opened.format in ("HEIF", "AVIF")  # their decoders turn the picture
    xmp = opened.info.get("xmp")
    return Metadata(
        exif=exif,
        xmp=xmp if isinstance(xmp, bytes) else None,
        density=density,
        orientation=1 if applied else exif_orientation(exif),
    )


def count_frames(path: Path, found: Format) -> int:
    """How many frames a file has."""
    with open_image(path, found) as opened:
        return int(getattr(opened, "n_frames", 1))


def write(path: Path, pixels: Native, form: Form, metadata: Metadata, target: Format, quality: int | None) -> None:
    """Encode (H, W, channels) as WebP, JPEG 2000 (lossless), BMP or TGA."""
    if form.levels == "uint16":
        image = Image.fromarray(pixels[..., 0])
    else:
        mode = _WRITTEN[form.space, form.extra]
        image = Image.frombuffer(mode, pixels.shape[1::-1], np.ascontiguousarray(pixels), "raw", mode, 0, 1)
    options: dict[str, Any] = {}
    if target.name == "webp":
        options = {"exif": metadata.exif or exif_from_tags(metadata.tags), "icc_profile": form.profile}
        options |= {"xmp": metadata.xmp, "lossless": metadata.lossless and quality is None, "exact": True}
        options |= {"quality": quality or 95} if not options["lossless"] else {}
        options = {key: value for key, value in options.items() if value is not None}
    elif target.name == "bmp" and metadata.density and (per_inch := metadata.density.per("inch")):
        options["dpi"] = tuple(float(value) for value in per_inch)
    elif target.name == "jp2":
        options["no_jp2"] = False
    image.save(path, {"webp": "WEBP", "jp2": "JPEG2000", "bmp": "BMP", "tga": "TGA"}[target.name], **options)


def _plain_mode(opened: Image.Image) -> str:
    mode = opened.mode
    if mode in ("P", "PA", "RGBX", "RGBa", "La") or (mode in ("L", "RGB") and opened.has_transparency_data):
        grey = mode in ("L", "La")
        if opened.has_transparency_data:
            return "LA" if grey else "RGBA"
        return "L" if grey else "RGB"
    if mode.startswith("I;16") or (mode == "I" and opened.format in ("PPM", "JPEG2000")):
        return "I;16"
    return "L" if mode == "1" else mode


def _bits(opened: Image.Image, path: Path) -> int:
    """Bits of a component of JPEG 2000 and HEIF, which Pillow reduces to eight."""
    if opened.format == "HEIF":
        return int(opened.info.get("bit_depth", 8))
    if opened.format != "JPEG2000":
        return 8
    with path.open("rb") as file:
        head = file.read(1 << 16)
    size = head.find(b"\xff\x4f\xff\x51")  # the codestream's first segments; the depth is in the 42nd byte
    return (head[size + 42] & 0x7F) + 1 if 0 <= size < len(head) - 42 else 8


def _register_heic(path: Path) -> None:
    try:
        import pi_heif
    except ImportError:
        raise PictureError(
            f"{path} is HEIC, and what reads that is not installed",
            hint="Install it with: pip install 'artrestore[heic]'",
        ) from None
    pi_heif.register_heif_opener()
