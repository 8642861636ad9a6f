"""Tables of the room 'accounts'."""

revision = "0002_accounts"
down_revision = "0001_events"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
