"""What `--weights` may be is told by its form, and no name leads out of the cache."""

import pytest

from artrestore.errors import UsageError, WeightsError
from artrestore.models.registry import BUNDLED_WEIGHTS
from artrestore.weights import cache
from artrestore.weights.catalogue import combine
from artrestore.weights.entries import Entry, in_manifest, parse_manifest
from artrestore.weights.references import (
    Address,
    HubFile,
    NamedWeights,
    WeightFile,
    cache_name,
    is_name,
    name_from,
    parse_reference,
    public,
)

HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("default", NamedWeights("default")),
        ("paintings-2.1_b", NamedWeights("paintings-2.1_b")),
        ("./default", WeightFile),
        ("runs/a/best.safetensors", WeightFile),
        ("best.safetensors", WeightFile),
        ("../default", WeightFile),
        (f"https://a.org/w.safetensors#sha256={HASH}", Address("https://a.org/w.safetensors", HASH)),
        (f"https://a.org/w?x=1#{HASH.upper()}", Address("https://a.org/w?x=1", HASH)),
        (f"http://localhost:8000/w#{HASH}", Address("http://localhost:8000/w", HASH)),
        (f"http://[::1]/w#{HASH}", Address("http://[::1]/w", HASH)),
        ("hf:anna/paintings/w.safetensors@main", HubFile("anna/paintings", "w.safetensors", "main")),
        ("hf:a/b/c/d.safetensors@refs/pr/1", HubFile("a/b", "c/d.safetensors", "refs/pr/1")),
    ],
)
def test_what_is_meant_is_told_by_its_form(text: str, expected: object) -> None:
    found = parse_reference(text)
    assert isinstance(found, WeightFile) if expected is WeightFile else found == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://a.org/w.safetensors", "does not tell the file's hash"),
        ("https://a.org/w.safetensors#sha256=12", "no SHA-256"),
        (f"http://a.org/w#{HASH}", "without encryption"),
        (f"http://127.0.0.1.a.org/w#{HASH}", "without encryption"),
        (f"http://localhost.a.org/w#{HASH}", "without encryption"),
        (f"http://localhost@a.org/w#{HASH}", "without encryption"),
        (f"ftp://a.org/w#{HASH}", "no web address"),
        (f"file:///etc/passwd#{HASH}", "no web address"),
        (f"https:///w#{HASH}", "no web address"),
        (f"https://a.org:port/w#{HASH}", "cannot be read"),
        ("hf:anna/paintings/w.safetensors", "no file of the hub"),
        ("hf:anna/../w.safetensors@main", "no file of the hub"),
        ("hf:anna/paintings/../../w.safetensors@main", "no file of the hub"),
        ("hf:w.safetensors@main", "no file of the hub"),
    ],
)
def test_what_is_not_safe_or_not_whole_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_reference(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a", "a/b", "a\\b", "/a", "~", "C:a", "A", "a b", "a\n", "a\0", "-a", ".a", "con", "nul.x",
     "a.", "é", "x" * 81, "a.safetensors"],
)  # fmt: skip
def test_names_that_could_leave_the_cache_are_none(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(WeightsError):
        cache.cached_path(name)


@pytest.mark.parametrize(
    "file",
    ["../../etc/passwd", "Best Weights (2).safetensors", "...", "", "%2e%2e%2f", "CON", "é" * 300, "a" * 300],
)
def test_whatever_a_file_is_called_its_name_is_one(file: str) -> None:
    assert is_name(name_from(file))
    assert is_name(cache_name(Address(f"https://a.org/x/{file}", HASH)))
    assert is_name(cache_name(HubFile("a/b", file or "x", "main")))


def test_the_names_of_remote_files_differ_by_what_they_hold() -> None:
    first, second = (Address("https://a.org/best.safetensors", digit * 64) for digit in "01")
    assert cache_name(first) == "best-00000000"
    assert cache_name(first) != cache_name(second)
    assert cache_name(HubFile("a/b", "w", "v1")) != cache_name(HubFile("a/b", "w", "v2"))


def test_what_may_be_secret_in_an_address_is_left_out() -> None:
    secret = f"https://anna:pw@a.org:8443/w?token=pw#{HASH}"
    assert public(secret) == "https://a.org:8443/w?..."
    address = parse_reference(secret)
    assert isinstance(address, Address)
    assert (address.url, str(address)) == (secret.partition("#")[0], "https://a.org:8443/w?...")


def entry(name: str = "paintings", digit: str = "0", *urls: str) -> Entry:
    return Entry(name=name, architecture="conv-vae", bytes=10, sha256=digit * 64, urls=urls)


def test_bundled_wins_over_cached_and_that_over_offers_of_which_the_first_counts() -> None:
    url = "https://a.org/w"
    found = combine(
        [entry("default"), entry("own", "1", url)],
        [entry("default", "5"), entry("a", "2"), entry("b", "3"), entry("mine", "6")],
        [entry("a", "2", url), entry("b", "4", url), entry("c", "7", url), entry("c", "8", url), entry("nowhere")],
    )
    assert {name: (listed.where, listed.entry.sha256[0]) for name, listed in found.items()} == {
        "a": ("cached", "2"), "b": ("outdated", "3"), "c": ("available", "7"), "default": ("bundled", "0"),
        "mine": ("cached", "6"), "own": ("available", "1"),
    }  # fmt: skip


def test_a_manifest_gives_back_what_was_put_in_and_keeps_comments() -> None:
    first = Entry(
        name="a", architecture="conv-vae", bytes=3, sha256=HASH, licence="MIT", trained_on="pictures",
        score={"psnr": 30.5}, urls=("https://a.org/w", "hf:a/b/w.safetensors@v1"),
    )  # fmt: skip
    text = in_manifest("# ours\nformat_version = 1\n", first)
    text = in_manifest(text, entry("b", "1", "https://b.org/w"))
    assert text.startswith("# ours\n")
    assert parse_manifest(text, source="x") == (first, entry("b", "1", "https://b.org/w"))
    text = in_manifest(text, entry("a", "2"))
    assert [(e.name, e.sha256[0]) for e in parse_manifest(text, source="x")] == [("a", "2"), ("b", "1")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('name = "../a"', "cannot be the name"),
        ('architecture = "<b>"', "architecture"),
        ("bytes = 0", "bytes"),
        ('sha256 = "12"', "sha256"),
        ('urls = ["http://a.org/w"]', "without encryption"),
        ('urls = ["ftp://anna:pw@a.org/w"]', "no web address"),
        ('pickle = "yes"', "pickle"),
    ],
)
def test_entries_that_cannot_be_used_are_refused_with_the_field(line: str, problem: str) -> None:
    fields = {"name": '"a"', "architecture": '"conv-vae"', "bytes": "3", "sha256": f'"{HASH}"'}
    key, _, value = line.partition(" = ")
    lines = [f"{k} = {v}" for k, v in (fields | {key: value}).items()]
    with pytest.raises(WeightsError, match="The manifest x cannot be used") as caught:
        parse_manifest("format_version = 1\n[[weights]]\n" + "\n".join(lines), source="x")
    assert problem in "".join(caught.value.details)
    assert "pw" not in "".join(caught.value.details)


def test_a_name_that_is_listed_twice_is_refused() -> None:
    text = in_manifest("", entry("a"))
    with pytest.raises(WeightsError) as caught:
        parse_manifest(text + text[text.index("[[") :], source="x")
    assert caught.value.details == ("a is listed twice",)


def test_bundled_names_are_names() -> None:
    assert all(map(is_name, BUNDLED_WEIGHTS))
