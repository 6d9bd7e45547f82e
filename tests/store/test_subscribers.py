"""Subscribers as rows: there and back, due by chunks, never a query per subscriber."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError

from digest.domain.interests import InterestKind, interest
from digest.domain.schedule import Frequency, Schedule
from digest.domain.subscribers import (
    Channel,
    ConsentEvent,
    EmptyDay,
    Preferences,
    Status,
)
from digest.errors import NotFound
from digest.store import due, subscribers
from digest.store.subscribers import NewSubscriber
from digest.store.tables import InterestRow, table
from tests.builders import NOON, some_interests

PREFERENCES = Preferences(
    schedule=Schedule(timezone="Asia/Tokyo", hour=23, frequency=Frequency.WEEKLY, weekday=6),
    max_papers=50,
    threshold=0.1 + 0.2,
    empty_day=EmptyDay.SKIP,
    min_matches=7,
    text_only=True,
)
MIXED = (
    interest("continual learning^2.5"),
    interest("crypto", excluded=True),
    interest("Ada Lovelace", InterestKind.AUTHOR),
    interest("cs.LG", InterestKind.CATEGORY),
)


def add(session, email="ada@example.com", *phrases, status=Status.ACTIVE, due=NOON):
    new = NewSubscriber(
        email=email, status=status, interests=some_interests(*phrases), next_digest_at=due
    )
    return subscribers.add(session, new, NOON)


def test_a_subscriber_comes_back_as_added(session):
    new = NewSubscriber(
        email="Ada@example.com",
        status=Status.PAUSED,
        interests=MIXED,
        preferences=PREFERENCES,
        next_digest_at=NOON,
    )
    ada = subscribers.add(session, new, NOON)
    assert (ada.interests, ada.preferences) == (MIXED, PREFERENCES)
    assert subscribers.by_email(session, "ADA@Example.com", lock=True) == ada
    assert subscribers.by_id(session, ada.id) == ada
    assert subscribers.by_ids(session, [ada.id, 10**6]) == {ada.id: ada}
    assert subscribers.by_keys(session, ["ada@example.com", "x"]) == {"ada@example.com": ada}


def test_who_is_not_there_is_not_found(session):
    assert subscribers.find_by_email(session, "x@example.com") is None
    with pytest.raises(NotFound, match="x@example"):
        subscribers.by_email(session, "x@example.com")
    with pytest.raises(NotFound, match="id 1000000"):
        subscribers.by_id(session, 10**6)


def test_an_address_is_there_once_whatever_its_case(session):
    add(session)
    with pytest.raises(IntegrityError), session.begin_nested():
        add(session, "ADA@example.com")


def test_saving_writes_everything_but_the_address(session):
    ada, bob = add(session, "ada@example.com", "graphs"), add(session, "bob@example.com", "rl")
    changed = replace(
        ada,
        status=Status.PAUSED,
        interests=MIXED,
        preferences=PREFERENCES,
        next_digest_at=None,
    )
    subscribers.save(session, changed, NOON)
    assert subscribers.by_id(session, ada.id) == changed
    assert subscribers.by_id(session, bob.id) == bob


def test_an_interest_is_one_row_however_many_share_it(session):
    rows = table(InterestRow)

    def how_many():
        count = select(func.count()).select_from(rows).where(rows.c.key.in_(["few-shot", "rl"]))
        return session.execute(count).scalar_one()

    ada = add(session, "ada@example.com", "Few-Shot", "rl")
    bob = add(session, "bob@example.com", "few-shot")
    assert how_many() == 2
    assert [i.text for i in subscribers.by_id(session, bob.id).interests] == ["few-shot"]
    subscribers.erase_row(session, ada.id)
    assert how_many() == 1  # rl was hers alone
    assert [i.text for i in subscribers.by_id(session, bob.id).interests] == ["few-shot"]


def test_the_due_come_in_chunks_in_order_of_id(session):
    people = [add(session, f"p{n}@example.com", "graphs", f"topic {n}") for n in range(7)]
    add(session, "later@example.com", due=NOON + timedelta(seconds=1))
    add(session, "never@example.com", due=None)
    for status in set(Status) - {Status.ACTIVE}:
        add(session, f"{status}@example.com", status=status)
    found, after = [], 0
    while chunk := due.due(session, NOON, after_id=after, limit=3):
        assert len(chunk) <= 3
        found += [one.subscriber for one in chunk]
        after = chunk[-1].subscriber.id
    assert found == people
    assert due.due(session, NOON - timedelta(seconds=1)) == []


def test_a_chunk_of_the_due_takes_two_statements_however_large(session):
    first = add(session, "first@example.com", "graphs")
    for number in range(20):
        add(session, f"p{number}@example.com", "graphs")
    seen = []
    bind = session.connection()
    event.listen(bind, "before_cursor_execute", lambda *args: seen.append(args[2]))
    assert len(due.due(session, NOON)) == 21
    assert len(due.due(session, NOON, after_id=first.id)) == 20
    assert len(seen) == 4


def test_next_instants_are_written_for_the_active_alone(session):
    ada, bob = add(session), add(session, "bob@example.com", status=Status.PAUSED, due=None)
    later = NOON + timedelta(days=1)
    due.set_next(session, [(ada.id, later), (bob.id, later)])
    assert subscribers.by_id(session, ada.id).next_digest_at == later
    assert subscribers.by_id(session, bob.id).next_digest_at is None


def test_listings_filter_by_status_and_by_a_part_of_the_address(session):
    add(session, "100%@example.com")
    add(session, "100x@example.com", status=Status.PAUSED)
    add(session, "Bob@Example.org")

    def emails(**which):
        return [one.email for one in subscribers.listed(session, **which)]

    assert emails() == ["100%@example.com", "100x@example.com", "Bob@Example.org"]
    assert emails(limit=1) == emails()[:1]
    assert emails(limit=0, statuses=[Status.PAUSED]) == ["100x@example.com"]
    assert emails(contains="0%") == ["100%@example.com"]
    assert emails(contains="BOB@example.ORG") == ["Bob@Example.org"]
    assert [one.email for one in subscribers.everyone(session)] == emails()
    assert subscribers.status_counts(session) == dict.fromkeys(Status, 0) | {
        Status.ACTIVE: 2,
        Status.PAUSED: 1,
    }


def test_consent_is_kept_in_order_and_goes_with_the_row(session):
    ada = add(session)
    for what in (ConsentEvent.SUBSCRIBED, ConsentEvent.CONFIRMED):
        subscribers.record_consent(session, [ada.id], what, Channel.FORM, now=NOON)
    assert subscribers.consent_of(session, ada.id) == [
        (NOON, ConsentEvent.SUBSCRIBED, Channel.FORM),
        (NOON, ConsentEvent.CONFIRMED, Channel.FORM),
    ]
    subscribers.erase_row(session, ada.id)
    assert subscribers.consent_of(session, ada.id) == []
