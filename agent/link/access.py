"""What the centre tells a door about who may pass: withdrawals at once, bundles piece by piece, and what the door says of both.

Three threads meet here. The link's: an offer is checked and its withdrawals are handed to the door's loop at once. One of our own, which
rests as much as it works: disk, hashes, asking for pieces. The bundle watch's: a bundle that is whole was checked as every bundle is, and
replaces the rules. Nothing of it lies on the way from a fob to the relay.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.core.access import AccessRules, no_rules
from agent.core.withdrawn import State, Withdrawal, WithdrawnRoll, since_bundle
from agent.errors import BundleError
from agent.files import write_whole
from agent.records.access_offer import MOST_BYTES, Offer, checked_offer, opened
from agent.records.bundle import BundleStore
from agent.records.bundle_fetch import BundleFetch, in_seconds
from agent.records.people_file import SealedRoll

log = logging.getLogger(__name__)

MOST_QUEUED = 32
"""Messages for our own thread; more than were asked for are somebody's mistake, and pieces are asked for again."""
LOOK_EVERY_S = 5.0
TRY_DISK_AGAIN_S = 30.0
MOST_REST_S = 0.05
"""After each piece our own thread rests for as long as it worked, and no longer than this: half a core at most, and not in one go. It has no
lower priority: while such a thread waits for a core with Python's lock in its hand, the whole door waits, reader and relay included."""


class Uplink(Protocol):
    """The part of a link that is needed here; none of it waits."""

    def publish_state(self, name: str, value: Any) -> None: ...

    def ask(self, name: str, payload: bytes) -> None: ...


class Change(Struct, frozen=True):
    """Rules for the door's loop. `withdrawn` is None for a new bundle, else how many credentials are withdrawn beside the one in force.

    `taken` is to be called when they count.
    """

    rules: AccessRules
    withdrawn: int | None
    taken: Callable[[], None]


class AccessState(Struct, frozen=True):
    """What `state/access` says. It is said when the rules count and will count after a restart."""

    version: int
    as_of: int
    """The revision of the centre's people that the rules in force follow; at least `version`."""
    revision: int
    """Withdrawals up to this revision count."""
    credentials: int
    withdrawn: int
    offered: int
    """The version that the centre offers."""
    behind: bool
    """The rules in force are older than what is offered."""
    refused: str


class _InForce(Struct, frozen=True):
    """What the loop has taken."""

    version: int = 0
    revision: int = 0
    credentials: int = 0
    withdrawn: int = 0
    number: int = 0
    """Which set of rules it is."""


