"""What the web pages need: waiting sign-ups, invitations, changes of address, limits, new mails."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OLD_KINDS = ("digest", "confirm", "welcome")
_NEW_KINDS = (*_OLD_KINDS, "access", "change_address", "alert")
_PAUSED = sa.text("status = 'paused'")


def upgrade() -> None:
    _replace_kinds(_NEW_KINDS)
    with op.batch_alter_table("subscribers", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.add_column(sa.Column("resume_at", _instant(), nullable=True))
    op.create_index(
        "ix_subscribers_resuming",
        "subscribers",
        ["resume_at"],
        unique=False,
        sqlite_where=_PAUSED,
        postgresql_where=_PAUSED,
    )
    _invitations()
    _sign_ups()
    _address_changes()
    _limits()


def downgrade() -> None:
    """Sign-ups that wait and mails of the new kinds are lost: the old program knows neither."""
    for name in ("visits", "asked_mails", "address_changes", "sign_ups", "invitations"):
        op.drop_table(name)
    op.drop_index("ix_subscribers_resuming", table_name="subscribers")
    with op.batch_alter_table("subscribers", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_column("resume_at")
    deliveries = sa.table("deliveries", sa.column("kind"))
    op.execute(deliveries.delete().where(deliveries.c.kind.not_in(_OLD_KINDS)))
    _replace_kinds(_OLD_KINDS)


def _replace_kinds(kinds: tuple[str, ...]) -> None:
    name = op.f("ck_deliveries_kind")
    values = ", ".join(f"'{kind}'" for kind in kinds)
    with op.batch_alter_table("deliveries", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(name, sa.text(f"kind IN ({values})"))


def _instant() -> sa.types.TypeEngine:
    return sqlmodel.sql.sqltypes.UTCDateTime()


def _words() -> sa.types.TypeEngine:
    return sqlmodel.sql.sqltypes.AutoString()


def _invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("note", _words(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("expires_at", _instant(), nullable=False),
        sa.Column("revoked_at", _instant(), nullable=True),
        sa.CheckConstraint("used BETWEEN 0 AND 2147483647", name=op.f("ck_invitations_used")),
        sa.CheckConstraint("uses BETWEEN 1 AND 1000000", name=op.f("ck_invitations_uses")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sqlite_autoincrement=True,
    )


def _sign_ups() -> None:
    op.create_table(
        "sign_ups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", _words(), nullable=False),
        sa.Column("choices", sa.Text(), nullable=False),
        sa.Column("consent", _words(), nullable=False),
        sa.Column("invitation_id", sa.Integer(), nullable=True),
        sa.Column("received_at", _instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invitation_id"],
            ["invitations.id"],
            name=op.f("fk_sign_ups_invitation_id_invitations"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ups")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_sign_ups_invitation_id"), "sign_ups", ["invitation_id"], unique=False)


def _address_changes() -> None:
    op.create_table(
        "address_changes",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("email", _words(), nullable=False),
        sa.Column("token", _words(), nullable=False),
        sa.Column("asked_at", _instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_address_changes_subscriber_id_subscribers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_address_changes")),
    )


def _limits() -> None:
    op.create_table(
        "asked_mails",
        sa.Column("address_hash", _words(), nullable=False),
        sa.Column("asked_at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("address_hash", name=op.f("pk_asked_mails")),
    )
    op.create_index(op.f("ix_asked_mails_asked_at"), "asked_mails", ["asked_at"], unique=False)
    op.create_table(
        "visits",
        sa.Column("scope", _words(), nullable=False),
        sa.Column("opens_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.CheckConstraint("used BETWEEN 0 AND 2147483647", name=op.f("ck_visits_used")),
        sa.PrimaryKeyConstraint("scope", "opens_at", name=op.f("pk_visits")),
    )
    op.create_index(op.f("ix_visits_opens_at"), "visits", ["opens_at"], unique=False)
