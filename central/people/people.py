"""The centre's people: every change is checked, committed whole with its record in the audit log, and told to whoever makes bundles.

`revision` grows by one with every change that doors must know. It is a row of the database, so a change that another program makes (an
import on the command line) rings here too, within POLL_S.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from agent.clock import Clock
from agent.core.access import AccessProfile, AccessRules, DoorAccess
from agent.core.people import Issued
from agent.core.schedules import Calendar, Schedule
from agent.errors import ConfigError
from central.database.engine import StoreError, reading, writing
from central.database.tables_people import (
    ACCESS_DOORS,
    ACCESS_PROFILES,
    CALENDARS,
    CARDHOLDER_PROFILES,
    CARDHOLDERS,
    CONSENTS,
    CREDENTIALS,
    PEOPLE_STATE,
    SCHEDULES,
    TEMPLATES,
)  # fmt: skip
from central.people import changes, rows
from central.people.issued import issued, issued_of
from central.people.records import (
    ID,
    LEVEL,
    MOST_CREDENTIALS,
    NO_PINS,
    DoorEntry,
    Dossier,
    Held,
    Person,
    Pins,
    State,
    faults_of_held,
    faults_of_key,
    faults_of_person,
    faults_of_pins,
    tidied,
)  # fmt: skip
from central.people.rules import RuleBook, faults_of_book, rules_for
from central.people.sight import in_sight
from central.people.trouble import PeopleError, nobody, unfit
from central.people.vault import Vault, VaultError

log = logging.getLogger(__name__)

POLL_S = 0.25
DOORS_EVERY = 12
"""The registry of doors is looked at in one poll of so many: every 3 s."""
AT_ONCE = 500
"""So many names are asked for in one statement."""
VAULT_ROW, VAULT_WORD = "vault", b"doorward"


class Audit(Protocol):
    """What every change is put on record with (central/gateway)."""

    def write(
        self, who: str, what: str, about: str, details: dict[str, Any], *, connection: Connection | None = None
    ) -> None: ...


class Registered(Protocol):
    """A door as the site's registry has it (central/site): `public_key` is X25519, 32 bytes."""

    @property
    def site(self) -> str: ...
    @property
    def door(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def public_key(self) -> bytes: ...


class Registry(Protocol):
    """Which doors were enrolled. May raise ConfigError."""

    def doors(self) -> Sequence[Registered]: ...


class Change:
    """A change under way: whether doors must know of it, and what is said of it in the audit log."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection, self.now = connection, now
        self.for_doors = False
        self._is_told, self._keys = False, set[str]()
        self._records: list[tuple[str, str, dict[str, Any]]] = []

    def for_people(self, ids: Iterable[str]) -> None:
        """Doors must know of these cardholders' credentials. Before somebody is removed, and after something is issued."""
        self.for_credentials(changes.keys_of(self.connection, ids) if len(self._keys) <= changes.MOST_LISTED else ())

    def for_credentials(self, keys: Iterable[str]) -> None:
        self.for_rules()
        self._keys.update(keys if len(self._keys) <= changes.MOST_LISTED else ())

    def for_rules(self) -> None:
        """Doors must know of it, and of no credential otherwise than before."""
        self.for_doors = self._is_told = True

    @property
    def concerned(self) -> set[str]:
        """Credentials that are other for doors than before; whoever says only `for_doors` means everybody."""
        return self._keys if self._is_told and len(self._keys) <= changes.MOST_LISTED else {changes.EVERYBODY}

    def on_record(self, what: str, about: str, details: dict[str, Any]) -> None:
        """`details` names fields, never what stands in them of a person: the audit log outlives the person's erasure."""
        self._records.append((what, about, details))

    def write_to(self, audit: Audit, who: str) -> None:
        for what, about, details in self._records:
            audit.write(who, what, about, details, connection=self.connection)


class Changed(Struct, frozen=True):
    """Credentials that changed, and who has them now; of one that nobody of `people` has doors are not to know."""

    keys: frozenset[str]
    people: tuple[Issued, ...]


class Glance:
    """People and rules of one revision, as far as they changed since others. Within `People.glance` only."""

    def __init__(self, connection: Connection, vault: Vault, now: datetime) -> None:
        self._connection, self._vault, self._now = connection, vault, now
        self.revision, self.book = rows.revision_of(connection), rows.book_from(connection)
        self._changed: dict[tuple[int, frozenset[str]], Changed | None] = {}

    def changed(self, profiles: frozenset[str], since: int, before: frozenset[str]) -> Changed | None:
        """What is other for a door with these profiles than at that revision, with those of `before`; None when everybody may be."""
        if any(rows.has_profile(self._connection, each) for each in profiles ^ before):
            return None
        asked = since, profiles
        if asked not in self._changed:  # doors of the same profiles are told of the same people
            self._changed[asked] = self._read(profiles, since)
        return self._changed[asked]

    def _read(self, profiles: frozenset[str], since: int) -> Changed | None:
        keys = changes.since(self._connection, since)
        if keys is None:
            return None
        return Changed(frozenset(keys), tuple(issued_of(self._connection, self._vault, profiles, self._now, keys)))


class People:
    """Thread-safe. `start` before others change people beside it, `stop` at the end; everything else works without."""

    def __init__(self, engine: Engine, clock: Clock, audit: Audit, vault: Vault, registry: Registry | None = None) -> None:
        """Raises ConfigError when templates and PINs in this database were sealed with another key."""
        self._registry = registry
        self.engine, self.clock, self.audit, self.vault = engine, clock, audit, vault
        self._listeners: list[Callable[[], None]] = []
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._rung, self._lock = 0, threading.Lock()
        self._try_key()

    # what doors are made of

    @property
    def revision(self) -> int:
        with reading(self.engine) as connection:
            return rows.revision_of(connection)

    def issued_for(self, site: str, door: str) -> Iterator[Issued]:
        """Everybody whom that door must know, in one consistent view that lasts as long as they are gone through."""
        with self.view() as connection:
            profiles = frozenset(rules_for(rows.book_from(connection), site, door, 0).profiles)
            yield from issued(connection, self.vault, profiles, self.clock.wall())

    @contextmanager
    def glance(self) -> Iterator[Glance]:
        """What changed, all of it as it was at one moment."""
        with self.view() as connection:
            yield Glance(connection, self.vault, self.clock.wall())

    def forget_changes(self, revision: int) -> None:
        """No bundle is older than that."""
        with writing(self.engine) as connection:
            changes.forget(connection, revision)

    def rules_for(self, site: str, door: str, version: int) -> AccessRules:
        return rules_for(self.book(), site, door, version)

    def doors(self) -> list[DoorEntry]:
        with reading(self.engine) as connection:
            return rows.doors_from(connection)

    def book(self) -> RuleBook:
        with reading(self.engine) as connection:
            return rows.book_from(connection)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Called after each commit that doors must know of, from whatever thread made or noticed it; it may not take long."""
        self._listeners.append(callback)

    def start(self) -> None:
        """Begin to watch for what other programs change, and for doors that are enrolled or taken away. Raises ConfigError."""
        if self._registry is not None:
            self.sync_doors("centre", self._registry.doors())
        self._rung = self.revision
        self._thread = threading.Thread(target=self._watch, name="people", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    # one person

    def person(self, id: str) -> Dossier:
        """Raises PeopleError (not_found)."""
        with reading(self.engine) as connection:
            return self._dossier(connection, id)

    def is_seen(self, id: str, sites: Collection[str]) -> bool:
        """Whether an account of these sites may see somebody: they may pass there. No sites: everybody."""
        with reading(self.engine) as connection:
            seen = in_sight(connection, sites)
            return connection.execute(select(CARDHOLDERS.c.id).where(CARDHOLDERS.c.id == id, seen)).first() is not None

    def name_of(self, id: str) -> str:
        """As people know them; the id itself where nobody has it (any more)."""
        with reading(self.engine) as connection:
            return connection.execute(select(CARDHOLDERS.c.name).where(CARDHOLDERS.c.id == id)).scalar() or id

    def names_of(self, ids: Collection[str]) -> dict[str, str]:
        """Of those who are there. Raises StoreError."""
        wanted, found = sorted(ids), dict[str, str]()
        with reading(self.engine) as connection:
            for begin in range(0, len(wanted), AT_ONCE):
                some = CARDHOLDERS.c.id.in_(wanted[begin : begin + AT_ONCE])
                for id, name in connection.execute(select(CARDHOLDERS.c.id, CARDHOLDERS.c.name).where(some)):
                    found[id] = name
        return found

    def add(self, who: str, person: Person, pins: Pins = NO_PINS) -> Dossier:
        """Raises PeopleError."""
        person = self._fit(person, pins)
        with self.changing(who) as change:
            if rows.persons(change.connection, [person.id]):
                raise PeopleError("taken", f"cardholder {person.id!r} is there already")
            change.connection.execute(insert(CARDHOLDERS), rows.new_row(person, change.now))
            self._put_rest(change, person, pins)
            change.for_people([person.id])
            change.on_record("people.added", person.id, {"visitor": person.visitor, "profiles": person.profiles})
            return self._dossier(change.connection, person.id)

    def change(self, who: str, id: str, fields: Mapping[str, Any], pins: Pins = NO_PINS) -> Dossier:
        """Change the given fields of a Person and leave the others. Raises PeopleError."""
        with self.changing(who) as change:
            before = self._dossier(change.connection, id).person
            person = self._fit(msgspec.structs.replace(before, **fields), pins)
            changed = [name for name in Person.__struct_fields__ if getattr(before, name) != getattr(person, name)]
            changed += [name for name in Pins.__struct_fields__ if getattr(pins, name) is not None]
            if changed:
                table = CARDHOLDERS
                change.connection.execute(update(table).where(table.c.id == id).values(**rows.person_row(person)))
                self._put_rest(change, person, pins)
                if not {*changed} <= {"name", "notes"}:
                    change.for_people([id])
                change.on_record("people.changed", id, {"fields": changed, "suspended": person.suspended})
            return self._dossier(change.connection, id)

    def fresh_id(self) -> str:
        """An id that nobody has and that says nothing."""
        return f"c-{secrets.token_hex(6)}"

    def delete(self, who: str, id: str) -> dict[str, int]:
        """A person with credentials, templates and consents; fobs that are lost, stolen or revoked stay known as such, as nobody's."""
        with self.changing(who) as change:
            self._dossier(change.connection, id)
            change.for_people([id])
            removed = remove_person(change.connection, id)
            change.on_record("people.deleted", id, dict(removed))
            return removed

    # credentials

    def issue(self, who: str, id: str, held: Held) -> Dossier:
        """Give somebody a credential. Raises PeopleError when somebody has it, or it is lost, stolen or revoked."""
        if faults := faults_of_held(held):
            raise unfit(faults)
        with self.changing(who) as change:
            mine = self._dossier(change.connection, id).credentials
            if len(mine) >= MOST_CREDENTIALS:
                raise PeopleError("unfit", f"cardholder {id!r} has {len(mine)} credentials; at most {MOST_CREDENTIALS}")
            self._refuse_taken(change.connection, held.key)
            change.connection.execute(insert(CREDENTIALS), credential_row(id, held, change.now))
            change.for_credentials([held.key])
            change.on_record("credential.issued", id, {"key": held.key})
            return self._dossier(change.connection, id)

    def mark(self, who: str, key: str, state: State) -> None:
        """Say that a credential is lost, stolen or revoked, or in use again. Raises PeopleError."""
        with self.changing(who) as change:
            before = self._credential(change.connection, key)
            if before.cardholder is None and state == "active":
                raise PeopleError("blocked", f"credential {key!r} belongs to nobody any more: take it back, then issue it anew")
            if before.state == state:
                return
            table = CREDENTIALS
            change.connection.execute(update(table).where(table.c.key == key).values(state=state, changed=change.now))
            change.for_credentials([key])
            change.on_record(f"credential.{state}", before.cardholder or "", {"key": key, "before": before.state})

    def give_back(self, who: str, key: str) -> None:
        """The fob is here again and nobody's: it can be issued anew, whatever was said of it. Raises PeopleError."""
        with self.changing(who) as change:
            before = self._credential(change.connection, key)
            change.connection.execute(delete(CREDENTIALS).where(CREDENTIALS.c.key == key))
            change.for_credentials([key])
            change.on_record("credential.returned", before.cardholder or "", {"key": key, "before": before.state})

    # rules

    def put_profile(self, who: str, profile: AccessProfile, *, new: bool = False) -> None:
        """`new`: one of that id that is there already is left as it is, and refused. Raises PeopleError."""
        self._put_rule(who, "profile", profile.id, profile, new)

    def put_schedule(self, who: str, schedule: Schedule, *, new: bool = False) -> None:
        self._put_rule(who, "schedule", schedule.id, schedule, new)

    def put_calendar(self, who: str, calendar: Calendar, *, new: bool = False) -> None:
        self._put_rule(who, "calendar", calendar.id, calendar, new)

    def drop_rule(self, who: str, kind: str, id: str) -> None:
        """Raises PeopleError where somebody or something still follows it."""
        table = RULE_TABLES[kind]
        if not ID.fullmatch(id):
            raise PeopleError("not_found", f"there is no {kind} {id[:80]!r}")
        with self.changing(who) as change:
            if kind == "profile" and (holder := rows.has_profile(change.connection, id)):
                raise PeopleError("in_use", f"profile {id!r} is still of cardholder {holder!r}")
            if not change.connection.execute(delete(table).where(table.c.id == id)).rowcount:
                raise PeopleError("not_found", f"there is no {kind} {id[:80]!r}")
            self._check_book(change.connection, "in_use")
            change.for_rules()
            change.on_record(f"{kind}.deleted", id, {})

    def put_door(self, who: str, site: str, door: str, name: str, public_key: bytes) -> None:
        """A door that gets bundles from now on, or its new key. Its own rules stay. Raises PeopleError."""
        _check_door(site, door, name, public_key)
        with self.changing(who) as change:
            _put_door(change, DoorEntry(site=site, door=door, name=name, public_key=public_key))

    def sync_doors(self, who: str, registered: Iterable[Registered]) -> None:
        """Know exactly these doors: one that is new or has another key gets bundles from now on, one that is gone gets none any more."""
        wanted = {(each.site, each.door): each for each in registered}
        with reading(self.engine) as connection:
            known = {(each.site, each.door): each for each in rows.doors_from(connection)}
        fresh = [each for at, each in wanted.items() if at not in known or not _same_door(known[at], each)]
        gone = [at for at in known if at not in wanted]
        if not (fresh or gone):
            return
        with self.changing(who) as change:
            for each in fresh:
                _check_door(each.site, each.door, each.name, each.public_key)
                _put_door(change, each)
            for site, door in gone:
                _drop_door(change, site, door)

    def put_entry(self, who: str, site: str, door: str, entry: DoorAccess) -> None:
        """The rules of a door for everybody. Raises PeopleError."""
        if not LEVEL.fullmatch(site) or not LEVEL.fullmatch(door):
            raise PeopleError("not_found", f"there is no door {site[:50]!r}/{door[:50]!r}")
        table = ACCESS_DOORS
        with self.changing(who) as change:
            here = update(table).where(table.c.site == site, table.c.door == door).values(entry=entry)
            if not change.connection.execute(here).rowcount:
                raise PeopleError(
                    "not_found", f"there is no door {site[:50]}/{door[:50]}: `doorward central enrol-door` makes it one"
                )
            self._check_book(change.connection, "unfit")
            change.for_rules()
            change.on_record("door.rules", f"{site}/{door}", {"entry": msgspec.to_builtins(entry)})

    def drop_door(self, who: str, site: str, door: str) -> None:
        """It gets no bundles any more. Raises PeopleError."""
        with self.changing(who) as change:
            if not _drop_door(change, site, door):
                raise PeopleError("not_found", f"there is no door {site[:50]}/{door[:50]}")

    # within

    @contextmanager
    def changing(self, who: str) -> Iterator[Change]:
        """One transaction with its records; whoever listens is rung when it is on the disk. One change at a time, over all programs."""
        with writing(self.engine) as connection:
            rows.advance(connection, 0)
            change = Change(connection, self.clock.wall())
            try:
                yield change
            except IntegrityError as error:  # checked before; this is who comes in between
                raise PeopleError("changed_meanwhile", "somebody else has changed that at this moment: try again") from error
            if change.for_doors:
                changes.note(connection, rows.advance(connection, 1), change.concerned)
            change.write_to(self.audit, who)
        if change.for_doors:
            self._ring()

    def _ring(self) -> None:
        with self._lock:
            self._rung = max(self._rung, self.revision)
        for listener in self._listeners:
            listener()

    def _watch(self) -> None:
        polls = 0
        while not self._ending.wait(POLL_S):
            polls += 1
            try:
                if self._registry is not None and polls % DOORS_EVERY == 0:
                    self.sync_doors("centre", self._registry.doors())
                if self.revision > self._rung:
                    self._ring()
            except (StoreError, ConfigError, PeopleError) as error:
                log.error("people: what others have changed cannot be read: %s", error)

    @contextmanager
    def view(self) -> Iterator[Connection]:
        """Several questions that see the same moment: so SQLite reads anyway, and PostgreSQL when it is told to."""
        one_moment = self.engine.dialect.name == "postgresql"
        engine = self.engine.execution_options(isolation_level="REPEATABLE READ") if one_moment else self.engine
        with reading(engine) as connection:
            yield connection

    def _try_key(self) -> None:
        with writing(self.engine) as connection:
            kept = connection.execute(select(PEOPLE_STATE.c.sealed).where(PEOPLE_STATE.c.name == VAULT_ROW)).scalar()
            if kept is None:
                sealed = self.vault.seal("check", "", VAULT_WORD)
                connection.execute(insert(PEOPLE_STATE).values(name=VAULT_ROW, number=0, sealed=sealed))
                return
        try:
            self.vault.open("check", "", kept)
        except VaultError as error:
            raise ConfigError("people.key is not the one that this database's templates and PINs were sealed with: "
                              "bring the right file back into the folder of keys") from error  # fmt: skip

    def _dossier(self, connection: Connection, id: str) -> Dossier:
        found = rows.dossier(connection, id)
        if found is None:
            raise nobody(id)
        return found

    def _credential(self, connection: Connection, key: str) -> Any:
        is_one = not [*faults_of_key(key)]
        found = connection.execute(select(CREDENTIALS).where(CREDENTIALS.c.key == key)).first() if is_one else None
        if found is None:
            raise PeopleError("not_found", f"credential {key[:80]!r} was issued to nobody")
        return found

    def _refuse_taken(self, connection: Connection, key: str) -> None:
        found = connection.execute(select(CREDENTIALS).where(CREDENTIALS.c.key == key)).first()
        if found is None:
            return
        if found.cardholder is None:
            raise PeopleError("blocked", f"credential {key!r} was reported {found.state} by somebody who is gone: "
                                         "take it back first, if it is really here")  # fmt: skip
        raise PeopleError("taken", f"credential {key!r} belongs to cardholder {found.cardholder!r}")

    def _fit(self, person: Person, pins: Pins) -> Person:
        person = tidied(person)
        if faults := [*faults_of_person(person), *faults_of_pins(pins)]:
            raise unfit(faults)
        return person

    def _put_rest(self, change: Change, person: Person, pins: Pins) -> None:
        """Profiles and PINs."""
        known = rows.book_from(change.connection).profiles
        if missing := [profile for profile in person.profiles if profile not in known]:
            raise PeopleError(
                "unfit", f"there is no profile {missing[0][:80]!r}; known: {', '.join(sorted(known)[:20]) or 'none'}"
            )
        rows.put_profiles(change.connection, {person.id: person.profiles})
        if sealed := sealed_pins(self.vault, person.id, pins):
            change.connection.execute(update(CARDHOLDERS).where(CARDHOLDERS.c.id == person.id).values(**sealed))

    def _put_rule(self, who: str, kind: str, id: str, rule: Any, new: bool) -> None:
        with self.changing(who) as change:
            if new and id in getattr(rows.book_from(change.connection), f"{kind}s"):
                raise PeopleError("taken", f"{kind} {id[:80]!r} is there already: choose another id")
            rows.put_rule(change.connection, RULE_TABLES[kind], id, rule)
            self._check_book(change.connection, "unfit")
            change.for_rules()
            change.on_record(f"{kind}.changed", id, {})

    def _check_book(self, connection: Connection, code: Any) -> None:
        if faults := faults_of_book(rows.book_from(connection)):
            raise PeopleError(code, "; ".join(faults))


RULE_TABLES = {"profile": ACCESS_PROFILES, "schedule": SCHEDULES, "calendar": CALENDARS}


def _check_door(site: str, door: str, name: str, public_key: bytes) -> None:
    if not LEVEL.fullmatch(site) or not LEVEL.fullmatch(door) or len(name) > 200 or len(public_key) != 32:
        raise PeopleError("unfit", f"door {site[:50]!r}/{door[:50]!r}: site and door are 1 to 40 of a-z, 0-9, _ and -; "
                                   "name at most 200 characters; public key 32 bytes")  # fmt: skip


def _same_door(one: Registered, other: Registered) -> bool:
    return (one.name, one.public_key) == (other.name or other.door, other.public_key)


def _put_door(change: Change, told: Registered) -> None:
    table, values = ACCESS_DOORS, {"name": told.name or told.door, "public_key": told.public_key}
    here = update(table).where(table.c.site == told.site, table.c.door == told.door)
    if not change.connection.execute(here.values(**values)).rowcount:
        change.connection.execute(insert(table).values(site=told.site, door=told.door, entry=DoorAccess(), **values))
    change.for_rules()
    change.on_record("door.registered", f"{told.site}/{told.door}", {"key": told.public_key.hex()})


def _drop_door(change: Change, site: str, door: str) -> bool:
    table = ACCESS_DOORS
    if not change.connection.execute(delete(table).where(table.c.site == site, table.c.door == door)).rowcount:
        return False
    change.for_rules()
    change.on_record("door.removed", f"{site}/{door}", {})
    return True


def credential_row(id: str, held: Held, now: datetime) -> dict[str, Any]:
    return {**msgspec.structs.asdict(held), "cardholder": id, "issued": now, "changed": now}


def sealed_pins(vault: Vault, id: str, pins: Pins) -> dict[str, bytes | None]:
    """Columns of `cardholders` for the PINs that are to change."""
    told = {"pin": pins.pin, "duress_pin": pins.duress_pin}
    return {what: vault.seal(what, id, digits.encode()) if digits else None  # type: ignore[arg-type]
            for what, digits in told.items() if digits is not None}  # fmt: skip


def remove_person(connection: Connection, id: str) -> dict[str, int]:
    """How many rows went, by table."""
    barred = (CREDENTIALS.c.cardholder == id) & (CREDENTIALS.c.state != "active")
    kept = connection.execute(update(CREDENTIALS).where(barred).values(cardholder=None)).rowcount
    removed = {table.name: connection.execute(delete(table).where(table.c.cardholder == id)).rowcount
               for table in (CREDENTIALS, TEMPLATES, CONSENTS, CARDHOLDER_PROFILES)}  # fmt: skip
    connection.execute(delete(CARDHOLDERS).where(CARDHOLDERS.c.id == id))
    return {**removed, "credentials_kept_barred": kept}
