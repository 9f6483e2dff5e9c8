"""Pictures in and out: one door for every format.

Inside the program a picture is RGB float32 in [0, 1], shape (3, H, W). What else a file holds (greyscale,
alpha, 16-bit grey, EXIF, ICC profile, resolution) is kept beside it in a `Picture` and put back on writing.
"""

import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from artrestore.errors import PictureError
from artrestore.io.atomic import atomic_path

Array: TypeAlias = npt.NDArray[np.float32]

MAX_PIXELS = 400_000_000  # a float32 picture of this size and its restoration take about 10 GB
_EXIF_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)  # orientations that swap width and height
# Document name, description, maker, model, page, software, date, artist, host, XMP, copyright, IPTC, EXIF, GPS.
_DESCRIPTIVE_TAGS = {269, 270, 271, 272, 285, 305, 306, 315, 316, 700, 33432, 33723, 34665, 34853}
# Pillow warns and raises by a global; the check in `_open` is ours, so that it is an error for one file.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A decoded picture and what must be put back when it is written.

    Attributes:
        rgb: float32 in [0, 1], (3, H, W); a grey picture has three equal channels.
        grey: the file is greyscale and is written so.
        alpha: uint8 (H, W), written back untouched, or None.
        sixteen_bit: a 16-bit greyscale file, written with 16 bits.
        metadata: `exif`, `icc_profile`, `dpi` as Pillow's `save` takes them.
        notes: what could not be kept, in words for the user.
    """

    rgb: Array
    grey: bool = False
    alpha: npt.NDArray[np.uint8] | None = None
    sixteen_bit: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.rgb.shape[2], self.rgb.shape[1]

    def with_rgb(self, rgb: Array) -> "Picture":
        """The same picture with other pixels, rounded to the levels that its file can hold."""
        levels = 65535 if self.sixteen_bit else 255
        clipped = np.clip(rgb, 0.0, 1.0)
        if self.grey:
            clipped = np.broadcast_to(clipped.mean(axis=0, keepdims=True), clipped.shape)
        return replace(self, rgb=(np.rint(clipped * levels) / levels).astype(np.float32))


def read_picture(path: Path) -> Picture:
    """Decode a picture with everything that must be put back; its orientation tag is applied.

    Raises:
        PictureError: not a picture, damaged, empty, larger than `MAX_PIXELS`, or of several pages.
    """
    with _open(path) as opened:
        _require_one_page(opened, path)
        losses = _losses(opened)
        oriented = _upright(_decode(opened, path))
        metadata, damages = _metadata(opened)
        notes = losses + damages
    if opened.format == "WEBP" and _is_lossless_webp(path):
        metadata["lossless"] = True
    if oriented.mode.startswith("I;16"):
        grey16 = np.asarray(oriented, dtype=np.float32) / np.float32(65535)
        return Picture(rgb=_three(grey16), grey=True, sixteen_bit=True, metadata=metadata, notes=notes)
    if oriented.mode not in _PLAIN_MODES:
        metadata.pop("icc_profile", None)  # it described the colours before the conversion
    alpha = None
    if oriented.has_transparency_data:
        oriented = oriented.convert("LA" if oriented.mode in ("L", "LA") else "RGBA")
        alpha = np.asarray(oriented.getchannel("A"))
    grey = oriented.mode in ("1", "L", "LA")
    pixels = np.asarray(oriented.convert("RGB"), dtype=np.float32).transpose(2, 0, 1) / 255
    return Picture(rgb=np.ascontiguousarray(pixels), grey=grey, alpha=alpha, metadata=metadata, notes=notes)


def read_rgb8(path: Path) -> npt.NDArray[np.uint8]:
    """Decode a picture to plain RGB, uint8 (H, W, 3), upright: what training reads.

    Raises:
        PictureError: see `read_picture`; a file of several pages gives its first.
    """
    with _open(path) as opened:
        upright = _upright(_decode(opened, path))
    if upright.mode.startswith("I;16"):
        return np.repeat(np.rint(np.asarray(upright) / 257).astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(upright.convert("RGB"))


def read_rgb(path: Path) -> Array:
    """Decode a picture to RGB float32 in [0, 1], (3, H, W), upright; alpha is ignored.

    Raises:
        PictureError: see `read_rgb8`.
    """
    return np.ascontiguousarray(read_rgb8(path).transpose(2, 0, 1), dtype=np.float32) / np.float32(255)


def read_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels, upright, from the file's header alone.

    Raises:
        PictureError: not a picture.
    """
    with _open(path) as opened:
        width, height = opened.size
        # Pillow has turned the size of a TIFF file already.
        turned = opened.format != "TIFF" and _orientation(opened) in _TURNED
    return (height, width) if turned else (width, height)


def write_picture(path: Path, picture: Picture) -> None:
    """Encode a picture by the suffix of `path`, all or nothing, with its metadata.

    JPEG and lossy WebP are written at quality 95, JPEG without chroma subsampling; lossless WebP stays lossless.

    Raises:
        OutputError: the file cannot be written.
        PictureError: the format cannot hold this picture.
    """
    with atomic_path(path) as temporary:
        try:
            _to_pillow(picture).save(temporary, **_save_options(path.suffix.lower()), **picture.metadata)
        except (OSError, ValueError, KeyError) as error:
            if getattr(error, "errno", None):  # the disk's fault, not the picture's
                raise
            raise PictureError(f"{path} cannot hold this picture: {error}") from error


