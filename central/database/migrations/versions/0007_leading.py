"""Which centre is the active one."""

import sqlalchemy as sa
from alembic import op

from central.database.types import Moment

revision = "0007_leading"
down_revision = "0006_live"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leading",
        sa.Column("one", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("term", sa.BigInteger, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("since", Moment, nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_leading"),
    )
