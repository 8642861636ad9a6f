"""What the centre tells doors about who may pass: withdrawals at once, bundles as they are made, pieces of them as they are asked for.

Three threads. `offers` looks, after each change of people, which credentials were withdrawn since each door's bundle was made, and says so to
every door whose offer changes. `bundles` makes bundles, one door after the other. The session's sends offers (retained) and pieces, no faster
than the broker takes them. What a door has taken it says itself, in `state/access`; nothing else counts as confirmed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from msgspec import Struct
from nacl.public import PublicKey
from nacl.signing import SigningKey

from agent.clock import Clock
from agent.core.withdrawn import Withdrawal
from agent.errors import DoorwardError
from agent.link.session import Address, Say, Session
from agent.records.access_offer import MOST_WITHDRAWN, Offer, sealed, signed_offer
from agent.records.keys import centre_private
from agent.records.people_file import Seal
from central.access.bundles import key_for
from central.access.confirmed import Confirmed, Heard
from central.access.readings import Readings, in_use_of
from central.access.serving import Wanted, send_pieces
from central.access.shelf import Place, Shelf, Shelved
from central.access.status import DoorStatus, status_of
from central.access.withdrawals import Ledger, Since, changed_since, withdrawn_now
from central.people.people import Glance, People
from central.people.records import DoorEntry
from central.people.renumbering import go_on_behind
from central.people.rules import rules_for

log = logging.getLogger(__name__)

SETTLE_S = 0.05
"""A change is seldom alone."""
LOOK_EVERY_S = 30.0
"""So often everything is looked at even if nothing rings; an offer that only says that nothing changed is said so often at most."""
REST_SHARE = 0.5
"""After a bundle was made its door rests for this share of the time that took: others of the centre have work, too."""
AFTER_FAULT_S = 10.0
SETTLE_CARDS_EVERY_S = 3600.0


Made = tuple[Shelved, bool]
"""What is offered to a door from now on, and whether it is another than before."""


class Told(Struct, frozen=True):
    """An offer as it was said last."""

    offer: Offer
    withdrawn: tuple[Withdrawal, ...]
    raw: bytes
    public_key: bytes


def _needed(withdrawn: Iterable[Withdrawal], heard: Heard | None) -> list[Withdrawal]:
    """Those that the rules which a door says it has do not know of: that the others are not said any more is no news."""
    version = heard.version if heard is not None else 0
    return [each for each in withdrawn if each.since > version]


class BundleDesk:
    """`start`, `stop`; the rest may be called from any thread."""

    def __init__(self, people: People, address: Address, keys: Path, folder: Path, clock: Clock, *,
                 client_id: str = "doorward-access") -> None:  # fmt: skip
        """`keys` holds centre.key; `folder` is where bundles for doors lie. Raises ConfigError."""
        self._people, self._clock = people, clock
        self._centre: SigningKey = centre_private(keys / "centre.key")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._shelf, self._ledger = Shelf(folder, self._centre, self._damaged), Ledger(folder)
        self._lock = threading.Lock()
        self._shelved: dict[Place, Shelved | None] = {}
        self._told: dict[Place, Told] = {}
        self._said_s: dict[Place, float] = {}
        self._unsaid: deque[tuple[Place, bytes]] = deque()
        self._replaced: deque[Place] = deque()
        """Doors whose index of pieces is of a bundle that is offered no more."""
        self._wanted = Wanted()
        self._settle_at_s = time.monotonic() + SETTLE_CARDS_EVERY_S
        self._rest_until_s: dict[tuple[Place, bytes], float] = {}
        self._numbered_s = float("-inf")
        self._newest = 0
        """The revision of people that was looked at last."""
        self.confirmed = Confirmed()
        """What doors say they have."""
        self._look, self._make = threading.Event(), threading.Event()
        self._stopping = False
        self._session = Session(address, client_id, self, clean=True, in_flight=1000)
        self._threads = [threading.Thread(target=self._run_offers, name="access offers", daemon=True),
                         threading.Thread(target=self._run_bundles, name="access bundles", daemon=True)]  # fmt: skip
        people.on_change(self._changed)

    def start(self) -> None:
        self._changed()
        for thread in self._threads:
            thread.start()
        self._session.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._stopping = True
        self._changed()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout_s)
        self._session.stop(timeout_s)

    @property
    def is_connected(self) -> bool:
        return self._session.is_connected

    def offered(self) -> dict[Place, Offer]:
        """What is offered to each door."""
        with self._lock:
            return {place: told.offer for place, told in self._told.items()}

    def behind(self, site: str, door: str) -> int | None:
        """How many versions a door's rules are older than what it is offered; None when either is not known."""
        heard, told = self.confirmed.of((site, door)), self._told.get((site, door))
        if heard is None or told is None:
            return None
        return max(0, told.offer.version - heard.version)

    def status(self) -> list[DoorStatus]:
        """What every door is offered, and what it says it has."""
        offers = self.offered()
        return [status_of(place, offers[place], self.confirmed.of(place)) for place in sorted(offers)]

    def _changed(self) -> None:
        self._look.set()
        self._make.set()

    # -- offers ----------------------------------------------------------------------------------------------------------------

    def _run_offers(self) -> None:
        while not self._stopping:
            if self._look.wait(LOOK_EVERY_S):
                time.sleep(SETTLE_S)
            self._look.clear()
            self._guarded("offers", self._offer_all)

    def _guarded(self, what: str, work: Callable[[], None]) -> None:
        """Neither a database that is away for a moment nor anything that nobody foresaw may end the thread."""
        try:
            work()
        except (DoorwardError, OSError) as error:
            log.error("access %s not done error=%s", what, error)
        except Exception:
            log.exception("access %s not done", what)

    def _number(self) -> None:
        """Doors leave what is older than they know, so a database that was put back from a copy has to go on behind that: or fobs that
        are revoked now would open until it got there by itself. Seldom, for each time every bundle is looked at anew."""
        now_s = self._clock.mono_s()
        if now_s - self._numbered_s >= LOOK_EVERY_S and go_on_behind(self._people, self._known_outside()):
            self._numbered_s = now_s

    def _known_outside(self) -> int:
        with self._lock:
            shelved = [max(each.bulk.version, each.card.as_of) for each in self._shelved.values() if each is not None]
        return max([self.confirmed.highest, *shelved])

    def _offer_all(self) -> None:
        self._number()
        self._newest = before = self._people.revision
        withdrawn = withdrawn_now(self._people)
        since = self._ledger.take(withdrawn, self._people.revision)
        doors = {(door.site, door.door): door for door in self._people.doors()}
        for place in [place for place in self._told if place not in doors]:
            self._drop(place)
        reaches = {place: self._reach(place) for place in doors}
        oldest, book = min(reaches.values(), default=0), self._people.book()
        changed = changed_since(self._people, oldest)
        recent = {key: each for key, each in since.items() if each.revision > oldest}
        for place, door in doors.items():
            profiles = frozenset(rules_for(book, *place, 0).profiles) if changed else frozenset[str]()
            told = {key: each for key, each in recent.items() if each.revision > reaches[place]}
            gone = {key: Since(state, each.revision) for key, each in changed.items()
                    if each.revision > reaches[place] and key not in recent and (state := each.at(profiles)) is not None}  # fmt: skip
            mine = {**self._that_it_knows(place, door, gone), **told}
            self._guarded(f"offer to {door.site}/{door.door}", partial(self._offer, place, door, mine, before))
        self._session.wake()

    def _that_it_knows(self, place: Place, door: DoorEntry, gone: Mapping[str, Since]) -> Mapping[str, Since]:
        """Without those that the door never heard of: whoever is added elsewhere is no news here."""
        shelved, heard = self._on_shelf(place), self.confirmed.of(place)
        if not gone or shelved is None or (heard is not None and heard.version < shelved.bulk.version):
            return gone
        seal = Seal(key_for(*place, self._centre, PublicKey(door.public_key)))
        hashes = {seal.hash_of(key): key for key in gone}
        return {hashes[each]: gone[hashes[each]] for each in self._shelf.known_of(place, hashes)}

    def _reach(self, place: Place) -> int:
        """Up to which revision the rules of a door know of everything: those that it says are in force, not those that are on their way."""
        shelved, heard = self._on_shelf(place), self.confirmed.of(place)
        if shelved is None:
            return 0
        return shelved.card.as_of if heard is None or heard.version >= shelved.bulk.version else heard.version

    def _on_shelf(self, place: Place) -> Shelved | None:
        with self._lock:
            if place in self._shelved:
                return self._shelved[place]
        found = self._shelf.get(place)
        with self._lock:
            return self._shelved.setdefault(place, found)

    def _offer(self, place: Place, door: DoorEntry, recent: Mapping[str, Since], revision: int) -> None:
        """Say what a door is offered, if it is not what was said before."""
        shelved = self._on_shelf(place)
        if shelved is not None and shelved.card.public_key != door.public_key:
            shelved = None  # sealed for a key that the door no longer has
        version = shelved.bulk.version if shelved is not None else 0
        withdrawn = self._withdrawals(place, door, recent)
        told, heard = self._told.get(place), self.confirmed.of(place)
        same = told is not None and (told.offer.version, told.public_key) == (version, door.public_key)
        same = same and told is not None and _needed(told.withdrawn, heard) == _needed(withdrawn, heard)
        if told is not None and same and not self._is_due(place, told, shelved):
            self._repeat(place, told)
            return
        box = told.offer.withdrawn if told is not None and same else sealed(withdrawn, PublicKey(door.public_key))
        offer = Offer(
            site=door.site, door=door.door, made=shelved.card.made if shelved is not None else self._clock.wall(), revision=revision,
            as_of=shelved.card.as_of if shelved is not None else 0, bundle=shelved.bulk if shelved is not None else None, withdrawn=box,
        )  # fmt: skip
        raw = signed_offer(offer, self._centre)
        with self._lock:
            self._told[place] = Told(offer, withdrawn, raw, door.public_key)
            self._said_s[place] = self._clock.mono_s()
            self._unsaid.append((place, raw))

    def _is_due(self, place: Place, told: Told, shelved: Shelved | None) -> bool:
        """Nothing changed for the door; that this is so up to a newer revision is worth a word now and then."""
        is_news = shelved is not None and shelved.card.as_of > told.offer.as_of
        return is_news and self._clock.mono_s() - self._said_s[place] >= LOOK_EVERY_S

    def _repeat(self, place: Place, told: Told) -> None:
        """Say it again to a door that is there and does not act by it: brokers lose what they cannot pass on at once."""
        heard, now_s = self.confirmed.of(place), self._clock.mono_s()
        if heard is None or now_s - self._said_s[place] < LOOK_EVERY_S:
            return
        if heard.version < told.offer.version or heard.revision < told.offer.revision:
            with self._lock:
                self._said_s[place] = now_s
                self._unsaid.append((place, told.raw))

    def _withdrawals(self, place: Place, door: DoorEntry, recent: Mapping[str, Since]) -> tuple[Withdrawal, ...]:
        """What its bundle cannot know, newest first where there are too many."""
        mine = sorted(((each, key) for key, each in recent.items()), key=lambda found: (-found[0].revision, found[1]))
        if len(mine) > MOST_WITHDRAWN:
            log.warning("access door=%s/%s withdrawn=%d: only %d are told at once, the others with the next bundle", *place, len(mine),
                        MOST_WITHDRAWN)  # fmt: skip
        seal = Seal(key_for(*place, self._centre, PublicKey(door.public_key))) if mine else None
        return (
            tuple(Withdrawal(seal.hash_of(key), each.state, each.revision) for each, key in mine[:MOST_WITHDRAWN]) if seal else ()
        )

    def _drop(self, place: Place) -> None:
        log.info("access door=%s/%s gets no bundles any more", *place)
        self._shelf.drop(place)
        with self._lock:
            self._told.pop(place, None)
            self._shelved.pop(place, None)
            self._replaced.append(place)
            self._unsaid.append((place, b""))  # an empty retained message takes the one before away

    # -- bundles ---------------------------------------------------------------------------------------------------------------

    def _run_bundles(self) -> None:
        while not self._stopping:
            self._make.clear()
            self._guarded("bundles", self._make_stale)
            if time.monotonic() >= self._settle_at_s:
                self._settle_at_s = time.monotonic() + SETTLE_CARDS_EVERY_S
                self._guarded("cards", self._settle)
            self._make.wait(self._pause_s())
            if not self._stopping:
                time.sleep(SETTLE_S)

    def _pause_s(self) -> float:
        """Until the first door that rests may be served again."""
        now_s = time.monotonic()
        return min([max(0.1, until_s - now_s) for until_s in self._rest_until_s.values()], default=LOOK_EVERY_S)

    def _make_stale(self) -> None:
        now_s = time.monotonic()
        self._rest_until_s = {each: until_s for each, until_s in self._rest_until_s.items() if until_s > now_s}
        stale = self._stale(self._people.revision)
        with self._people.glance() as glance:
            stale = [door for door in stale if not self._tried(door, partial(self._patch, door, glance))]
        readings = Readings(self._people)
        for door in stale:
            self._tried(door, partial(self._make_anew, door, readings))

    def _tried(self, door: DoorEntry, make: Callable[[], Made | None]) -> bool:
        """False where this way does not lead to a bundle. A door that rests, or whose bundle cannot be made, is done with for now."""
        place, began_s = (door.site, door.door), time.monotonic()
        if self._stopping or self._rest_until_s.get((place, door.public_key), 0.0) > began_s:
            return True
        made: list[Made | None] = []
        self._guarded(f"bundle of {door.site}/{door.door}", lambda: made.append(make()))
        if made == [None]:
            return False
        took_s = time.monotonic() - began_s
        self._rest_until_s[place, door.public_key] = time.monotonic() + (REST_SHARE * took_s if made else AFTER_FAULT_S)
        if made and made[0] is not None:
            self._made(place, made[0], took_s)
        return True

    def _made(self, place: Place, made: Made, took_s: float) -> None:
        shelved, is_new = made
        with self._lock:
            self._shelved[place] = shelved
            if is_new:
                self._replaced.append(place)
        if is_new:
            log.info(
                "access bundle door=%s/%s version=%d bytes=%d took_s=%.2f",
                *place,
                shelved.bulk.version,
                shelved.bulk.size,
                took_s,
            )
            self._look.set()

    def _settle(self) -> None:
        """What is known to have changed for nobody is written down, so that nobody need remember who changed."""
        for place, shelved in list(self._shelved.items()):
            if shelved is not None:
                kept = self._shelf.keep_card(place, shelved)
                with self._lock:
                    if self._shelved.get(place) is shelved:
                        self._shelved[place] = kept
        with self._lock:
            known = {place: shelved.card.written for place, shelved in self._shelved.items() if shelved is not None}
        if known:
            self._people.forget_changes(min(min(written, self._reach(place)) for place, written in known.items()))

    def _stale(self, revision: int) -> Iterable[DoorEntry]:
        """Doors whose bundle may no longer say what the people of this revision are, the one that waits longest first."""
        found = []
        for door in self._people.doors():
            shelved = self._on_shelf((door.site, door.door))
            fits = shelved is not None and shelved.card.public_key == door.public_key
            as_of = shelved.card.as_of if shelved is not None and fits else -1
            if as_of < revision:
                found.append((as_of, door))
        return [door for _, door in sorted(found, key=lambda each: each[0])]

    def _patch(self, door: DoorEntry, glance: Glance) -> Made | None:
        """The bundle that there is with what changed since; None when it has to be made anew."""
        place = door.site, door.door
        before = self._on_shelf(place)
        if before is None or before.card.public_key != door.public_key or before.card.as_of > glance.revision:
            return None
        rules = rules_for(glance.book, *place, glance.revision)
        changed = glance.changed(frozenset(rules.profiles), before.card.as_of, before.profiles)
        if changed is None:
            return None
        made = self._shelf.patch(place, before, rules, changed.keys, changed.people, self._clock.wall())
        if made is not None:
            self._ledger.seen_in_use(in_use_of(changed.people), glance.revision)
        return made

    def _make_anew(self, door: DoorEntry, readings: Readings) -> Made | None:
        place = door.site, door.door
        profiles = frozenset(self._people.rules_for(*place, 0).profiles)
        reading = readings.of(place, profiles)
        rules = self._people.rules_for(
            *place, reading.version
        )  # again: they may not be older than the version that they are given
        if frozenset(rules.profiles) != profiles:
            return None  # somebody changes them at this moment: the door is still among those whose bundle is old
        made = self._shelf.put(place, rules, reading.people, door.public_key, self._clock.wall(), reading.content)
        self._ledger.seen_in_use(reading.in_use, reading.version)
        return made

    def _damaged(self, place: Place) -> None:
        with self._lock:
            self._shelved.pop(place, None)
        self._make.set()

    # -- the session's thread --------------------------------------------------------------------------------------------------

    def connected(self, say: Say) -> None:
        say.subscribe("doorward/+/+/access/want", "doorward/+/+/state/access")
        with self._lock:
            self._unsaid = deque((place, told.raw) for place, told in self._told.items())

    def turn(self, say: Say, now_s: float) -> float:
        with self._lock:
            unsaid, self._unsaid = self._unsaid, deque()
            replaced, self._replaced = self._replaced, deque()
        for place in replaced:
            self._shelf.forget(place)
        for (site, door), raw in unsaid:
            say.publish(f"doorward/{site}/{door}/access/version", raw, retain=True)
        return send_pieces(say, self._wanted, self._shelf.piece, "access/part")

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        _, site, door, *rest = topic.split("/")
        if rest == ["access", "want"] and not retained:
            self._wanted.add((site, door), payload)
        elif rest == ["state", "access"]:
            self._heard((site, door), payload)

    def _heard(self, place: Place, payload: bytes) -> None:
        before = self.confirmed.of(place)
        self.confirmed.hear(place, payload, self._clock.wall())
        heard = self.confirmed.of(place)
        if heard is not None and (before is None or before.version != heard.version):
            self._look.set()  # what it is to refuse beside its rules depends on them
            if self.confirmed.highest > self._newest:
                self._look.set()

    def leaving(self, say: Say) -> None:
        """Offers are retained; nothing is left to say."""
