"""Malformed weight files: each is refused with its own clear error, in bounded memory and time."""

import json
import resource
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from artrestore.errors import WeightsError
from artrestore.io.weights_file import METADATA_KEY
from artrestore.io.weights_layout import read_layout
from artrestore.models.loading import load_model
from conftest import TINY, write_tiny_weights

MOST_SECONDS = 2.0
MOST_BYTES = 300_000_000  # of address space: what a file claims is far beyond it


@dataclass
class Parts:
    """A good weight file, taken to pieces to be put together wrongly."""

    header: dict[str, Any]
    data: bytes

    def description(self, **changes: object) -> "Parts":
        """With changes to what the file says of itself; a change to None leaves the entry out."""
        changed = json.loads(self.header["__metadata__"][METADATA_KEY]) | changes
        text = json.dumps({key: value for key, value in changed.items() if value is not None})
        return self.metadata({METADATA_KEY: text})

    def metadata(self, metadata: object) -> "Parts":
        return Parts({**self.header, "__metadata__": metadata}, self.data)

    def first(self, **changes: object) -> "Parts":
        """With changes to how the first tensor is described."""
        name = self.name(0)
        return Parts({**self.header, name: {**self.header[name], **changes}}, self.data)

    def with_tensor(self, name: str, **described: object) -> "Parts":
        return Parts({**self.header, name: described}, self.data)

    def without(self, index: int) -> "Parts":
        return Parts({k: v for k, v in self.header.items() if k != self.name(index)}, self.data)

    def name(self, index: int) -> str:
        """A tensor by its place in the data."""
        tensors = [name for name in self.header if name != "__metadata__"]
        return sorted(tensors, key=lambda name: self.header[name]["data_offsets"][0])[index]

    def bytes(self, *, claim: int | None = None) -> bytes:
        return assembled(json.dumps(self.header).encode(), self.data, claim=claim)


