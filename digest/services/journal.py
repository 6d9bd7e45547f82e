"""The journal: the ledger as people read it, and the figures that it adds up to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.deliveries import Delivery, DeliveryId, State
from digest.domain.digests import Pick
from digest.domain.story import Event, Known, story, what_next
from digest.domain.subscribers import Status
from digest.store import bounces, ledger_read, outbox, stories
from digest.store.bounces import Bounce
from digest.store.contents import content_from_json, paper_ids
from digest.store.database import reading, transaction
from digest.store.ledger_read import DayStats, Which
from digest.store.papers import papers_by_id
from digest.store.subscribers import status_counts

__all__ = ("DayStats", "Entry", "Journal", "Which", "paper_ids")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One delivery with its picks and their titles, None for a paper that is gone, and with what
    came back of it, the latest first.
    """

    delivery: Delivery
    picks: tuple[tuple[Pick, str | None], ...]
    came_back: tuple[Bounce, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """The story of one delivery: all that is known of it, what happened in order, and what happens
    next, with the instant where one is known.
    """

    entry: Entry
    known: Known
    events: tuple[Event, ...]
    next: str
    next_at: datetime | None


class Journal:
    """Reads the ledger of one store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def deliveries(self, which: Which, limit: int) -> list[Delivery]:
        """The rows, latest first; `limit` 0 gives all."""
        with reading(self._engine) as session:
            return ledger_read.list_deliveries(session, which, limit=limit)

    def entry(self, number: int) -> Entry:
        """One delivery, whole. Raises NotFound."""
        with reading(self._engine) as session:
            return self._entry(session, number)

    def story(self, number: int, now: datetime, give_up_after: timedelta) -> Told:
        """One delivery with all that happened to it. Raises NotFound."""
        with reading(self._engine) as session:
            entry = self._entry(session, number)
            ids = tuple(pick.paper_id for pick, _ in entry.picks)
            known = stories.known(session, entry.delivery, ids, now)
        told, at = what_next(known, now, give_up_after)
        return Told(entry=entry, known=known, events=tuple(story(known)), next=told, next_at=at)

    def _entry(self, session: Session, number: int) -> Entry:
        found = ledger_read.delivery(session, DeliveryId(number))
        day = found.digest_on
        picks = content_from_json(found.picks, day).picks if day else ()
        papers = papers_by_id(session, [pick.paper_id for pick in picks])
        came_back = bounces.listed(session, delivery_id=found.id, limit=0)
        titled = (
            (pick, papers[pick.paper_id].title if pick.paper_id in papers else None)
            for pick in picks
        )
        return Entry(delivery=found, picks=tuple(titled), came_back=tuple(came_back))

    def counts(self) -> dict[State, int]:
        """How many deliveries are in each state."""
        with reading(self._engine) as session:
            return ledger_read.counts(session)

    def due(self, now: datetime) -> int:
        """How many deliveries would be sent at `now`."""
        with reading(self._engine) as session:
            return ledger_read.due_count(session, now)

    def days(self, now: datetime, days: int) -> list[DayStats]:
        """The last `days` UTC days, oldest first."""
        with reading(self._engine) as session:
            return ledger_read.stats_by_day(session, now, days)

    def people(self) -> dict[Status, int]:
        """How many subscribers have each status."""
        with reading(self._engine) as session:
            return status_counts(session)

    def retry(
        self, numbers: Sequence[int], states: Sequence[State], now: datetime, *, dry_run: bool
    ) -> list[DeliveryId]:
        """Queue failed and held deliveries again, those of `numbers` or all of `states`; the ids
        of those that were.
        """
        with transaction(self._engine) as session:
            queued = outbox.retry(session, now, ids=[DeliveryId(n) for n in numbers], states=states)
            if dry_run:
                session.rollback()
        return queued
