"""How the process asks the system for memory."""

import ctypes
import sys

# Numbers of the options of mallopt(3).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_KEPT_BYTES = 1 << 29


def keep_freed_memory() -> None:
    """Have glibc keep freed memory for the next large array, instead of giving it back to the system at once.

    By default each array above 32 MB is mapped anew, and its pages are zeroed one by one as they are touched. That
    can take longer than what is then computed with them: on a virtual machine more than half of the time of a very
    large picture, and a fifth of a network's training.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library, such as musl
        return
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
