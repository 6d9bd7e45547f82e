"""Which programs can use the store: the oldest schema whose programs go on with the present one."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

contracts = True  # programs before this one know no schema but their own


def upgrade() -> None:
    op.create_table(
        "schema_support",
        sa.Column("oldest", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("oldest", name=op.f("pk_schema_support")),
    )


def downgrade() -> None:
    op.drop_table("schema_support")
