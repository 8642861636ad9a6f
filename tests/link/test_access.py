"""What a door makes of the centre's word about who may pass: at once, across restarts, and never backwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from agent.core.access import AccessRules, may_pass
from agent.core.withdrawn import State, Withdrawal
from agent.link.access import AccessPost, AccessState, Change, offer_file
from agent.records.access_offer import Bulk, Offer, sealed, signed_offer
from agent.records.bundle import BundleStore
from agent.records.journal import Journal
from agent.records.keys import centre_private, door_private, make_centre_keys, make_door_keys
from agent.records.people_file import Seal
from tests.records.bundles import FOB, NOW, SEAL, TAG, rules, write
from tests.records.test_bundle import FixedClock, door_config, events_of
from tests.system.brokers import wait_until

ACTIVE = rules(version=2)


class Wire:
    """Keeps what the door says."""

    def __init__(self) -> None:
        self.states: dict[str, Any] = {}
        self.asked: list[str] = []

    def publish_state(self, name: str, value: Any) -> None:
        self.states[name] = value

    def ask(self, name: str, payload: bytes) -> None:
        assert name == "access/want"
        self.asked += json.loads(payload)["pieces"]

    @property
    def access(self) -> AccessState:
        said: AccessState = self.states["access"]
        return said


class Door:
    """A door's post with a real store; what it would hand to the loop is taken at once, or when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder, FixedClock())
        self.store = BundleStore(door_config(folder), self.journal, FixedClock())
        self.wire = Wire()
        self.changes: list[Change] = []
        self.takes = True
        self.post = AccessPost(self.store, self.wire, self._put)
        self.rules: AccessRules = self.post.begin(self.store.load())

    def _put(self, change: Change) -> None:
        self.changes.append(change)
        if self.takes:
            self.take()

    def take(self) -> None:
        for change in self.changes:
            self.rules = change.rules
            change.taken()
        self.changes.clear()

    def refused(self, fob: str = FOB) -> str | None:
        refused = may_pass(self.rules, fob, NOW.replace(year=2020)).refused
        return refused.value if refused is not None else None

    def close(self) -> None:
        self.post.stop()
        self.journal.close()


class Centre:
    def __init__(self, folder: Path) -> None:
        make_centre_keys(folder)
        make_door_keys(folder)
        self.folder = folder
        self.key, self.door = centre_private(folder / "centre.key"), door_private(folder / "door.key").public_key

    def bundle(self, version: int) -> None:
        write(self.folder / "access.bundle", rules(version=version), centre=self.key, door=self.door)

    def offer(self, revision: int, withdrawn: dict[str, State] | None = None, **changes: Any) -> bytes:
        seal = Seal(SEAL)
        who = tuple(Withdrawal(seal.hash_of(fob), state, revision) for fob, state in (withdrawn or {}).items())
        offer = Offer(site="hq", door="front", made=NOW, revision=revision, withdrawn=sealed(who, self.door))
        return signed_offer(replace(offer, **changes), self.key)


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    centre = Centre(tmp_path)
    centre.bundle(2)
    return centre


@pytest.fixture
def door(centre: Centre) -> Iterator[Door]:
    door = Door(centre.folder)
    yield door
    door.close()


def test_a_fob_withdrawn_after_the_bundle_is_refused_as_soon_as_the_door_hears_of_it(centre: Centre, door: Door) -> None:
    assert door.refused() is None
    door.post.received("version", centre.offer(3, {FOB: "stolen"}))
    assert door.refused() == "credential_stolen"
    assert door.refused(TAG) == "credential_stolen"  # as its own bundle says
    assert door.wire.access.withdrawn == 1


def test_a_withdrawal_is_confirmed_when_it_will_survive_a_restart_and_does(centre: Centre, door: Door) -> None:
    door.post.received("version", centre.offer(3, {FOB: "suspended"}))
    assert door.wire.access.revision == 2
    door.post.start(lambda: None)
    wait_until(lambda: door.wire.access.revision == 3, 10, "not confirmed")
    door.close()
    again = Door(centre.folder)
    assert again.refused() == "cardholder_suspended"
    assert again.wire.access.revision == 3
    again.close()


def test_what_the_loop_has_not_taken_is_not_confirmed(centre: Centre, door: Door) -> None:
    door.post.start(lambda: None)
    door.takes = False
    door.post.received("version", centre.offer(3, {FOB: "lost"}))
    wait_until(lambda: offer_file(door.store.path).exists(), 10, "not kept")
    assert door.wire.access.revision == 2
    door.take()
    assert (door.wire.access.revision, door.wire.access.withdrawn) == (3, 1)


def test_an_older_offer_gives_nobody_their_fob_back(centre: Centre, door: Door) -> None:
    door.post.received("version", centre.offer(4, {FOB: "stolen"}))
    door.post.received("version", centre.offer(3))
    assert door.refused() == "credential_stolen"
    door.post.received("version", centre.offer(5))
    assert door.refused() is None  # the centre has said so


def test_a_bundle_that_knows_better_ends_a_withdrawal(centre: Centre, door: Door) -> None:
    door.post.received("version", centre.offer(3, {FOB: "stolen"}))
    centre.bundle(4)
    newer = door.store.newer(door.rules)
    assert newer is not None
    door.post.newer(newer)
    assert door.refused() is None
    assert (door.wire.access.version, door.wire.access.withdrawn) == (4, 0)


def test_a_bundle_older_than_a_withdrawal_does_not_end_it(centre: Centre, door: Door) -> None:
    door.post.received("version", centre.offer(9, {FOB: "stolen"}))
    centre.bundle(4)
    newer = door.store.newer(door.rules)
    assert newer is not None
    door.post.newer(newer)
    assert door.refused() == "credential_stolen"


def test_a_forged_offer_changes_nothing_and_is_on_record_once(centre: Centre, door: Door) -> None:
    for _ in range(3):
        door.post.received("version", centre.offer(3, {FOB: "stolen"}, door="vault"))
    assert door.refused() is None
    assert "made for hq/vault" in door.wire.access.refused
    assert [event.kind for event in events_of(door.journal)].count("bundle.refused") == 1


def test_a_good_offer_after_a_forged_one_is_all_there_is_to_say(centre: Centre, door: Door) -> None:
    door.post.start(lambda: None)
    door.post.received("version", b"rubbish")
    assert "damaged" in door.wire.access.refused
    door.post.received("version", centre.offer(3))
    wait_until(lambda: (door.wire.access.refused, door.wire.access.revision) == ("", 3), 10, "still refused")


def test_a_kept_offer_that_was_spoilt_keeps_nobody_out_and_stops_nothing(centre: Centre) -> None:
    offer_file(centre.folder / "access.bundle").write_bytes(b"rubbish")
    door = Door(centre.folder)
    assert door.refused() is None
    door.close()


def test_health_tells_when_the_rules_are_older_than_what_is_offered(centre: Centre, door: Door) -> None:
    assert door.post.health()["behind"] is False
    bulk = Bulk(version=5, start_digest=bytes(32), start_length=400, parts=1, size=500)
    door.post.start(lambda: None)
    door.post.received("version", centre.offer(5, bundle=bulk))
    wait_until(lambda: bool(door.wire.asked), 10, "it does not ask for the head")
    assert door.wire.asked == ["00" * 32 + "/0"]
    assert (door.post.health()["behind"], door.post.health()["offered"]) == (True, 5)
    assert door.wire.access.behind
