"""Weight files: safetensors with a header that tells everything needed to use them.

The header's metadata has one key, `artrestore`, with a JSON object: `format_version`, `architecture`, `config` and
`training` (data counts, steps, seed, metrics, library versions). One key, because safetensors writes several in
no fixed order, and the same weights shall give the same bytes. Nothing is ever unpickled. The format is described
for users in `docs/reference/weight-files.md`.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor

from artrestore.errors import OutputError, WeightsError
from artrestore.io.atomic import atomic_path

METADATA_KEY = "artrestore"
FORMAT_VERSION = 1
_PICKLES = (b"\x80", b"PK\x03\x04")


@dataclass(frozen=True, kw_only=True)
class WeightsHeader:
    """What a weight file says of itself.

    Attributes:
        architecture: an id of the registry.
        config: the fields of that architecture's config.
        training: the record of the training run; free-form JSON.
        shapes: of every tensor, by name; filled when read.
    """

    architecture: str
    config: Mapping[str, Any]
    training: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]


def write_weights(path: Path, tensors: Mapping[str, Tensor], header: WeightsHeader) -> None:
    """Write a weight file, all or nothing; tensors of any float kind are stored as float32.

    Raises:
        OutputError: the file cannot be written.
    """
    description = {
        "format_version": FORMAT_VERSION,
        "architecture": header.architecture,
        "config": header.config,
        "training": header.training,
    }
    metadata = {METADATA_KEY: json.dumps(description, allow_nan=False)}
    save_tensors(path, {name: tensor.float() for name, tensor in tensors.items()}, metadata)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file, all or nothing.

    Raises:
        OutputError: the file cannot be written.
    """
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(stored, temporary, metadata=metadata)
        except safetensors.SafetensorError as error:  # it wraps the disk's errors
            raise OutputError(f"Cannot write {path}: {error}", hint="Free some space on that disk.") from error


def read_header(path: Path) -> WeightsHeader:
    """Read and check the header; no tensor is loaded.

    Raises:
        WeightsError: no such file, not safetensors, cut short, not ours, or of an unknown format version.
    """
    with _open(path) as file:
        metadata = file.metadata() or {}
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    if METADATA_KEY not in metadata:
        raise WeightsError(
            f"{path} is a safetensors file, but not one of artrestore's",
            hint="Use a file that `artrestore train` wrote (best.safetensors or last.safetensors).",
        )
    try:
        description = json.loads(metadata[METADATA_KEY])
        version = description["format_version"]
        if version != FORMAT_VERSION:
            raise WeightsError(
                f"{path} has format version {version}; this program reads version {FORMAT_VERSION}",
                hint="Update with: pip install --upgrade artrestore",
            )
        return WeightsHeader(
            architecture=str(description["architecture"]),
            config=dict(description["config"]),
            training=dict(description["training"]),
            shapes=shapes,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"The header of {path} is incomplete or damaged ({error})") from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Load all tensors of a weight file to the CPU.

    Raises:
        WeightsError: see `read_header`; also for tensors that are not float32 or hold NaN or infinity.
    """
    with _open(path) as file:
        # Cloned, because a view into the mapped file has the alignment of its offset there, and kernels that
        # depend on it give other last digits.
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32:
            raise WeightsError(f"{path}: tensor {name} is {tensor.dtype}, not float32")
        if not torch.isfinite(tensor).all():
            raise WeightsError(f"{path}: tensor {name} holds NaN or infinity")
    return tensors


def _open(path: Path) -> Any:
    if not path.is_file():
        raise WeightsError(f"There is no weight file {path}", hint="Train one: artrestore train CLEAR DISTORTED")
    try:
        return safetensors.safe_open(path, framework="pt")
    except (OSError, safetensors.SafetensorError) as error:
        # Only now: a good file begins with the length of its header, which may look like a pickle's first byte.
        if _first_bytes(path).startswith(_PICKLES):
            raise WeightsError(
                f"{path} is a pickle or PyTorch checkpoint, which can run code when loaded; it is refused",
                hint="Only .safetensors files written by `artrestore train` are loaded.",
            ) from error
        raise WeightsError(
            f"{path} is no readable safetensors file: it is damaged, cut short or of another kind ({error})",
            hint="Copy or train it again.",
        ) from error


def _first_bytes(path: Path) -> bytes:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(4)
    return b""
