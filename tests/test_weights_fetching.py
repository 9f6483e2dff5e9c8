"""Weights are fetched once, whole and right, whatever the server does."""

import contextlib
import hashlib
import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from typer.testing import Result

import serving
from artrestore.errors import ArtRestoreError, ChecksumError, NetworkError, OutputError, WeightsError
from artrestore.io.digests import FileMark
from artrestore.models.loading import check_weights, find_weights
from artrestore.weights import cache, fetching
from artrestore.weights.entries import Entry, entry_of, in_manifest
from artrestore.weights.finding import obtain
from artrestore.weights.http import FetchError, Patience, require_safe_redirect, wait_before_next
from conftest import write_tiny_weights

FILE = "w.safetensors"
HASTE = Patience(
    connect_seconds=2, stall_seconds=0.3, attempts=3, first_wait_seconds=0.01, longest_wait_seconds=0.5
)


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PATIENCE", HASTE)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[serving.Server]:
    state, http_server = serving.start()
    state.files[FILE] = write_tiny_weights(tmp_path / "served.safetensors").read_bytes()
    yield state
    serving.stop(http_server)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def address(server: serving.Server, path: str = FILE) -> str:
    return f"{server.url(path)}#sha256={sha256(server.files[FILE])}"


def list_weights(server: serving.Server, tmp_path: Path, *urls: str, name: str = "paintings") -> Entry:
    """Have a manifest of the user list the served file."""
    file = tmp_path / "served.safetensors"
    entry = entry_of(check_weights(file), FileMark.of(file), name, licence="MIT", urls=urls or (server.url(FILE),))
    (tmp_path / "manifest.toml").write_text(in_manifest("", entry))
    settings = tmp_path / "home/config.toml"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(f'manifests = ["{tmp_path / "manifest.toml"}"]\n')
    return entry


def is_whole(path: Path, server: serving.Server) -> bool:
    return path.read_bytes() == server.files[FILE]


def in_cache() -> set[str]:
    return {path.name for path in cache.cache_folder().iterdir() if path.suffix != ".lock"}


def test_an_address_is_fetched_once_and_then_found_without_the_server(server: serving.Server) -> None:
    path = find_weights(address(server))
    assert is_whole(path, server)
    assert path == find_weights(address(server)) == find_weights(path.stem)
    assert server.asked == [(FILE, "")]
    assert path.stem == f"w-{sha256(server.files[FILE])[:8]}"


def test_a_name_of_a_manifest_is_fetched_with_its_record(server: serving.Server, tmp_path: Path) -> None:
    entry = list_weights(server, tmp_path)
    assert is_whole(find_weights("paintings"), server)
    assert cache.cached("paintings") == entry
    assert in_cache() == {"paintings.safetensors", "paintings.toml"}


@pytest.mark.parametrize("way", ["cut", "trickle"])
def test_a_broken_download_goes_on_where_it_broke(server: serving.Server, tmp_path: Path, way: str) -> None:
    list_weights(server, tmp_path)
    server.ways[FILE] = [way, "whole"]
    assert is_whole(find_weights("paintings"), server)
    half = (len(server.files[FILE]) + 1) // 2
    assert server.asked == [(FILE, ""), (FILE, f"bytes={half}-")]


def test_a_later_run_goes_on_with_what_an_earlier_one_has_left(server: serving.Server, tmp_path: Path) -> None:
    entry = list_weights(server, tmp_path)
    server.ways[FILE] = ["cut"]
    with pytest.raises(NetworkError, match="could not be fetched") as caught:
        find_weights("paintings")
    assert "connection broke" in caught.value.details[0]
    assert cache.cached("paintings") is None
    reached = cache.part_path("paintings").stat().st_size
    assert 0 < reached < entry.bytes
    server.asked.clear()
    server.ways[FILE] = ["whole"]
    assert is_whole(find_weights("paintings"), server)
    assert server.asked == [(FILE, f"bytes={reached}-")]


