"""Tables of the room 'live'."""

revision = "0006_live"
down_revision = "0005_places"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
