"""Consent taken back, and people erased: here at once, at each door with its next bundle, and on record when every door has said so.

What stays is the proof: the id that was erased (which names nobody once the person is gone), when, by whom, how much of what, and which
doors have confirmed rules that are newer. Events of the person are for the history to forget: it hands in what does that (`forget`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from central.database.engine import StoreError, reading
from central.database.tables_people import ERASURES, TEMPLATES
from central.enrolment.consent import forget_norms, withdraw
from central.enrolment.retention import remember_reads
from central.people.people import Change, People, remove_person
from central.people.rows import doors_from, dossier, revision_of
from central.people.trouble import PeopleError, nobody

log = logging.getLogger(__name__)

SETTLE_S = 2.0
REMEMBER_EVERY = 150
"""When people were read last is kept every five minutes, long before events are forgotten."""
Place = tuple[str, str]
Forget = Callable[[Connection, str], Mapping[str, int]]
"""Removes or pseudonymises what another room has of a cardholder, inside this transaction; says how many rows of what."""
What = Literal["template", "person"]


class DoorsWord(Struct, frozen=True, kw_only=True):
    """What a door has said of the rules that it follows."""

    site: str
    door: str
    as_of: int | None
    """The revision of people that its rules follow; None: it has not said."""


class Proof(Struct, frozen=True, kw_only=True):
    """Of one erasure."""

    cardholder: str
    what: What
    asked: datetime
    who: str
    revision: int
    """A door that follows this revision, or a later one, has nothing of it any more."""
    removed: dict[str, int]
    confirmed: tuple[DoorsWord, ...]
    waiting: tuple[DoorsWord, ...]
    proven: datetime | None


class Erasures:
    """`confirmed` says which revision of people a door follows by its own word: None when it has said nothing yet."""

    def __init__(self, people: People, confirmed: Callable[[Place], int | None], forget: Sequence[Forget] = ()) -> None:
        self._people, self._confirmed, self._forget = people, confirmed, forget
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="erasures", daemon=True)

    def start(self) -> None:
        """Begin to watch for doors' confirmations."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def revoke(self, who: str, id: str) -> Proof:
        """Templates go, and the consent counts no more; fobs and everything else stay. Raises PeopleError."""
        with self._people.changing(who) as change:
            if dossier(change.connection, id) is None:
                raise nobody(id)
            change.for_people([id])
            gone = change.connection.execute(delete(TEMPLATES).where(TEMPLATES.c.cardholder == id)).rowcount
            removed = {"templates": gone, "consents_withdrawn": withdraw(change, id, "face")}
            if not any(removed.values()):
                raise PeopleError("not_found", f"of cardholder {id!r} there is no template and no consent")
            return self._put(change, who, id, "template", removed)

    def erase(self, who: str, id: str) -> Proof:
        """The whole person, and in the history whatever names them. Fobs that are barred stay so, as nobody's. Raises PeopleError."""
        with self._people.changing(who) as change:
            if dossier(change.connection, id) is None:
                raise nobody(id)
            change.for_people([id])
            removed = {**remove_person(change.connection, id), "cardholders": 1}
            for forget in self._forget:
                removed |= forget(change.connection, id)
            forget_norms(change, id)
            return self._put(change, who, id, "person", removed)

    def proofs(self, id: str = "") -> list[Proof]:
        """Of one cardholder or of all, newest first; at most a thousand."""
        asked = select(ERASURES).order_by(ERASURES.c.n.desc()).limit(1000)
        with reading(self._people.engine) as connection:
            found = connection.execute(asked.where(ERASURES.c.cardholder == id) if id else asked).all()
        return [self._proof(row) for row in found]

    def settle(self) -> int:
        """Put on record what every door has confirmed by now; how many erasures that were."""
        with reading(self._people.engine) as connection:
            open_ones = connection.execute(select(ERASURES).where(ERASURES.c.proven.is_(None)).order_by(ERASURES.c.n)).all()
        settled = [(row.n, proof) for row in open_ones if not (proof := self._proof(row)).waiting]
        for n, proof in settled:
            with self._people.changing("centre") as change:
                if proof.what == "person":
                    self._forget_once_more(change, proof.cardholder)
                change.connection.execute(update(ERASURES).where(ERASURES.c.n == n).values(proven=change.now))
                doors = [f"{each.site}/{each.door} as of {each.as_of}" for each in proof.confirmed]
                change.on_record(f"erasure.{proof.what}.proven", proof.cardholder, {"revision": proof.revision, "doors": doors})
        return len(settled)

    def _forget_once_more(self, change: Change, id: str) -> None:
        """A door that was away told of them later; from here on none knows them. Unless somebody new has the id by now."""
        if dossier(change.connection, id) is None:
            for forget in self._forget:
                forget(change.connection, id)

    def _put(self, change: Change, who: str, id: str, what: What, removed: dict[str, int]) -> Proof:
        revision = revision_of(change.connection) + 1
        change.connection.execute(insert(ERASURES).values(cardholder=id, what=what, asked=change.now, revision=revision,
                                                          removed=removed, who=who, proven=None))  # fmt: skip
        change.on_record(f"erasure.{what}", id, {"revision": revision, "removed": removed})
        newest = select(ERASURES).where(ERASURES.c.n == select(func.max(ERASURES.c.n)).scalar_subquery())
        return self._proof(change.connection.execute(newest).one(), change.connection)

    def _proof(self, row: Row[Any], connection: Connection | None = None) -> Proof:
        doors = self._people.doors() if connection is None else doors_from(connection)
        words = [DoorsWord(site=each.site, door=each.door, as_of=self._confirmed((each.site, each.door))) for each in doors]
        confirmed = tuple(each for each in words if each.as_of is not None and each.as_of >= row.revision)
        return Proof(cardholder=row.cardholder, what=row.what, asked=row.asked, who=row.who, revision=row.revision, removed=row.removed,
                     confirmed=confirmed, waiting=tuple(each for each in words if each not in confirmed), proven=row.proven)  # fmt: skip

    def _run(self) -> None:
        turns = 0
        while not self._ending.wait(SETTLE_S):
            turns += 1
            try:
                self.settle()
                if turns % REMEMBER_EVERY == 0:
                    remember_reads(self._people.engine)
            except StoreError as error:
                log.error("erasures: what doors have told cannot be put on record: %s", error)
