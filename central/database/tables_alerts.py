"""Tables of the room 'alerts': what somebody has to know, what was sent to whom, their devices, and who is on duty."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from central.database.metadata import METADATA
from central.database.types import Json, Moment

ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts rows by itself only in a column that is called INTEGER."""

ALERTS = Table(
    "alerts",
    METADATA,
    Column("id", ROW_NUMBER, primary_key=True),
    Column("site", String(40), nullable=False),
    Column("door", String(40), nullable=False),
    Column("subject", String(80), nullable=False),
    Column("state", String(20), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("at", Moment, nullable=False),
    Column("event_n", BigInteger, nullable=False),
    Column("next_at", Moment),
    Column("quiet_until", Moment),
    Column("newest_at", Moment, nullable=False),
    Column("rest", Json, nullable=False),
    Index("ix_alerts_door", "site", "door", "subject", "id"),
    Index("ix_alerts_state", "state", "id"),
    Index("ix_alerts_next", "next_at"),
    sqlite_autoincrement=True,  # a number is in links and on telephones, and is never given twice
)
"""One for each door and subject until it is closed. `rest` holds the fields of central.alerts.alert.Alert that nobody searches by."""

ALERT_CURSORS = Table(
    "alert_cursors",
    METADATA,
    Column("name", String(20), primary_key=True),
    Column("n", BigInteger, nullable=False),
)
"""Up to which event alerts were made: moved in the transaction that writes them, so that none is lost or made twice."""

SUBSCRIPTIONS = Table(
    "push_subscriptions",
    METADATA,
    Column("id", ROW_NUMBER, primary_key=True),
    Column("account", String(40), nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("p256dh", String(120), nullable=False),
    Column("auth", String(40), nullable=False),
    Column("device", String(120), nullable=False),
    Column("made", Moment, nullable=False),
    Column("answered", Moment),
    Column("answer", String(200), nullable=False),
    UniqueConstraint("endpoint"),
    Index("ix_push_subscriptions_account", "account"),
    sqlite_autoincrement=True,
)
"""A browser that may be pushed to. `answer` is what its service said last."""

DELIVERIES = Table(
    "alert_deliveries",
    METADATA,
    Column("id", ROW_NUMBER, primary_key=True),
    Column("alert", BigInteger, nullable=False),
    Column("account", String(40), nullable=False),
    Column("subscription", BigInteger),
    Column("target", Text, nullable=False),
    Column("site", String(40), nullable=False),
    Column("door", String(40), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("quiet", Boolean, nullable=False),
    Column("payload", Json, nullable=False),
    Column("state", String(20), nullable=False),
    Column("made", Moment, nullable=False),
    Column("due", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("answer", String(200), nullable=False),
    Column("done", Moment),
    Index("ix_alert_deliveries_state", "state", "due"),
    Index("ix_alert_deliveries_account", "account", "made"),
    Index("ix_alert_deliveries_alert", "alert"),
    sqlite_autoincrement=True,
)
"""What has to be sent, has been, or was held back because a telephone rang too often. `target` is empty for a push; else which apprise
address, by its place in the settings: addresses hold passwords and stay there."""

DUTY = Table(
    "duty",
    METADATA,
    Column("account", String(40), primary_key=True),
    Column("roster", Json, nullable=False),
    Column("changed", Moment, nullable=False),
    Column("by", String(40), nullable=False),
)
"""central.alerts.routing.Duty of each account that has one."""
