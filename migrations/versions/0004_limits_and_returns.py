"""Limits of sending that all processes share, and what came back: bounces, complaints, opt-outs."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_RETURNABLE = sa.text("state IN ('sent', 'held')")


def upgrade() -> None:
    _limits()
    _bounces()
    op.create_index(
        "ix_deliveries_returnable",
        "deliveries",
        ["message_id"],
        unique=False,
        sqlite_where=_RETURNABLE,
        postgresql_where=_RETURNABLE,
    )


def downgrade() -> None:
    """What came back is lost; the suppressions that followed from it stay."""
    op.drop_index("ix_deliveries_returnable", table_name="deliveries")
    for name in ("bounces", "seats", "spendings", "paces"):
        op.drop_table(name)


def _limits() -> None:
    op.create_table(
        "paces",
        sa.Column("scope", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("free_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("strikes", sa.Integer(), nullable=False),
        sa.CheckConstraint("strikes BETWEEN 0 AND 2147483647", name=op.f("ck_paces_strikes")),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_paces")),
    )
    op.create_table(
        "spendings",
        sa.Column("scope", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("minute", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.CheckConstraint("used BETWEEN 0 AND 2147483647", name=op.f("ck_spendings_used")),
        sa.PrimaryKeyConstraint("scope", "minute", name=op.f("pk_spendings")),
    )
    op.create_table(
        "seats",
        sa.Column("scope", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("lease_until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("scope", "number", name=op.f("pk_seats")),
    )


def _bounces() -> None:
    op.create_table(
        "bounces",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("delivery_id", sa.Integer(), nullable=True),
        sa.Column("address_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("detail", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("acted", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("happened_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('hard', 'soft', 'policy', 'complaint', 'unsubscribe')",
            name=op.f("ck_bounces_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
            name=op.f("fk_bounces_delivery_id_deliveries"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_bounces_subscriber_id_subscribers"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bounces")),
        sa.UniqueConstraint("key", name=op.f("uq_bounces_key")),
    )
    op.create_index(op.f("ix_bounces_delivery_id"), "bounces", ["delivery_id"], unique=False)
    op.create_index(op.f("ix_bounces_happened_at"), "bounces", ["happened_at"], unique=False)
    op.create_index(
        op.f("ix_bounces_subscriber_id_happened_at"),
        "bounces",
        ["subscriber_id", "happened_at"],
        unique=False,
    )
