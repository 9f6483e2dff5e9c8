"""Running the program from a benchmark, so that each step is a command that anybody can type."""

import contextlib
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def run(command: Sequence[object]) -> None:
    """Run `artrestore` with these arguments; end as it ended if it failed or was stopped."""
    words = [str(word) for word in command]
    print("\n$ artrestore", shlex.join(words), flush=True)
    process = subprocess.Popen([sys.executable, "-m", "artrestore", *words])  # noqa: S603
    while process.returncode is None:
        with contextlib.suppress(KeyboardInterrupt):  # the command has had it too, and saves
            process.wait()
    if process.returncode:
        raise SystemExit(process.returncode)


def train_or_resume(
    clear: Path, out: Path, options: Sequence[object], *, device: str, workers: int | None
) -> None:
    """Train into a run folder, or go on with the run that is there, exactly; a finished one stays as it is."""
    where: list[object] = ["--out", out, "--device", device]
    where += [] if workers is None else ["--workers", workers]
    if (out / "state.safetensors").exists():
        run(["train", "--resume", *where])
    else:
        run(["train", clear, *options, *where])
