import string
import unicodedata
from pathlib import PurePosixPath as P

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from artrestore.errors import PairingError
from artrestore.pairing import pair_by_name


def pairs(clear: list[str], others: list[str]) -> dict[str, str]:
    pairing = pair_by_name([P(c) for c in clear], [P(o) for o in others])
    return {str(pair.other): str(pair.clear) for pair in pairing.pairs}


def test_one_clear_picture_owns_several_distorted_ones() -> None:
    others = ["ship (12)_noise.png", "ship (12) blur.png", "ship (12).png", "ship (12)-3.jpg"]
    assert pairs(["ship (12).jpg"], others) == dict.fromkeys(others, "ship (12).jpg")


def test_the_longest_clear_stem_wins() -> None:
    clear = ["ship.jpg", "ship_red.jpg", "ship_red_2.jpg"]
    found = pairs(clear, ["ship_blue.png", "ship_red_noise.png", "ship_red_2_noise.png", "ship_red_2.png"])
    assert list(found.values()) == ["ship.jpg", "ship_red.jpg", "ship_red_2.jpg", "ship_red_2.jpg"]


@pytest.mark.parametrize("other", ["ship2.png", "ships.png", "shipé.png", "ship٣.png"])
def test_a_letter_or_digit_after_the_stem_is_another_name(other: str) -> None:
    with pytest.raises(PairingError) as caught:
        pairs(["ship.jpg"], [other])
    assert other in caught.value.details[0]


def test_exact_file_name_wins_over_another_suffix() -> None:
    assert pairs(["a.jpg", "a.png"], ["a.png"]) == {"a.png": "a.png"}


def test_refuses_two_equally_good_clear_pictures_and_names_them_all() -> None:
    with pytest.raises(PairingError) as caught:
        pairs(["a.jpg", "a.tif", "b.png"], ["a_noise.png", "b_1.png", "zebra.png"])
    assert len(caught.value.details) == 2
    assert all(name in caught.value.details[0] for name in ("a_noise.png", "a.jpg", "a.tif"))
    assert "zebra.png" in caught.value.details[1]


def test_pictures_of_other_folders_do_not_pair() -> None:
    assert pairs(["x/a.png", "y/a.png"], ["y/a_1.png"]) == {"y/a_1.png": "y/a.png"}
    with pytest.raises(PairingError):
        pairs(["x/a.png"], ["a_1.png"])


def test_accents_pair_however_they_are_stored() -> None:
    composed, decomposed = (unicodedata.normalize(form, "Café.png") for form in ("NFC", "NFD"))
    assert pairs([composed], [decomposed]) == {decomposed: composed}


def test_clear_pictures_without_a_distorted_one_are_reported() -> None:
    pairing = pair_by_name([P("a.png"), P("b.png")], [P("a_1.png")])
    assert pairing.unpaired_clear == (P("b.png"),)


stems = st.text(string.ascii_lowercase + string.digits + " ()-_.", min_size=1, max_size=12).map(
    lambda s: "s" + s + "e"
)


@given(st.sets(stems, min_size=1, max_size=6), st.data())
def test_every_derived_name_finds_an_owner_that_begins_it(names: set[str], data: st.DataObject) -> None:
    owner = data.draw(st.sampled_from(sorted(names)))
    tail = data.draw(st.sampled_from(["", "_1", " x", "-blur.v2", "(3)"]))
    other = f"{owner}{tail}.png"
    found = P(pairs([f"{name}.jpg" for name in names], [other])[other]).stem
    assert P(other).stem.startswith(found)
    assert len(found) >= len(owner)


@given(stems, st.characters(whitelist_categories=["L", "N"]))
def test_no_name_is_owned_across_a_letter_or_digit(stem: str, letter: str) -> None:
    assume(letter.isalnum() and unicodedata.normalize("NFC", stem + letter) == stem + letter)
    with pytest.raises(PairingError):
        pairs([f"{stem}.jpg"], [f"{stem}{letter}.png"])