def test_a_server_that_ignores_ranges_is_taken_from_the_beginning(server: serving.Server, tmp_path: Path) -> None:
    list_weights(server, tmp_path)
    server.ways[FILE] = ["cut", "no-ranges"]
    assert is_whole(find_weights("paintings"), server)


def test_a_server_that_sends_another_part_is_asked_anew(server: serving.Server, tmp_path: Path) -> None:
    list_weights(server, tmp_path)
    server.ways[FILE] = ["cut", "other-part", "whole"]
    assert is_whole(find_weights("paintings"), server)
    assert server.asked[-1] == (FILE, "")


def test_what_was_left_of_another_file_does_no_harm(server: serving.Server, tmp_path: Path) -> None:
    entry = list_weights(server, tmp_path)
    part = cache.part_path("paintings")
    part.parent.mkdir(parents=True)
    for left in (b"x" * 1000, b"x" * entry.bytes, b"x" * (entry.bytes + 1)):
        part.write_bytes(left)
        assert is_whole(obtain("paintings", check=check_weights, force=True), server)


def test_a_server_that_stalls_is_given_up_in_bounded_time(server: serving.Server) -> None:
    server.ways[FILE] = ["stall"]
    with pytest.raises(NetworkError) as caught:
        find_weights(address(server))
    assert "sent nothing for 0.3 s" in caught.value.details[0]
    assert server.times(FILE) == HASTE.attempts


@pytest.mark.parametrize("status", ["500", "503", "429", "429;0", "408"])
def test_a_server_with_a_passing_trouble_is_asked_again(server: serving.Server, status: str) -> None:
    server.ways[FILE] = [status, status, "whole"]
    assert is_whole(find_weights(address(server)), server)
    assert server.times(FILE) == 3


@pytest.mark.parametrize(
    ("way", "told", "times"),
    [
        ("404", "it answered 404 Not Found", 1),
        ("403", "it answered 403 Forbidden", 1),
        ("500", "it answered 500 Internal Server Error", 3),
        ("429", "it answered 429 Too Many Requests", 3),
        ("429;3600", "asks to wait 3600 s", 1),
        ("to /w.safetensors", "it redirects more than 8 times", 9),
        ("to http://example.org/w.safetensors", "http://example.org/w.safetensors, which is not encrypted", 1),
    ],
)
def test_what_a_server_refuses_is_told_and_the_next_mirror_asked(
    server: serving.Server, tmp_path: Path, way: str, told: str, times: int
) -> None:
    server.ways[FILE] = [way]
    with pytest.raises(NetworkError) as caught:
        find_weights(address(server))
    assert told in caught.value.details[0]
    assert server.times(FILE) == times
    server.files["mirror"] = server.files[FILE]
    list_weights(server, tmp_path, server.url(FILE), server.url("mirror"))
    assert is_whole(find_weights("paintings"), server)


def test_the_second_mirror_goes_on_with_what_the_first_gave(server: serving.Server, tmp_path: Path) -> None:
    server.files["mirror"] = server.files[FILE]
    server.ways[FILE] = ["cut", "404"]
    list_weights(server, tmp_path, server.url(FILE), server.url("mirror"))
    assert is_whole(find_weights("paintings"), server)
    assert server.asked[-1] == ("mirror", f"bytes={(len(server.files[FILE]) + 1) // 2}-")


def test_wrong_bytes_are_deleted_and_reported_with_both_hashes(server: serving.Server) -> None:
    server.ways[FILE] = ["wrong"]
    wrong = sha256(bytes(255 - byte for byte in server.files[FILE]))
    with pytest.raises(ChecksumError) as caught:
        find_weights(address(server))
    promised, sent = caught.value.details
    assert sha256(server.files[FILE]) in promised
    assert wrong in sent
    assert in_cache() == set()


def test_a_mirror_with_wrong_bytes_is_passed_over(server: serving.Server, tmp_path: Path) -> None:
    server.files["mirror"] = server.files[FILE]
    server.ways[FILE] = ["wrong"]
    list_weights(server, tmp_path, server.url(FILE), server.url("mirror"))
    assert is_whole(find_weights("paintings"), server)


