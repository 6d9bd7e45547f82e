"""The first schema."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "editions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cutoff_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("lookback_days", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_editions")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_editions_cutoff_at"), "editions", ["cutoff_at"], unique=False)
    op.create_table(
        "interests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('phrase', 'author', 'category')", name=op.f("ck_interests_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interests")),
        sa.UniqueConstraint("kind", "key", name=op.f("uq_interests_kind_key")),
    )
    op.create_table(
        "papers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("abstract", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authors", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("categories", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("url", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("links", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("tldr", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("venue", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("published_on", sa.Date(), nullable=True),
        sa.Column("first_seen_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("updated_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.CheckConstraint("title <> ''", name=op.f("ck_papers_title")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_papers")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_papers_first_seen_at"), "papers", ["first_seen_at"], unique=False)
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("etag", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("last_modified", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("last_outcome", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("last_note", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("last_fetch_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("last_papers_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('huggingface', 'arxiv-rss', 'arxiv-api', 'biorxiv', 'openreview', "
            "'feed', 'page', 'jsonl')",
            name=op.f("ck_sources_kind"),
        ),
        sa.CheckConstraint(
            "last_outcome IN ('papers', 'unchanged', 'empty', 'quiet', 'broken', 'fault')",
            name=op.f("ck_sources_last_outcome"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
        sa.UniqueConstraint("name", name=op.f("uq_sources_name")),
    )
    op.create_table(
        "subscribers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("email_key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("timezone", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("frequency", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("max_papers", sa.Integer(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("empty_day", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("min_matches", sa.Integer(), nullable=False),
        sa.Column("text_only", sa.Boolean(), nullable=False),
        sa.Column("next_digest_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("updated_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.CheckConstraint(
            "empty_day IN ('trending', 'skip')", name=op.f("ck_subscribers_empty_day")
        ),
        sa.CheckConstraint(
            "frequency IN ('daily', 'weekdays', 'weekly')", name=op.f("ck_subscribers_frequency")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'active', 'paused', 'unsubscribed', 'suppressed')",
            name=op.f("ck_subscribers_status"),
        ),
        sa.CheckConstraint("hour BETWEEN 0 AND 23", name=op.f("ck_subscribers_hour")),
        sa.CheckConstraint("max_papers BETWEEN 1 AND 50", name=op.f("ck_subscribers_max_papers")),
        sa.CheckConstraint("min_matches BETWEEN 1 AND 50", name=op.f("ck_subscribers_min_matches")),
        sa.CheckConstraint("threshold BETWEEN 0 AND 1", name=op.f("ck_subscribers_threshold")),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name=op.f("ck_subscribers_weekday")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscribers")),
        sa.UniqueConstraint("email_key", name=op.f("uq_subscribers_email_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_subscribers_due",
        "subscribers",
        ["next_digest_at"],
        unique=False,
        sqlite_where=sa.text("status = 'active'"),
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_table(
        "suppressions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("email", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
        sa.UniqueConstraint("address_hash", name=op.f("uq_suppressions_address_hash")),
    )
    op.create_table(
        "aliases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=True),
        sa.Column("scheme", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("value", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("surname", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.CheckConstraint(
            "scheme IN ('arxiv', 'doi', 'openreview', 'biorxiv', 'title')",
            name=op.f("ck_aliases_scheme"),
        ),
        sa.ForeignKeyConstraint(
            ["paper_id"],
            ["papers.id"],
            name=op.f("fk_aliases_paper_id_papers"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aliases")),
    )
    op.create_index(op.f("ix_aliases_paper_id"), "aliases", ["paper_id"], unique=False)
    op.create_index(
        "uq_aliases_identifier",
        "aliases",
        ["scheme", "value"],
        unique=True,
        sqlite_where=sa.text("scheme <> 'title'"),
        postgresql_where=sa.text("scheme <> 'title'"),
    )
    op.create_index(
        "uq_aliases_title",
        "aliases",
        ["value", "surname", "paper_id"],
        unique=True,
        sqlite_where=sa.text("scheme = 'title'"),
        postgresql_where=sa.text("scheme = 'title'"),
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("note", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("fetched_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("merged_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("url", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("changed_signals", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('papers', 'unchanged', 'empty', 'quiet', 'broken', 'fault')",
            name=op.f("ck_batches_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["sources.id"],
            name=op.f("fk_batches_source_id_sources"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    op.create_index(
        "ix_batches_changing",
        "batches",
        ["merged_at"],
        unique=False,
        sqlite_where=sa.text("new > 0 OR changed_signals > 0"),
        postgresql_where=sa.text("new > 0 OR changed_signals > 0"),
    )
    op.create_index(op.f("ix_batches_fetched_at"), "batches", ["fetched_at"], unique=False)
    op.create_index(op.f("ix_batches_source_id"), "batches", ["source_id"], unique=False)
    op.create_table(
        "consent_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("event", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("channel", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("detail", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("happened_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_consent_events_subscriber_id_subscribers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_events")),
    )
    op.create_index(
        op.f("ix_consent_events_subscriber_id"), "consent_events", ["subscriber_id"], unique=False
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("digest_on", sa.Date(), nullable=True),
        sa.Column("edition_id", sa.Integer(), nullable=True),
        sa.Column("token", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("message_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("picks", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("doubtful", sa.Integer(), nullable=False),
        sa.Column("queued_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("due_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("owner", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("lease_until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("begun_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("sent_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("smtp_code", sa.Integer(), nullable=True),
        sa.Column("smtp_reply", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('digest', 'confirm', 'welcome')", name=op.f("ck_deliveries_kind")
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'deferred', 'failed', 'held', "
            "'skipped', 'cancelled')",
            name=op.f("ck_deliveries_state"),
        ),
        sa.ForeignKeyConstraint(
            ["edition_id"],
            ["editions.id"],
            name=op.f("fk_deliveries_edition_id_editions"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_deliveries_subscriber_id_subscribers"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_deliveries_edition_id"), "deliveries", ["edition_id"], unique=False)
    op.create_index(
        "ix_deliveries_leased",
        "deliveries",
        ["lease_until"],
        unique=False,
        sqlite_where=sa.text("state = 'sending'"),
        postgresql_where=sa.text("state = 'sending'"),
    )
    op.create_index(
        op.f("ix_deliveries_subscriber_id_queued_at"),
        "deliveries",
        ["subscriber_id", "queued_at"],
        unique=False,
    )
    op.create_index(
        "ix_deliveries_waiting",
        "deliveries",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('queued', 'deferred')"),
        postgresql_where=sa.text("state IN ('queued', 'deferred')"),
    )
    op.create_index(
        "uq_deliveries_digest",
        "deliveries",
        ["subscriber_id", "digest_on"],
        unique=True,
        sqlite_where=sa.text("kind = 'digest'"),
        postgresql_where=sa.text("kind = 'digest'"),
    )
    op.create_index(
        "uq_deliveries_token",
        "deliveries",
        ["subscriber_id", "kind", "token"],
        unique=True,
        sqlite_where=sa.text("kind <> 'digest'"),
        postgresql_where=sa.text("kind <> 'digest'"),
    )
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("given_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.CheckConstraint("value IN (-1, 1)", name=op.f("ck_feedback_value")),
        sa.ForeignKeyConstraint(
            ["paper_id"],
            ["papers.id"],
            name=op.f("fk_feedback_paper_id_papers"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_feedback_subscriber_id_subscribers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
        sa.UniqueConstraint(
            "subscriber_id", "paper_id", name=op.f("uq_feedback_subscriber_id_paper_id")
        ),
    )
    op.create_index(op.f("ix_feedback_paper_id"), "feedback", ["paper_id"], unique=False)
    op.create_table(
        "merged_papers",
        sa.Column("old_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["paper_id"],
            ["papers.id"],
            name=op.f("fk_merged_papers_paper_id_papers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("old_id", name=op.f("pk_merged_papers")),
    )
    op.create_index(op.f("ix_merged_papers_paper_id"), "merged_papers", ["paper_id"], unique=False)
    op.create_table(
        "signals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("listed_on", sa.Date(), nullable=False),
        sa.Column("read_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("held_until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("upvotes", sa.Integer(), nullable=True),
        sa.Column("comments", sa.Integer(), nullable=True),
        sa.Column("stars", sa.Integer(), nullable=True),
        sa.CheckConstraint("comments BETWEEN 0 AND 2147483647", name=op.f("ck_signals_comments")),
        sa.CheckConstraint("held_until >= read_at", name=op.f("ck_signals_held_until")),
        sa.CheckConstraint("stars BETWEEN 0 AND 2147483647", name=op.f("ck_signals_stars")),
        sa.CheckConstraint("upvotes BETWEEN 0 AND 2147483647", name=op.f("ck_signals_upvotes")),
        sa.ForeignKeyConstraint(
            ["paper_id"], ["papers.id"], name=op.f("fk_signals_paper_id_papers"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["sources.id"],
            name=op.f("fk_signals_source_id_sources"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signals")),
        sa.UniqueConstraint(
            "paper_id",
            "source_id",
            "listed_on",
            "read_at",
            name=op.f("uq_signals_paper_id_source_id_listed_on_read_at"),
        ),
    )
    op.create_index(
        op.f("ix_signals_source_id_listed_on"), "signals", ["source_id", "listed_on"], unique=False
    )
    op.create_table(
        "subscriber_interests",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("interest_id", sa.Integer(), nullable=False),
        sa.Column("text", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("excluded", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["interest_id"],
            ["interests.id"],
            name=op.f("fk_subscriber_interests_interest_id_interests"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_subscriber_interests_subscriber_id_subscribers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "position", name=op.f("pk_subscriber_interests")),
    )
    op.create_index(
        op.f("ix_subscriber_interests_interest_id"),
        "subscriber_interests",
        ["interest_id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_subscriber_interests_interest_id"), table_name="subscriber_interests")
    op.drop_table("subscriber_interests")
    op.drop_index(op.f("ix_signals_source_id_listed_on"), table_name="signals")
    op.drop_table("signals")
    op.drop_index(op.f("ix_merged_papers_paper_id"), table_name="merged_papers")
    op.drop_table("merged_papers")
    op.drop_index(op.f("ix_feedback_paper_id"), table_name="feedback")
    op.drop_table("feedback")
    op.drop_index(
        "uq_deliveries_token",
        table_name="deliveries",
        sqlite_where=sa.text("kind <> 'digest'"),
        postgresql_where=sa.text("kind <> 'digest'"),
    )
    op.drop_index(
        "uq_deliveries_digest",
        table_name="deliveries",
        sqlite_where=sa.text("kind = 'digest'"),
        postgresql_where=sa.text("kind = 'digest'"),
    )
    op.drop_index(
        "ix_deliveries_waiting",
        table_name="deliveries",
        sqlite_where=sa.text("state IN ('queued', 'deferred')"),
        postgresql_where=sa.text("state IN ('queued', 'deferred')"),
    )
    op.drop_index(op.f("ix_deliveries_subscriber_id_queued_at"), table_name="deliveries")
    op.drop_index(
        "ix_deliveries_leased",
        table_name="deliveries",
        sqlite_where=sa.text("state = 'sending'"),
        postgresql_where=sa.text("state = 'sending'"),
    )
    op.drop_index(op.f("ix_deliveries_edition_id"), table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_index(op.f("ix_consent_events_subscriber_id"), table_name="consent_events")
    op.drop_table("consent_events")
    op.drop_index(op.f("ix_batches_source_id"), table_name="batches")
    op.drop_index(op.f("ix_batches_fetched_at"), table_name="batches")
    op.drop_index(
        "ix_batches_changing",
        table_name="batches",
        sqlite_where=sa.text("new > 0 OR changed_signals > 0"),
        postgresql_where=sa.text("new > 0 OR changed_signals > 0"),
    )
    op.drop_table("batches")
    op.drop_index(
        "uq_aliases_title",
        table_name="aliases",
        sqlite_where=sa.text("scheme = 'title'"),
        postgresql_where=sa.text("scheme = 'title'"),
    )
    op.drop_index(
        "uq_aliases_identifier",
        table_name="aliases",
        sqlite_where=sa.text("scheme <> 'title'"),
        postgresql_where=sa.text("scheme <> 'title'"),
    )
    op.drop_index(op.f("ix_aliases_paper_id"), table_name="aliases")
    op.drop_table("aliases")
    op.drop_table("suppressions")
    op.drop_index(
        "ix_subscribers_due",
        table_name="subscribers",
        sqlite_where=sa.text("status = 'active'"),
        postgresql_where=sa.text("status = 'active'"),
    )
    op.drop_table("subscribers")
    op.drop_table("sources")
    op.drop_index(op.f("ix_papers_first_seen_at"), table_name="papers")
    op.drop_table("papers")
    op.drop_table("interests")
    op.drop_index(op.f("ix_editions_cutoff_at"), table_name="editions")
    op.drop_table("editions")
