"""Everything that is held on a person, as one file: a page to read, which needs nothing beside itself, or JSON (GDPR Art. 15 and 20).

Templates are told as facts (how many, when, by which network), and in JSON also as they are. A PIN is told as set or not set: it is a secret
that its owner knows, and a file is read by more people than its owner.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, or_, select

from agent.core.event_words import plain_sentence
from central.database.tables_accounts import AUDIT
from central.database.tables_events import EVENTS
from central.database.tables_people import CONSENT_TEXTS, CONSENTS, CREDENTIALS, ERASURES, TEMPLATES
from central.people.people import People
from central.people.records import Dossier
from central.people.rows import dossier
from central.people.trouble import nobody

MOST_EVENTS, MOST_AUDIT = 200_000, 20_000


class Fob(Struct, frozen=True, kw_only=True):
    key: str
    state: str
    issued: datetime
    changed: datetime
    valid_from: datetime | None
    valid_until: datetime | None
    duress: bool


class Face(Struct, frozen=True, kw_only=True):
    """A template. `numbers` are float32 little-endian, base64 in JSON."""

    made: datetime
    network: str
    pose: str
    quality: float
    numbers: bytes


class Consent(Struct, frozen=True, kw_only=True):
    what: str
    edition: str
    text: str
    signed_name: str
    signature_png: bytes | None
    given: datetime
    seen_by: str
    withdrawn: datetime | None


class Happened(Struct, frozen=True, kw_only=True):
    at: datetime
    site: str
    door: str
    kind: str
    sentence: str
    data: Any


class Done(Struct, frozen=True, kw_only=True):
    """From the audit log: what somebody did with this person's data, looking at it included."""

    at: datetime
    who: str
    what: str
    about: str
    details: Any


class Everything(Struct, frozen=True, kw_only=True):
    made: datetime
    record: Dossier
    credentials: tuple[Fob, ...]
    templates: tuple[Face, ...]
    consents: tuple[Consent, ...]
    revocations: tuple[Any, ...]
    events: tuple[Happened, ...]
    """Oldest first."""
    audit: tuple[Done, ...]


def collect(people: People, id: str) -> Everything:
    """As of one moment. Raises PeopleError for nobody."""
    with people.view() as connection:
        record = dossier(connection, id)
        if record is None:
            raise nobody(id)
        audit = _audit(connection, id, [held.key for held in record.credentials])
        return Everything(
            made=people.clock.wall(), record=record, credentials=tuple(_fobs(connection, id)),
            templates=tuple(_faces(connection, people, id)), consents=tuple(_consents(connection, people, id)),
            revocations=tuple(_revocations(connection, id)), events=tuple(_events(connection, id)), audit=tuple(audit),
        )  # fmt: skip


def _fobs(connection: Connection, id: str) -> Iterable[Fob]:
    rows = connection.execute(select(CREDENTIALS).where(CREDENTIALS.c.cardholder == id).order_by(CREDENTIALS.c.issued))
    return [Fob(**{name: getattr(row, name) for name in Fob.__struct_fields__}) for row in rows]


def _faces(connection: Connection, people: People, id: str) -> Iterable[Face]:
    rows = connection.execute(select(TEMPLATES).where(TEMPLATES.c.cardholder == id).order_by(TEMPLATES.c.n))
    return [Face(made=row.made, network=row.embedder_id, pose=row.pose, quality=row.quality,
                 numbers=people.vault.open("template", id, row.sealed)) for row in rows]  # fmt: skip


def _consents(connection: Connection, people: People, id: str) -> Iterable[Consent]:
    table, texts = CONSENTS, CONSENT_TEXTS
    joined = select(table, texts.c.text).join(texts, texts.c.sha256 == table.c.text_sha256)
    for row in connection.execute(joined.where(table.c.cardholder == id).order_by(table.c.n)):
        drawn = None if row.signature is None else people.vault.open("signature", id, row.signature)
        yield Consent(what=row.what, edition=row.edition, text=row.text, signed_name=row.signed_name, signature_png=drawn,
                      given=row.given, seen_by=row.witness, withdrawn=row.withdrawn)  # fmt: skip


def _revocations(connection: Connection, id: str) -> Iterable[dict[str, Any]]:
    rows = connection.execute(select(ERASURES).where(ERASURES.c.cardholder == id).order_by(ERASURES.c.n))
    return [{"what": row.what, "asked": row.asked, "removed": row.removed, "proven": row.proven} for row in rows]


def _events(connection: Connection, id: str) -> Iterable[Happened]:
    table = EVENTS
    for row in connection.execute(select(table).where(table.c.person == id).order_by(table.c.n).limit(MOST_EVENTS)):
        data = row.data if isinstance(row.data, dict) else {}
        yield Happened(
            at=row.at, site=row.site, door=row.door, kind=row.kind, sentence=plain_sentence(row.kind, data), data=row.data
        )


