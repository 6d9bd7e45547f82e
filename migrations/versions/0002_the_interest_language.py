"""Interests of further kinds: exact phrases, venues, and several joined by AND."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BEFORE = "kind IN ('phrase', 'author', 'category')"
_AFTER = "kind IN ('phrase', 'exact', 'author', 'category', 'venue', 'all')"
_NEW = ("exact", "venue", "all")


def upgrade() -> None:
    _replace_check(_AFTER)


def downgrade() -> None:
    """Interests of the new kinds are lost: the old program could not read them."""
    interests = sa.table("interests", sa.column("id"), sa.column("kind"))
    held = sa.table("subscriber_interests", sa.column("interest_id"))
    gone = sa.select(interests.c.id).where(interests.c.kind.in_(_NEW))
    op.execute(held.delete().where(held.c.interest_id.in_(gone)))
    op.execute(interests.delete().where(interests.c.kind.in_(_NEW)))
    _replace_check(_BEFORE)


def _replace_check(condition: str) -> None:
    name = op.f("ck_interests_kind")
    with op.batch_alter_table("interests") as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(name, sa.text(condition))
