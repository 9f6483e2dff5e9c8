"""A drop folder: pictures are restored when they have stopped growing."""

from pathlib import Path, PurePosixPath

from artrestore.restoration.inputs import Inputs

_Stamp = tuple[int, int]  # length in bytes, time of modification in nanoseconds


class Watcher:
    """Tells at each look which pictures have come to rest since; each is told once, and again when it changes."""

    def __init__(self) -> None:
        self._seen: dict[PurePosixPath, _Stamp] = {}
        self._told: dict[PurePosixPath, _Stamp] = {}

    def look(self, inputs: Inputs) -> list[PurePosixPath]:
        """The names of pictures whose length and time are those of the look before, and that were not told yet."""
        now = {name: stamp for name, source in inputs.pictures if (stamp := _stamp(source))}
        settled = [
            name for name, stamp in now.items() if self._seen.get(name) == stamp and self._told.get(name) != stamp
        ]
        self._seen = now
        self._told |= {name: now[name] for name in settled}
        return settled


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:  # it is gone already, or a link leads nowhere
        return None
    return found.st_size, found.st_mtime_ns
