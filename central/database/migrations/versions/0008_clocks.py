"""When it was: events of doors that did not know what time it was, and what their clocks turned out to be."""

import sqlalchemy as sa
from alembic import op

from central.database.types import Moment

revision = "0008_clocks"
down_revision = "0007_leading"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("events", "conflicts"):
        op.add_column(table, sa.Column("boot", sa.Text, nullable=False, server_default=""))
        op.add_column(table, sa.Column("clock", sa.Text, nullable=False, server_default=""))
        op.add_column(table, sa.Column("told_at", Moment))
    unsure = sa.text("clock = 'unsure'")
    op.create_index("ix_events_unsure", "events", ["site", "door", "boot"], sqlite_where=unsure, postgresql_where=unsure)
    op.create_table(
        "clocks",
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("door", sa.Text, nullable=False),
        sa.Column("boot", sa.Text, nullable=False),
        sa.Column("offset_us", sa.BigInteger, nullable=False),
        sa.Column("told", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("site", "door", "boot", name="pk_clocks"),
    )
