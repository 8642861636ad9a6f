"""Access bundles: only the centre's, only for this door, never an older one, and a good one is never lost to a bad one."""

from __future__ import annotations

import queue
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from agent.config import Config, parse_config
from agent.core.access import AccessProfile, AccessRules, Interval, Schedule, no_rules
from agent.core.messages import Event
from agent.core.people import Cardholder, Credential, Roll
from agent.errors import BundleError, ConfigError
from agent.records.bundle import BundleStore, BundleWatch, last_good, load_bundle, take_bundle
from agent.records.journal import Journal
from agent.records.keys import centre_private, centre_public, door_private, door_public, make_centre_keys, make_door_keys
from central.bundles import seal_bundle, write_bundle

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
CENTRE = SigningKey(b"c" * 32)
DOOR = PrivateKey(b"d" * 32)
FACE = np.full(192, 192**-0.5, np.float32).tobytes()


PEOPLE = Roll(
    [Cardholder(id="p1", profiles=("staff",), templates=(FACE, FACE[::-1]), embedder_id="m")],
    [Credential(key="H10301:1:5283", cardholder="p1", valid_until=NOW)],
)


def rules(version: int = 1, **changes: Any) -> AccessRules:
    whole: dict[str, Any] = {
        "version": version,
        "site": "hq",
        "door": "front",
        "people": PEOPLE,
        "profiles": {"staff": AccessProfile(id="staff", doors=("front",), schedule="office")},
        "schedules": {
            "office": Schedule(id="office", zone="Europe/Berlin", intervals=(Interval(days=(0, 1), from_min=0, until_min=1440),))
        },
    }
    return AccessRules(**{**whole, **changes})


def load(path: Path, **how: Any) -> AccessRules:
    return load_bundle(path, CENTRE.verify_key, DOOR, "hq", "front", **how)


def take(path: Path) -> Any:
    return take_bundle(path, CENTRE.verify_key, DOOR, "hq", "front", NOW)


def write(path: Path, made: AccessRules) -> None:
    write_bundle(path, made, PEOPLE, CENTRE, DOOR.public_key, NOW)


def test_a_door_gets_exactly_the_rules_that_the_centre_wrote(tmp_path: Path) -> None:
    write(tmp_path / "b", rules())
    assert load(tmp_path / "b") == rules()


def test_no_face_can_be_found_in_the_file(tmp_path: Path) -> None:
    write(tmp_path / "b", rules())
    raw = (tmp_path / "b").read_bytes()
    assert FACE[:64] not in raw
    assert b"p1" in raw
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_a_bundle_signed_by_another_key_is_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", rules(), PEOPLE, SigningKey(b"x" * 32), DOOR.public_key, NOW)
    with pytest.raises(BundleError, match="not signed by this site's centre"):
        load(tmp_path / "b")


def test_a_bundle_for_another_door_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "b", rules(door="back"))
    with pytest.raises(BundleError, match="made for hq/back, this is hq/front"):
        load(tmp_path / "b")


def test_templates_sealed_for_another_doors_key_are_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", rules(), PEOPLE, CENTRE, PrivateKey(b"e" * 32).public_key, NOW)
    with pytest.raises(BundleError, match="not sealed for this door"):
        load(tmp_path / "b")


def test_only_a_newer_version_replaces_the_one_in_force(tmp_path: Path) -> None:
    write(tmp_path / "b", rules(version=4))
    assert load(tmp_path / "b", newer_than=3).version == 4
    for in_force in (4, 5):
        with pytest.raises(BundleError, match="not newer"):
            load(tmp_path / "b", newer_than=in_force)


def test_rules_that_contradict_themselves_are_neither_made_nor_taken(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="office"):
        write(tmp_path / "b", rules(schedules={}))


def test_a_missing_file_is_a_refusal_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nothing-here"):
        load(tmp_path / "nothing-here")


WHOLE = seal_bundle(rules(), PEOPLE, CENTRE, DOOR.public_key, NOW)


@given(at=st.integers(0, len(WHOLE) - 1), change=st.integers(1, 255))
def test_no_changed_byte_gets_past_the_signature(tmp_path_factory: pytest.TempPathFactory, at: int, change: int) -> None:
    path = tmp_path_factory.getbasetemp() / "changed"
    path.write_bytes(WHOLE[:at] + bytes([WHOLE[at] ^ change]) + WHOLE[at + 1 :])
    with pytest.raises(BundleError):
        load(path)


@given(st.binary(max_size=400) | st.integers(0, len(WHOLE) - 1).map(lambda end: WHOLE[:end]))
def test_random_and_truncated_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "random"
    path.write_bytes(raw)
    with pytest.raises(BundleError):
        load(path)


def test_a_damaged_bundle_is_set_aside_and_the_last_good_one_is_used(tmp_path: Path) -> None:
    path = tmp_path / "access.bundle"
    write(path, rules(version=7))
    assert take(path).rules == rules(version=7)
    path.write_bytes(b"rubbish")
    taken = take(path)
    assert taken.rules == rules(version=7)
    assert "damaged" in taken.refused
    assert Path(taken.set_aside).name == "access.bundle.refused-20260302T083000Z"
    assert Path(taken.set_aside).read_bytes() == b"rubbish"
    assert take(path).rules == rules(version=7)


