"""Plans: what composing is to do for each subscriber, before it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import Session

from digest.domain.schedule import due_dates, first_due, is_chosen, local_date
from digest.domain.subscribers import Subscriber
from digest.store import subscribers
from digest.store.ledger_read import days_with_rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What one subscriber gets: a skip of a date slept past, a date to compose for, what follows.

    `replaces`: a skip that stands for that date makes room. `waits`: where another transaction
    holds the subscriber, wait for it; who is due is left to whoever composes for them.
    """

    subscriber: Subscriber
    digest_on: date | None
    next_at: datetime
    late_on: date | None = None
    replaces: bool = False
    waits: bool = True


def due_plan(subscriber: Subscriber, now: datetime) -> Plan:
    due_at = subscriber.next_digest_at or now
    dates = due_dates(subscriber.preferences.schedule, due_at, now)
    return Plan(
        subscriber=subscriber,
        late_on=dates.late_on,
        digest_on=dates.digest_on,
        next_at=dates.next_at,
        waits=False,
    )


def dated_plans(
    session: Session, chunk: Sequence[Subscriber], day: date, now: datetime
) -> list[Plan]:
    """Plans for those whose schedule chooses `day` and who have no row for it yet."""
    chosen = [one for one in chunk if is_chosen(one.preferences.schedule, day)]
    today = {one.id: local_date(one.preferences.schedule, now) for one in chosen}
    wanted = [(one.id, day) for one in chosen] + list(today.items())
    rows = days_with_rows(session, wanted)
    return [
        Plan(
            subscriber=one,
            digest_on=day,
            next_at=first_due(
                one.preferences.schedule,
                now,
                has_row_today=day == today[one.id] or (one.id, today[one.id]) in rows,
            ),
        )
        for one in chosen
        if (one.id, day) not in rows
    ]


def still_true(session: Session, plans: Sequence[Plan]) -> list[Plan]:
    """The plans whose subscriber is as they were when it was made, now held until the commit.

    Who was erased, opted out or changed the schedule since is left to the next time.
    """
    ids = [plan.subscriber.id for plan in plans]
    passing = not any(plan.waits for plan in plans)
    present = subscribers.by_ids(session, ids, lock=True, passing=passing)
    return [plan for plan in plans if present.get(plan.subscriber.id) == plan.subscriber]
