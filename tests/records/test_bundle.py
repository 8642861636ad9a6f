"""Which rules are in force: only the centre's, only for this door, never older ones, and good ones are never lost to bad ones."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from agent.config import Config, parse_config
from agent.core.access import AccessRules, no_rules
from agent.core.messages import Event
from agent.errors import BundleError, ConfigError
from agent.records.bundle import BundleStore, BundleWatch, Taken, keep, last_good, take_bundle
from agent.records.bundle_file import read_bundle
from agent.records.journal import Journal
from agent.records.keys import centre_private, centre_public, door_private, door_public, make_centre_keys, make_door_keys
from agent.records.people_file import SealedRoll
from central.access.bundles import write_bundle
from tests.records.bundles import CENTRE, KEYS, NOW, PEOPLE, read, rules, write

FOB = "H10301:1:5283"


def take(path: Path) -> Taken:
    """What a door starts with, which then keeps its copy."""
    taken = take_bundle(path, KEYS, NOW)
    if taken.bundle is not None:
        keep(taken.bundle, last_good(path))
    return taken


def version(taken: Taken) -> int | None:
    return taken.bundle.rules.version if taken.bundle is not None else None


def test_a_damaged_bundle_is_set_aside_and_the_last_good_one_is_used(tmp_path: Path) -> None:
    path = tmp_path / "access.bundle"
    write(path, rules(version=7))
    assert version(take(path)) == 7
    path.write_bytes(b"rubbish")
    taken = take(path)
    assert version(taken) == 7
    assert "damaged" in taken.refused
    assert Path(taken.set_aside).name == "access.bundle.refused-20260302T083000Z"
    assert Path(taken.set_aside).read_bytes() == b"rubbish"
    assert version(take(path)) == 7


def test_a_restart_cannot_be_used_to_bring_back_an_older_bundle(tmp_path: Path) -> None:
    path = tmp_path / "access.bundle"
    write(path, rules(version=7))
    take(path)
    write(path, rules(version=6))
    taken = take(path)
    assert version(taken) == 7
    assert "not newer" in taken.refused


def test_the_same_bundle_serves_start_after_start(tmp_path: Path) -> None:
    path = tmp_path / "access.bundle"
    write(path, rules(version=7))
    for _ in range(3):
        taken = take(path)
        assert (version(taken), taken.refused) == (7, "")
    assert same(last_good(path), path)


def same(one: Path, other: Path) -> bool:
    """As one file or as a start with its parts beside it."""
    return [*read(one).chunks()] == [*read(other).chunks()]


def test_a_last_good_copy_that_was_spoilt_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "access.bundle"
    write(path, rules(version=7))
    take(path)
    for spoilt in (path.read_bytes()[:-1], path.read_bytes() + b"x", b""):
        last_good(path).write_bytes(spoilt)
        take(path)
        assert same(last_good(path), path)


def test_a_spoilt_copy_forbids_no_older_bundle_when_there_is_nothing_else(tmp_path: Path) -> None:
    """Its head says version 7, but nobody can be let in by it any more."""
    path = tmp_path / "access.bundle"
    write(path, rules(version=7))
    take(path)
    last_good(path).write_bytes(path.read_bytes()[:-1])
    write(path, rules(version=6))
    taken = take(path)
    assert version(taken) == 6
    assert "not newer" in taken.refused
    assert "ends" in taken.refused or "were signed" in taken.refused


def test_without_any_good_bundle_the_first_fault_is_told(tmp_path: Path) -> None:
    path = tmp_path / "access.bundle"
    path.write_bytes(b"rubbish")
    last_good(path).write_bytes(b"rubbish too")
    taken = take(path)
    assert taken.bundle is None
    assert "access.bundle: is damaged" in taken.refused
    assert "access.bundle.good: is damaged" in taken.refused


def test_a_copy_that_cannot_be_kept_is_named(tmp_path: Path) -> None:
    path = tmp_path / "access.bundle"
    write(path, rules())
    last_good(path).mkdir()
    with pytest.raises(BundleError, match="last good copy cannot be kept"):
        keep(read_bundle(path, KEYS), last_good(path))


SPOILS: dict[str, Callable[[Path], object]] = {
    "cut short": lambda path: os.truncate(path, 10),
    "lost": lambda path: path.unlink(),
    "overwritten": lambda path: path.write_bytes(b"x" * 9999),
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_whatever_happens_to_the_file_the_door_knows_its_people(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    path = tmp_path / "access.bundle"
    write(path, rules())
    people = read_bundle(path, KEYS).rules.people
    spoil(path)
    assert people.find(FOB) is not None


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


class Site:
    """Keys, a journal and a store in one folder, and a centre that writes there."""

    def __init__(self, folder: Path) -> None:
        make_centre_keys(folder)
        make_door_keys(folder)
        self.path = folder / "access.bundle"
        self.journal = Journal(folder, FixedClock())
        self.store = BundleStore(door_config(folder), self.journal, FixedClock())
        self._centre, self._door = centre_private(folder / "centre.key"), door_public(folder / "door.pub")

    def write(self, version: int, centre: SigningKey | None = None) -> None:
        write_bundle(self.path, rules(version=version), PEOPLE, centre or self._centre, self._door, NOW, key=b"k" * 32)

    def told(self) -> list[tuple[str, object]]:
        return [(event.kind, event.data.get("version")) for event in events_of(self.journal)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.journal.close()


def test_a_door_tells_what_it_loaded_and_what_it_refused(site: Site) -> None:
    assert site.store.load() == no_rules("hq", "front")
    site.write(2)
    in_force = site.store.load()
    assert in_force.version == 2
    site.write(2)
    assert site.store.newer(in_force) is None
    site.write(3, centre=CENTRE)
    assert site.store.newer(in_force) is None
    site.write(3)
    newer = site.store.newer(in_force)
    assert newer is not None
    assert newer.version == 3
    refused = ("bundle.refused", None)
    assert site.told() == [("bundle.missing", None), ("bundle.loaded", 0), ("bundle.loaded", 2), refused, refused]


def test_a_door_that_has_lost_its_rules_is_not_new_while_a_copy_of_them_is_there(site: Site) -> None:
    site.write(2)
    site.store.load()
    site.store.keep()
    site.path.unlink()
    assert site.store.load().version == 2
    assert site.told()[-2:] == [("bundle.refused", None), ("bundle.loaded", 2)]


def test_parts_that_are_known_are_not_read_again(site: Site) -> None:
    """So a fob withdrawn among a quarter of a million counts after milliseconds, and memory does not hold everybody twice."""
    site.write(2)
    in_force = site.store.load()
    site.write(3)
    newer = site.store.newer(in_force)
    assert newer is not None
    assert isinstance(in_force.people, SealedRoll)
    assert isinstance(newer.people, SealedRoll)
    assert newer.people._parts[0] is in_force.people._parts[0]
    assert newer.people.find(FOB) == in_force.people.find(FOB)


def test_a_bundle_that_is_still_being_copied_is_waited_for(site: Site) -> None:
    site.write(2)
    in_force = site.store.load()
    site.write(3)
    whole = site.path.read_bytes()
    for length in (10, 200, len(whole) - 1):
        site.path.write_bytes(whole[:length])
        assert site.store.has_news
        assert site.store.newer(in_force) is None
        assert site.path.exists()
    site.path.write_bytes(whole)
    newer = site.store.newer(in_force)
    assert newer is not None
    assert newer.version == 3
    assert ("bundle.refused", None) not in site.told()


def test_a_bundle_that_stays_unfinished_is_refused(site: Site) -> None:
    site.write(2)
    in_force = site.store.load()
    site.write(3)
    site.path.write_bytes(site.path.read_bytes()[:-1])
    assert site.store.newer(in_force) is None
    assert site.store.has_news
    assert site.store.newer(in_force) is None
    assert not site.path.exists()
    assert site.told()[-1] == ("bundle.refused", None)


def test_rules_that_come_while_the_door_starts_are_not_overlooked_and_bad_ones_are_told_once(site: Site) -> None:
    site.write(1)
    in_force = site.store.load()
    site.write(2)  # between reading and watching
    newer: queue.Queue[AccessRules] = queue.Queue()
    watch = BundleWatch(site.store, in_force, newer.put, every_s=0.01)
    watch.start()
    assert newer.get(timeout=10).version == 2
    site.path.write_bytes(b"no bundle")
    while site.path.exists():
        time.sleep(0.005)
    site.write(3)
    assert newer.get(timeout=10).version == 3
    watch.stop()
    assert [event.kind for event in events_of(site.journal)].count("bundle.refused") == 1
    assert read_bundle(last_good(site.path), site.store._keys).rules.version == 3


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
