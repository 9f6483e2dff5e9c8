"""Weight files: what is written is read back, and everything else is refused."""

import json
import os
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from artrestore.errors import DeviceError, OutputError, WeightsError
from artrestore.io.weights_file import (
    METADATA_KEY,
    WeightsHeader,
    read_header,
    read_tensors,
    write_weights,
    write_with_calibration,
)
from artrestore.models.loading import find_weights, load_model
from artrestore.models.registry import ARCHITECTURES
from conftest import TINY, tiny_model, write_tiny_weights


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_save_load_save_gives_the_same_bytes_and_the_same_pictures(tmp_path: Path, name: str) -> None:
    path = write_tiny_weights(tmp_path / "a.safetensors", name)
    loaded = load_model(path, device="cpu")
    write_weights(tmp_path / "b.safetensors", loaded.model.weights(), loaded.header)
    assert (tmp_path / "b.safetensors").read_bytes() == path.read_bytes()
    saved, picture = tiny_model(name).eval(), torch.rand(1, 3, 32, 32)
    assert torch.equal(loaded.model(picture), saved(picture))
    assert not loaded.model.training


def test_the_header_tells_all(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    training = {"step": 5, "metrics": {"psnr": 20.5}}
    write_weights(
        path, {"x": torch.zeros(2)}, WeightsHeader(architecture="a", config={"n": 1}, training=training, shapes={})
    )
    header = read_header(path)
    assert (header.architecture, header.config, header.training) == ("a", {"n": 1}, training)
    assert header.shapes == {"x": (2,)}


def test_a_calibration_is_kept_in_the_header_and_may_be_absent(tmp_path: Path, tiny_weights: Path) -> None:
    assert read_header(tiny_weights).calibration is None
    assert "calibration" not in metadata_of(tiny_weights)[METADATA_KEY]
    calibration = {"factors": [2.5], "source": "pairs"}
    write_with_calibration(tmp_path / "new.safetensors", tiny_weights, calibration)
    old, new = read_header(tiny_weights), read_header(tmp_path / "new.safetensors")
    assert new == replace(old, calibration=calibration)
    again = {"factors": [3.0]}
    write_with_calibration(tmp_path / "new.safetensors", tmp_path / "new.safetensors", again)
    assert read_header(tmp_path / "new.safetensors").calibration == again
    same_tensors(load_file(tmp_path / "new.safetensors"), load_file(tiny_weights))


def same_tensors(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    assert all(a[name].dtype == b[name].dtype and torch.equal(a[name], b[name]) for name in a)


def test_half_precision_halves_the_file_and_is_read_as_float32(tmp_path: Path, tiny_weights: Path) -> None:
    loaded, half = load_model(tiny_weights, device="cpu"), tmp_path / "half.safetensors"
    weights = loaded.model.weights()
    write_weights(half, weights, loaded.header, half=True)
    assert half.stat().st_size < 0.6 * tiny_weights.stat().st_size
    same_tensors(read_tensors(half), {name: tensor.half().float() for name, tensor in weights.items()})
    picture = torch.rand(1, 3, 32, 32)
    restored = load_model(half, device="cpu").model(picture)
    assert torch.allclose(restored, loaded.model(picture), atol=0.01)


def test_calibrating_weights_in_half_precision_leaves_them_so(tmp_path: Path, tiny_weights: Path) -> None:
    loaded, half = load_model(tiny_weights, device="cpu"), tmp_path / "half.safetensors"
    write_weights(half, loaded.model.weights(), loaded.header, half=True)
    write_with_calibration(tmp_path / "new.safetensors", half, {"factors": [2.5]})
    same_tensors(load_file(tmp_path / "new.safetensors"), load_file(half))


def test_values_that_half_precision_cannot_hold_are_refused(tmp_path: Path) -> None:
    header = WeightsHeader(architecture="a", config={}, training={}, shapes={})
    write_weights(tmp_path / "a.safetensors", {"x": torch.tensor([65504.0])}, header, half=True)
    with pytest.raises(WeightsError, match="half precision"):
        write_weights(tmp_path / "b.safetensors", {"x": torch.tensor([1.0, -1e5])}, header, half=True)
    assert not (tmp_path / "b.safetensors").exists()


def test_weight_files_have_the_permissions_of_any_file(tmp_path: Path, tiny_weights: Path) -> None:
    (tmp_path / "plain").touch()
    assert tiny_weights.stat().st_mode == (tmp_path / "plain").stat().st_mode


def refuses(path: Path, message: str) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        load_model(path, device="cpu")
    assert caught.value.hint


def test_a_disk_that_fills_up_is_an_output_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("artrestore.io.weights_file.save_file", full)
    with pytest.raises(OutputError, match="No space left"):
        write_tiny_weights(tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_pickles_are_refused_and_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (os.mkdir, (str(marker),))

    for name, new in (("a.pth", True), ("b.pt", False), ("c.safetensors", True)):
        torch.save({"x": Malicious()}, tmp_path / name, _use_new_zipfile_serialization=new)
        refuses(tmp_path / name, "pickle")
    assert not marker.exists()


def test_missing_empty_cut_and_garbled_files_are_refused(tmp_path: Path, tiny_weights: Path) -> None:
    content = tiny_weights.read_bytes()
    refuses(tmp_path / "none.safetensors", "no weight file")
    claims_a_terabyte = struct.pack("<Q", 1 << 40) + content[8:]
    for wrong in (b"", content[:5], content[:200], content[:-10], b"x" * 1000, claims_a_terabyte):
        path = tmp_path / "wrong.safetensors"
        path.write_bytes(wrong)
        refuses(path, "damaged, cut short")


def test_a_header_whose_length_looks_like_a_pickle_is_no_pickle(tmp_path: Path, tiny_weights: Path) -> None:
    lengths = set()
    for padding in range(300):
        path = rewrite(tiny_weights, tmp_path / "padded.safetensors", training={"note": "x" * padding})
        lengths.add(path.read_bytes()[0])
        load_model(path, device="cpu")
    assert 0x80 in lengths


def metadata_of(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata())


def rewrite(path: Path, target: Path, **changes: object) -> Path:
    """Copy a weight file with changes to its description; a change to None leaves the entry out."""
    changed = json.loads(metadata_of(path)[METADATA_KEY]) | changes
    description = {key: value for key, value in changed.items() if value is not None}
    save_file(load_file(path), target, metadata={METADATA_KEY: json.dumps(description)})
    return target


def test_other_files_versions_and_headers_are_refused(tmp_path: Path, tiny_weights: Path) -> None:
    target = tmp_path / "changed.safetensors"
    save_file({"x": torch.zeros(1)}, target)
    refuses(target, "not one of artrestore's")
    refuses(rewrite(tiny_weights, target, format_version=99), "format version 99")
    refuses(rewrite(tiny_weights, target, architecture="no-vae"), "unknown architecture no-vae")
    refuses(rewrite(tiny_weights, target, training=None), "incomplete or damaged")
    refuses(rewrite(tiny_weights, target, format_version=None), "incomplete or damaged")
    refuses(rewrite(tiny_weights, target, config=[1]), "incomplete or damaged")
    refuses(rewrite(tiny_weights, target, calibration=[1]), "incomplete or damaged")
    refuses(rewrite(tiny_weights, target, config={"latent_dim": -1}), "cannot be used")
    refuses(rewrite(tiny_weights, target, config=TINY | {"latent_dim": 7}), "do not fit skip-vae")
    save_file({"x": torch.zeros(1)}, target, metadata={METADATA_KEY: "{"})
    refuses(target, "incomplete or damaged")


def test_tensors_are_loaded_strictly(tmp_path: Path, tiny_weights: Path) -> None:
    metadata = metadata_of(tiny_weights)
    good = load_file(tiny_weights)
    first = next(iter(good))
    cases = {
        "do not fit": [
            {name: t for name, t in good.items() if name != first},
            good | {"extra": torch.zeros(1)},
            good | {first: good[first][:1].clone()},
        ],
        "not float32 or float16": [good | {first: good[first].bfloat16()}, good | {first: good[first].double()}],
        "NaN": [good | {first: torch.full_like(good[first], torch.nan)}],
    }
    for message, wrong in cases.items():
        for tensors in wrong:
            save_file(tensors, tmp_path / "wrong.safetensors", metadata=metadata)
            refuses(tmp_path / "wrong.safetensors", message)


def test_bundled_weights_are_found_by_name_and_the_default_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_weights: Path
) -> None:
    monkeypatch.setattr("artrestore.models.loading.BUNDLED_FOLDER", tmp_path / "bundled")
    with pytest.raises(WeightsError, match="`default` did not come"):
        find_weights()
    (tmp_path / "bundled").mkdir()
    bundled = write_tiny_weights(tmp_path / "bundled/default.safetensors")
    assert find_weights() == find_weights("default") == bundled
    assert find_weights(tiny_weights) == tiny_weights
    with pytest.raises(WeightsError, match="no weight file nonsense"):
        find_weights("nonsense")


def test_a_device_that_is_not_there_is_an_error(tiny_weights: Path) -> None:
    with pytest.raises(DeviceError, match="cuda:99"):
        load_model(tiny_weights, device="cuda:99")
