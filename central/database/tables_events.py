"""Tables of the room 'events': what doors told, what is missing of it, what is usual, and what was removed when its time was over."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from central.database.metadata import METADATA
from central.database.types import Json, Moment

ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts rows by itself only in a column that is called INTEGER."""

EVENTS = Table(
    "events",
    METADATA,
    Column("n", ROW_NUMBER, primary_key=True),
    Column("site", Text, nullable=False),
    Column("door", Text, nullable=False),
    Column("journal", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("received", Moment, nullable=False),
    Column("mono_s", Float, nullable=False),
    Column("data", Json, nullable=False),
    Column("person", Text, nullable=False),
    Column("alert", Boolean, nullable=False),
    Column("boot", Text, nullable=False, server_default=""),
    Column("clock", Text, nullable=False, server_default=""),
    Column("told_at", Moment),
    UniqueConstraint("site", "door", "journal", "sequence"),
    Index("ix_events_at", "at"),
    Index("ix_events_door", "site", "door", "n"),
    Index("ix_events_person", "person", "n"),
    Index("ix_events_kind", "kind", "n"),
    Index("ix_events_id", "id"),
    Index("ix_events_site", "site", "n"),
    Index(
        "ix_events_unsure",
        "site",
        "door",
        "boot",
        sqlite_where=text("clock = 'unsure'"),
        postgresql_where=text("clock = 'unsure'"),
    ),
    Index("ix_events_alert", "n", sqlite_where=text("alert = 1"), postgresql_where=text("alert")),
    sqlite_autoincrement=True,  # a number is never given twice, even after the newest rows were removed: others have read up to it
)
"""Every event once. `person` is the cardholder's id or '', `alert` whether somebody was to be told at once: both are in `data` as well.
`clock` is how far `at` may be believed and `told_at` what the clock there said, where it was something else (central/history/clocks.py)."""

CONFLICTS = Table(
    "conflicts",
    METADATA,
    Column("n", ROW_NUMBER, primary_key=True),
    Column("site", Text, nullable=False),
    Column("door", Text, nullable=False),
    Column("journal", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("received", Moment, nullable=False),
    Column("mono_s", Float, nullable=False),
    Column("data", Json, nullable=False),
    Column("person", Text, nullable=False),
    Column("alert", Boolean, nullable=False),
    Column("boot", Text, nullable=False, server_default=""),
    Column("clock", Text, nullable=False, server_default=""),
    Column("told_at", Moment),
    UniqueConstraint("site", "door", "journal", "sequence", "id"),
    sqlite_autoincrement=True,
)
"""Events whose number was taken by another event."""

JOURNALS = Table(
    "journals",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("door", Text, primary_key=True),
    Column("journal", Text, primary_key=True),
    Column("highest", BigInteger, nullable=False),
    Column("first_heard", Moment, nullable=False),
    Column("last_heard", Moment, nullable=False),
    Index("ix_journals_journal", "journal"),
)
"""How far each journal has counted. What is at or below `highest` and in no open gap was committed once."""

GAPS = Table(
    "gaps",
    METADATA,
    Column("n", ROW_NUMBER, primary_key=True),
    Column("site", Text, nullable=False),
    Column("door", Text, nullable=False),
    Column("journal", Text, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("noticed", Moment, nullable=False),
    Column("closed", Moment),
    Index(
        "ix_gaps_open", "site", "door", "journal", sqlite_where=text("closed IS NULL"), postgresql_where=text("closed IS NULL")
    ),
    sqlite_autoincrement=True,
)
"""Sequences that never came, both ends included."""

UNREADABLE = Table(
    "unreadable",
    METADATA,
    Column("n", ROW_NUMBER, primary_key=True),
    Column("received", Moment, nullable=False),
    Column("topic", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""Messages on an event topic that were no events."""

CLOCKS = Table(
    "clocks",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("door", Text, primary_key=True),
    Column("boot", Text, primary_key=True),
    Column("offset_us", BigInteger, nullable=False),
    Column("told", Boolean, nullable=False),
)
"""Wall minus monotonic time of each start of a door's machine that did not know the time: as the door told it, or the most it can be."""

USUAL = Table(
    "usual",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("door", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("hour", SmallInteger, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
)
"""How many events of a kind a door has told in each hour of the week (0: Monday 0 to 1 o'clock), since ever: of nobody in particular."""

REMOVALS = Table(
    "removals",
    METADATA,
    Column("ran_at", Moment, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("rows", BigInteger, nullable=False),
    Column("oldest", Moment, nullable=False),
    Column("newest", Moment, nullable=False),
    Column("keep_days", Integer, nullable=False),
)
"""What was removed because its time was over: from which table, how much of what kind, from when to when, by which rule. Never removed."""
