"""Fetching one file over HTTP into a file that may hold its beginning already.

Connections, redirects, proxies from the environment and certificates are the business of `requests`. What is
decided here: what is worth another try and after how long, and which answers are not believed.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from urllib3.exceptions import HTTPError, InvalidHeader, ReadTimeoutError
from urllib3.util.retry import Retry

from artrestore import __version__
from artrestore.io.atomic import output_errors
from artrestore.weights.references import is_safe, public

# Told the bytes that are there, and of how many, if that is known.
OnProgress = Callable[[int, int | None], None]
_CHUNK_BYTES = 1 << 17
_MOST_REDIRECTS = 8
_HEADERS = {"User-Agent": f"artrestore/{__version__}", "Accept-Encoding": "identity"}
# Of a file whose size nobody promised: no weights of this kind are larger, and a server may send for ever.
MOST_BYTES = 20_000_000_000
# Worth another try: the server may do better in a moment. All other answers but success are final.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a server is borne with.

    Attributes:
        connect_seconds: to make a connection.
        stall_seconds: between two pieces of an answer.
        attempts: in a row that bring less than `worth_bytes`.
        first_wait_seconds: before the second attempt; twice as long before each one more.
        longest_wait_seconds: before any; a server that asks for more is left for the next mirror.
        worth_bytes: an attempt that brings so many is not counted as failed.
    """

    connect_seconds: float = 15
    stall_seconds: float = 30
    attempts: int = 5
    first_wait_seconds: float = 1
    longest_wait_seconds: float = 60
    worth_bytes: int = 1_000_000


def in_silence(_done: int, _total: int | None) -> None:
    """Progress that nobody looks at."""


