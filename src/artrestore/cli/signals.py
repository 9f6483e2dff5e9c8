"""Stopping a command gently."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Set an event on Ctrl-C or SIGTERM, so that nothing is cut in two; a second one raises KeyboardInterrupt."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def request(_number: int, _frame: object) -> None:
        stop.set()
        for number in numbers:
            signal.signal(number, signal.default_int_handler)

    previous = {number: signal.signal(number, request) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
