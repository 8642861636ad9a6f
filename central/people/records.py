"""What the centre keeps of people, and what is allowed in it. Pure: checks give sentences that name the field and what may stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from agent.core.access import DoorAccess
from agent.core.formats import FORMATS, RAW_LEAST_BITS, RAW_MOST_BITS, WiegandFormat, raw_format
from agent.core.messages import credential_key
from agent.core.people import Moment

State = Literal["active", "lost", "stolen", "revoked"]
STATES: tuple[State, ...] = ("active", "lost", "stolen", "revoked")
MOST_PROFILES, MOST_TEMPLATES, MOST_CREDENTIALS = 32, 10, 64
"""Of one person. A bundle's record takes 16 KiB, about sixty templates (agent/records/people_file.py)."""
MOST_NAME, MOST_NOTES = 200, 2000
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ID_ALLOWED = "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', beginning with a letter or digit"
LEVEL = re.compile(r"[a-z0-9_-]{1,40}")
_LINE, _LINES = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]"), re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
PIN = re.compile(r"[0-9]{4,12}")

SERIAL_FORMATS: dict[str, tuple[int, int]] = {"EM4100": (8, 32), "iso14443a": (24, 56), "line": (0, 64), "line-hex": (0, 64)}
"""Format names of readers that are no Wiegand (agent/core): bits of facility code and card number."""


class Person(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cardholder as the centre knows them. The id goes to doors and into events: choose one that does not tell the name."""

    id: str
    name: str
    profiles: tuple[str, ...] = ()
    visitor: bool = False
    suspended: bool = False
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    extended_opening: bool = False
    passes_lockdown: bool = False
    free_of_passback: bool = False
    notes: str = ""


class Held(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A credential as it was issued."""

    key: str
    state: State = "active"
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    duress: bool = False


class Pins(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """New PINs: None leaves what is there, an empty one takes it away."""

    pin: str | None = None
    duress_pin: str | None = None


NO_PINS = Pins()


class Dossier(Struct, frozen=True, kw_only=True):
    """A person with what belongs to them, without anything secret."""

    person: Person
    credentials: tuple[Held, ...]
    templates: int
    has_pin: bool
    has_duress_pin: bool
    norms_consent: bool
    added: datetime
    last_read: datetime | None
    """When a door told of them last, as of some minutes ago."""


class Row(Struct, frozen=True, kw_only=True):
    """A line of the list of people."""

    id: str
    name: str
    visitor: bool
    suspended: bool
    profiles: tuple[str, ...]
    credentials: int
    enrolled: bool
    valid_until: datetime | None


class DoorEntry(Struct, frozen=True, kw_only=True):
    """A door that gets bundles."""

    site: str
    door: str
    name: str
    public_key: bytes
    """X25519, 32 bytes."""
    entry: DoorAccess = DoorAccess()


def tidied(person: Person) -> Person:
    """Without blanks around its words, and its profiles in the alphabet's order, each once."""
    notes = person.notes.replace("\r\n", "\n").replace("\r", "\n").strip()
    return replace(person, name=person.name.strip(), notes=notes, profiles=tuple(sorted(set(person.profiles))))


def faults_of_person(person: Person) -> list[str]:
    """What may not be so, in words; empty when all is well. Whether its profiles exist is for the database to say."""
    return [
        *_faults_of_words(person),
        *_faults_of_profiles(person.profiles),
        *_span_faults(person.valid_from, person.valid_until),
    ]


def _faults_of_words(person: Person) -> Iterator[str]:
    if not ID.fullmatch(person.id):
        yield f"id {person.id[:80]!r}: {ID_ALLOWED}"
    yield from faults_of_text("name", person.name, 1, MOST_NAME)
    yield from faults_of_text("notes", person.notes, 0, MOST_NOTES, lines=True)


def _faults_of_profiles(profiles: Sequence[str]) -> Iterator[str]:
    if len(profiles) > MOST_PROFILES or len(set(profiles)) != len(profiles):
        yield f"profiles: each once, at most {MOST_PROFILES}"


def faults_of_text(field: str, text: str, least: int, most: int, *, lines: bool = False) -> Iterator[str]:
    """`lines`: it may have several, and tabs."""
    if not least <= len(text) <= most:
        yield f"{field} is {len(text)} characters long; allowed: {least} to {most}"
    elif text != text.strip():
        yield f"{field} begins or ends with a blank"
    elif (_LINES if lines else _LINE).search(text):
        yield f"{field} holds a control character"


def _span_faults(valid_from: datetime | None, valid_until: datetime | None) -> Iterator[str]:
    if valid_from is not None and valid_until is not None and valid_until <= valid_from:
        yield f"valid_until {valid_until.isoformat()} is not after valid_from {valid_from.isoformat()}"


def faults_of_held(held: Held) -> list[str]:
    return [*faults_of_key(held.key), *_span_faults(held.valid_from, held.valid_until)]


def faults_of_pins(pins: Pins) -> Iterator[str]:
    for field in ("pin", "duress_pin"):
        digits = getattr(pins, field)
        if digits and not PIN.fullmatch(digits):
            yield f"{field}: 4 to 12 digits"  # never the value itself: sentences are logged
    if pins.pin and pins.pin == pins.duress_pin:
        yield "duress_pin is the same as pin: every entry would call for help"


def faults_of_key(key: str) -> Iterator[str]:
    """Whether a reader could ever say this name of a credential (agent/core/messages.credential_key)."""
    form, _, numbers = key.partition(":")
    facility, _, card = numbers.partition(":")
    if not (_is_number(facility) and _is_number(card)):
        yield f"credential {key[:80]!r}: FORMAT:FACILITY:CARD with plain numbers, such as H10301:1:5283"
        return
    yield from faults_of_card(form, int(facility), int(card))


def faults_of_card(form: str, facility: int, card: int) -> Iterator[str]:
    """Whether a format has room for these numbers."""
    bits = _bits_of(form)
    if bits is None:
        known = ", ".join([*FORMATS, *SERIAL_FORMATS, f"raw-{RAW_LEAST_BITS} to raw-{RAW_MOST_BITS}"])
        yield f"format {form[:40]!r} is not known; allowed: {known}"
        return
    for field, number, room in (("facility", facility, bits[0]), ("card", card, bits[1])):
        if not 0 <= number < 1 << room:
            yield f"{field} {number}: format {form} allows 0 to {(1 << room) - 1}"


def key_of(form: str, facility: int, card: int) -> str:
    """The name of a card given by its numbers."""
    return credential_key(form, facility, card)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 20 and (text == "0" or text[0] != "0")


def _bits_of(form: str) -> tuple[int, int] | None:
    if form in SERIAL_FORMATS:
        return SERIAL_FORMATS[form]
    named = FORMATS.get(form) or _raw(form)
    return None if named is None else (named.facility[1] - named.facility[0], named.card[1] - named.card[0])


def _raw(form: str) -> WiegandFormat | None:
    """`raw-40` is a format where its length is one."""
    raw, _, length = form.partition("-")
    is_one = raw == "raw" and _is_number(length) and RAW_LEAST_BITS <= int(length) <= RAW_MOST_BITS
    return raw_format(int(length)) if is_one else None
