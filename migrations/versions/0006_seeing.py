"""What the operator sees: alarms told once, each failed try, when each source last worked.

All of it is new, so that the program before goes on with this schema.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_HELD = sa.text("state = 'held'")


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("key", _words(), nullable=False),
        sa.Column("text", _words(), nullable=False),
        sa.Column("began_at", _instant(), nullable=False),
        sa.Column("seen_at", _instant(), nullable=False),
        sa.Column("told_at", _instant(), nullable=True),
        sa.Column("owner", _words(), nullable=True),
        sa.Column("lease_until", _instant(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alerts")),
    )
    _tries()
    op.create_index(
        "ix_deliveries_held",
        "deliveries",
        ["begun_at"],
        unique=False,
        sqlite_where=_HELD,
        postgresql_where=_HELD,
    )
    # rows come in the order of time: there BRIN finds the last hours of 90 million rows, and costs
    # some kilobytes; SQLite takes an ordinary index
    op.create_index(
        "ix_deliveries_queued_at",
        "deliveries",
        ["queued_at"],
        unique=False,
        postgresql_using="brin",
    )
    op.add_column("sources", sa.Column("last_success_at", _instant(), nullable=True))
    op.execute(
        "UPDATE sources SET last_success_at = (SELECT max(fetched_at) FROM batches"
        " WHERE batches.source_id = sources.id"
        " AND batches.outcome IN ('papers', 'unchanged', 'quiet'))"
    )


def downgrade() -> None:
    """What was told, and the failed tries, are forgotten."""
    with op.batch_alter_table("sources") as batch:
        batch.drop_column("last_success_at")
    op.drop_index("ix_deliveries_queued_at", table_name="deliveries")
    op.drop_index("ix_deliveries_held", table_name="deliveries")
    op.drop_table("tries")
    op.drop_table("alerts")


def _tries() -> None:
    op.create_table(
        "tries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("tried_at", _instant(), nullable=False),
        sa.Column("outcome", _words(), nullable=False),
        sa.Column("smtp_code", sa.Integer(), nullable=True),
        sa.Column("reply", _words(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
            name=op.f("fk_tries_delivery_id_deliveries"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tries")),
        sa.CheckConstraint(
            "outcome IN ('deferred', 'failed', 'in doubt')", name=op.f("ck_tries_outcome")
        ),
    )
    op.create_index(op.f("ix_tries_delivery_id"), "tries", ["delivery_id"], unique=False)


def _instant() -> sa.types.TypeEngine:
    return sqlmodel.sql.sqltypes.UTCDateTime()


def _words() -> sa.types.TypeEngine:
    return sqlmodel.sql.sqltypes.AutoString()
