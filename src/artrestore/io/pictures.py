"""Pictures in and out: one door for every format.

Inside the program a picture is sRGB float32 in [0, 1], shape (3, H, W). What else a file holds (its own colours,
levels, alpha, EXIF, profile, resolution) is kept beside it and put back on writing. `docs/reference/pictures.md`
tells users what is kept.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from artrestore.errors import PictureError
from artrestore.io.formats import FORMATS, Format, SaveOptions, target_format
from artrestore.io.forms import Array, Form
from artrestore.io.metadata import Density, Metadata
from artrestore.io.picture import Picture
from artrestore.io.provenance import Provenance
from artrestore.io.reading import MAX_PIXELS, Page, PictureFile, open_picture
from artrestore.io.sources import Blank
from artrestore.io.writing import PictureWriter, is_lossy, write_picture

__all__ = [
    "FORMATS", "MAX_PIXELS", "MAX_WHOLE", "Array", "Blank", "Density", "Form", "Format", "Metadata", "Page",
    "Picture", "PictureFile", "PictureWriter", "Provenance", "SaveOptions", "is_lossy", "open_picture",
    "read_picture", "read_rgb", "read_rgb8", "read_size", "target_format", "write_picture",
]  # fmt: skip

MAX_WHOLE = 400_000_000  # pixels: as float32, such a picture and its restoration take about 10 GB


def read_picture(path: Path) -> Picture:
    """Decode a picture of one page as a whole, with everything that must be put back.

    Raises:
        PictureError: not a picture, damaged, empty, larger than `MAX_WHOLE`, or of several pages.
    """
    with open_picture(path, max_pixels=MAX_WHOLE) as file:
        if file.pages > 1:
            raise PictureError(f"{path} has {file.pages} pages; only single pictures can be taken here")
        picture = file.page(0).read()
        return Picture(
            rgb=picture.rgb, native=picture.native, form=picture.form, metadata=picture.metadata,
            notes=file.notes + picture.notes,
        )  # fmt: skip


def read_rgb(path: Path) -> Array:
    """Decode a picture to sRGB float32 in [0, 1], (3, H, W), upright; alpha is ignored.

    Raises:
        PictureError: see `read_picture`; a file of several pages gives its first.
    """
    with open_picture(path, max_pixels=MAX_WHOLE) as file:
        return file.page(0).read().rgb


def read_rgb8(path: Path) -> npt.NDArray[np.uint8]:
    """Decode a picture to plain sRGB, uint8 (H, W, 3), upright: what training reads.

    Raises:
        PictureError: see `read_rgb`.
    """
    return np.ascontiguousarray(np.rint(read_rgb(path) * 255).astype(np.uint8).transpose(1, 2, 0))


def read_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels, upright, from the file's header alone.

    Raises:
        PictureError: not a picture, or larger than `MAX_WHOLE`.
    """
    with open_picture(path, max_pixels=MAX_WHOLE) as file:
        return file.page(0).size
