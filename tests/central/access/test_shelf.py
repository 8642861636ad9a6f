"""The bundles that the centre offers: made anew only where a door would notice, and given out in pieces."""

from __future__ import annotations

from pathlib import Path

import pytest
from nacl.public import PrivateKey

from agent.records.bundle_file import Keys, read_bundle
from agent.records.bundle_parts import digest_of
from agent.records.bundle_pieces import PIECE_BYTES
from central.access.shelf import BUNDLE, CARD, Shelf
from tests.records.bundles import CENTRE, DOOR, KEYS, NOW, PEOPLE, crowd, rules

PLACE = ("hq", "front")
KEY = bytes(DOOR.public_key)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path, CENTRE)


def test_what_is_put_there_is_a_bundle_that_the_door_takes(shelf: Shelf) -> None:
    shelved, is_new = shelf.put(PLACE, rules(version=3), PEOPLE, KEY, NOW)
    assert is_new
    assert shelved == shelf.get(PLACE)
    assert (shelved.bulk.version, shelved.card.as_of) == (3, 3)
    assert read_bundle(shelf.path(PLACE), KEYS).rules.version == 3


def test_a_bundle_that_says_the_same_is_not_offered_anew_but_is_known_to_be_up_to_date(shelf: Shelf) -> None:
    before, _ = shelf.put(PLACE, rules(version=3), PEOPLE, KEY, NOW)
    shelved, is_new = shelf.put(PLACE, rules(version=9), PEOPLE, KEY, NOW)
    assert not is_new
    assert shelved.bulk == before.bulk
    assert shelved.card.as_of == 9
    assert shelf.get(PLACE) == before  # which a restart finds out again, until it is written down
    assert shelf.keep_card(PLACE, shelved) == shelf.get(PLACE)
    assert shelf.get(PLACE).card.as_of == 9  # type: ignore[union-attr]


def test_other_people_other_rules_or_another_key_make_another_bundle(shelf: Shelf) -> None:
    shelf.put(PLACE, rules(version=3), PEOPLE, KEY, NOW)
    assert shelf.put(PLACE, rules(version=4), crowd(3), KEY, NOW)[1]
    assert shelf.put(PLACE, rules(version=5, profiles={}), (), KEY, NOW)[1]
    other = PrivateKey(b"e" * 32)
    assert shelf.put(PLACE, rules(version=6, profiles={}), (), bytes(other.public_key), NOW)[1]
    assert read_bundle(shelf.path(PLACE), Keys(CENTRE.verify_key, other, "hq", "front")).rules.version == 6


@pytest.mark.parametrize("name", [BUNDLE, CARD])
def test_what_is_damaged_is_as_if_it_were_not_there(shelf: Shelf, name: str) -> None:
    shelf.put(PLACE, rules(version=3), PEOPLE, KEY, NOW)
    shelf.path(PLACE).with_name(name).write_bytes(b"rubbish")
    assert shelf.get(PLACE) is None
    assert shelf.put(PLACE, rules(version=3), PEOPLE, KEY, NOW)[1]


def test_pieces_make_up_the_file_also_when_it_is_replaced_in_the_middle(shelf: Shelf) -> None:
    shelved, _ = shelf.put(PLACE, rules(version=3), crowd(1200, faces=1), KEY, NOW)
    bundle = read_bundle(shelf.path(PLACE), KEYS)
    first = shelf.piece(PLACE, shelved.bulk.start_digest, 0)
    shelf.put(PLACE, rules(version=4), crowd(5), KEY, NOW)
    assert first == bundle.start
    for part in bundle.parts:
        count = -(-len(part) // PIECE_BYTES)
        assert b"".join(shelf.piece(PLACE, digest_of(part), number) or b"" for number in range(count)) == part
        assert shelf.piece(PLACE, digest_of(part), count) is None
    shelf.forget(PLACE)
    assert shelf.piece(PLACE, shelved.bulk.start_digest, 0) is None  # that of the new one is asked for by another name


def test_nothing_is_given_out_that_is_not_of_this_doors_bundle(shelf: Shelf) -> None:
    shelved, _ = shelf.put(PLACE, rules(version=3), PEOPLE, KEY, NOW)
    assert shelf.piece(("hq", "vault"), shelved.bulk.start_digest, 0) is None
    assert shelf.piece(PLACE, bytes(32), 0) is None


def test_many_doors_that_fetch_at_once_hold_few_files_open(shelf: Shelf) -> None:
    for number in range(40):
        place = ("hq", f"door-{number}")
        shelved, _ = shelf.put(place, rules(version=3, door=place[1]), crowd(1), KEY, NOW)
        assert shelf.piece(place, shelved.bulk.start_digest, 0)
    assert len(shelf._open) == 16
