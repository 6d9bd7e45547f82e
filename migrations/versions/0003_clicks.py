"""Feedback: a click is a vote of its own, 0, and each vote says which way it came."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _replace_check("value IN (-1, 0, 1)")
    # votes so far could come by the reader's own links alone
    channel = sa.Column(
        "channel", sqlmodel.sql.sqltypes.AutoString(), nullable=False, server_default="link"
    )
    with op.batch_alter_table("feedback") as batch:
        batch.add_column(channel)
    with op.batch_alter_table("feedback") as batch:
        batch.alter_column("channel", server_default=None)


def downgrade() -> None:
    """Clicks are lost: the old program could not read them."""
    feedback = sa.table("feedback", sa.column("value"))
    op.execute(feedback.delete().where(feedback.c.value == 0))
    with op.batch_alter_table("feedback") as batch:
        batch.drop_column("channel")
    _replace_check("value IN (-1, 1)")


def _replace_check(condition: str) -> None:
    name = op.f("ck_feedback_value")
    with op.batch_alter_table("feedback") as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(name, sa.text(condition))