def assembled(header: bytes, data: bytes = b"", *, claim: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if claim is None else claim) + header + data


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    path = write_tiny_weights(tmp_path_factory.mktemp("good") / "good.safetensors", "skip-vae")
    content = path.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    return Parts(json.loads(content[8 : 8 + length]), content[8 + length :])


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Whoever takes much more address space than now is refused it by the system."""
    if not sys.platform.startswith("linux"):
        yield
        return
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + MOST_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


Make = Callable[[Parts], bytes]


def describing(**changes: object) -> Make:
    return lambda good: good.description(**changes).bytes()


def first_tensor(**changes: object) -> Make:
    return lambda good: good.first(**changes).bytes()


def metadata(value: object) -> Make:
    return lambda good: good.metadata(value).bytes()


HUGE = 1 << 40
FIRST = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}

# What is done to a good file, and what is said of it.
CASES: dict[str, tuple[Make, str]] = {
    # Cut short, or not such a file at all.
    "empty": (lambda _: b"", "it has 0 bytes, too few"),
    "five bytes": (lambda good: good.bytes()[:5], "it has 5 bytes, too few"),
    "only a length": (lambda good: good.bytes()[:8], "says that its header has [0-9,]+ bytes, and the whole file"),
    "cut in the header": (lambda good: good.bytes()[:200], "the whole file has 200"),
    "cut before the data": (lambda good: Parts(good.header, b"").bytes(), "and it holds 0"),
    "cut in the data": (lambda good: good.bytes()[:-10], r"its tensors need [0-9,]+ bytes, and it holds [0-9,]+"),
    "one byte too many": (lambda good: good.bytes() + b"x", "1 bytes at its end belong to no tensor"),
    "another file after it": (lambda good: good.bytes() * 2, "bytes at its end belong to no tensor"),
    "text": (lambda _: b"x" * 1000, "says that its header"),
    "zeros": (lambda _: bytes(1000), "its header is no JSON"),
    "an old pickle": (lambda _: b"\x80\x02}q\x00." + bytes(99), "is a pickle or PyTorch checkpoint"),
    "a zipped checkpoint": (lambda _: b"PK\x03\x04" + bytes(99), "is a pickle or PyTorch checkpoint"),
    # Claims of what nobody has room for.
    "a header of a terabyte": (lambda good: good.bytes(claim=HUGE), "has 1,099,511,627,776 bytes, and the whole"),
    "a header of 2^64 bytes": (lambda good: good.bytes(claim=2**64 - 1), "has 18,446,744,073,709,551,615 bytes"),
    "a large header that is there": (lambda _: assembled(b" " * 5_000_000), "4,000,000 are the most that is read"),
    "a tensor of a terabyte": (
        first_tensor(shape=[HUGE // 4], data_offsets=[0, HUGE]),
        "overlaps|its tensors need",
    ),
    "the only tensor is one of a terabyte": (
        lambda _: Parts({"x": {**FIRST, "shape": [HUGE // 4], "data_offsets": [0, HUGE]}}, b"").bytes(),
        "its tensors need 1,099,511,627,776 bytes, and it holds 0",
    ),
    "a shape of a terabyte in four bytes": (
        first_tensor(shape=[HUGE]), "bytes, and its shape needs 4,398,046,511,104",
    ),
    "a shape whose product has no end": (
        first_tensor(shape=[2**62] * 50), "its shape needs more than any disk holds",
    ),
    "a number without an end": (
        lambda _: assembled(b'{"x":{"dtype":"F32","shape":[' + b"9" * 10_000 + b']}}'), "its header is no JSON",
    ),
    "a network of a terabyte": (
        describing(config=TINY | {"hidden_dim": 65536, "latent_dim": 65536}),
        "do not fit skip-vae",
    ),
    "a network beyond all bounds": (
        describing(config=TINY | {"hidden_dim": 10**12}), "cannot be used",
    ),
    "lists in lists in lists": (lambda _: assembled(b"[" * 1_000_000), "its header is no JSON"),
    "a description of lists in lists": (
        metadata({METADATA_KEY: "[" * 500_000}), "is incomplete or damaged",
    ),
    # A header that is none.
    "no JSON": (lambda _: assembled(b"{not json}"), "its header is no JSON"),
    "a list": (lambda _: assembled(b"[]"), "its header is no JSON object"),
    "a number": (lambda _: assembled(b"1"), "its header is no JSON object"),
    "not UTF-8": (lambda _: assembled(b'{"\xff": 1}'), "its header is no JSON"),
    "a name twice": (
        lambda _: assembled(b'{"a":1,"a":2}'), "its header names something twice",
    ),
    "metadata that is a list": (metadata([1]), "the metadata in its header is not made of texts"),
    "metadata of numbers": (metadata({"a": 1}), "the metadata in its header is not made of texts"),
    # Tensors that are described wrongly.
    "overlapping tensors": (
        lambda good: good.with_tensor("z", dtype="F32", shape=[1], data_offsets=[0, 4]).bytes(),
        "overlaps the one before it",
    ),
    "two tensors in one place": (
        lambda good: good.with_tensor("z", **good.header[good.name(1)]).bytes(), "overlaps the one before it",
    ),
    "a hole between tensors": (lambda good: good.without(1).bytes(), "bytes before tensor .* belong to none"),
    "a hole at the beginning": (lambda good: good.without(0).bytes(), "bytes before tensor .* belong to none"),
    "offsets the wrong way round": (
        first_tensor(data_offsets=[8, 0]), "takes -8 bytes, and its shape needs",
    ),
    "negative offsets": (first_tensor(data_offsets=[-4, 0]), "are not whole numbers from 0 on"),
    "broken offsets": (first_tensor(data_offsets=[0.5, 4]), "are not whole numbers from 0 on"),
    "one offset": (first_tensor(data_offsets=[0]), "is not described by dtype, shape and"),
    "no offsets": (lambda good: good.with_tensor("z", dtype="F32", shape=[0]).bytes(), "is not described by"),
    "a tensor that is a text": (lambda good: Parts({**good.header, "z": "x"}, good.data).bytes(), "is not descri"),
    "a negative shape": (first_tensor(shape=[-1, 4]), "are not whole numbers from 0 on"),
    "a shape of truths": (first_tensor(shape=[True]), "are not whole numbers from 0 on"),
    "a shape that is a text": (first_tensor(shape="48"), "are not whole numbers from 0 on"),
    "a shape that needs less": (first_tensor(shape=[1]), "and its shape needs 4"),
    "an unknown kind": (first_tensor(dtype="F128"), "is of the kind 'F128', which is not known"),
    "a kind that is a number": (first_tensor(dtype=32), "is of the kind 32, which is not known"),
    # Sound files that are no weights of ours.
    "nothing of ours": (metadata({"format": "pt"}), "but not one of artrestore's"),
    "no tensors": (
        lambda good: Parts({"__metadata__": good.header["__metadata__"]}, b"").bytes(), "do not fit skip-vae",
    ),
    "a description that is no JSON": (metadata({METADATA_KEY: "{"}), "it is no JSON"),
    "a description that is a list": (metadata({METADATA_KEY: "[]"}), "`format_version` is missing"),
    "no version": (describing(format_version=None), "`format_version` is missing"),
    "another version": (describing(format_version=99), "has format version 99"),
    "a version that is a text": (describing(format_version="1"), "has format version '1'"),
    "no architecture": (describing(architecture=None), "`architecture` is missing or of another kind"),
    "an unknown architecture": (describing(architecture="gan"), "unknown architecture gan"),
    "a module as architecture": (describing(architecture="os:system"), "unknown architecture os:system"),
    "another architecture": (describing(architecture="conv-vae", config={}), "do not fit"),
    "another architecture's tensors": (
        describing(architecture="hierarchical-vae", config={}), "do not fit hierarchical-vae",
    ),
    "no config": (describing(config=None), "`config` is missing or of another kind"),
    "an unknown setting": (describing(config=TINY | {"x": 1}), "cannot be used"),
    "an impossible setting": (describing(config=TINY | {"latent_dim": 0}), "cannot be used"),
    "another network's shapes": (describing(config=TINY | {"latent_dim": 7}), "do not fit"),
    "no training record": (describing(training=None), "`training` is missing or of another kind"),
    "a calibration that is a number": (describing(calibration=1), "`calibration` is missing or of another kind"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_malformed_file_is_refused_at_once(case: str, good: Parts, tmp_path: Path, little_memory: None) -> None:
    make, message = CASES[case]
    path = tmp_path / "w.safetensors"
    path.write_bytes(make(good))
    start = time.monotonic()
    with pytest.raises(WeightsError, match=message) as caught:
        load_model(path, device="cpu")
    assert time.monotonic() - start < MOST_SECONDS
    assert len(caught.value.message) < 500
    assert caught.value.hint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensor: tensor.double(), "is F64, not float32 or float16"),
        (lambda tensor: tensor.bfloat16(), "is BF16, not float32 or float16"),
        (lambda tensor: tensor.to(torch.int32), "is I32, not float32 or float16"),
        (lambda tensor: tensor > 0, "is BOOL, not float32 or float16"),
        (lambda tensor: tensor.flatten()[1:].clone(), "do not fit skip-vae"),
        (lambda tensor: tensor[None].clone(), "do not fit skip-vae"),
        (lambda tensor: torch.full_like(tensor, torch.nan), "holds NaN or infinity"),
        (lambda tensor: torch.full_like(tensor, torch.inf), "holds NaN or infinity"),
        (lambda tensor: torch.full_like(tensor, -torch.inf), "holds NaN or infinity"),
    ],
)
def test_a_tensor_that_is_not_what_it_should_be_is_refused(
    change: Callable[[torch.Tensor], torch.Tensor], message: str, tmp_path: Path, tiny_weights: Path
) -> None:
    tensors, path = load_file(tiny_weights), tmp_path / "w.safetensors"
    name = max(tensors, key=lambda name: tensors[name].numel())
    save_file(tensors | {name: change(tensors[name])}, path, metadata=dict(read_layout(tiny_weights).metadata))
    with pytest.raises(WeightsError, match=message):
        load_model(path, device="cpu")


def test_there_are_fifty_of_them_and_a_good_file_is_read(good: Parts, tmp_path: Path, little_memory: None) -> None:
    assert len(CASES) >= 50
    path = tmp_path / "w.safetensors"
    path.write_bytes(good.bytes())
    assert load_model(path, device="cpu").model.name == "skip-vae"


def test_what_a_file_says_of_itself_cannot_steer_the_terminal(
    good: Parts, tmp_path: Path, run: Callable[..., Any]
) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(good.description(architecture="\x1b[2J\x1b]0;owned\x07").bytes())
    done = run("weights", "info", path)
    assert done.exit_code == 4
    assert "\x1b" not in done.output
    path.write_bytes(good.description(training={"stage": "\x1b[2Jx", "versions": {"\x07": "[red]y"}}).bytes())
    done = run("weights", "info", path)
    assert done.exit_code == 0, done.output
    assert not {"\x1b", "\x07"} & set(done.output)
    assert "[red]y" in done.output
