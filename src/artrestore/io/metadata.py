"""What a file says of its picture beside the pixels, in one form for all formats.

EXIF, XMP, IPTC and the ICC profile are kept as the bytes that they were; only what would no longer be true (the
orientation, the thumbnail) is changed in them.
"""

import io
import re
import struct
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

from artrestore.io import ifd

TURNED = (5, 6, 7, 8)  # orientations that swap width and height
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation\s*(?:=\s*["']|>)\s*)([1-8])(?=\s*["'<])""")
_IPTC_RESOURCE = 0x0404

# What describes a picture and not how its file is packed: document name, description, maker, model, page name,
# page number, software, date, artist, host, copyright; where a map or an aerial photograph was taken (GeoTIFF).
DESCRIPTIVE_TAGS = frozenset(
    {254, 269, 270, 271, 272, 285, 297, 305, 306, 315, 316, 33432}
    | {33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113}
)


@dataclass(frozen=True, kw_only=True)
class Density:
    """Pixels per unit of length, exactly; the unit `none` tells the shape of a pixel only."""

    x: Fraction
    y: Fraction
    unit: Literal["inch", "cm", "none"]

    def turned(self) -> "Density":
        """That of the picture turned by 90 degrees."""
        return Density(x=self.y, y=self.x, unit=self.unit)

    def per(self, unit: Literal["inch", "cm"]) -> tuple[Fraction, Fraction] | None:
        """Pixels per unit, or None if that is not known."""
        if self.unit == "none":
            return None
        ratio = Fraction(1) if unit == self.unit else Fraction("2.54") if unit == "inch" else 1 / Fraction("2.54")
        return self.x * ratio, self.y * ratio


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What is put back beside the pixels.

    Attributes:
        exif: EXIF data from their byte order mark on.
        xmp: an XMP packet.
        extended_xmp: of JPEG, the parts of a packet that has no room in one.
        photoshop: image resources from their first `8BIM` on, among which are IPTC data.
        iptc: IPTC data alone, as TIFF files have them.
        density: resolution.
        comments: of JPEG.
        chunks: of PNG, name and content: texts, and how colours are meant that no profile describes.
        tags: of TIFF.
        orientation: by EXIF's number; 1 is upright.
        lossless: a WebP that is.
        quality: of a JPEG, 1 to 100, or None.
        compressed: a TIFF that is.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    extended_xmp: tuple[bytes, ...] = ()
    photoshop: bytes | None = None
    iptc: bytes | None = None
    density: Density | None = None
    comments: tuple[bytes, ...] = ()
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    tags: ifd.Directory = field(default_factory=dict)
    orientation: int = 1
    lossless: bool = False
    quality: int | None = None
    compressed: bool = True

    @property
    def first_extra_is_alpha(self) -> bool:
        """Whether the first channel beside the colours is transparency; a TIFF may say that it is not."""
        return ifd.number(self.tags, 338) != 0

    def upright(self) -> tuple["Metadata", tuple[str, ...]]:
        """That of the picture once its orientation has been applied, and what had to be left out."""
        exif, notes = self.exif, tuple[str, ...]()
        try:
            exif = exif and ifd.patch(exif, self._no_longer_true(exif))
        except (ValueError, KeyError, IndexError, OverflowError, struct.error):
            exif, notes = None, ("damaged EXIF data were left out",)
        density = self.density
        if density and self.orientation in TURNED:
            density = density.turned()
        xmp = self.xmp and _XMP_ORIENTATION.sub(rb"\g<1>1", self.xmp)
        return replace(self, exif=exif, xmp=xmp, density=density, orientation=1), notes

    def stripped(self) -> "Metadata":
        """Without all that describes the picture; what its size and colours mean stays."""
        return Metadata(
            density=self.density,
            chunks=tuple(chunk for chunk in self.chunks if chunk[0] in COLOUR_CHUNKS),
            tags={tag: entry for tag, entry in self.tags.items() if tag == 338},
            lossless=self.lossless,
            quality=self.quality,
            compressed=self.compressed,
        )

    def _no_longer_true(self, exif: bytes) -> dict[int, int]:
        changes = {ifd.ORIENTATION: 1}
        if self.orientation in TURNED:
            below = exif_directory(exif).get(ifd.EXIF, {})
            if isinstance(below, dict):
                width, height = ifd.number(below, _PIXEL_WIDTH), ifd.number(below, _PIXEL_HEIGHT)
                if width and height:
                    changes |= {_PIXEL_WIDTH: height, _PIXEL_HEIGHT: width}
        return changes


COLOUR_CHUNKS = frozenset({b"cICP", b"gAMA", b"cHRM", b"sRGB"})


def exif_directory(exif: bytes) -> ifd.Directory:
    """The main directory of EXIF data.

    Raises:
        ValueError: they are damaged.
    """
    file = io.BytesIO(exif)
    layout, offset = ifd.read_header(file)
    return ifd.read_directory(file, layout, offset)


def exif_orientation(exif: bytes | None) -> int:
    """What EXIF data say, or 1."""
    try:
        return valid_orientation(ifd.number(exif_directory(exif), ifd.ORIENTATION)) if exif else 1
    except (ValueError, OverflowError):
        return 1


def valid_orientation(found: int | None) -> int:
    """The number of an orientation, or 1 if it is none."""
    return found if found is not None and 1 <= found <= 8 else 1


def density_of(tags: ifd.Directory) -> Density | None:
    """The resolution that a directory tells, in inches unless it says otherwise."""
    values = [entry.numbers() for tag in (282, 283) if isinstance(entry := tags.get(tag), ifd.Entry)]
    if len(values) != 2 or not all(len(pair) == 2 and all(pair) for pair in values):
        return None
    x, y = (Fraction(*pair) for pair in values)
    unit = ifd.number(tags, 296)
    return Density(x=x, y=y, unit="none" if unit == 1 else "cm" if unit == 3 else "inch")


def exif_density(exif: bytes | None) -> Density | None:
    """The resolution that EXIF data tell."""
    try:
        return density_of(exif_directory(exif)) if exif else None
    except (ValueError, OverflowError):
        return None


def exif_from_tags(tags: ifd.Directory) -> bytes | None:
    """EXIF data for another format, of what a TIFF says."""
    kept = {tag: value for tag, value in tags.items() if tag < 33000 or not isinstance(value, ifd.Entry)}
    kept = {tag: value for tag, value in kept.items() if tag not in (254, 297, 338)}
    return b"II*\0\x08\0\0\0" + ifd.write_directory(kept, 8, big=False) if kept else None


def photoshop_of_iptc(iptc: bytes) -> bytes:
    """Image resources that hold IPTC data and nothing else."""
    head = b"8BIM" + _IPTC_RESOURCE.to_bytes(2, "big") + b"\0\0"
    return head + len(iptc).to_bytes(4, "big") + iptc + b"\0" * (len(iptc) % 2)
