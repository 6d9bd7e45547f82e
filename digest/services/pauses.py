"""Pauses until a date: when they end, and going on by themselves."""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.schedule import begin_of, local_date
from digest.domain.subscribers import Channel, ConsentEvent, Subscriber
from digest.errors import InvalidInput
from digest.services.plans import first_instants
from digest.store import evidence, pauses
from digest.store.database import reading, transaction
from digest.store.evidence import Evidence

PAUSE_MOST = timedelta(days=366)


def end_of_pause(person: Subscriber, until: date, now: datetime) -> datetime:
    """The instant with which that date begins for the subscriber. Raises InvalidInput for one that
    is not after their today, or more than a year ahead.
    """
    today = local_date(person.preferences.schedule, now)
    if not today < until <= today + PAUSE_MOST:
        raise InvalidInput(f"pause until {until}: give a date from tomorrow to a year from now")
    return begin_of(person.preferences.schedule, until)


def resume_due(engine: Engine, now: datetime) -> int:
    """Go on with all whose pause is over; how many. Those who are being changed at this moment
    come next time.
    """
    with reading(engine) as session:
        if not pauses.any_over(session, now):
            return 0
    resumed = 0
    while True:
        with transaction(engine) as session:
            people = pauses.over(session, now)
            _go_on(session, people, now)
        if not people:
            return resumed
        resumed += len(people)


def _go_on(session: Session, people: Sequence[Subscriber], now: datetime) -> None:
    """Make subscribers active whose pauses, which they dated themselves, are over."""
    chosen = [(one.id, one.preferences.schedule) for one in people]
    instants = first_instants(session, chosen, now).items()
    pauses.go_on(session, instants, now)
    event, channel = ConsentEvent.RESUMED, Channel.LINK
    detail = json.dumps({"because": "the date they paused until has come"})
    kept = [
        Evidence(subscriber_id=one.id, event=event, channel=channel, happened_at=now, detail=detail)
        for one in people
    ]
    evidence.record(session, kept)
