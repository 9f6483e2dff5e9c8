"""The layout of a safetensors file, read and checked in bounded memory before anything else touches the file.

    8 bytes   length of the header, little-endian
    header    JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__": {...}}
    rest      the tensors' bytes, one after another, without gaps

The library checks the same when it opens a file; here each fault is told in words, the header may not be larger
than any honest one is, and PyTorch is not loaded for it.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artrestore.errors import WeightsError

MOST_HEADER_BYTES = 4_000_000
_LENGTH_BYTES = 8
_AGAIN = "Copy or train it again."
_PICKLES = (b"\x80", b"PK\x03\x04")
# Those of weights, and what an honest file of other tools may hold; whoever loads them decides which are wanted.
_BYTES_OF = {
    **dict.fromkeys(("F64", "I64", "U64"), 8), **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2), **dict.fromkeys(("I8", "U8", "BOOL"), 1),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TensorLayout:
    """Where a tensor lies: its kind, its shape, and the bytes of the data that it takes."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What the header tells: the texts that belong to the file, and the tensors by name."""

    metadata: Mapping[str, str]
    tensors: Mapping[str, TensorLayout]


class _FaultError(Exception):
    """What is wrong with the file, in words."""


def read_layout(path: Path) -> Layout:
    """Read the header of a safetensors file and check that it and the file's size belong together.

    Raises:
        WeightsError: no such file, a pickle, cut short, damaged, or one that claims what it does not hold.
    """
    if not path.is_file():
        raise WeightsError(f"There is no weight file {path}", hint="Train one: artrestore train CLEAR DISTORTED")
    try:
        return _read(path)
    except (_FaultError, OSError) as error:
        # Only now: a good file begins with the length of its header, which may look like a pickle's first byte.
        if not isinstance(error, OSError) and _beginning(path).startswith(_PICKLES):
            raise WeightsError(
                f"{path} is a pickle or PyTorch checkpoint, which can run code when loaded; it is refused",
                hint="Only .safetensors files written by `artrestore train` are loaded.",
            ) from error
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise WeightsError(
            f"{path} is damaged, cut short or no safetensors file: {reason}", hint=_AGAIN
        ) from error


def _read(path: Path) -> Layout:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES:
            raise _FaultError(f"it has {size} bytes, too few for a header")
        if length > size - _LENGTH_BYTES:
            raise _FaultError(f"it says that its header has {length:,} bytes, and the whole file has {size:,}")
        if length > MOST_HEADER_BYTES:
            raise _FaultError(f"its header has {length:,} bytes; {MOST_HEADER_BYTES:,} are the most that is read")
        header = _parse(file.read(length))
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise _FaultError("the metadata in its header is not made of texts")
    tensors = {name: _tensor(name, claimed) for name, claimed in header.items()}
    _require_gapless(tensors, size - _LENGTH_BYTES - length)
    return Layout(metadata=metadata, tensors=tensors)


def _parse(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise _FaultError("its header is no JSON") from error
    if not isinstance(header, dict):
        raise _FaultError("its header is no JSON object")
    return header


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _FaultError("its header names something twice")
    return found


def _tensor(name: str, claimed: Any) -> TensorLayout:
    try:
        dtype, shape, (begin, end) = claimed["dtype"], claimed["shape"], claimed["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise _FaultError(f"tensor {name:.60} is not described by dtype, shape and data_offsets") from error
    if not isinstance(dtype, str) or dtype not in _BYTES_OF:
        raise _FaultError(f"tensor {name:.60} is of the kind {dtype!r:.20}, which is not known")
    if not isinstance(shape, list) or not all(map(_is_count, [*shape, begin, end])):
        raise _FaultError(f"the shape and place of tensor {name:.60} are not whole numbers from 0 on")
    needed = math.prod(shape) * _BYTES_OF[dtype]
    if end - begin != needed:
        raise _FaultError(f"tensor {name:.60} takes {end - begin:,} bytes, and its shape needs {_count(needed)}")
    return TensorLayout(dtype=dtype, shape=tuple(shape), begin=begin, end=end)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63  # a bool is an int, too


def _count(number: int) -> str:
    return f"{number:,}" if number < 2**63 else "more than any disk holds"


def _require_gapless(tensors: Mapping[str, TensorLayout], data_bytes: int) -> None:
    """Every byte of the data belongs to one tensor: nothing is shared, nothing hidden, nothing missing."""
    reached = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin < reached:
            raise _FaultError(f"tensor {name:.60} overlaps the one before it")
        if tensor.begin > reached:
            raise _FaultError(f"{tensor.begin - reached:,} bytes before tensor {name:.60} belong to none")
        reached = tensor.end
    if reached > data_bytes:
        raise _FaultError(f"its tensors need {reached:,} bytes, and it holds {data_bytes:,}")
    if reached < data_bytes:
        raise _FaultError(f"{data_bytes - reached:,} bytes at its end belong to no tensor")


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)
