"""Bring a CSV file in: everything is checked against what is there first, and then all of it is changed at once, or nothing.

It is read twice, in pages, so that a quarter of a million rows neither fill the memory nor keep the historian from the database for long.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Table, bindparam, insert, select, update

from central.database.tables_people import CARDHOLDERS, CREDENTIALS
from central.people import rows
from central.people.people import Change, People, credential_row, sealed_pins
from central.people.records import MOST_CREDENTIALS, Held, Person, Pins, faults_of_held, faults_of_person, faults_of_pins, tidied
from central.people.sheet import Fault, Line, Sheet, written
from central.people.sight import in_sight
from central.people.trouble import PeopleError
from central.people.vault import Vault

MOST_FAULTS = 1000
TRIES = 3


class Report(Struct, kw_only=True):
    """What a file would change, or has changed. Rows that are bad are in none of the three counts."""

    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: int = 0
    faults: list[Fault] = []
    """The first MOST_FAULTS of them."""
    applied: bool = False


class _Known(Struct):
    """What the database has of the people and credentials of a page."""

    people: dict[str, Person]
    held: dict[str, list[Held]]
    """By cardholder."""
    owners: dict[str, str | None]
    """By credential."""
    pins: dict[str, dict[str, bytes | None]]


class _Refused(ValueError):
    def __init__(self, column: str, value: str, sentence: str) -> None:
        super().__init__(sentence)
        self.column, self.value, self.sentence = column, value, sentence


class _Outcome(Struct):
    """What one row comes to; None and empty where nothing changes."""

    id: str
    person: Person | None = None
    is_new: bool = False
    was_suspended: bool = False
    pins: dict[str, str] = {}
    held: Held | None = None
    state_before: str | None = None
    """None: the credential is new."""


def bring_in(
    people: People, who: str, sheet: Sheet, *, dry_run: bool = False, skip_bad: bool = False, step: Callable[[], object] = lambda: None
) -> Report:  # fmt: skip
    """Nothing is changed when a row is bad, unless `skip_bad`. `step` is called after each row that was checked.

    Raises SheetError, and PeopleError when others keep on changing people meanwhile.
    """
    for _ in range(TRIES):
        revision = people.revision
        with people.view() as connection:
            report = _Pass(connection, people.vault, None).go_through(sheet, step)
        if dry_run or (report.bad and not skip_bad) or not (report.new or report.changed):
            return report
        with people.changing(who) as change:
            if rows.revision_of(change.connection) == revision:
                return _applied(people, sheet, change)
    raise PeopleError("changed_meanwhile", "others change people all the time: nothing was imported; try again")


def export(people: People, sites: Collection[str] = ()) -> Iterator[str]:
    """The whole file, in pieces, as of one moment. `sites`: only people who may pass there; empty: all."""
    with people.view() as connection:
        yield from written(_everybody(connection, sites))


def _everybody(connection: Connection, sites: Collection[str]) -> Iterator[tuple[Person, Sequence[Held]]]:
    asked, last = select(CARDHOLDERS.c.id).where(in_sight(connection, sites)).order_by(CARDHOLDERS.c.id).limit(rows.CHUNK), ""
    while ids := connection.execute(asked.where(CARDHOLDERS.c.id > last)).scalars().all():
        found, held = rows.persons(connection, ids), rows.held_by(connection, ids)
        yield from ((found[id], held.get(id, ())) for id in ids)
        last = ids[-1]


def _applied(people: People, sheet: Sheet, change: Change) -> Report:
    report = _Pass(change.connection, people.vault, change).go_through(sheet, lambda: None)
    report.applied = True
    counts = {name: getattr(report, name) for name in ("rows", "new", "changed", "unchanged", "bad")}
    change.on_record("people.imported", "", counts)
    return report


class _Pass:
    """Once through a file: what each row comes to, and with a `change` it is done."""

    def __init__(self, connection: Connection, vault: Vault, change: Change | None) -> None:
        self._connection, self._vault, self._change = connection, vault, change
        self._profiles = rows.book_from(connection).profiles
        self._said: dict[str, tuple[int, int]] = {}
        """Cardholder -> the row that said first who they are, and a digest of what it said."""
        self._keys: dict[str, int] = {}
        self._has: dict[str, int] = {}
        """Cardholder -> how many credentials they have by now."""
        self._report = Report()

    def go_through(self, sheet: Sheet, step: Callable[[], object]) -> Report:
        for page in rows.chunks(sheet):
            lines = [each for each in page if isinstance(each, Line)]
            known, outcomes = self._known(lines), []
            for each in page:
                if isinstance(each, Fault):
                    self._bad(each)
                elif (outcome := self._outcome(each, known)) is not None:
                    outcomes.append(outcome)
                step()
            if self._change is not None:
                _write(self._change, self._vault, outcomes)
        return self._report

    def _known(self, lines: list[Line]) -> _Known:
        ids, keys = [*{line.id for line in lines}], [*{line.key for line in lines if line.key}]
        asked = select(CREDENTIALS.c.key, CREDENTIALS.c.cardholder).where(CREDENTIALS.c.key.in_(keys))
        with_pins = [*{line.id for line in lines if line.pins}]
        sealed = select(CARDHOLDERS.c.id, CARDHOLDERS.c.pin, CARDHOLDERS.c.duress_pin).where(CARDHOLDERS.c.id.in_(with_pins))
        return _Known(
            rows.persons(self._connection, ids), rows.held_by(self._connection, ids),
            {row.key: row.cardholder for row in self._connection.execute(asked)},
            {row.id: {"pin": row.pin, "duress_pin": row.duress_pin} for row in self._connection.execute(sealed)},
        )  # fmt: skip

    def _bad(self, fault: Fault) -> None:
        self._report.rows += 1
        self._report.bad += 1
        if len(self._report.faults) < MOST_FAULTS:
            self._report.faults.append(fault)

    def _outcome(self, line: Line, known: _Known) -> _Outcome | None:
        digest = hash((*line.person.values(), *line.pins.items()))
        try:
            outcome = self._person(line, known, digest)
            self._credential(line, known, outcome)
        except _Refused as bad:
            self._bad(Fault(row=line.row, column=bad.column, value=bad.value[:80], sentence=bad.sentence))
            return None
        self._said.setdefault(line.id, (line.row, digest))
        self._count(line, outcome)
        return outcome

    def _count(self, line: Line, outcome: _Outcome) -> None:
        report = self._report
        report.rows += 1
        if outcome.held is not None and outcome.state_before is None:
            self._has[line.id] += 1
        if line.key:
            self._keys[line.key] = line.row
        if outcome.is_new:
            report.new += 1
        elif outcome.person is not None or outcome.held is not None or outcome.pins:
            report.changed += 1
        else:
            report.unchanged += 1

    def _person(self, line: Line, known: _Known, digest: int) -> _Outcome:
        if line.id in self._said:
            row, said = self._said[line.id]
            if said != digest:
                raise _Refused("id", line.id, f"row {row} says otherwise of the same person: all rows of one id must agree")
            return _Outcome(line.id)
        before = known.people.get(line.id)
        if before is None and not line.person.get("name"):
            raise _Refused("name", "", f"cardholder {line.id!r} is new and needs a name")
        person = tidied(Person(**line.person) if before is None else msgspec.structs.replace(before, **line.person))
        if person != before:
            self._check_person(person)
        pins = self._pins(line, known)
        return _Outcome(line.id, person=None if person == before else person, is_new=before is None,
                        was_suspended=before is not None and before.suspended, pins=pins)  # fmt: skip

    def _check_person(self, person: Person) -> None:
        for sentence in faults_of_person(person):
            column = sentence.partition(" ")[0].rstrip(":")
            raise _Refused(column, str(getattr(person, column, "")), sentence)
        for profile in person.profiles:
            if profile not in self._profiles:
                allowed = ", ".join(sorted(self._profiles)[:20]) or "none is known yet"
                raise _Refused("profiles", profile, f"there is no profile {profile[:80]!r}; allowed: {allowed}")

    def _pins(self, line: Line, known: _Known) -> dict[str, str]:
        """Those that are new. Their faults name the column and never the value."""
        if not line.pins:
            return {}
        for sentence in faults_of_pins(Pins(**line.pins)):
            raise _Refused(sentence.partition(" ")[0].rstrip(":"), "(not told)", sentence)
        kept = known.pins.get(line.id, {})
        opened = {what: self._vault.open(what, line.id, sealed).decode()  # type: ignore[arg-type]
                  for what, sealed in kept.items() if sealed is not None}  # fmt: skip
        both = {**opened, **line.pins}
        if len(both) == 2 and both["pin"] == both["duress_pin"]:
            raise _Refused("duress_pin", "(not told)", "duress_pin is the same as pin: every entry would call for help")
        return {what: digits for what, digits in line.pins.items() if opened.get(what) != digits}

    def _credential(self, line: Line, known: _Known, outcome: _Outcome) -> None:
        if not line.key:
            return
        if line.key in self._keys:
            raise _Refused("credential", line.key, f"row {self._keys[line.key]} has the same credential")
        mine = {held.key: held for held in known.held.get(line.id, ())}
        before = mine.get(line.key)
        if before is None:
            self._check_free(line, known, self._has.setdefault(line.id, len(mine)))
        held = Held(key=line.key, **line.held) if before is None else msgspec.structs.replace(before, **line.held)
        for sentence in faults_of_held(held) if held != before else ():
            raise _Refused("credential_until", line.key, sentence)
        if held != before:
            outcome.held, outcome.state_before = held, None if before is None else before.state

    def _check_free(self, line: Line, known: _Known, has: int) -> None:
        if line.key in known.owners:
            owner = known.owners[line.key]
            whose = f"belongs to cardholder {owner!r}" if owner else "was reported missing by somebody who is gone"
            raise _Refused("credential", line.key, f"credential {line.key!r} {whose}: take it back first")
        if has >= MOST_CREDENTIALS:
            raise _Refused(
                "credential", line.key, f"cardholder {line.id!r} has {MOST_CREDENTIALS} credentials; more are not allowed"
            )


def _write(change: Change, vault: Vault, outcomes: list[_Outcome]) -> None:
    people = [outcome.person for outcome in outcomes if outcome.person is not None]
    fresh = [rows.new_row(outcome.person, change.now) for outcome in outcomes if outcome.person is not None and outcome.is_new]
    known = [rows.person_row(outcome.person) for outcome in outcomes if outcome.person is not None and not outcome.is_new]
    if fresh:
        change.connection.execute(insert(CARDHOLDERS), fresh)
    _update(change.connection, CARDHOLDERS, "id", known)
    rows.put_profiles(change.connection, {person.id: person.profiles for person in people})
    for outcome in outcomes:
        if outcome.pins:
            sealed = sealed_pins(vault, outcome.id, Pins(**outcome.pins))
            change.connection.execute(update(CARDHOLDERS).where(CARDHOLDERS.c.id == outcome.id).values(**sealed))
    _write_held(change, outcomes)
    change.for_people(outcome.id for outcome in outcomes if outcome.person is not None or outcome.pins)
    change.for_credentials(outcome.held.key for outcome in outcomes if outcome.held is not None)
    _put_on_record(change, outcomes)


def _write_held(change: Change, outcomes: list[_Outcome]) -> None:
    held = [(outcome, outcome.held) for outcome in outcomes if outcome.held is not None]
    fresh = [credential_row(outcome.id, each, change.now) for outcome, each in held if outcome.state_before is None]
    if fresh:
        change.connection.execute(insert(CREDENTIALS), fresh)
    known = [
        {**msgspec.structs.asdict(each), "changed": change.now} for outcome, each in held if outcome.state_before is not None
    ]
    _update(change.connection, CREDENTIALS, "key", known)


def _update(connection: Connection, table: Table, key: str, values: list[dict[str, Any]]) -> None:
    if values:
        columns: dict[str, Any] = {name: bindparam(f"new_{name}") for name in values[0] if name != key}
        asked = update(table).where(table.c[key] == bindparam("at")).values(columns)
        told = [{"at": row[key], **{f"new_{name}": row[name] for name in columns}} for row in values]
        connection.execute(asked, told)


def _put_on_record(change: Change, outcomes: list[_Outcome]) -> None:
    """One by one only what lets in or keeps out; the rest is in the counts of the import."""
    for outcome in outcomes:
        person, held = outcome.person, outcome.held
        if person is not None and person.suspended != outcome.was_suspended:
            change.on_record("people.changed", person.id, {"fields": ["suspended"], "suspended": person.suspended})
        if held is not None and held.state != (outcome.state_before or "active"):
            change.on_record(f"credential.{held.state}", outcome.id, {"key": held.key, "before": outcome.state_before or ""})
