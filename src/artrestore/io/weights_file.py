"""Weight files: safetensors with a header that tells everything needed to use them.

The header's metadata has one key, `artrestore`, with a JSON object: `format_version`, `architecture`, `config`,
`training` (data counts, steps, seed, metrics, library versions) and, if there is one, `calibration`. One key,
because safetensors writes several in no fixed order, and the same weights shall give the same bytes. Nothing is
ever unpickled. The format is described for users in `docs/reference/weight-files.md`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor

from artrestore.errors import OutputError, WeightsError
from artrestore.io.atomic import atomic_path
from artrestore.io.weights_layout import Layout, read_layout

METADATA_KEY = "artrestore"
FORMAT_VERSION = 1
_AGAIN = "Copy or train it again."
_DTYPES = ("F32", "F16")


@dataclass(frozen=True, kw_only=True)
class WeightsHeader:
    """What a weight file says of itself.

    Attributes:
        architecture: an id of the registry.
        config: the fields of that architecture's config.
        training: the record of the training run; free-form JSON.
        shapes: of every tensor, by name; filled when read.
        calibration: what `uncertainty.Calibration.as_header` gives; None if the weights are not calibrated.
    """

    architecture: str
    config: Mapping[str, Any]
    training: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]
    calibration: Mapping[str, Any] | None = None


def write_weights(path: Path, tensors: Mapping[str, Tensor], header: WeightsHeader, *, half: bool = False) -> None:
    """Write a weight file, all or nothing.

    Args:
        path: where to.
        tensors: of any float kind, by name.
        header: its `shapes` are not read; the tensors have theirs.
        half: store float16, half as large and with three significant digits, instead of float32.

    Raises:
        WeightsError: `half`, and a finite value is beyond what float16 can hold.
        OutputError: the file cannot be written.
    """
    stored = {name: _half(name, tensor) if half else tensor.float() for name, tensor in tensors.items()}
    save_tensors(path, stored, _metadata(header))


def write_with_calibration(path: Path, source: Path, calibration: Mapping[str, Any]) -> None:
    """Write the weights of `source` with another calibration; every tensor stays as it is stored, to the bit.

    Raises:
        WeightsError: `source` cannot be read; see `read_header`.
        OutputError: the file cannot be written.
    """
    header = replace(read_header(source), calibration=calibration)
    save_tensors(path, _stored_tensors(source), _metadata(header))


def _half(name: str, tensor: Tensor) -> Tensor:
    halved = tensor.half()
    if not torch.equal(torch.isfinite(halved), torch.isfinite(tensor)):
        raise WeightsError(
            f"Tensor {name} has values beyond what half precision can hold ({tensor.abs().max().item():g})",
            hint="Store these weights in full precision.",
        )
    return halved


def _metadata(header: WeightsHeader) -> dict[str, str]:
    description = {
        "format_version": FORMAT_VERSION,
        "architecture": header.architecture,
        "config": header.config,
        "training": header.training,
    }
    if header.calibration is not None:
        description["calibration"] = header.calibration
    return {METADATA_KEY: json.dumps(description, allow_nan=False)}


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
    """Read and check the header; no tensor is loaded, and little memory taken, whatever the file claims.

    Raises:
        WeightsError: no such file, not safetensors, cut short, not ours, of an unknown format version, or with
            tensors that are neither float32 nor float16.
    """
    layout = read_layout(path)
    if METADATA_KEY not in layout.metadata:
        raise WeightsError(
            f"{path} is a safetensors file, but not one of artrestore's",
            hint="Use a file that `artrestore train` wrote (best.safetensors or last.safetensors).",
        )
    for name, tensor in layout.tensors.items():
        if tensor.dtype not in _DTYPES:
            raise WeightsError(f"{path}: tensor {name:.60} is {tensor.dtype}, not float32 or float16", hint=_AGAIN)
    return _described(path, layout)


def _described(path: Path, layout: Layout) -> WeightsHeader:
    try:
        description = json.loads(layout.metadata[METADATA_KEY])
    except (ValueError, RecursionError) as error:
        raise _incomplete(path, "it is no JSON") from error
    if not isinstance(description, dict) or "format_version" not in description:
        raise _incomplete(path, "`format_version` is missing")
    version = description["format_version"]
    if version != FORMAT_VERSION:
        raise WeightsError(
            f"{path} has format version {version!r:.20}; this program reads version {FORMAT_VERSION}",
            hint="Update with: pip install --upgrade artrestore",
        )
    for key, kind in {"architecture": str, "config": dict, "training": dict, "calibration": dict | None}.items():
        if not isinstance(description.get(key), kind):
            raise _incomplete(path, f"`{key}` is missing or of another kind than it should be")
    return WeightsHeader(
        architecture=description["architecture"],
        config=description["config"],
        training=description["training"],
        shapes={name: tensor.shape for name, tensor in layout.tensors.items()},
        calibration=description.get("calibration"),
    )


def _incomplete(path: Path, reason: str) -> WeightsError:
    return WeightsError(f"The header of {path} is incomplete or damaged: {reason}", hint=_AGAIN)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Load all tensors of a weight file to the CPU, as float32 however they are stored.

    Raises:
        WeightsError: see `read_header`; also for tensors that hold NaN or infinity.
    """
    tensors = _stored_tensors(path)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise WeightsError(f"{path}: tensor {name} holds NaN or infinity", hint=_AGAIN)
    return {name: tensor.float() for name, tensor in tensors.items()}


def _stored_tensors(path: Path) -> dict[str, Tensor]:
    read_header(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            # Cloned, because a view into the mapped file has the alignment of its offset there, and kernels that
            # depend on it give other last digits.
            return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:  # it may change while it is read
        raise WeightsError(f"{path} cannot be read: {error}", hint=_AGAIN) from error