class FetchError(Exception):
    """A file could not be fetched; the text says why, and holds no secret.

    Attributes:
        passing: another attempt may succeed.
        wait_seconds: how long the server asks to wait; None if it does not.
    """

    def __init__(self, reason: str, *, passing: bool = False, wait_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.passing = passing
        self.wait_seconds = wait_seconds


def fetch(url: str, part: Path, *, size: int | None, patience: Patience, on_progress: OnProgress) -> None:
    """Fetch what `part` lacks of a file, by ranges if the server knows them, in as many attempts as it is worth.

    Args:
        url: see `references.is_safe`.
        part: holds the beginning, or is not there yet; what is fetched stays there, also if the rest fails.
        size: in bytes; another is refused. None if nobody promised it.
        patience: with the server.
        on_progress: called with the bytes that are there, and the file's size if the server tells it.

    Raises:
        FetchError: the server does not give the file.
        OutputError: the part cannot be written.
    """
    failed = 0
    with requests.Session() as session:
        while True:
            before = _size(part)
            try:
                return _attempt(session, url, part, size, patience, on_progress)
            except FetchError as error:
                failed = 1 if _size(part) - before >= patience.worth_bytes else failed + 1
                wait = wait_before_next(error, failed, patience)
                if wait is None:
                    raise
                time.sleep(wait)


def wait_before_next(error: FetchError, failed: int, patience: Patience) -> float | None:
    """Seconds to wait before the next attempt, after so many failed ones; None: give up."""
    if not error.passing or failed >= patience.attempts:
        return None
    if error.wait_seconds is not None:
        return error.wait_seconds if error.wait_seconds <= patience.longest_wait_seconds else None
    return min(patience.longest_wait_seconds, patience.first_wait_seconds * 2.0 ** (failed - 1))


def fetch_text(url: str, *, most_bytes: int, patience: Patience) -> str:
    """A small text file, in one attempt.

    Raises:
        FetchError: the server does not give it, or it is too large or not UTF-8.
    """
    with requests.Session() as session, _get(session, url, 0, patience) as response:
        if response.status_code != requests.codes.ok:
            raise _refusal(response)
        content = b""
        for chunk in _chunks(response, patience):
            content += chunk
            if len(content) > most_bytes:
                raise FetchError(f"it has more than {most_bytes:,} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise FetchError("it is no text") from None


def _attempt(
    session: requests.Session, url: str, part: Path, size: int | None, patience: Patience, on_progress: OnProgress
) -> None:
    start = _size(part)
    with _get(session, url, start, patience) as response:
        if start and response.status_code == requests.codes.requested_range_not_satisfiable:
            if response.headers.get("Content-Range") == f"bytes */{start}":
                return  # it is there whole
            part.unlink()
            raise FetchError("it has no more of the file", passing=True)
        if response.status_code == requests.codes.partial_content:
            if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                part.unlink(missing_ok=True)
                raise FetchError("it sent another part of the file than was asked for", passing=True)
        elif response.status_code == requests.codes.ok:
            start = 0  # this server knows no ranges
        else:
            raise _refusal(response)
        _append(response, part, start, size, patience, on_progress)


def _append(
    response: requests.Response, part: Path, start: int, size: int | None, patience: Patience,
    on_progress: OnProgress,
) -> None:  # fmt: skip
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdecimal() else None
    if total is not None and size is not None and total != size:
        raise FetchError(f"its file has {total:,} bytes, and {size:,} were promised")
    most, done = MOST_BYTES if size is None else size, start
    with output_errors(part), part.open("ab" if start else "wb") as file:
        on_progress(done, total or size)
        for chunk in _chunks(response, patience):
            done += len(chunk)
            if done > most:
                raise FetchError(f"it sends more than {most:,} bytes")
            file.write(chunk)
            on_progress(done, total or size)
    if size is not None and done < size:  # a server that tells no length just stops
        raise FetchError("the connection broke before all had come", passing=True)


def _get(session: requests.Session, url: str, start: int, patience: Patience) -> requests.Response:
    session.max_redirects = _MOST_REDIRECTS
    try:
        return session.get(
            url,
            stream=True,
            timeout=(patience.connect_seconds, patience.stall_seconds),
            headers=_HEADERS | ({"Range": f"bytes={start}-"} if start else {}),
            hooks={"response": require_safe_redirect},
        )
    except requests.RequestException as error:
        if error.response is not None:
            error.response.close()
        raise _failure(error, patience) from None


def _chunks(response: requests.Response, patience: Patience) -> Iterator[bytes]:
    """What comes, as it comes: nothing that has come is lost when the connection breaks."""
    try:
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=False):
            yield chunk
    except ReadTimeoutError:
        raise FetchError(f"it sent nothing for {patience.stall_seconds:g} s", passing=True) from None
    except HTTPError:
        raise FetchError("the connection broke before all had come", passing=True) from None


def _failure(error: requests.RequestException, patience: Patience) -> FetchError:
    """Our words for it: the library's, and a chain of causes, hold the address, and what may be secret in it."""
    exceptions = requests.exceptions
    if isinstance(error, exceptions.ConnectTimeout):
        return FetchError(f"it did not answer within {patience.connect_seconds:g} s", passing=True)
    if isinstance(error, exceptions.SSLError):
        return FetchError("its certificate cannot be trusted, or the encryption failed")
    if isinstance(error, exceptions.ProxyError):
        return FetchError("the proxy that the environment names cannot be reached, or refuses", passing=True)
    if isinstance(error, exceptions.TooManyRedirects):
        return FetchError(f"it redirects more than {_MOST_REDIRECTS} times")
    if isinstance(error, exceptions.Timeout):
        return FetchError(f"it sent nothing for {patience.stall_seconds:g} s", passing=True)
    if isinstance(error, exceptions.ConnectionError):
        return FetchError("no connection could be made, or it broke", passing=True)
    return FetchError(f"the address cannot be used ({type(error).__name__})")


def _refusal(response: requests.Response) -> FetchError:
    status = response.status_code
    reason = f"it answered {status} {response.reason or ''}".rstrip()
    if status not in _PASSING:
        return FetchError(reason)
    wait = _retry_after(response)
    asked = f", and asks to wait {wait:.0f} s" if wait is not None else ""
    return FetchError(reason + asked, passing=True, wait_seconds=wait)


def _retry_after(response: requests.Response) -> float | None:
    try:
        wait = Retry().get_retry_after(response.raw)  # in seconds or as a date
    except InvalidHeader:
        return None
    return wait


def require_safe_redirect(response: requests.Response, **_: Any) -> None:
    """Nobody is led from an encrypted address to one that is not, nor from the net to this machine.

    Raises:
        FetchError: the response would do so.
    """
    target = urljoin(response.url, response.headers["Location"]) if response.is_redirect else response.url
    if is_safe(target) and (target.startswith("https:") or response.url.startswith("http:")):
        return
    response.close()
    raise FetchError(f"it redirects to {public(target)}, which is not encrypted")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
