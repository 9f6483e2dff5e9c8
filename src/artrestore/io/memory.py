"""How the process asks the system for memory, where its C library is glibc; elsewhere nothing happens."""

import ctypes
import sys
from functools import cache
from typing import Any

# Numbers of the options of mallopt(3).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_KEPT_BYTES = 1 << 29


def keep_freed_memory() -> None:
    """Have freed memory kept for the next large array, instead of given back to the system at once.

    By default each array above 32 MB is mapped anew, and its pages are zeroed one by one as they are touched. That
    can take longer than what is then computed with them: on a virtual machine more than half of the time of a very
    large picture, and a fifth of a network's training.
    """
    if library := _glibc():
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)


def give_back_freed_memory() -> None:
    """Give back what is kept: for now and then where memory matters more than a second."""
    if library := _glibc():
        library.malloc_trim(0)


@cache
def _glibc() -> Any:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None  # musl has neither
