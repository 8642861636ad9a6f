"""Tables of the room 'people': cardholders, what was issued to them, where and when they may pass, and what they agreed to.

What is secret of a person (templates, PINs) lies here sealed only; see central/people/vault.py.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, Table, Text

from central.database.metadata import METADATA
from central.database.types import Json, Moment

CARDHOLDERS = Table(
    "cardholders", METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("sorted_as", Text, nullable=False),
    Column("visitor", Boolean, nullable=False),
    Column("suspended", Boolean, nullable=False),
    Column("valid_from", Moment),
    Column("valid_until", Moment),
    Column("extended_opening", Boolean, nullable=False),
    Column("passes_lockdown", Boolean, nullable=False),
    Column("free_of_passback", Boolean, nullable=False),
    Column("norms_consent", Boolean, nullable=False),
    Column("pin", LargeBinary),
    Column("duress_pin", LargeBinary),
    Column("notes", Text, nullable=False),
    Column("added", Moment, nullable=False),
    Column("last_read", Moment),
    Index(None, "sorted_as", "id"),
    Index(None, "suspended"),
)  # fmt: skip

"""`last_read`: when a door told of them last, kept beside the events because these are forgotten sooner than a template."""

CARDHOLDER_PROFILES = Table(
    "cardholder_profiles", METADATA,
    Column("cardholder", Text, ForeignKey("cardholders.id"), primary_key=True),
    Column("profile", Text, ForeignKey("access_profiles.id"), primary_key=True),
    Index(None, "profile", "cardholder"),
)  # fmt: skip

CREDENTIALS = Table(
    "credentials", METADATA,
    Column("key", Text, primary_key=True),
    Column("cardholder", Text, ForeignKey("cardholders.id")),
    Column("state", Text, nullable=False),
    Column("valid_from", Moment),
    Column("valid_until", Moment),
    Column("duress", Boolean, nullable=False),
    Column("issued", Moment, nullable=False),
    Column("changed", Moment, nullable=False),
    Index(None, "cardholder"),
    Index(None, "state", "cardholder"),
)  # fmt: skip
"""`cardholder` is NULL for a fob that is lost, stolen or revoked and whose holder was deleted: nobody is to be issued it by mistake."""

TEMPLATES = Table(
    "templates", METADATA,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("cardholder", Text, ForeignKey("cardholders.id"), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("embedder_id", Text, nullable=False),
    Column("quality", Float, nullable=False),
    Column("pose", Text, nullable=False),
    Column("made", Moment, nullable=False),
    Index(None, "cardholder", "n"),
)  # fmt: skip

CONSENT_TEXTS = Table(
    "consent_texts", METADATA,
    Column("sha256", Text, primary_key=True),
    Column("edition", Text, nullable=False),
    Column("text", Text, nullable=False),
)  # fmt: skip

CONSENTS = Table(
    "consents", METADATA,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("cardholder", Text, ForeignKey("cardholders.id"), nullable=False),
    Column("what", Text, nullable=False),
    Column("edition", Text, nullable=False),
    Column("text_sha256", Text, ForeignKey("consent_texts.sha256"), nullable=False),
    Column("signed_name", Text, nullable=False),
    Column("signature", LargeBinary),
    Column("given", Moment, nullable=False),
    Column("witness", Text, nullable=False),
    Column("withdrawn", Moment),
    Index(None, "cardholder", "n"),
)  # fmt: skip
"""`what` is 'face' or 'norms'. `signature` is a drawn one, sealed. What was signed is kept by its digest, whatever becomes of the edition."""

ERASURES = Table(
    "erasures", METADATA,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("cardholder", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("asked", Moment, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("removed", Json, nullable=False),
    Column("who", Text, nullable=False),
    Column("proven", Moment),
    Index(None, "cardholder"),
)  # fmt: skip
"""`what` is 'template' or 'person'. Proven when every door has confirmed a bundle of that revision or a later one."""

NORMS_WITHDRAWN = Table(
    "norms_withdrawn", METADATA,
    Column("cardholder", Text, primary_key=True),
    Column("at", Moment, nullable=False),
)  # fmt: skip
"""Whose own norms doors are to forget; without a reference, because they may be erased by then."""

ACCESS_PROFILES = Table(
    "access_profiles", METADATA,
    Column("id", Text, primary_key=True),
    Column("rule", Json, nullable=False),
)  # fmt: skip

SCHEDULES = Table(
    "schedules", METADATA,
    Column("id", Text, primary_key=True),
    Column("rule", Json, nullable=False),
)  # fmt: skip

CALENDARS = Table(
    "calendars", METADATA,
    Column("id", Text, primary_key=True),
    Column("rule", Json, nullable=False),
)  # fmt: skip

ACCESS_DOORS = Table(
    "access_doors", METADATA,
    Column("site", Text, primary_key=True),
    Column("door", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("entry", Json, nullable=False),
)  # fmt: skip

PEOPLE_CHANGES = Table(
    "people_changes", METADATA,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
)  # fmt: skip
"""Credentials that a revision concerned, and '' for everybody; see central/people/changes.py."""

PEOPLE_STATE = Table(
    "people_state", METADATA,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("sealed", LargeBinary),
)  # fmt: skip
"""'revision': how often what doors must know has changed. 'vault': a sealed word, by which a wrong key is known at the start.

'reads': up to which event `last_read` of cardholders is kept. 'changes_forgotten': up to which revision rows of `people_changes` are
gone. 'ended': up to which moment (microseconds since 1970) doors were told of whoever's time is over.
"""