def is_lossy(path: Path, picture: Picture) -> bool:
    """Whether `write_picture` changes pixels a little: JPEG and lossy WebP do."""
    suffix = path.suffix.lower()
    return suffix in (".jpg", ".jpeg") or (suffix == ".webp" and not picture.metadata.get("lossless"))


_PLAIN_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"}


def _open(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings(action="ignore"):  # damaged metadata: read as far as they go
            opened = Image.open(path)
    except UnidentifiedImageError as error:
        empty = path.stat().st_size == 0
        raise PictureError(f"{path} is {'empty' if empty else 'not a picture'}") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise PictureError(f"Cannot read {path}: {error}") from error
    if opened.width * opened.height > MAX_PIXELS:
        opened.close()
        raise PictureError(f"{path} claims {opened.width} x {opened.height} pixels, which is too large")
    return opened


def _decode(opened: Image.Image, path: Path) -> Image.Image:
    try:
        opened.load()
    except Exception as error:  # Pillow's decoders raise many kinds on damaged data
        raise PictureError(f"{path} is damaged or cut short: {error}") from error
    if opened.mode == "I" and opened.format == "PPM":  # a 16-bit PGM
        return Image.fromarray(np.asarray(opened).astype(np.uint16))
    if opened.mode in ("I", "F", "LAB", "HSV"):
        raise PictureError(f"{path} has pixels of kind {opened.mode}, which cannot be restored yet")
    return opened


def _require_one_page(opened: Image.Image, path: Path) -> None:
    try:
        pages = getattr(opened, "n_frames", 1)
    except Exception as error:
        raise PictureError(f"{path} is damaged: {error}") from error
    if pages > 1 and opened.format != "MPO":  # cameras hide a preview in such JPEG files
        raise PictureError(f"{path} has {pages} pages; only single pictures are restored")


def _orientation(opened: Image.Image) -> Any:
    try:
        return opened.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 (see `_metadata`)
        return 1


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 (see `_metadata`)
        return image


def _metadata(opened: Image.Image) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What `save` takes to keep the profile, the resolution and the EXIF data; a note if that is damaged."""
    metadata = {key: opened.info[key] for key in ("icc_profile", "dpi") if opened.info.get(key)}
    try:
        exif = opened.getexif()
        exif.pop(_EXIF_ORIENTATION, None)
        if opened.format == "TIFF":  # its EXIF is the file's own directory, which says how *that* file is packed
            for tag in set(exif) - _DESCRIPTIVE_TAGS:
                del exif[tag]
        if exif:
            metadata["exif"] = exif.tobytes()
    except Exception:  # noqa: BLE001 (damaged EXIF raises many kinds, and is no reason to lose the picture)
        return metadata, ("damaged EXIF data were left out",)
    return metadata, ()


def _is_lossless_webp(path: Path) -> bool:
    """Walk the chunks of the RIFF file: lossless pictures are in one named VP8L."""
    with path.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            if head[:4] == b"VP8L":
                return True
            size = int.from_bytes(head[4:], "little")
            file.seek(size + size % 2, 1)
    return False


def _losses(opened: Image.Image) -> tuple[str, ...]:
    notes = []
    bits = getattr(opened, "tag_v2", {}).get(258, (8,))
    png16 = opened.format == "PNG" and opened.mode in ("RGB", "RGBA") and "16" in _png_raw_mode(opened)
    if opened.mode in ("RGB", "RGBA") and (max(bits) > 8 or png16):
        notes.append("16-bit colour was reduced to 8 bits")
    if opened.mode == "1":
        notes.append("black and white became 8-bit greyscale")
    if opened.mode not in _PLAIN_MODES and not opened.mode.startswith("I"):
        notes.append(f"{opened.mode} was converted to RGB")
    return tuple(notes)


def _png_raw_mode(opened: Image.Image) -> str:
    # The raw mode of the first PNG tile ("RGB;16B") is the one place where Pillow tells the file's depth.
    tiles = getattr(opened, "tile", [])
    return str(tiles[0][3]) if tiles else ""


def _three(grey: Array) -> Array:
    return np.repeat(grey[None], 3, axis=0)


def _to_pillow(picture: Picture) -> Image.Image:
    if picture.sixteen_bit:
        return Image.fromarray(np.rint(picture.rgb[0] * 65535).astype(np.uint16))
    pixels = np.rint(np.clip(picture.rgb, 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(pixels[0] if picture.grey else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    return image


def _save_options(suffix: str) -> dict[str, Any]:
    if suffix in (".jpg", ".jpeg"):
        return {"quality": 95, "subsampling": 0}
    if suffix == ".webp":
        return {"quality": 95}
    if suffix == ".png":
        return {"compress_level": 4}
    if suffix in (".tif", ".tiff"):
        return {"compression": "tiff_deflate"}
    return {}
