"""Tables of the room 'live'."""

import sqlalchemy as sa
from alembic import op

from central.database.types import Moment

revision = "0006_live"
down_revision = "0005_places"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "live_sessions",
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("site", sa.String(40), nullable=False),
        sa.Column("door", sa.String(40), nullable=False),
        sa.Column("who", sa.String(40), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("unmasked", sa.Boolean, nullable=False),
        sa.Column("asked", Moment, nullable=False),
        sa.Column("answered", Moment),
        sa.Column("ended", Moment),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("session", name="pk_live_sessions"),
    )
    op.create_index("ix_live_sessions_door", "live_sessions", ["site", "door", "asked"])
    op.create_index("ix_live_sessions_ended", "live_sessions", ["ended"])
    op.create_table(
        "clips",
        sa.Column("event_n", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("site", sa.String(40), nullable=False),
        sa.Column("door", sa.String(40), nullable=False),
        sa.Column("event", sa.String(100), nullable=False),
        sa.Column("who", sa.String(40), nullable=False),
        sa.Column("fetched", Moment, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("event_n", name="pk_clips"),
    )
    op.create_index("ix_clips_fetched", "clips", ["fetched"])
