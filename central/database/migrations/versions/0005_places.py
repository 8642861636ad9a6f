"""Tables of the room 'places'."""

revision = "0005_places"
down_revision = "0004_alerts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
