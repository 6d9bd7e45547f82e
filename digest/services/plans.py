"""Plans: what composing is to do for each subscriber, before it is done."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.schedule import (
    DueDates,
    Schedule,
    due_dates,
    first_due,
    is_chosen,
    local_date,
)
from digest.domain.subscribers import Subscriber, SubscriberId
from digest.store import subscribers
from digest.store.database import reading, transaction
from digest.store.due import Due, Mark, set_next, unchanged
from digest.store.ledger_read import days_with_rows

# whoever is dated farther ahead was dated by a clock that was wrong: a week, a move, and some
FARTHEST = timedelta(days=14)
MOVES = 2  # the dates that a move to the west can leave ahead of today, and one more
CHUNK = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What one subscriber gets: a skip of a date slept past, a date to compose for, what follows.

    `replaces`: a skip that stands for that date makes room. `mark`, of somebody who is due, tells
    whether they have changed since; where another transaction holds them, they are left to whoever
    composes for them. The others are waited for.
    """

    subscriber: Subscriber
    digest_on: date | None
    next_at: datetime
    late_on: date | None = None
    replaces: bool = False
    mark: Mark | None = None


def due_plan(one: Due, now: datetime) -> Plan:
    """What somebody who is due gets at `now`."""
    subscriber = one.subscriber
    dates = _dates(subscriber.preferences.schedule, subscriber.next_digest_at or now, now)
    return Plan(
        subscriber=subscriber,
        late_on=dates.late_on,
        digest_on=dates.digest_on,
        next_at=dates.next_at,
        mark=one.mark,
    )


@lru_cache(maxsize=4_096)  # many subscribers have the same
def _dates(schedule: Schedule, due_at: datetime, now: datetime) -> DueDates:
    return due_dates(schedule, due_at, now)


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
    marks = {plan.subscriber.id: plan.mark for plan in plans if plan.mark is not None}
    same = unchanged(session, marks) if marks else set()
    others = [plan.subscriber.id for plan in plans if plan.mark is None]
    present = subscribers.by_ids(session, others, lock=True) if others else {}
    return [
        plan
        for plan in plans
        if plan.subscriber.id in same or present.get(plan.subscriber.id) == plan.subscriber
    ]


def unknown_zones(plans: Sequence[Plan]) -> dict[SubscriberId, str]:
    """Those whose zone this host does not know, and what to do: it is left to a host that knows it,
    for in any other zone both the hour and the date would be wrong.
    """
    return {
        plan.subscriber.id: f"time zone {name!r} is unknown to this host: bring its zone data up "
        "to date (pip install -U tzdata), or choose another by `digest subscribers edit --tz`"
        for plan in plans
        if (name := plan.subscriber.preferences.schedule.unknown)
    }


def first_instants(
    session: Session, schedules: Iterable[tuple[SubscriberId, Schedule]], now: datetime
) -> dict[SubscriberId, datetime]:
    """When those get their next digest who become active or change schedule at `now`: on the first
    date of the new schedule that has no row yet.
    """
    chosen = dict(schedules)
    todays = {number: local_date(schedule, now) for number, schedule in chosen.items()}
    days = [(who, day + timedelta(n)) for who, day in todays.items() for n in range(MOVES + 1)]
    taken: dict[SubscriberId, set[date]] = {who: set() for who in chosen}
    for who, day in days_with_rows(session, days):
        taken[who].add(day)
    return {
        who: first_due(schedule, now, has_row_today=todays[who] in taken[who], taken=taken[who])
        for who, schedule in chosen.items()
    }


def date_anew(engine: Engine, now: datetime) -> int:
    """Bring those back who were dated by a clock that was far ahead; how many they were.

    They would get nothing until that instant comes, which may be years.
    """
    latest, anew = now + FARTHEST, 0
    with reading(engine) as session:
        if not subscribers.any_dated_after(session, latest):
            return 0
    while True:
        with transaction(engine) as session:
            people = subscribers.dated_after(session, latest, limit=CHUNK)
            chosen = [(one.id, one.preferences.schedule) for one in people]
            set_next(session, first_instants(session, chosen, now).items())
        if not people:
            return anew
        anew += len(people)