def _audit(connection: Connection, id: str, keys: Sequence[str]) -> Iterable[Done]:
    """Rows about this person: by id, by what lies below it in a path, and by their credentials."""
    about = AUDIT.c.about
    mine = or_(about == id, about.startswith(f"{id}/", autoescape=True), about.in_(keys))
    for row in connection.execute(select(AUDIT).where(mine).order_by(AUDIT.c.n).limit(MOST_AUDIT)):
        yield Done(at=row.at, who=row.who, what=row.what, about=row.about, details=msgspec.json.decode(row.details))


# -- the page ----------------------------------------------------------------------------------------------------------------------

_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}
table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;
border-bottom:1px solid #ccc}pre{white-space:pre-wrap;background:#f4f4f4;padding:1rem}img{max-width:20rem;border:1px solid #ccc}
@media print{body{margin:0}}"""


def page(everything: Everything) -> str:
    """HTML that needs nothing from anywhere; whatever people have typed in is shown as text."""
    person = everything.record.person
    fobs = (
        (each.key, each.state, _when(each.issued), _span(each.valid_from, each.valid_until)) for each in everything.credentials
    )
    faces = (
        (_when(each.made), each.pose, f"{each.quality:.2f}", each.network, str(len(each.numbers) // 4))
        for each in everything.templates
    )
    taken_back = ((_when(each["asked"]), each["what"], _when(each["proven"])) for each in everything.revocations)
    events = ((_when(each.at), f"{each.site}/{each.door}", each.sentence) for each in everything.events)
    audit = ((_when(each.at), each.who, each.what, each.about) for each in everything.audit)
    parts = [
        f"<h1>What is held on {escape(person.name)}</h1>",
        f"<p>Made on {_when(everything.made)} (all times in UTC). A template is some hundred numbers worked out of pictures, which were not "
        "kept; the numbers themselves are in the JSON form of this file.</p>",
        _section("Record", (), _record(everything.record)),
        _section("Fobs and cards", ("Number", "State", "Issued", "Valid"), fobs),
        _section("Face templates", ("Made", "Head", "Quality", "Network", "Numbers"), faces),
        *_signed(everything.consents),
        _section("Consent taken back, templates erased", ("Asked", "What", "Gone from every door since"), taken_back),
        _section("At the doors", ("When", "Where", "What"), events),
        _section("Who did what with this data", ("When", "Who", "What", "About"), audit),
    ]
    head = f'<meta charset="utf-8"><title>Everything on {escape(person.id)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _span(begin: datetime | None, end: datetime | None) -> str:
    return f"{_when(begin)} to {_when(end)}"


def _record(record: Dossier) -> list[tuple[str, str]]:
    person = record.person
    yes = {True: "yes", False: "no"}
    return [
        ("Id", person.id), ("Name", person.name), ("Access profiles", ", ".join(person.profiles) or "none"),
        ("Visitor", yes[person.visitor]), ("Suspended", yes[person.suspended]),
        ("Valid", _span(person.valid_from, person.valid_until)), ("Longer opening", yes[person.extended_opening]),
        ("Passes a lock-down", yes[person.passes_lockdown]), ("Free of anti-passback", yes[person.free_of_passback]),
        ("PIN", "set" if record.has_pin else "none"), ("Duress PIN", "set" if record.has_duress_pin else "none"),
        ("Agreed to norms of their own", yes[record.norms_consent]), ("Notes", person.notes or "none"), ("Here since", _when(record.added)),
        ("Read at a door last", _when(record.last_read)),
    ]  # fmt: skip


def _signed(consents: Sequence[Consent]) -> Iterable[str]:
    head = ("For", "Signed", "By", "Edition", "Seen by", "Taken back")
    rows = (
        (each.what, _when(each.given), each.signed_name, each.edition, each.seen_by, _when(each.withdrawn)) for each in consents
    )
    yield _section("Consents", head, rows)
    for text in dict.fromkeys(each.text for each in consents):
        yield f"<h3>What was signed</h3><pre>{escape(text)}</pre>"
    for drawn in (each.signature_png for each in consents if each.signature_png):
        yield f'<img alt="drawn signature" src="data:image/png;base64,{base64.b64encode(drawn).decode()}">'


def _section(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    heads = "".join(f"<th>{escape(word)}</th>" for word in head)
    body = f"<table>{f'<tr>{heads}</tr>' if heads else ''}{lines}</table>" if lines else "<p>Nothing.</p>"
    return f"<h2>{escape(title)}</h2>{body}"


def _when(at: datetime | None) -> str:
    return "–" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"
