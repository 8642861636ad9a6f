"""Tables of the room 'places'."""

import sqlalchemy as sa
from alembic import op

from central.database.types import Json, Moment

revision = "0005_places"
down_revision = "0004_alerts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "maps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("picture_type", sa.Text(), nullable=False),
        sa.Column("picture", sa.LargeBinary(), nullable=False),
        sa.Column("doors", Json(), nullable=False),
        sa.Column("zones", Json(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("changed", Moment(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_maps"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_maps_site", "maps", ["site"])
