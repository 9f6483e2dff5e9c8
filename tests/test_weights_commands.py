"""`artrestore weights`: what there is, fetching it, checking it, and giving it to others."""

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from typer.testing import Result

import serving
from artrestore.io.digests import FileMark
from artrestore.io.weights_file import WeightsHeader, write_weights
from artrestore.models import loading
from artrestore.models.export import example_inputs, export_onnx
from artrestore.models.loading import load_model
from artrestore.models.registry import ARCHITECTURES, BUNDLED_WEIGHTS
from artrestore.weights import cache
from artrestore.weights.entries import own_manifest, parse_manifest, read_manifest
from conftest import save_smooth, tiny_model, write_tiny_weights

Run = Callable[..., Result]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[serving.Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    state, http_server = serving.start()
    yield state
    serving.stop(http_server)


def test_the_manifest_of_the_package_tells_the_truth_about_the_bundled_files() -> None:
    listed = {entry.name: entry for entry in own_manifest() if not entry.urls}
    assert set(listed) == set(BUNDLED_WEIGHTS)
    for name, entry in listed.items():
        path = loading.BUNDLED_FOLDER / f"{name}.safetensors"
        if not path.exists():
            pytest.skip(f"the weights `{name}` are not there yet")
        assert entry.mark == FileMark.of(path), "after changing bundled weights: python bench/refresh_manifest.py"
        assert entry.architecture == loading.check_weights(path).architecture
        assert entry.licence
        assert entry.trained_on


def test_list_shows_what_is_bundled_and_what_is_cached(run: Run, tiny_weights: Path) -> None:
    assert run("weights", "add", tiny_weights, "--name", "mine").exit_code == 0
    lines = run("weights", "list").output.splitlines()
    told = {line.split("│")[1].strip(): line for line in lines if line.startswith("│")}
    assert set(told) == {*BUNDLED_WEIGHTS, "mine"}
    assert "bundled" in told["default"]
    assert "cached" in told["mine"]
    assert "skip-vae" in told["mine"]
    rows = json.loads(run("weights", "list", "--json").output)
    assert {(row["name"], row["where"]) for row in rows} >= {("mine", "cached"), ("default", "bundled")}


def test_added_weights_are_used_by_their_name(run: Run, tiny_weights: Path) -> None:
    done = run("weights", "add", tiny_weights, "--licence", "MIT", "--trained-on", "our scans")
    assert done.exit_code == 0, done.output
    path = cache.cached_path("tiny")
    assert path.read_bytes() == tiny_weights.read_bytes()
    assert run("weights", "path", "tiny").output == f"{path}\n"
    assert load_model("tiny", device="cpu").path == path
    info = run("weights", "info", "tiny").output
    for told in ("skip-vae", "MIT", "our scans", FileMark.of(path).sha256, str(path)):
        assert told in info
    save_smooth(Path("in/a.png"))
    restored = run("restore", "in", "out", "--weights", "tiny", "--device", "cpu")
    assert restored.exit_code == 0, restored.output


def test_adding_refuses_what_is_no_weights_and_names_that_are_taken(run: Run, tmp_path: Path) -> None:
    first, second = (write_tiny_weights(tmp_path / f"{seed}.safetensors", seed=seed) for seed in (0, 1))
    (tmp_path / "broken.safetensors").write_bytes(first.read_bytes()[:-1])
    assert run("weights", "add", tmp_path / "broken.safetensors").exit_code == 4
    assert run("weights", "add", first, "--name", "../mine").exit_code == 2
    assert run("weights", "add", first, "--name", "default").exit_code == 2
    assert run("weights", "add", first, "--name", "mine").exit_code == 0
    assert run("weights", "add", first, "--name", "mine").exit_code == 0, "the same file again"
    refused = run("weights", "add", second, "--name", "mine")
    assert refused.exit_code == 4
    assert "--force" in refused.output
    assert cache.cached_path("mine").read_bytes() == first.read_bytes()
    assert run("weights", "add", second, "--name", "mine", "--force").exit_code == 0
    assert cache.cached_path("mine").read_bytes() == second.read_bytes()


def test_info_tells_the_header_of_a_file(run: Run, tmp_path: Path) -> None:
    model = tiny_model("conv-vae")
    training = {"stage": "clear", "step": 7, "metrics": {"psnr": 21.25}, "data": {"train_clear": 3, "digest": "d"}}
    header = WeightsHeader(
        architecture="conv-vae", config=asdict(model.config), training=training, shapes={},
        calibration={"source": "pairs"},
    )  # fmt: skip
    write_weights(tmp_path / "Mine.safetensors", model.weights(), header)
    info = run("weights", "info", tmp_path / "Mine.safetensors").output
    for told in ("stage clear", "step 7", "psnr 21.25", "train clear 3", "on pairs", f"{model.parameter_count:,}"):
        assert told in info
    told = json.loads(run("weights", "info", tmp_path / "Mine.safetensors", "--json").output)
    assert told["training"] == training
    assert told["score"] == {"psnr": 21.25}


def test_what_cannot_be_recorded_is_refused(run: Run, tiny_weights: Path) -> None:
    done = run("weights", "add", tiny_weights, "--licence", "x" * 501)
    assert done.exit_code == 2
    assert "licence" in done.output


def test_info_of_bundled_weights_tells_their_licence(run: Run) -> None:
    assert "Apache-2.0" in run("weights", "info", "default").output


def test_names_that_are_not_here_are_refused_with_what_to_type(run: Run) -> None:
    for command in (("path", "none"), ("info", "none"), ("remove", "none"), ("download", "none")):
        done = run("weights", *command)
        assert done.exit_code == 4, done.output
        assert "Hint" in done.output
    assert run("weights", "download", "a/b.safetensors").exit_code == 2
    assert run("weights", "path", "../../etc/passwd").exit_code == 4


def test_verify_reads_everything_and_names_what_has_changed(run: Run, tiny_weights: Path) -> None:
    run("weights", "add", tiny_weights, "--name", "mine")
    done = run("weights", "verify")
    assert done.exit_code == 0, done.output
    assert done.output.count("intact") == 1 + len(BUNDLED_WEIGHTS)
    path = cache.cached_path("mine")
    content = bytearray(path.read_bytes())
    right = FileMark.of(path).sha256
    content[-1] ^= 1
    path.write_bytes(content)
    done = run("weights", "verify")
    assert done.exit_code == 4
    assert right in done.output
    assert FileMark.of(path).sha256 in done.output


def test_removed_weights_are_gone_and_bundled_ones_stay(run: Run, tiny_weights: Path) -> None:
    run("weights", "add", tiny_weights, "--name", "mine")
    assert run("weights", "remove", "mine").exit_code == 0
    assert {path.suffix for path in cache.cache_folder().iterdir()} <= {".lock"}
    assert run("weights", "path", "mine").exit_code == 4
    assert run("weights", "remove", "default").exit_code == 2
    assert (loading.BUNDLED_FOLDER / "default.safetensors").exists()


def test_published_weights_are_fetched_by_their_name(
    run: Run, server: serving.Server, tiny_weights: Path, tmp_path: Path
) -> None:
    server.files["w"] = tiny_weights.read_bytes()
    options = ("--url", server.url("w"), "--licence", "MIT", "--trained-on", "our scans", "--name", "scans")
    printed = run("weights", "publish", tiny_weights, *options)
    assert printed.exit_code == 0, printed.output
    (entry,) = parse_manifest(printed.output, source="output")
    assert (entry.name, entry.licence, entry.urls) == ("scans", "MIT", (server.url("w"),))
    manifest = tmp_path / "manifest.toml"
    for _ in range(2):
        assert run("weights", "publish", tiny_weights, *options, "--manifest", manifest).exit_code == 0
    assert read_manifest(manifest) == (entry,)
    assert run("config", "set", "manifests", manifest).exit_code == 0
    info = run("weights", "info", "scans").output
    assert "not on this machine" in info
    assert "our scans" in info
    done = run("weights", "download", "scans")
    assert done.exit_code == 0, done.output
    assert cache.cached_path("scans").read_bytes() == tiny_weights.read_bytes()


def test_what_is_not_served_is_not_published(run: Run, server: serving.Server, tiny_weights: Path) -> None:
    server.files["w"] = tiny_weights.read_bytes()[:-1] + b"x"
    options = ("--licence", "MIT", "--trained-on", "our scans")
    for path, code in (("w", 4), ("none", 11)):
        done = run("weights", "publish", tiny_weights, "--url", server.url(path), *options)
        assert done.exit_code == code, done.output
    assert run("weights", "publish", tiny_weights, "--url", server.url("w"), *options, "--no-check").exit_code == 0
    assert run("weights", "publish", tiny_weights, "--url", "http://a.org/w", *options).exit_code == 2
    done = run("weights", "publish", tiny_weights, "--url", server.url("w"), *options, "--name", "default")
    assert done.exit_code == 2
    secret = server.url("w").replace("http://", "http://anna:hunter2@")
    done = run("weights", "publish", tiny_weights, "--url", secret, *options, "--no-check")
    assert done.exit_code == 2
    assert "hunter2" not in done.output


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_exported_network_computes_what_the_network_computes(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="the libraries that write ONNX are not installed")
    runtime = pytest.importorskip("onnxruntime", reason="the library that computes ONNX is not installed")
    from artrestore.models.base import Surroundings

    loaded = load_model(write_tiny_weights(tmp_path / "w.safetensors", name), device="cpu")
    inputs = export_onnx(loaded, tmp_path / "w.onnx")
    session = runtime.InferenceSession(tmp_path / "w.onnx")
    assert tuple(each.name for each in session.get_inputs()) == inputs
    for size in ((0, 0),) if loaded.model.tile_rule.fixed else ((64, 64), (96, 160)):
        given = example_inputs(loaded.model, *size)
        damaged, *around = given.values()
        (restored,) = session.run(None, {key: tensor.numpy() for key, tensor in given.items()})
        with torch.no_grad():
            expected = loaded.model(damaged, Surroundings(*around) if around else None)
        assert torch.allclose(torch.from_numpy(restored), expected, atol=1e-5)
    about = json.loads(session.get_modelmeta().custom_metadata_map["artrestore"])
    assert about["architecture"] == name


def test_exporting_refuses_what_cannot_be_and_writes_over_nothing(
    run: Run, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from artrestore.models.skip_vae import SkipVAE

    target = Path("w.onnx")
    target.write_bytes(b"mine")
    assert run("weights", "export", tiny_weights, "--onnx", target).exit_code == 6
    monkeypatch.setattr(SkipVAE, "spec", replace(SkipVAE.spec, can_export=False))
    done = run("weights", "export", tiny_weights, "--onnx", target, "--overwrite")
    assert done.exit_code == 4
    assert "cannot be exported" in done.output
    assert target.read_bytes() == b"mine"


def test_exporting_without_its_libraries_names_the_extra(
    run: Run, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxscript", None)
    done = run("weights", "export", tiny_weights, "--onnx", "w.onnx")
    assert done.exit_code == 2
    assert "artrestore[onnx]" in done.output


def test_what_lists_weights_opens_no_socket_unless_a_manifest_is_elsewhere(
    run: Run, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_socket(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", no_socket)
    for command in (("list",), ("info", "default"), ("path", "default"), ("verify",), ("add", tiny_weights)):
        done = run("weights", *command)
        assert done.exit_code == 0, done.output
