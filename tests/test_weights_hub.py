"""Files of the hub are fetched by its own client, here from a server on this machine that answers as it does."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

import serving
from artrestore.errors import NetworkError, UsageError
from artrestore.models.loading import find_weights
from artrestore.weights import cache
from conftest import write_tiny_weights

REFERENCE = "hf:anna/paintings/small/w.safetensors@v1"
FILE = "anna/paintings/resolve/v1/small/w.safetensors"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[serving.Server]:
    constants = pytest.importorskip("huggingface_hub.constants", reason="the hub's client is not installed")
    state, http_server = serving.start()
    monkeypatch.setattr(constants, "ENDPOINT", state.base)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", state.base + "/{repo_id}/resolve/{revision}/{filename}"
    )
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    state.files[FILE] = write_tiny_weights(tmp_path / "w.safetensors").read_bytes()
    yield state
    serving.stop(http_server)


def test_a_file_of_the_hub_is_fetched_once(hub: serving.Server) -> None:
    told: list[int] = []
    path = find_weights(REFERENCE, on_progress=lambda done, _: told.append(done))
    assert path.read_bytes() == hub.files[FILE]
    assert told[-1] == len(hub.files[FILE])
    assert find_weights(REFERENCE) == find_weights(path.stem) == path
    assert hub.times(FILE) == 1
    entry = cache.cached(path.stem)
    assert entry is not None
    assert entry.urls == (REFERENCE,)
    assert {p.suffix for p in path.parent.iterdir()} == {".lock", ".safetensors", ".toml"}


def test_what_the_hub_has_not_is_told(hub: serving.Server) -> None:
    with pytest.raises(NetworkError) as caught:
        find_weights("hf:anna/paintings/none.safetensors@v1")
    assert caught.value.details[0].startswith("hf:anna/paintings/none.safetensors@v1: the ")


def test_a_file_of_the_hub_that_is_no_weights_is_refused(hub: serving.Server, run: Callable[..., Result]) -> None:
    hub.files["anna/paintings/resolve/v1/model.bin"] = b"\x80\x04" + b"x" * 100
    done = run("weights", "download", "hf:anna/paintings/model.bin@v1")
    assert done.exit_code == 4
    assert "pickle" in done.output


def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UsageError) as caught:
        find_weights(REFERENCE)
    assert "artrestore[hf]" in caught.value.hint
