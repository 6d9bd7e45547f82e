"""An index of the ledger by the instant and the state, in place of BRIN by the instant.

Pruned rows make room for new ones, so that soon every range of pages holds rows of all days, and
BRIN finds nothing: ten days after the first pruning a week's figures read the whole table. A B-tree
holds the rows of one composing, which are queued at the same instant, in a few bytes each, and
answers without the rows.

The upgrade keeps others from writing the ledger while it builds, some 2 s a million rows. Who
cannot have that runs first, with the old program at work:

    CREATE INDEX CONCURRENTLY ix_deliveries_queued_at_state ON deliveries (queued_at, state)

Vacuum comes after a hundredth of the ledger has changed, not after a fifth, which of ninety million
rows is eighteen days' mails: until then nothing is answered without the rows, and what was pruned
makes no room.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

contracts = False

_VACUUM = ("autovacuum_vacuum_scale_factor", "autovacuum_vacuum_insert_scale_factor")


def upgrade() -> None:
    op.create_index(
        "ix_deliveries_queued_at_state", "deliveries", ["queued_at", "state"], if_not_exists=True
    )
    op.drop_index("ix_deliveries_queued_at", table_name="deliveries")
    if op.get_bind().dialect.name == "postgresql":
        settings = ", ".join(f"{name} = 0.01" for name in _VACUUM)
        op.execute(f"ALTER TABLE deliveries SET ({settings})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE deliveries RESET ({', '.join(_VACUUM)})")
    op.create_index("ix_deliveries_queued_at", "deliveries", ["queued_at"], postgresql_using="brin")
    op.drop_index("ix_deliveries_queued_at_state", table_name="deliveries")