@pytest.mark.parametrize("path", ["longer", "shorter"])
def test_a_file_of_another_size_than_promised_is_not_fetched(
    server: serving.Server, tmp_path: Path, path: str
) -> None:
    server.files |= {"longer": server.files[FILE] + b"x", "shorter": server.files[FILE][:-1]}
    list_weights(server, tmp_path, server.url(path))
    with pytest.raises(NetworkError) as caught:
        find_weights("paintings")
    assert "were promised" in caught.value.details[0]


def test_a_server_that_sends_for_ever_is_cut_off(server: serving.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artrestore.weights.http.MOST_BYTES", 1000)
    with pytest.raises(NetworkError) as caught:
        find_weights(address(server))
    assert "more than 1,000 bytes" in caught.value.details[0]


def test_a_right_hash_of_a_file_that_is_no_weights_is_refused(server: serving.Server) -> None:
    server.files["pickle"] = b"\x80\x04" + b"x" * 500
    with pytest.raises(WeightsError, match="deleted") as caught:
        find_weights(f"{server.url('pickle')}#sha256={sha256(server.files['pickle'])}")
    assert "pickle" in caught.value.details[0]
    assert in_cache() == set()


def test_nothing_listens_there(server: serving.Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/w.safetensors#sha256={'0' * 64}"
        with pytest.raises(NetworkError) as caught:
            find_weights(url)
    assert "no connection" in caught.value.details[0]


def test_waits_grow_and_are_bounded_and_a_server_may_ask_for_more() -> None:
    patience = Patience(attempts=9, first_wait_seconds=1, longest_wait_seconds=20)
    waits = [wait_before_next(FetchError("", passing=True), failed, patience) for failed in range(1, 10)]
    assert waits == [1, 2, 4, 8, 16, 20, 20, 20, None]
    assert wait_before_next(FetchError("", passing=True, wait_seconds=7), 1, patience) == 7
    assert wait_before_next(FetchError("", passing=True, wait_seconds=21), 1, patience) is None
    assert wait_before_next(FetchError(""), 1, patience) is None


def test_a_long_download_over_a_bad_line_is_not_given_up_while_it_gets_on(server: serving.Server) -> None:
    """Each attempt brings half of the rest: more attempts than are allowed in a row without getting on."""
    server.ways[FILE] = ["cut"] * 6 + ["whole"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetching, "PATIENCE", Patience(attempts=2, first_wait_seconds=0.01, worth_bytes=100))
        assert is_whole(find_weights(address(server)), server)
    assert server.times(FILE) == 7


def test_progress_is_told_with_the_size(server: serving.Server) -> None:
    told: list[tuple[int, int | None]] = []
    find_weights(address(server), on_progress=lambda done, total: told.append((done, total)))
    size = len(server.files[FILE])
    assert told[0] == (0, size)
    assert told[-1] == (size, size)


def test_a_proxy_of_the_environment_is_used(server: serving.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:9/{FILE}"  # where nobody listens: only through the proxy is there an answer
    server.files[url] = server.files[FILE]
    monkeypatch.setenv("http_proxy", server.base)
    monkeypatch.setenv("no_proxy", "")
    assert is_whole(find_weights(f"{url}#sha256={sha256(server.files[FILE])}"), server)


def test_offline_opens_no_socket_and_says_what_to_do(
    server: serving.Server, tmp_path: Path, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    list_weights(server, tmp_path)
    kept = find_weights(address(server))

    def no_socket(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", no_socket)
    monkeypatch.setattr(socket, "create_connection", no_socket)
    monkeypatch.setattr(socket, "getaddrinfo", no_socket)
    done = run("weights", "download", "paintings", "--offline")
    assert done.exit_code == 11, done.output
    assert "weights add FILE" in done.output
    monkeypatch.setenv("ARTRESTORE_OFFLINE", "1")
    with pytest.raises(NetworkError, match="offline"):
        find_weights("paintings")
    with pytest.raises(NetworkError, match="offline"):
        find_weights("hf:a/b/c.safetensors@main")
    assert find_weights(address(server)) == kept
    assert run("weights", "list").exit_code == 0


def test_offline_what_is_cached_is_good_enough_even_if_another_is_on_offer(
    server: serving.Server, tmp_path: Path, run: Callable[..., Result]
) -> None:
    list_weights(server, tmp_path)
    find_weights("paintings")
    write_tiny_weights(tmp_path / "served.safetensors", seed=1)
    list_weights(server, tmp_path)
    done = run("weights", "download", "paintings", "--offline")
    assert done.exit_code == 0, done.output
    assert run("config", "set", "manifests", "https://127.0.0.1:9/none.toml").exit_code == 0
    assert run("weights", "download", "paintings", "--offline").exit_code == 0, "a manifest that cannot be read"


def test_the_settings_can_forbid_connections(server: serving.Server, run: Callable[..., Result]) -> None:
    assert run("config", "set", "offline", "true").exit_code == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ARTRESTORE_OFFLINE")
        with pytest.raises(NetworkError, match="offline"):
            find_weights(address(server))
    assert is_whole(find_weights(address(server)), server), "the environment wins over the file"


def test_passwords_and_tokens_are_never_shown(
    server: serving.Server, run: Callable[..., Result], caplog: pytest.LogCaptureFixture
) -> None:
    server.ways[FILE] = ["404"]
    secret = server.url(FILE).replace("http://", "http://anna:hunter2@") + "?token=hunter2"
    for ending in (f"#sha256={'0' * 64}", "", "#sha256=1"):
        done = run("weights", "download", secret + ending, "--verbose")
        assert done.exit_code != 0
        assert "hunter2" not in done.output + caplog.text
    assert server.headers[0]["Authorization"].startswith("Basic ")
    server.ways[FILE] = ["whole"]
    done = run("weights", "download", f"{secret}#sha256={sha256(server.files[FILE])}")
    assert done.exit_code == 0, done.output
    assert "hunter2" not in done.output
    assert not any(b"hunter2" in path.read_bytes() for path in cache.cache_folder().iterdir())


def test_a_manifest_is_fetched_kept_and_used_offline(
    server: serving.Server, tmp_path: Path, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    list_weights(server, tmp_path)
    server.files["list.toml"] = (tmp_path / "manifest.toml").read_bytes()
    assert run("config", "set", "manifests", server.url("list.toml")).exit_code == 0
    assert "paintings" in run("weights", "list").output
    monkeypatch.setenv("ARTRESTORE_OFFLINE", "1")
    assert "paintings" in run("weights", "list").output
    monkeypatch.setenv("ARTRESTORE_OFFLINE", "0")
    server.ways["list.toml"] = ["500"]
    assert "paintings" in run("weights", "list").output
    assert is_whole(find_weights("paintings"), server)


def test_a_manifest_that_cannot_be_read_is_told_and_hides_nothing_else(
    server: serving.Server, run: Callable[..., Result]
) -> None:
    server.files |= {"broken.toml": b"[", "large.toml": b"#" * 2_000_000, "other.toml": b"format_version = 2"}
    urls = [server.url(name) for name in ("none.toml", *server.files) if name.endswith(".toml")]
    assert run("config", "set", "manifests", *urls).exit_code == 0
    done = run("weights", "list")
    assert done.exit_code == 0
    assert "default" in done.output
    for told in ("404", "cannot be used", "more than 1,000,000 bytes", "format version 2"):
        assert told in done.output
    assert run("weights", "download", "paintings").exit_code == 11


def test_a_manifest_whose_address_promises_a_hash_must_have_it(
    server: serving.Server, tmp_path: Path, run: Callable[..., Result]
) -> None:
    list_weights(server, tmp_path)
    server.files["list.toml"] = (tmp_path / "manifest.toml").read_bytes()
    for digest, is_listed in ((sha256(server.files["list.toml"]), True), ("0" * 64, False)):
        assert run("config", "set", "manifests", f"{server.url('list.toml')}#sha256={digest}").exit_code == 0
        done = run("weights", "list")
        assert ("paintings" in done.output) == is_listed
        assert ("not what its address promises" in done.output) != is_listed


def test_a_newer_version_is_fetched_when_it_is_asked_for(
    server: serving.Server, tmp_path: Path, run: Callable[..., Result]
) -> None:
    list_weights(server, tmp_path)
    find_weights("paintings")
    older = server.files[FILE]
    server.files[FILE] = write_tiny_weights(tmp_path / "served.safetensors", seed=1).read_bytes()
    list_weights(server, tmp_path)
    assert find_weights("paintings").read_bytes() == older
    assert "outdated" in run("weights", "list").output
    assert run("weights", "download", "paintings").exit_code == 0
    assert is_whole(find_weights("paintings"), server)
    assert "outdated" not in run("weights", "list").output


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Path]]:
    """A file system of its own with given options, as the home of weights."""
    mounted = []

    def mount(options: str) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if os.name != "posix" or os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("only who administers the system can make a file system")
        mounted.append(folder)
        monkeypatch.setenv("ARTRESTORE_HOME", str(folder / "home"))
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607 (it is where the system has it)


def test_a_read_only_cache_is_an_output_error_but_what_is_there_can_be_used(
    server: serving.Server, place: Callable[[str], Path]
) -> None:
    folder = place("size=20m")
    path = find_weights(address(server))
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)  # noqa: S607
    assert find_weights(address(server)) == path
    with pytest.raises(OutputError, match="Cannot write") as caught:
        obtain(address(server), check=check_weights, force=True)
    assert "ARTRESTORE_HOME" in caught.value.hint


def test_a_file_in_the_place_of_the_cache_is_an_output_error(server: serving.Server, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("in the way")
    with pytest.raises(OutputError, match="Cannot write"):
        find_weights(address(server))


@pytest.mark.parametrize("size_is_known", [True, False])
def test_a_full_disk_is_told_and_left_as_it_was(
    server: serving.Server, tmp_path: Path, place: Callable[[str], Path], size_is_known: bool
) -> None:
    list_weights(server, tmp_path)
    settings = (tmp_path / "home/config.toml").read_text()
    folder = place("size=64k")
    (folder / "home").mkdir()
    (folder / "home/config.toml").write_text(settings)
    with pytest.raises(ArtRestoreError, match="No space left") as caught:
        find_weights("paintings" if size_is_known else address(server))
    assert caught.value.exit_code == 9
    assert "ARTRESTORE_HOME" in caught.value.hint
    assert in_cache() == set()


def test_two_processes_that_fetch_one_name_write_one_good_file(server: serving.Server, tmp_path: Path) -> None:
    list_weights(server, tmp_path)
    program = "from artrestore.models.loading import find_weights; print(find_weights('paintings'))"
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=os.environ.copy())
        for _ in range(2)
    ]
    printed = {process.communicate(timeout=120)[0].decode().strip() for process in started}
    assert [process.returncode for process in started] == [0, 0]
    assert len(printed) == 1
    assert is_whole(Path(printed.pop()), server)
    assert server.times(FILE) == 1, "the second one waits, and finds it there"
    assert in_cache() == {"paintings.safetensors", "paintings.toml"}


@pytest.mark.parametrize(
    ("address", "target", "is_refused"),
    [
        ("https://a.org/w", "https://b.org/w", False),
        ("https://a.org/w", "/v2/w", False),
        ("https://a.org/w", "http://a.org/w", True),
        ("https://a.org/w", "http://127.0.0.1/w", True),
        ("https://a.org/w", "file:///etc/passwd", True),
        ("http://127.0.0.1/w", "http://localhost:9/w", False),
        ("http://127.0.0.1/w", "http://a.org/w", True),
    ],
)
def test_nobody_is_led_from_encryption_to_none(address: str, target: str, is_refused: bool) -> None:
    response = requests.Response()
    response.url, response.status_code = address, 302
    response.headers["Location"] = target
    response.raw = io.BytesIO()
    with pytest.raises(FetchError, match="not encrypted") if is_refused else contextlib.nullcontext():
        require_safe_redirect(response)
