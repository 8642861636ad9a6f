"""What passes between vision and the centre about norms: a door carries it and takes nobody's word but the centre's."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from agent.core.norm_keys import norm_key
from agent.core.norms_word import MOST_BYTES, DoorNorms, VisionWord
from agent.errors import WireError
from agent.norms_file import EXPORT, FOLDER, WORD
from agent.records import norms_post
from agent.records.norms_post import NormsPost, checked_word
from central.norms import Prior, signed_word
from central.norms_store import DoorKey

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
CENTRE, DOOR_KEY = SigningKey(b"c" * 32), b"d" * 32
FRONT = DoorKey("hq", "front")


def word(door: DoorKey = FRONT, made: datetime = NOW, withdrawn: tuple[str, ...] = (), key: SigningKey = CENTRE) -> bytes:
    return signed_word(door, Prior(3, {}), withdrawn, key, made)


class Door:
    """A door's post, with what it published and refused."""

    def __init__(self, records: Path) -> None:
        self.folder = records / FOLDER
        self.published: list[tuple[str, Any]] = []
        self.refused: list[str] = []
        self.post = NormsPost(
            records, "hq", "front", CENTRE.verify_key, DOOR_KEY, lambda *said: self.published.append(said), self.refused.append
        )

    @property
    def told(self) -> VisionWord:
        return msgspec.json.decode((self.folder / WORD).read_bytes(), type=VisionWord)


def test_both_ends_mean_the_same_files() -> None:
    assert (norms_post.FOLDER, norms_post.EXPORT, norms_post.WORD) == (FOLDER, EXPORT, WORD)


def test_a_word_of_the_centre_is_handed_to_vision_with_keys_in_the_place_of_cardholders(tmp_path: Path) -> None:
    door = Door(tmp_path)
    door.post.received(word(withdrawn=("cardholder-17",)))
    assert door.told.forget == (norm_key(DOOR_KEY, "cardholder-17"),)
    assert b"cardholder" not in (door.folder / WORD).read_bytes()
    assert door.refused == []


def test_an_older_word_changes_nothing_and_a_newer_one_replaces(tmp_path: Path) -> None:
    door = Door(tmp_path)
    for made, withdrawn in ((NOW, "a"), (NOW - timedelta(days=1), "b"), (NOW, "c")):
        door.post.received(word(made=made, withdrawn=(withdrawn,)))
        assert door.told.forget == (norm_key(DOOR_KEY, "a"),)
    door.post.received(word(made=NOW + timedelta(days=1)))
    assert door.told.forget == ()
    assert door.refused == []


@pytest.mark.parametrize(("payload", "says"), [
    (word(key=SigningKey(b"x" * 32)), "not signed by this site's centre"),
    (word(door=DoorKey("hq", "side")), "made for hq/side, this is hq/front"),
    (word(door=DoorKey("lab", "front")), "made for lab/front"),
    (word()[:-1], "damaged"),
    (b"", "damaged"),
    (b" " * (2 * MOST_BYTES + 1), "at most"),
])  # fmt: skip
def test_what_is_not_the_centres_word_for_this_door_is_refused_and_told(tmp_path: Path, payload: bytes, says: str) -> None:
    door = Door(tmp_path)
    door.post.received(payload)
    assert len(door.refused) == 1
    assert says in door.refused[0]
    assert not door.folder.exists()


def test_a_signature_for_something_else_is_none_for_a_word() -> None:
    raw = msgspec.json.decode(word())["word"]
    other = msgspec.json.encode({"word": raw, "signature": CENTRE.sign(b"doorward access bundle 2\n").signature})
    with pytest.raises(WireError, match="not signed"):
        checked_word(other, CENTRE.verify_key, "hq", "front")


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        checked_word(payload, CENTRE.verify_key, "hq", "front")


def test_what_vision_has_counted_is_told_once_until_it_counts_anew(tmp_path: Path) -> None:
    door = Door(tmp_path)
    door.post.look()
    assert door.published == []
    door.folder.mkdir()
    for visits in (200, 300):
        told = DoorNorms(made=NOW, place="view", visits=visits, kinds=msgspec.Raw(b"{}"))
        (door.folder / "fresh").write_bytes(msgspec.json.encode(told))
        (door.folder / "fresh").replace(door.folder / EXPORT)
        door.post.look()
        door.post.look()
    assert [(name, told.visits) for name, told in door.published] == [("norms", 200), ("norms", 300)]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b" " * (MOST_BYTES + 1)])
def test_what_vision_wrote_badly_is_not_told(tmp_path: Path, raw: bytes) -> None:
    door = Door(tmp_path)
    door.folder.mkdir()
    (door.folder / EXPORT).write_bytes(raw)
    door.post.look()
    assert door.published == []
