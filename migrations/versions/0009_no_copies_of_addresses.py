"""No copies of addresses and passwords beside their own rows.

PostgreSQL's planner keeps samples of what a column holds, in pg_statistic: of addresses, these
outlive an erase until the column is analysed anew, and for as long as the table is empty, as that
of the forms mostly is. Nobody asks these columns but for one whole address, which their unique
index answers; so nothing is kept of them from now on, and what was kept goes: a type that is set
again, to the same one, takes the samples away and touches no row.

The list of fetches held the addresses of sources as they stand in the config, with whatever login
or key is in them, and so did each backup. Now they are kept without.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

contracts = False

_COLUMNS = (
    ("subscribers", "email"),
    ("subscribers", "email_key"),
    ("sign_ups", "email"),
    ("address_changes", "email"),
    ("suppressions", "email"),
    ("deliveries", "smtp_reply"),
    ("deliveries", "reason"),
    ("tries", "reply"),
    ("bounces", "detail"),
)


def upgrade() -> None:
    op.execute("UPDATE batches SET url = NULL WHERE url LIKE '%@%' OR url LIKE '%?%'")
    if op.get_bind().dialect.name == "postgresql":
        for table, column in _COLUMNS:
            op.execute(
                f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0,"
                f" ALTER COLUMN {column} TYPE varchar"
            )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table, column in _COLUMNS:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS -1")
