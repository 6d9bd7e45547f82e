"""Papers by the day on which they were first listed, and what one reader was sent.

Days are found by the index of signals by source and day: there are few sources, and a search that
names them all takes no longer with years of papers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Date, Select, func, literal, select, union_all
from sqlmodel import Session

from digest.domain.deliveries import MailKind, State
from digest.domain.papers import PaperId, Signal
from digest.domain.subscribers import SubscriberId
from digest.store.papers import CHUNK, chunks
from digest.store.signals import signal_from, source_names
from digest.store.tables import DeliveryRow, SignalRow, SourceRow, table

_signals = table(SignalRow)
_sources = table(SourceRow)
_deliveries = table(DeliveryRow)
_NOT_SENT = (State.SKIPPED.value, State.CANCELLED.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class SentDigest:
    """One digest of the ledger: its local date, when it was queued, and its picks as JSON."""

    digest_on: date
    queued_at: datetime
    picks: str


def first_days(session: Session, ids: Iterable[PaperId]) -> dict[PaperId, date]:
    """The day on which each of these papers was first listed, where it was at all."""
    found: dict[PaperId, date] = {}
    first = select(_signals.c.paper_id, func.min(_signals.c.listed_on))
    for chunk in chunks(dict.fromkeys(ids), CHUNK):
        of_chunk = first.where(_signals.c.paper_id.in_(chunk)).group_by(_signals.c.paper_id)
        found |= {PaperId(number): day for number, day in session.execute(of_chunk)}
    return found


def first_listed_on(session: Session, day: date) -> set[PaperId]:
    """The papers that were listed on that day and on none before."""
    names = source_names(session)
    return {PaperId(number) for number in session.scalars(_new_on(literal(day, Date), names))}


def signals_on(session: Session, day: date) -> list[Signal]:
    """All signals of all sources' papers of that day."""
    names = source_names(session)
    stood = _signals.c.source_id.in_(list(names)), _signals.c.listed_on == day
    found = session.execute(select(_signals).where(*stood).order_by(_signals.c.id))
    return [signal_from(row, names[row.source_id]) for row in found]


def days_with_papers(session: Session, days: Sequence[date]) -> list[date]:
    """Those of the days on which a paper was first listed, in the same order; at most 400."""
    if not days:
        return []
    asked = union_all(*(select(literal(day, Date).label("day")) for day in days)).subquery()
    new = _new_on(asked.c.day, source_names(session)).correlate(asked)
    kept = set(session.scalars(select(asked.c.day).where(new.exists())))
    return [day for day in days if day in kept]


def day_beside(session: Session, day: date, *, later: bool) -> date | None:
    """The nearest day before, or after, on which a paper was first listed."""
    names = source_names(session)
    while True:
        listed = _signals.c.listed_on
        beyond = listed > day if later else listed < day
        nearest = func.min if later else func.max
        of_source = (
            select(nearest(listed))
            .where(_signals.c.source_id == _sources.c.id, beyond)
            .correlate(_sources)
            .scalar_subquery()
        )
        found = session.scalars(select(of_source).select_from(_sources)).all()
        known = [one for one in found if one is not None]
        if not known:
            return None
        day = min(known) if later else max(known)
        if session.execute(_new_on(literal(day, Date), names).limit(1)).first():
            return day


def digests_since(
    session: Session, subscriber_id: SubscriberId, since: datetime, limit: int
) -> list[SentDigest]:
    """The digests of a subscriber queued since then, the latest first, at most `limit`.

    What was skipped or cancelled is not among them.
    """
    query = (
        select(_deliveries.c.digest_on, _deliveries.c.queued_at, _deliveries.c.picks)
        .where(
            _deliveries.c.subscriber_id == subscriber_id,
            _deliveries.c.queued_at >= since,
            _deliveries.c.kind == MailKind.DIGEST.value,
            _deliveries.c.state.not_in(_NOT_SENT),
        )
        .order_by(_deliveries.c.queued_at.desc(), _deliveries.c.id.desc())
        .limit(limit)
    )
    return [
        SentDigest(digest_on=day, queued_at=at, picks=picks)
        for day, at, picks in session.execute(query)
    ]


def _new_on(day: ColumnElement[Any], sources: Iterable[int]) -> Select[Any]:
    """The ids of the papers listed on that day and on none before, some of them repeated."""
    earlier = _signals.alias("earlier")
    before = select(earlier.c.id).where(
        earlier.c.paper_id == _signals.c.paper_id, earlier.c.listed_on < _signals.c.listed_on
    )
    return select(_signals.c.paper_id).where(
        _signals.c.source_id.in_(list(sources)), _signals.c.listed_on == day, ~before.exists()
    )
