"""How the process asks the system for memory."""

import subprocess
import sys

import pytest

from artrestore.io import memory

# Page faults of the second of two arrays of 64 MB, the first of which is freed.
_FAULTS = """
import resource, sys
import numpy as np
from artrestore.io.memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
np.ones(1 << 23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(1 << 23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is meant")
def test_kept_memory_is_given_back_when_asked() -> None:
    program = """
import numpy as np
from pathlib import Path
from artrestore.io.memory import give_back_freed_memory, keep_freed_memory
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
keep_freed_memory()
np.ones(1 << 24)
before = resident()
give_back_freed_memory()
print(before - resident())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 100e6


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is meant")
def test_freed_memory_is_there_for_the_next_array_without_new_pages() -> None:
    if faults("as by default") < 10:
        pytest.skip("this system's pages, or its C library, need no help")
    assert faults("kept") < 10


def test_other_systems_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.sys, "platform", "win32")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: pytest.fail("there is no such library"))
    memory._glibc.cache_clear()
    memory.keep_freed_memory()
    memory.give_back_freed_memory()
    memory._glibc.cache_clear()
