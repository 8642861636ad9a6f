"""Tables of the room 'events'. A database of Doorward 0.x, which had no migrations, is taken over with its rows."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from central.database.types import Json, Moment

revision = "0001_events"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
FORMER = ("events", "conflicts", "journals", "gaps", "unreadable")


def upgrade() -> None:
    is_former = _set_aside_former()
    _make_tables()
    if is_former:
        _take_over()


def _event_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("n", NUMBER, nullable=False),
        *_key(),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("received", Moment, nullable=False),
        sa.Column("mono_s", sa.Float, nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("alert", sa.Boolean, nullable=False),
    ]


def _key() -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in ("site", "door", "journal")]


def _make_tables() -> None:
    op.create_table(
        "events",
        *_event_columns(),
        sa.PrimaryKeyConstraint("n", name="pk_events"),
        sa.UniqueConstraint("site", "door", "journal", "sequence", name="uq_events_site_door_journal_sequence"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_at", "events", ["at"])
    op.create_index("ix_events_door", "events", ["site", "door", "n"])
    op.create_index("ix_events_site", "events", ["site", "n"])
    op.create_index("ix_events_person", "events", ["person", "n"])
    op.create_index("ix_events_kind", "events", ["kind", "n"])
    op.create_index("ix_events_id", "events", ["id"])
    op.create_index("ix_events_alert", "events", ["n"], sqlite_where=sa.text("alert = 1"), postgresql_where=sa.text("alert"))
    op.create_table(
        "conflicts",
        *_event_columns(),
        sa.PrimaryKeyConstraint("n", name="pk_conflicts"),
        sa.UniqueConstraint("site", "door", "journal", "sequence", "id", name="uq_conflicts_site_door_journal_sequence_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "journals",
        *_key(),
        sa.Column("highest", sa.BigInteger, nullable=False),
        sa.Column("first_heard", Moment, nullable=False),
        sa.Column("last_heard", Moment, nullable=False),
        sa.PrimaryKeyConstraint("site", "door", "journal", name="pk_journals"),
    )
    op.create_index("ix_journals_journal", "journals", ["journal"])
    op.create_table(
        "gaps",
        sa.Column("n", NUMBER, nullable=False),
        *_key(),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("noticed", Moment, nullable=False),
        sa.Column("closed", Moment),
        sa.PrimaryKeyConstraint("n", name="pk_gaps"),
        sqlite_autoincrement=True,
    )
    is_open = sa.text("closed IS NULL")
    op.create_index("ix_gaps_open", "gaps", ["site", "door", "journal"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "unreadable",
        sa.Column("n", NUMBER, nullable=False),
        sa.Column("received", Moment, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("n", name="pk_unreadable"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "usual",
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("door", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("hour", sa.SmallInteger, nullable=False, autoincrement=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("site", "door", "kind", "hour", name="pk_usual"),
    )
    op.create_table(
        "removals",
        sa.Column("ran_at", Moment, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("oldest", Moment, nullable=False),
        sa.Column("newest", Moment, nullable=False),
        sa.Column("keep_days", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("ran_at", "what", "kind", name="pk_removals"),
    )


# -- a database from before there were migrations (SQLite only) ----------------------------------------------------------------


def _set_aside_former() -> bool:
    bind = op.get_bind()
    if bind.dialect.name != "sqlite" or not sa.inspect(bind).has_table("events"):
        return False
    for index in ("events_by_time", "gaps_open"):
        bind.exec_driver_sql(f"DROP INDEX IF EXISTS {index}")
    for table in FORMER:
        bind.exec_driver_sql(f"ALTER TABLE {table} RENAME TO former_{table}")
    return True


def _us(column: str) -> str:
    """Times were text: 2026-03-02T08:30:00.000000+00:00."""
    return f"CAST(strftime('%s', substr({column}, 1, 19)) AS INTEGER) * 1000000 + CAST(substr({column}, 21, 6) AS INTEGER)"


_PERSON = "CASE WHEN json_type(data, '$.cardholder') = 'text' THEN json_extract(data, '$.cardholder') ELSE '' END"
_ALERT = (
    "CASE WHEN json_type(data, '$.risk.alert') = 'true' AND coalesce(json_type(data, '$.alert_held_back'), '') <> 'true'"
    " THEN 1 ELSE 0 END"
)
_EVENT = f"n, site, door, journal, sequence, id, kind, {_us('at')}, {_us('received')}, mono_s, data, {_PERSON}, {_ALERT}"
_HOUR = "(CAST(strftime('%w', substr(at, 1, 19)) AS INTEGER) + 6) % 7 * 24 + CAST(substr(at, 12, 2) AS INTEGER)"
_USUAL = f"site, door, kind, {_HOUR} AS hour, count(*)"
_MOVES = {
    "events": _EVENT,
    "conflicts": _EVENT,
    "journals": f"site, door, journal, highest, {_us('first_heard')}, {_us('last_heard')}",
    "gaps": f"n, site, door, journal, first, last, {_us('noticed')}, {_us('closed')}",
    "unreadable": f"n, {_us('received')}, topic, error, payload",
}


def _take_over() -> None:
    bind = op.get_bind()
    for table, columns in _MOVES.items():
        bind.exec_driver_sql(f"INSERT INTO {table} SELECT {columns} FROM former_{table}")  # noqa: S608  # all words are ours
    bind.exec_driver_sql(f"INSERT INTO usual SELECT {_USUAL} FROM former_events GROUP BY 1, 2, 3, 4")  # noqa: S608
    for table in FORMER:
        bind.exec_driver_sql(f"DROP TABLE former_{table}")
    bind.exec_driver_sql("PRAGMA user_version=0")
