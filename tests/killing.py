"""Runs of `artrestore restore` in processes of their own, to be stopped by signals."""

import multiprocessing
import os
import sys
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

# The server loads torch once, and each process begins from there.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["artrestore.cli.app", "artrestore.restoration.batch"])


def start(*arguments: object, log: Path, pause: float = 0.0) -> ForkServerProcess:
    """Begin `artrestore ARGUMENTS`; it waits for so many seconds on each picture; both its outputs go to `log`."""
    process = _CONTEXT.Process(target=_command, args=([str(a) for a in arguments], str(log), pause), daemon=True)
    process.start()
    return process


def wait_for(path: Path, process: ForkServerProcess, seconds: float = 60) -> None:
    """Return when a file is there."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.is_alive(), f"it ended with {process.exitcode}"
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.01)


def _command(arguments: list[str], log: str, pause: float) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    from artrestore.cli.app import app
    from artrestore.restoration.steps import Steps

    restore = Steps.restore

    def slowly(*values: Any) -> Any:
        time.sleep(pause)
        return restore(*values)

    Steps.restore = slowly  # type: ignore[method-assign]
    app(arguments)
