"""The tables, their constraints, and the indexes that the queries need.

Times are UTC instants. What belongs to the sending and the returning of mail, beside the ledger,
stands in `mail_tables`, what the web pages need in `web_tables`, what the operator is to see in
`seeing_tables`; all of it is one metadata, and can be imported from here.
"""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Column, Index, Text, UniqueConstraint
from sqlmodel import Field

from digest.domain.deliveries import MailKind, State
from digest.domain.interests import InterestKind
from digest.domain.papers import Outcome, Scheme, SourceKind
from digest.domain.schedule import Frequency
from digest.domain.subscribers import Channel, EmptyDay, Status
from digest.store.base import (
    NEVER_REUSED,
    Table,
    count,
    metadata,
    one_of,
    parent,
    partial,
    table,
)
from digest.store.mail_tables import BounceRow, PaceRow, SeatRow, SpendingRow
from digest.store.seeing_tables import AlertRow, TryRow
from digest.store.web_tables import (
    AddressChangeRow,
    AskedMailRow,
    InvitationRow,
    SignUpRow,
    VisitRow,
)

__all__ = [
    "AddressChangeRow",
    "AlertRow",
    "AliasRow",
    "AskedMailRow",
    "BatchRow",
    "BounceRow",
    "ConsentEventRow",
    "DeliveryRow",
    "EditionRow",
    "FeedbackRow",
    "InterestRow",
    "InvitationRow",
    "MergedPaperRow",
    "PaceRow",
    "PaperRow",
    "SchemaSupportRow",
    "SeatRow",
    "SignUpRow",
    "SignalRow",
    "SourceRow",
    "SpendingRow",
    "SubscriberInterestRow",
    "SubscriberRow",
    "SuppressionRow",
    "TryRow",
    "VisitRow",
    "metadata",
    "table",
]


class SchemaSupportRow(Table, table=True):
    """One row: the oldest schema whose programs can use the store as it is now (`schema`)."""

    __tablename__ = "schema_support"

    oldest: str = Field(primary_key=True)


class SourceRow(Table, table=True):
    """A configured source's memory: HTTP validators, and how it fared last."""

    __tablename__ = "sources"
    __table_args__ = (
        one_of("kind", SourceKind),
        one_of("last_outcome", Outcome),
        UniqueConstraint("name"),
    )

    id: int | None = Field(default=None, primary_key=True)
    name: str
    kind: str
    etag: str | None = None
    last_modified: str | None = None
    last_outcome: str | None = None
    last_note: str = ""
    last_fetch_at: datetime | None = None
    last_papers_at: datetime | None = None
    last_success_at: datetime | None = None