class AccessPost:
    """`start` after the link is told to listen. `received`: in the link's thread; `newer`, `refused`: in the bundle watch's."""

    def __init__(self, store: BundleStore, link: Uplink, put: Callable[[Change], None]) -> None:
        """`put` hands rules to the door's loop."""
        self._store, self._link, self._put = store, link, put
        self._file = offer_file(store.path)
        self._fetch = BundleFetch(store.path, store.keys, store.folder)
        self._lock = threading.Lock()
        self._rules = no_rules(store.keys.site, store.keys.name)
        """Those of the bundle in force."""
        self._offer: Offer | None = None
        self._withdrawn: tuple[Withdrawal, ...] = ()
        self._handed = 0
        """How many sets of rules were put together for the loop."""
        self._in_force = _InForce()
        self._kept = 0
        """Withdrawals up to this revision will count after a restart."""
        self._on_disk: tuple[int, bytes] | None = None
        """Version and withdrawals of the offer on the disk."""
        self._refused = ""
        self._queue: deque[tuple[str, bytes]] = deque(maxlen=MOST_QUEUED)
        self._fresh: tuple[Offer, bytes] | None = None
        self._done: list[str] = []
        self._retry_s = 0.0
        self._bell = threading.Event()
        self._stopping = False
        self._whole: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="access", daemon=True)

    # -- before anything runs

    def begin(self, rules: AccessRules) -> AccessRules:
        """The rules to start with: those of the bundle, less what was withdrawn before the program ended."""
        self._rules = rules
        try:
            raw = self._file.read_bytes() if self._file.stat().st_size <= MOST_BYTES else b""
            self._take_offer(raw)
        except FileNotFoundError:
            pass
        except (OSError, BundleError) as error:
            log.error("access offer path=%s error=%s", self._file, error)
        if self._offer is not None:
            self._kept, self._on_disk = self._offer.revision, (self._offer.version, self._offer.withdrawn)
            self._fresh = (self._offer, b"")  # what was being fetched goes on
        self._fetch.tidy(self._store.held)
        change = self._change(None)
        change.taken()
        return change.rules  # nothing else runs yet: no lock

    def start(self, whole: Callable[[], None]) -> None:
        """`whole` is called when there is a new file to look at."""
        self._whole = whole
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._stopping = True
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    # -- the link's thread

    def connected(self) -> None:
        self._queue.append(("connected", b""))
        self._bell.set()

    def received(self, name: str, payload: bytes) -> None:
        """`version` and an offer, or `part/DIGEST/NUMBER` and a piece."""
        if name == "version":
            self._hear(payload)
        else:
            self._queue.append((name.removeprefix("part/"), payload))
        self._bell.set()

    def _hear(self, payload: bytes) -> None:
        try:
            with self._lock:  # held while it is handed on: rules must reach the loop in the order in which they were put together
                if self._take_offer(payload):
                    self._put(self._change(len(self._states())))
        except BundleError as error:
            self._refuse(str(error))

    def _take_offer(self, payload: bytes) -> bool:
        """Returns whether other credentials are withdrawn now than before. An old offer changes nothing."""
        keys = self._store.keys
        offer = checked_offer(payload, keys.centre, keys.site, keys.name)
        if self._offer is not None and offer.is_older_than(self._offer):
            log.info("access offer old revision=%d known=%d", offer.revision, self._offer.revision)
            return False
        withdrawn, before = opened(offer.withdrawn, keys.door), self._states()
        self._offer, self._withdrawn, self._fresh = offer, withdrawn, (offer, payload)
        return self._states() != before

    # -- the bundle watch's thread

    def newer(self, rules: AccessRules) -> None:
        """A bundle was read and found good: it is to count, less what was withdrawn since."""
        with self._lock:
            self._rules = rules
            self._done.append("")
            self._put(self._change(None))
        self._bell.set()

    def refused(self, why: str) -> None:
        """A file was not taken. It is on record already."""
        with self._lock:
            self._done.append(why)
        self._bell.set()

    # -- what is in force

    def _states(self) -> dict[int, State]:
        return since_bundle(self._withdrawn, self._rules.version)

    def _change(self, withdrawn: int | None) -> Change:
        rules, states = self._rules, self._states()
        revision = self._offer.revision if self._offer is not None else 0
        self._handed += 1
        told = _InForce(rules.version, revision, len(rules.people), len(states), self._handed)
        if states and isinstance(rules.people, SealedRoll):
            rules = replace(rules, people=WithdrawnRoll(rules.people, rules.people.hash_of, states))
        return Change(rules, withdrawn, lambda: self._taken(told))

    def _taken(self, told: _InForce) -> None:
        """In the loop's thread: rules count from here on."""
        self._in_force = told
        self._say()

    def _say(self) -> None:
        now, offer = self._in_force, self._offer
        offered, as_of, revision = (offer.version, offer.as_of, offer.revision) if offer is not None else (0, 0, 0)
        if now.number != self._handed:
            revision = now.revision  # newer ones are on their way to the loop
        self._link.publish_state("access", AccessState(
            version=now.version, as_of=max(now.version, as_of if offered == now.version else 0),
            revision=max(now.version, min(revision, self._kept)), credentials=now.credentials, withdrawn=now.withdrawn, offered=offered,
            behind=offered > now.version, refused=self._refused,
        ))  # fmt: skip

    def health(self) -> dict[str, Any]:
        """For the door's health state. From any thread."""
        version, offered = self._in_force.version, self._offer.version if self._offer is not None else 0
        left, of = self._fetch.left
        return {"version": version, "offered": offered, "behind": offered > version, "parts_missing": left, "parts": of,
                "refused": self._refused}  # fmt: skip

    def _refuse(self, why: str) -> None:
        if why and why != self._refused:
            self._store.tell_refused(why)
        self._refused = why
        self._say()

    # -- our own thread

    def _run(self) -> None:
        while not self._stopping:
            wait_s = self._turn(time.monotonic())
            self._bell.wait(wait_s)
            self._bell.clear()

    def _turn(self, now_s: float) -> float:
        try:
            self._finish()
            self._keep_offer()
            while self._queue and not self._stopping:
                began_s = time.thread_time()
                self._handle(*self._queue.popleft(), now_s)
                time.sleep(min(MOST_REST_S, time.thread_time() - began_s))
            self._ask(now_s)
        except OSError as error:
            self._fetch.drop()
            self._refuse(f"the disk of this door does not take the bundle: {error}")
            self._retry_s = now_s + TRY_DISK_AGAIN_S
        if self._retry_s and now_s >= self._retry_s:
            self._retry_s = 0.0
            self._aim()
        return in_seconds(self._fetch.due_s(), now_s, LOOK_EVERY_S)

    def _finish(self) -> None:
        with self._lock:
            done, self._done = self._done, []
        for why in done:
            self._fetch.done(why, self._store.held)
            self._refused = why
            self._say()

    def _keep_offer(self) -> None:
        with self._lock:
            fresh, self._fresh = self._fresh, None
        if fresh is None:
            return
        offer, raw = fresh
        if raw and self._on_disk != (offer.version, offer.withdrawn):
            write_whole(self._file, raw)
            self._on_disk = (offer.version, offer.withdrawn)
        self._kept, self._refused = offer.revision, self._fetch.refused
        self._aim()
        self._say()

    def _aim(self) -> None:
        offer = self._offer
        if offer is not None:
            before = self._fetch.refused
            self._after(self._fetch.aim(offer.bundle, self._rules.version, self._store.held), before)

    def _handle(self, name: str, payload: bytes, now_s: float) -> None:
        if name == "connected":
            self._fetch.again()
            return
        before = self._fetch.refused
        self._after(self._fetch.took(name, payload, now_s, self._rules.version, self._store.held), before)

    def _after(self, is_whole: bool, before: str) -> None:
        if self._fetch.refused != before:
            self._refuse(self._fetch.refused)
        if is_whole:
            self._whole()

    def _ask(self, now_s: float) -> None:
        names = self._fetch.wanted(now_s)
        if names:
            self._link.ask("access/want", msgspec.json.encode({"pieces": names}))


def offer_file(bundle: Path) -> Path:
    """Where a door keeps what was offered last."""
    return bundle.with_name(bundle.name + ".offer")
