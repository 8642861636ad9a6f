"""Tables of the room 'live': who watched which door, when and why; and clips that were fetched, still sealed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, String, Table, Text

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

CLIPS = Table(
    "clips",
    METADATA,
    Column("event_n", BigInteger, primary_key=True, autoincrement=False),
    Column("site", String(40), nullable=False),
    Column("door", String(40), nullable=False),
    Column("event", String(100), nullable=False),
    Column("who", String(40), nullable=False),
    Column("fetched", Moment, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("ix_clips_fetched", "fetched"),
)
"""As the door sealed it: only with the centre's private key, which is not in the database, can anybody look at it. `who` fetched it."""