class BatchRow(Table, table=True):
    """One fetch of one source, and what merging it changed."""

    __tablename__ = "batches"
    __table_args__ = (
        one_of("outcome", Outcome),
        # the latest batch that changed anything: asked before every edition
        partial("ix_batches_changing", "new > 0 OR changed_signals > 0", "merged_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    source_id: int = Field(sa_column=parent("sources.id"))
    outcome: str
    note: str = ""
    fetched_at: datetime = Field(index=True)
    merged_at: datetime
    url: str | None = None
    listed: int = 0
    new: int = 0
    known: int = 0
    rejected: int = 0
    changed_signals: int = 0


class PaperRow(Table, table=True):
    """One work. `authors`, `categories` and `links` are JSON text."""

    __tablename__ = "papers"
    __table_args__ = (CheckConstraint("title <> ''", name="title"), NEVER_REUSED)

    id: int | None = Field(default=None, primary_key=True)
    title: str
    abstract: str = ""
    authors: str = "[]"
    categories: str = "[]"
    url: str | None = None
    links: str = "{}"
    tldr: str | None = None
    venue: str | None = None
    published_on: date | None = None
    first_seen_at: datetime = Field(index=True)
    updated_at: datetime


class AliasRow(Table, table=True):
    """A paper's names, remembered for ever: a pruned paper leaves them with `paper_id` NULL.

    `value` of scheme `title` is the normalised title; `surname` is its first author's, empty where
    the listing named no author. Other schemes leave `surname` empty. An identifier names one paper;
    a title may name several.
    """

    __tablename__ = "aliases"
    __table_args__ = (
        one_of("scheme", Scheme),
        partial("uq_aliases_identifier", "scheme <> 'title'", "scheme", "value", unique=True),
        partial(
            "uq_aliases_title", "scheme = 'title'", "value", "surname", "paper_id", unique=True
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    paper_id: int | None = Field(sa_column=parent("papers.id", on_delete="SET NULL", nullable=True))
    scheme: str
    value: str
    surname: str = ""


class MergedPaperRow(Table, table=True):
    """Two papers found to be one: the id that went, and the one that stayed.

    The ledger's picks keep the old id; whoever reads what was sent looks here, so that nothing sent
    under the old id is sent again.
    """

    __tablename__ = "merged_papers"

    old_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    paper_id: int = Field(sa_column=parent("papers.id"))


class SignalRow(Table, table=True):
    """A run of equal readings of a paper's attention by one source; see `domain.papers.Signal`."""

    __tablename__ = "signals"
    __table_args__ = (
        *(count(column) for column in ("upvotes", "comments", "stars")),
        CheckConstraint("held_until >= read_at", name="held_until"),
        UniqueConstraint("paper_id", "source_id", "listed_on", "read_at"),
        Index(None, "source_id", "listed_on"),
    )

    id: int | None = Field(default=None, primary_key=True)
    paper_id: int = Field(sa_column=parent("papers.id", index=False))
    source_id: int = Field(sa_column=parent("sources.id", index=False))
    listed_on: date
    read_at: datetime
    held_until: datetime
    upvotes: int | None = None
    comments: int | None = None
    stars: int | None = None


class SubscriberRow(Table, table=True):
    """An address with its settings and status."""

    __tablename__ = "subscribers"
    __table_args__ = (
        one_of("status", Status),
        one_of("frequency", Frequency),
        one_of("empty_day", EmptyDay),
        CheckConstraint("hour BETWEEN 0 AND 23", name="hour"),
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("max_papers BETWEEN 1 AND 50", name="max_papers"),
        CheckConstraint("min_matches BETWEEN 1 AND 50", name="min_matches"),
        CheckConstraint("threshold BETWEEN 0 AND 1", name="threshold"),
        UniqueConstraint("email_key"),
        # who is due: the one query that every tick asks
        partial("ix_subscribers_due", "status = 'active'", "next_digest_at"),
        # whose pause is over
        partial("ix_subscribers_resuming", "status = 'paused'", "resume_at"),
        NEVER_REUSED,
    )

    id: int | None = Field(default=None, primary_key=True)
    email: str
    email_key: str
    status: str = Status.PENDING
    timezone: str = "UTC"
    hour: int = 8
    frequency: str = Frequency.DAILY
    weekday: int = 0
    max_papers: int = 10
    threshold: float | None = None
    empty_day: str = EmptyDay.TRENDING
    min_matches: int = 1
    text_only: bool = False
    next_digest_at: datetime | None = None
    resume_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


class InterestRow(Table, table=True):
    """A distinct interest, shared by all subscribers who have it, so that it is scored once."""

    __tablename__ = "interests"
    __table_args__ = (one_of("kind", InterestKind), UniqueConstraint("kind", "key"))

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    key: str


class SubscriberInterestRow(Table, table=True):
    """A subscriber's interest, as they wrote it and in their order."""

    __tablename__ = "subscriber_interests"

    subscriber_id: int = Field(sa_column=parent("subscribers.id", primary_key=True, index=False))
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    interest_id: int = Field(sa_column=parent("interests.id"))
    text: str
    weight: float = 1.0
    excluded: bool = False


class EditionRow(Table, table=True):
    """A pool of candidates: the papers first seen in the `lookback_days` before `cutoff_at`."""

    __tablename__ = "editions"
    __table_args__ = (NEVER_REUSED,)

    id: int | None = Field(default=None, primary_key=True)
    cutoff_at: datetime = Field(index=True)
    lookback_days: int


class DeliveryRow(Table, table=True):
    """The ledger, which is also the queue: one row per mail of any kind, and per skipped digest."""

    __tablename__ = "deliveries"
    __table_args__ = (
        one_of("kind", MailKind),
        one_of("state", State),
        partial(
            "uq_deliveries_digest", "kind = 'digest'", "subscriber_id", "digest_on", unique=True
        ),
        partial(
            "uq_deliveries_token", "kind <> 'digest'", "subscriber_id", "kind", "token", unique=True
        ),
        # what a sender may claim: rows that wait, by when they are due
        partial("ix_deliveries_waiting", "state IN ('queued', 'deferred')", "due_at"),
        # whose lease may have run out
        partial("ix_deliveries_leased", "state = 'sending'", "lease_until"),
        # what a returned mail names; in no other state can a message have come back
        partial("ix_deliveries_returnable", "state IN ('sent', 'held')", "message_id"),
        Index(None, "subscriber_id", "queued_at"),
        # what is held for the operator
        partial("ix_deliveries_held", "state = 'held'", "begun_at"),
        # the figures of the last hours and days, answered without the rows
        Index(None, "queued_at", "state"),
        NEVER_REUSED,
    )

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    subscriber_id: int | None = Field(
        sa_column=parent("subscribers.id", on_delete="SET NULL", nullable=True, index=False)
    )
    digest_on: date | None = None
    edition_id: int | None = Field(
        sa_column=parent("editions.id", on_delete="SET NULL", nullable=True)
    )
    token: str = ""
    state: str = State.QUEUED
    reason: str = ""
    message_id: str = ""
    picks: str = Field(default="[]", sa_column=Column(Text, nullable=False))
    attempts: int = 0
    doubtful: int = 0
    queued_at: datetime
    due_at: datetime
    owner: str | None = None
    lease_until: datetime | None = None
    begun_at: datetime | None = None
    sent_at: datetime | None = None
    smtp_code: int | None = None
    smtp_reply: str = ""


class SuppressionRow(Table, table=True):
    """An address that must never be mailed again. `email` is NULL once erased; the keyed hash
    stays.
    """

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("address_hash"),)

    id: int | None = Field(default=None, primary_key=True)
    address_hash: str
    email: str | None = None
    reason: str
    created_at: datetime


class FeedbackRow(Table, table=True):
    """A subscriber's word on one paper: 1 for more like this, -1 for less, 0 for a click."""

    __tablename__ = "feedback"
    __table_args__ = (
        CheckConstraint("value IN (-1, 0, 1)", name="value"),
        UniqueConstraint("subscriber_id", "paper_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = Field(sa_column=parent("subscribers.id", index=False))
    paper_id: int = Field(sa_column=parent("papers.id"))
    value: int
    given_at: datetime
    channel: str = Channel.LINK


class ConsentEventRow(Table, table=True):
    """What a subscriber agreed to or took back, when and by which way: the evidence of consent."""

    __tablename__ = "consent_events"

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = Field(sa_column=parent("subscribers.id"))
    event: str
    channel: str
    detail: str = ""
    happened_at: datetime
