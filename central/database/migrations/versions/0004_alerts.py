"""Tables of the room 'alerts'."""

revision = "0004_alerts"
down_revision = "0003_people"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