def test_a_restart_cannot_be_used_to_bring_back_an_older_bundle(tmp_path: Path) -> None:
    path = tmp_path / "access.bundle"
    write(path, rules(version=7))
    take(path)
    write(path, rules(version=6))
    taken = take(path)
    assert taken.rules is not None
    assert taken.rules.version == 7
    assert "not newer" in taken.refused


def test_the_same_bundle_serves_start_after_start(tmp_path: Path) -> None:
    path = tmp_path / "access.bundle"
    write(path, rules(version=7))
    for _ in range(3):
        taken = take(path)
        assert (taken.rules, taken.refused) == (rules(version=7), "")
    assert last_good(path).exists()


class FixedClock:
    def mono_s(self) -> float:
        return 1.0

    def wall(self) -> datetime:
        return NOW


def door_config(folder: Path) -> Config:
    records = {"folder": str(folder), "bundle": str(folder / "access.bundle"), "centre_key": str(folder / "centre.pub"),
               "door_key": str(folder / "door.key")}  # fmt: skip
    return parse_config({"site": "hq", "door": "front", "records": records})


def events_of(journal: Journal) -> list[Event]:
    assert journal.flush(5)
    return [pending.event for pending in journal.pending()]


def test_a_door_tells_what_it_loaded_and_what_it_refused(tmp_path: Path) -> None:
    make_centre_keys(tmp_path)
    make_door_keys(tmp_path)
    journal = Journal(tmp_path, FixedClock())
    store = BundleStore(door_config(tmp_path), journal, FixedClock())
    assert store.load() == no_rules("hq", "front")
    centre, door = centre_private(tmp_path / "centre.key"), door_public(tmp_path / "door.pub")
    write_bundle(tmp_path / "access.bundle", rules(version=2), PEOPLE, centre, door, NOW)
    assert store.load() == rules(version=2)
    write_bundle(tmp_path / "access.bundle", rules(version=2), PEOPLE, centre, door, NOW)
    assert store.newer(rules(version=2)) is None
    write_bundle(tmp_path / "access.bundle", rules(version=3), PEOPLE, centre, door, NOW)
    assert store.newer(rules(version=2)) == rules(version=3)
    told = [(event.kind, event.data.get("version")) for event in events_of(journal)]
    assert told == [("bundle.refused", None), ("bundle.loaded", 0), ("bundle.loaded", 2), ("bundle.refused", None)]
    journal.close()


def test_rules_that_come_while_the_door_starts_are_not_overlooked_and_bad_ones_are_told_once(tmp_path: Path) -> None:
    make_centre_keys(tmp_path)
    make_door_keys(tmp_path)
    journal, path = Journal(tmp_path, FixedClock()), tmp_path / "access.bundle"
    store = BundleStore(door_config(tmp_path), journal, FixedClock())
    centre, door = centre_private(tmp_path / "centre.key"), door_public(tmp_path / "door.pub")
    write_bundle(path, rules(version=1), PEOPLE, centre, door, NOW)
    in_force = store.load()
    write_bundle(path, rules(version=2), PEOPLE, centre, door, NOW)  # between reading and watching
    newer: queue.Queue[AccessRules] = queue.Queue()
    watch = BundleWatch(store, in_force, newer.put, every_s=0.01)
    watch.start()
    assert newer.get(timeout=10) == rules(version=2)
    path.write_bytes(b"no bundle")
    while path.exists():
        time.sleep(0.005)
    write_bundle(path, rules(version=3), PEOPLE, centre, door, NOW)
    assert newer.get(timeout=10) == rules(version=3)
    watch.stop()
    assert [event.kind for event in events_of(journal)].count("bundle.refused") == 1
    journal.close()


def test_a_key_file_that_is_missing_stops_the_start_and_is_named(tmp_path: Path) -> None:
    journal = Journal(tmp_path, FixedClock())
    with pytest.raises(ConfigError, match=r"centre\.pub"):
        BundleStore(door_config(tmp_path), journal)
    journal.close()


def test_private_keys_are_for_their_owner_only_and_never_overwritten(tmp_path: Path) -> None:
    private, public = make_door_keys(tmp_path)
    assert private.stat().st_mode & 0o777 == 0o600
    before = private.read_bytes()
    with pytest.raises(ConfigError, match="never overwritten"):
        make_door_keys(tmp_path)
    assert private.read_bytes() == before
    assert bytes(door_private(private).public_key) == bytes(door_public(public))
    private.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        door_private(private)


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * 31, "ab" * 33, "\u00e4"])
def test_a_file_that_holds_no_key_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "centre.pub").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=r"centre\.pub"):
        centre_public(tmp_path / "centre.pub")


def test_unknown_fields_in_the_signed_body_are_refused(tmp_path: Path) -> None:
    from agent.records.bundle import SIGNED_PREFIX, Signed

    body = msgspec.msgpack.encode({"made": NOW, "rules": {}, "people": [], "sealed": b"", "surprise": 1})
    (tmp_path / "b").write_bytes(msgspec.msgpack.encode(Signed(body, CENTRE.sign(SIGNED_PREFIX + body).signature)))
    with pytest.raises(BundleError, match="surprise"):
        load(tmp_path / "b")
