"""Tables of the room 'alerts'."""

import sqlalchemy as sa
from alembic import op

from central.database.types import Json, Moment

revision = "0004_alerts"
down_revision = "0003_people"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _alerts()
    _devices()
    _deliveries()


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("site", sa.String(40), nullable=False),
        sa.Column("door", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("event_n", sa.BigInteger, nullable=False),
        sa.Column("next_at", Moment),
        sa.Column("quiet_until", Moment),
        sa.Column("newest_at", Moment, nullable=False),
        sa.Column("rest", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alerts_door", "alerts", ["site", "door", "subject", "id"])
    op.create_index("ix_alerts_state", "alerts", ["state", "id"])
    op.create_index("ix_alerts_next", "alerts", ["next_at"])
    op.create_table(
        "alert_cursors",
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_alert_cursors"),
    )


def _devices() -> None:
    op.create_table(
        "push_subscriptions",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("account", sa.String(40), nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("p256dh", sa.String(120), nullable=False),
        sa.Column("auth", sa.String(40), nullable=False),
        sa.Column("device", sa.String(120), nullable=False),
        sa.Column("made", Moment, nullable=False),
        sa.Column("answered", Moment),
        sa.Column("answer", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_push_subscriptions"),
        sa.UniqueConstraint("endpoint", name="uq_push_subscriptions_endpoint"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_push_subscriptions_account", "push_subscriptions", ["account"])
    op.create_table(
        "duty",
        sa.Column("account", sa.String(40), nullable=False),
        sa.Column("roster", Json, nullable=False),
        sa.Column("changed", Moment, nullable=False),
        sa.Column("by", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("account", name="pk_duty"),
    )


def _deliveries() -> None:
    op.create_table(
        "alert_deliveries",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("alert", sa.BigInteger, nullable=False),
        sa.Column("account", sa.String(40), nullable=False),
        sa.Column("subscription", sa.BigInteger),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("site", sa.String(40), nullable=False),
        sa.Column("door", sa.String(40), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("quiet", sa.Boolean, nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("made", Moment, nullable=False),
        sa.Column("due", Moment, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("answer", sa.String(200), nullable=False),
        sa.Column("done", Moment),
        sa.PrimaryKeyConstraint("id", name="pk_alert_deliveries"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alert_deliveries_state", "alert_deliveries", ["state", "due"])
    op.create_index("ix_alert_deliveries_account", "alert_deliveries", ["account", "made"])
    op.create_index("ix_alert_deliveries_alert", "alert_deliveries", ["alert"])
