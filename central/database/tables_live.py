"""Tables of the room 'live': who watched which door, when and why."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, String, Table, Text

from central.database.metadata import METADATA
from central.database.types import Moment

LIVE_SESSIONS = Table(
    "live_sessions",
    METADATA,
    Column("session", String(64), primary_key=True),
    Column("site", String(40), nullable=False),
    Column("door", String(40), nullable=False),
    Column("who", String(40), nullable=False),
    Column("why", Text, nullable=False),
    Column("unmasked", Boolean, nullable=False),
    Column("asked", Moment, nullable=False),
    Column("answered", Moment),
    Column("ended", Moment),
    Column("outcome", Text, nullable=False),
    Index("ix_live_sessions_door", "site", "door", "asked"),
    Index("ix_live_sessions_ended", "ended"),
)
"""`asked` stands before the door hears of it; `answered` once the door has agreed; `ended` with `outcome`, why it is over."""
