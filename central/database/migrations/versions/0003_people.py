"""Tables of the room 'people'."""

import sqlalchemy as sa
from alembic import op

from central.database.types import Json, Moment

revision = "0003_people"
down_revision = "0002_accounts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_doors",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("entry", Json(), nullable=False),
        sa.PrimaryKeyConstraint("site", "door", name=op.f("pk_access_doors")),
    )
    op.create_table(
        "access_profiles",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("rule", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_profiles")),
    )
    op.create_table(
        "calendars",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("rule", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendars")),
    )
    op.create_table(
        "cardholders",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sorted_as", sa.Text(), nullable=False),
        sa.Column("visitor", sa.Boolean(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("valid_from", Moment(), nullable=True),
        sa.Column("valid_until", Moment(), nullable=True),
        sa.Column("extended_opening", sa.Boolean(), nullable=False),
        sa.Column("passes_lockdown", sa.Boolean(), nullable=False),
        sa.Column("free_of_passback", sa.Boolean(), nullable=False),
        sa.Column("norms_consent", sa.Boolean(), nullable=False),
        sa.Column("pin", sa.LargeBinary(), nullable=True),
        sa.Column("duress_pin", sa.LargeBinary(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("added", Moment(), nullable=False),
        sa.Column("last_read", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cardholders")),
    )
    op.create_index(op.f("ix_cardholders_sorted_as_id"), "cardholders", ["sorted_as", "id"], unique=False)
    op.create_index(op.f("ix_cardholders_suspended"), "cardholders", ["suspended"], unique=False)
    op.create_table(
        "consent_texts",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("edition", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_consent_texts")),
    )
    op.create_table(
        "erasures",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("cardholder", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("asked", Moment(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("removed", Json(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("proven", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_erasures")),
    )
    op.create_index(op.f("ix_erasures_cardholder"), "erasures", ["cardholder"], unique=False)
    op.create_table(
        "norms_withdrawn",
        sa.Column("cardholder", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("cardholder", name=op.f("pk_norms_withdrawn")),
    )
    op.create_table(
        "people_changes",
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("revision", "key", name=op.f("pk_people_changes")),
    )
    op.create_table(
        "people_state",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_people_state")),
    )
    op.create_table(
        "schedules",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("rule", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
    )
    op.create_table(
        "cardholder_profiles",
        sa.Column("cardholder", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["cardholder"], ["cardholders.id"], name=op.f("fk_cardholder_profiles_cardholder")),
        sa.ForeignKeyConstraint(["profile"], ["access_profiles.id"], name=op.f("fk_cardholder_profiles_profile")),
        sa.PrimaryKeyConstraint("cardholder", "profile", name=op.f("pk_cardholder_profiles")),
    )
    op.create_index(
        op.f("ix_cardholder_profiles_profile_cardholder"), "cardholder_profiles", ["profile", "cardholder"], unique=False
    )
    op.create_table(
        "consents",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("cardholder", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("edition", sa.Text(), nullable=False),
        sa.Column("text_sha256", sa.Text(), nullable=False),
        sa.Column("signed_name", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.Column("given", Moment(), nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("withdrawn", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["cardholder"], ["cardholders.id"], name=op.f("fk_consents_cardholder")),
        sa.ForeignKeyConstraint(["text_sha256"], ["consent_texts.sha256"], name=op.f("fk_consents_text_sha256")),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_cardholder_n"), "consents", ["cardholder", "n"], unique=False)
    op.create_table(
        "credentials",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("cardholder", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("valid_from", Moment(), nullable=True),
        sa.Column("valid_until", Moment(), nullable=True),
        sa.Column("duress", sa.Boolean(), nullable=False),
        sa.Column("issued", Moment(), nullable=False),
        sa.Column("changed", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["cardholder"], ["cardholders.id"], name=op.f("fk_credentials_cardholder")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_credentials")),
    )
    op.create_index(op.f("ix_credentials_cardholder"), "credentials", ["cardholder"], unique=False)
    op.create_index(op.f("ix_credentials_state_cardholder"), "credentials", ["state", "cardholder"], unique=False)
    op.create_table(
        "templates",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("cardholder", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("embedder_id", sa.Text(), nullable=False),
        sa.Column("quality", sa.Float(), nullable=False),
        sa.Column("pose", sa.Text(), nullable=False),
        sa.Column("made", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["cardholder"], ["cardholders.id"], name=op.f("fk_templates_cardholder")),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_templates")),
    )
    op.create_index(op.f("ix_templates_cardholder_n"), "templates", ["cardholder", "n"], unique=False)
