"""What the dashboard asks about doors, and what people may order them to do."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from agent.core.commands import NAMES, SENTENCES
from central.commands import NO_ANSWER, Commander
from central.gateway.asking import EVERYBODY, Ask, Caller, Endpoint, Role, Unfit
from central.gateway.audit import AuditLog
from central.gateway.door_book import DoorBook, Key
from central.gateway.door_rows import DoorRow, Facts, row_of, unheard
from central.gateway.event_rows import EventRow, rows_of, sees_people, without_people
from central.gateway.promptly import Promptly
from central.gateway.watch import Watch
from central.history.events import EventStore

LEVEL = re.compile(r"[a-z0-9_-]{1,40}")
SHOWN_EVENTS = 20
ANSWER_WAIT_S = 10.0
GUARDS_MAY = frozenset(("unlock", "lock", "lockdown", "release", "deny", "assist"))
MAY_COMMAND: dict[Role, frozenset[str]] = {"guard": GUARDS_MAY, "manager": frozenset(NAMES)}
OF_PEOPLE = ("people", "risk")
"""States that tell of who is at a door."""
UNANSWERED = "the door did not answer in time: whether it obeyed is not known, look at its state"


class DoorWhole(DoorRow, frozen=True, kw_only=True):
    """A door with everything that it said."""

    events: list[EventRow]
    states: dict[str, Any]
    heard: datetime | None


class Order(Struct, frozen=True, forbid_unknown_fields=True):
    """A command that somebody gives."""

    command: Annotated[str, Meta(max_length=40)]
    why: Annotated[str, Meta(max_length=200)] = ""


class Obeyed(Struct, frozen=True, kw_only=True):
    """What the door said to it."""

    id: str
    ok: bool
    reason: str
    sentence: str
    at: datetime | None


class Doors:
    """The doors of one centre, for its endpoints."""

    def __init__(self, book: DoorBook, watch: Watch, store: EventStore, facts: Facts, commander: Commander, audit: AuditLog,
                 answer_wait_s: float = ANSWER_WAIT_S) -> None:  # fmt: skip
        self._book, self._watch, self._store = book, watch, store
        self._facts, self._commander, self._audit, self._wait_s = facts, commander, audit, answer_wait_s
        self._promptly = Promptly()

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(method="GET", path="/doors", allowed=EVERYBODY, work=self.all),
            Endpoint(method="GET", path="/doors/{site}/{door}", allowed=EVERYBODY, work=self.one),
            Endpoint(method="POST", path="/doors/{site}/{door}/commands", allowed=frozenset(MAY_COMMAND), work=self.command,
                     max_bytes=4096, recorded=False, waits=True),
        ]  # fmt: skip

    def all(self, ask: Ask) -> list[DoorRow]:
        """Every door that was heard, has told something, or is expected."""
        keys = {(now.site, now.door) for now in self._book.snapshot()} | set(self._watch.doors()) | set(self._facts.doors())
        return [self._row(key, ask) for key in sorted(keys) if ask.caller.sees(key[0])]

    def one(self, ask: Ask) -> DoorWhole:
        key = self._known(ask)
        now, row = self._book.now(*key), self._row(key, ask)
        states = now.states if now is not None else {}
        if not sees_people(ask.caller):
            states = {name: value for name, value in states.items() if name not in OF_PEOPLE}
        events = self._store.events(site=key[0], door=key[1], newest_first=True, limit=SHOWN_EVENTS)
        fields = {name: getattr(row, name) for name in DoorRow.__struct_fields__}
        return DoorWhole(**fields, events=rows_of(events, ask.caller), states=states, heard=now.heard if now else None)

    def command(self, ask: Ask) -> Obeyed:
        """Waits for the door. On record before it is given and when it is answered; where the record cannot be written within a second the
        command goes out all the same, for the door keeps its own, and a lock-down must not wait for a disk."""
        order, key = ask.json(Order), self._known(ask)
        _demand_may(ask.caller, order.command)
        if not self._commander.is_connected:
            raise Unfit(503, "no_broker", "the centre cannot reach its broker: the command was not given")
        self._record(ask.caller, f"command.{order.command}", key, {"why": order.why})
        answer = self._commander.give(*key, ask.caller.account, order.command, order.why, self._wait_s)
        told = {"id": answer.id, "command": order.command, "ok": answer.ok, "reason": answer.reason}
        self._record(ask.caller, "command.answered", key, told)
        return Obeyed(
            id=answer.id, ok=answer.ok, reason=answer.reason, sentence=_sentence(answer.ok, answer.reason), at=answer.at
        )

    def _row(self, key: Key, ask: Ask) -> DoorRow:
        now = self._book.now(*key) or unheard(*key, ask.now)
        row = row_of(now, self._watch.last(*key), self._facts, broker=self._book.is_connected)
        return row if sees_people(ask.caller) else without_people(row)

    def _known(self, ask: Ask) -> Key:
        key = door_of(ask)
        if self._book.now(*key) is None and self._watch.last(*key) is None and key not in self._facts.doors():
            raise Unfit(404, "unknown_door", f"there is no door {key[0]}/{key[1]} that was ever heard")
        return key

    def _record(self, caller: Caller, what: str, key: Key, details: dict[str, Any]) -> None:
        told = f"who={caller.account} what={what} door={'/'.join(key)}"
        self._promptly.write(lambda: self._audit.write(caller.account, what, "/".join(key), details), told)


def door_of(ask: Ask) -> Key:
    """The {site} and {door} of a path. Raises Unfit."""
    key = (ask.path["site"], ask.path["door"])
    if not all(LEVEL.fullmatch(level) for level in key):
        raise Unfit(404, "unknown_door", "site and door are 1 to 40 of a-z, 0-9, _ and -")
    return key


def _demand_may(caller: Caller, command: str) -> None:
    if command not in NAMES:
        raise Unfit(400, "unknown_command", f"command {command!r}: doors know {', '.join(NAMES)}")
    if command not in MAY_COMMAND[caller.role]:
        raise Unfit(403, "not_allowed", f"the role {caller.role} may give {', '.join(sorted(MAY_COMMAND[caller.role]))}")


def _sentence(ok: bool, reason: str) -> str:
    if ok:
        return "the door obeyed"
    return UNANSWERED if reason == NO_ANSWER else SENTENCES.get(reason, reason)
