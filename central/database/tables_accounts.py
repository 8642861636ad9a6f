"""Tables of the room 'accounts': who may sign in, who is signed in, and what was done, in a hash chain."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, String, Table, Text

from central.database.metadata import METADATA
from central.database.types import Json, Moment

ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("name", String(40), primary_key=True),
    Column("shown", String(120), nullable=False),
    Column("role", String(20), nullable=False),
    Column("sites", Json, nullable=False),
    Column("password", Text, nullable=False),
    Column("totp", Text, nullable=False),
    Column("totp_step", BigInteger, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("made", Moment, nullable=False),
    Column("changed", Moment, nullable=False),
)
"""`password` is argon2's own text; `totp` the secret, sealed with a key that is not in the database (empty: no second factor);
`totp_step` the last time step whose code was taken, so that no code works twice."""

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("account", String(40), ForeignKey("accounts.name"), nullable=False, index=True),
    Column("born", Moment, nullable=False),
    Column("seen", Moment, nullable=False),
    Column("address", String(64), nullable=False),
)
"""`digest` is the SHA-256 of the token: whoever reads the database can use no session."""

AUDIT = Table(
    "audit",
    METADATA,
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False, index=True),
    Column("who", String(120), nullable=False),
    Column("what", String(120), nullable=False),
    Column("about", String(300), nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)
"""`details` is JSON as it was when the digest was taken, byte for byte."""

AUDIT_HEAD = Table(
    "audit_head",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("n", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
)
"""One row, number 1: where the chain ends."""
