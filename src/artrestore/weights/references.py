"""What `--weights` may be: a name, a file, an address with its hash, or a file of the Hugging Face hub."""

import hashlib
import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from artrestore.errors import UsageError

SUFFIX = ".safetensors"
NAME_PATTERN = r"[a-z0-9][a-z0-9._-]{0,79}"
SHA256_PATTERN = r"[0-9a-f]{64}"
_HUB = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)/(?P<file>[\w./+ -]+)@(?P<revision>[\w./-]+)", re.ASCII)
_ADDRESS_HINT = "https://HOST/FILE.safetensors#sha256=64_HEXADECIMAL_DIGITS"
_HUB_HINT = "hf:OWNER/REPO/FILE@REVISION, the revision best a commit, which never changes"
# Files of these names are devices on Windows, whatever their suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.ASCII)


@dataclass(frozen=True)
class NamedWeights:
    """A name: of bundled weights, of cached ones, or of an entry in a manifest."""

    name: str


@dataclass(frozen=True)
class WeightFile:
    """A file on the disk."""

    path: Path


@dataclass(frozen=True)
class Address:
    """A file on a web server; `str` of it leaves out what may be secret.

    Attributes:
        url: https, or http to this machine itself.
        sha256: of the file, if the address itself tells it.
    """

    url: str
    sha256: str | None = None

    def __str__(self) -> str:
        return public(self.url)


@dataclass(frozen=True)
class HubFile:
    """A file of the Hugging Face hub, at a revision."""

    repo: str
    file: str
    revision: str

    def __str__(self) -> str:
        return f"hf:{self.repo}/{self.file}@{self.revision}"


Remote: TypeAlias = Address | HubFile
Reference: TypeAlias = NamedWeights | WeightFile | Remote


def parse_reference(text: str) -> Reference:
    """What the user typed, by its form alone; a name need not be known, nor a file be there.

    Raises:
        UsageError: an address without its hash or without encryption, or a hub file without its revision.
    """
    if is_remote(text):
        remote = parse_remote(text)
        if isinstance(remote, Address) and remote.sha256 is None:
            raise UsageError(f"The address {remote} does not tell the file's hash", hint=_ADDRESS_HINT)
        return remote
    return NamedWeights(text) if is_name(text) else WeightFile(Path(text))


def is_remote(text: str) -> bool:
    """Whether this is an address or a hub file, sound or not."""
    return text.startswith("hf:") or "://" in text


def parse_remote(text: str) -> Remote:
    """An address, with or without its hash, or a hub file: also what a manifest names as mirrors.

    Raises:
        UsageError: it is neither, or would travel without encryption.
    """
    if not text.startswith("hf:"):
        return _parse_address(text)
    match = _HUB.fullmatch(text)
    if match is None or ".." in PurePosixPath(text[3:]).parts:
        raise UsageError("This is no file of the hub", hint=_HUB_HINT, details=[text])
    return HubFile(match["repo"], match["file"], match["revision"])


def _parse_address(text: str) -> Address:
    url, _, fragment = text.partition("#")
    require_safe(url)
    if not fragment:
        return Address(url)
    digest = fragment.removeprefix("sha256=").lower()
    if not re.fullmatch(SHA256_PATTERN, digest):
        raise UsageError(f"What follows # in the address {public(url)} is no SHA-256", hint=_ADDRESS_HINT)
    return Address(url, digest)


def require_safe(url: str) -> None:
    """Refuse addresses whose answer anybody on the way could change or read; see `is_safe`.

    Raises:
        UsageError: it is one, or no address at all.
    """
    if is_safe(url):
        return
    parts = _split(url)
    if parts is None or parts.scheme != "http" or not parts.hostname:
        raise UsageError(f"{public(url)} is no web address", hint=_ADDRESS_HINT)
    raise UsageError(
        f"{public(url)} would be fetched without encryption, and anybody on the way could change what comes",
        hint=f"Try https://{parts.hostname}...",
    )


def is_safe(url: str) -> bool:
    """Whether this is https, or http to this machine itself."""
    parts = _split(url)
    if parts is None or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts.hostname))


def public(url: str) -> str:
    """An address without user, password, query and fragment, which may be secret: for messages and records."""
    parts = _split(url)
    if parts is None:
        return "(an address that cannot be read)"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" + ("?..." if parts.query else "")


def is_name(text: str) -> bool:
    """Whether this can be the name of weights: it stays one file in the cache's folder on every system."""
    return (
        re.fullmatch(NAME_PATTERN, text) is not None
        and not text.endswith((SUFFIX, "."))
        and not _DEVICES.fullmatch(text)
    )


def require_name(text: str) -> str:
    """The same text, if it can be a name.

    Raises:
        UsageError: it cannot.
    """
    if not is_name(text):
        raise UsageError(
            f"{text} cannot be the name of weights",
            hint="Names are made of small letters, digits, dots, - and _, and begin with a letter or digit.",
        )
    return text


def name_from(text: str) -> str:
    """The name that a file's own name suggests; `weights` if it suggests none."""
    stem = text.lower().removesuffix(SUFFIX)
    name = re.sub(r"[^a-z0-9._-]+", "-", stem, flags=re.ASCII).strip("-._")[:60].rstrip("-._")
    return name if is_name(name) else "weights"


def cache_name(remote: Remote) -> str:
    """The name under which a remote file without one of its own is cached: the file's, and eight digits.

    The digits are of the hash that the address promises, or of the whole reference.
    """
    if isinstance(remote, Address):
        digest = remote.sha256 or hashlib.sha256(remote.url.encode()).hexdigest()
        return f"{name_from(PurePosixPath(urlsplit(remote.url).path).name)}-{digest[:8]}"
    return f"{name_from(PurePosixPath(remote.file).name)}-{hashlib.sha256(str(remote).encode()).hexdigest()[:8]}"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is no number
    except ValueError:
        return None
    return parts


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
