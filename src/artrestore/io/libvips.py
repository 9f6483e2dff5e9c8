"""libvips, set up for untrusted files and for work beside a network."""

import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from artrestore.io.forms import Form, Native

os.environ.setdefault("VIPS_WARNING", "0")  # damaged metadata: read as far as they go, without a word
import pyvips

THREADS = min(4, os.cpu_count() or 1)  # those of the network come first

pyvips.cache_set_max(0)  # a file that is opened again is read again
pyvips.concurrency_set(THREADS)
pyvips.block_untrusted_set(True)

VipsError = pyvips.Error
_FORMATS = {"uint8": "uchar", "uint16": "ushort", "float32": "float", "int16": "short"}
_INTERPRETATIONS = {
    ("grey", "uint8"): "b-w", ("grey", "uint16"): "grey16", ("rgb", "uint8"): "srgb", ("rgb", "uint16"): "rgb16",
    ("cmyk", "uint8"): "cmyk", ("cmyk", "uint16"): "cmyk",
}  # fmt: skip


def load(name: str, path: os.PathLike[str], **options: Any) -> Any:
    """Open a file by the loader of one format: pixels come top to bottom, and damage is an error.

    Loaders are never guessed from a file's name, which might hold options or lead to a loader that is not meant
    for untrusted files.

    Raises:
        VipsError: it cannot be read.
        OSError: it cannot be opened.
    """
    options = {"access": "sequential", "fail_on": "error", **options}
    if name != "jpeg":
        return pyvips.Operation.call(f"{name}load", os.fsencode(path), **options)
    # By its path the file is mapped, and all that has been read of it counts as memory of this process.
    return pyvips.Image.new_from_source(_read_through_python(path), "", **options)


def _read_through_python(path: os.PathLike[str]) -> Any:
    file = Path(path).open("rb")  # noqa: SIM115 (closed with the source)

    def read(size: int) -> bytes:
        try:
            return file.read(size)
        except OSError:  # a broken disk: for libvips the file ends here, which is an error, too
            return b""

    source = pyvips.SourceCustom()
    weakref.finalize(source, file.close)
    source.on_read(read)
    source.on_seek(file.seek)
    return source


def fetch(image: Any, top: int, bottom: int) -> Native:
    """Rows of an image as (H, W, bands), computed in the calling thread.

    No thread of libvips is begun, so that a process that has read pictures may still fork.
    """
    dtype = next(name for name, kind in _FORMATS.items() if kind == image.format)
    pixels = pyvips.Region.new(image).fetch(0, top, image.width, bottom - top)
    return np.frombuffer(pixels, dtype=dtype).reshape(bottom - top, image.width, image.bands)


def from_array(pixels: Native, form: Form) -> Any:
    """An image of libvips over an array (H, W, channels), which is not copied."""
    pixels = np.ascontiguousarray(pixels)
    height, width, bands = pixels.shape
    image = pyvips.Image.new_from_memory(pixels, width, height, bands, _FORMATS[pixels.dtype.name])
    return image.copy(interpretation=_INTERPRETATIONS[form.space, form.levels])


def save(name: str, image: Any, path: os.PathLike[str], **options: Any) -> None:
    """Encode the pixels of an image, without metadata.

    Raises:
        VipsError: it cannot be written.
    """
    pyvips.Operation.call(f"{name}save", image, os.fsencode(path), keep="none", **options)


def lab_array(lab: np.ndarray) -> Any:
    """An image over (H, W, 3) float32 in CIE Lab."""
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(lab), lab.shape[1], lab.shape[0], 3, "float")
    return image.copy(interpretation="lab")


def with_profile(image: Any, profile: bytes) -> Any:
    """A copy of an image that says that its colours are those of an ICC profile."""
    copy = image.copy()
    copy.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return copy


def built_in_profile(name: str) -> bytes:
    """One of the profiles that libvips brings: `srgb`, `cmyk` or `p3`."""
    return bytes(pyvips.Operation.call("profile_load", name))
