"""Updates: packages, what is ordered of each door, and roll-outs."""

import sqlalchemy as sa
from alembic import op

from central.database.types import Json, Moment

revision = "0009_updates"
down_revision = "0008_clocks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "update_packages",
        sa.Column("number", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("version", sa.String(60), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("size_b", sa.BigInteger, nullable=False),
        sa.Column("head", sa.LargeBinary, nullable=False),
        sa.Column("made", Moment, nullable=False),
        sa.Column("who", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_update_packages"),
        sqlite_autoincrement=True,
    )
    op.create_index("ux_update_packages_version", "update_packages", ["kind", "version"], unique=True)
    op.create_table(
        "update_orders",
        sa.Column("site", sa.String(40), nullable=False),
        sa.Column("door", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("serial", sa.BigInteger, nullable=False),
        sa.Column("made", Moment, nullable=False),
        sa.Column("package", sa.Integer),
        sa.Column("shadow", sa.Boolean, nullable=False),
        sa.Column("back", sa.Boolean, nullable=False),
        sa.Column("new_embedder", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("site", "door", "kind", name="pk_update_orders"),
    )
    op.create_table(
        "rollouts",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("package", sa.Integer, nullable=False),
        sa.Column("shadow", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("wave", sa.Integer, nullable=False),
        sa.Column("pace", Json, nullable=False),
        sa.Column("begun", Moment, nullable=False),
        sa.Column("changed", Moment, nullable=False),
        sa.Column("who", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rollouts"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "rollout_doors",
        sa.Column("rollout", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("site", sa.String(40), nullable=False),
        sa.Column("door", sa.String(40), nullable=False),
        sa.Column("wave", sa.Integer, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("serial", sa.BigInteger, nullable=False),
        sa.Column("since", Moment),
        sa.Column("before", sa.Integer, nullable=False),
        sa.Column("faults", Json, nullable=False),
        sa.PrimaryKeyConstraint("rollout", "site", "door", name="pk_rollout_doors"),
    )
    op.create_index("ix_rollout_doors_place", "rollout_doors", ["site", "door"])
