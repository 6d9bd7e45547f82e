"""Turns: what many connections have sent and send next, written together, on both engines."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from digest.domain.deliveries import Deferred, Sent, State
from digest.domain.digests import Digest, Pick, Reason, Where
from digest.domain.papers import PaperId
from digest.domain.subscribers import Status
from digest.store import ledger, ledger_read, outbox, subscribers, turns
from digest.store.database import open_engine, transaction
from digest.store.ledger_read import Which
from digest.store.subscribers import NewSubscriber
from digest.store.tables import DeliveryRow, table
from digest.store.turns import Ended, Sender, Start
from tests.builders import NOON

LEASE = timedelta(seconds=30)
SECOND = timedelta(seconds=1)
OK = Sent(code=250, reply="2.0.0 queued")
DELIVERIES = table(DeliveryRow)


def claim(session, owner="a", now=NOON):
    return ledger.claim(session, owner, now, LEASE, 10)


def row(session, delivery_id):
    (found,) = ledger_read.list_deliveries(session, Which(ids=[delivery_id]))
    return found


def a_sender(**changes):
    values = {"owner": "a", "pepper": "pepper", "now": NOON, "wall": NOON, "jitter": lambda: 0.0}
    return Sender(**values | changes)


def three_claimed(session):
    reason = Reason(where=Where.TITLE, interest="graphs", words=("graph",))
    pick = Pick(paper_id=PaperId(1), score=1, relevance=1, trend=0, reason=reason)
    digest = Digest(digest_on=date(2026, 3, 12), picks=(pick,))
    for name in ("ada", "bob", "eve"):
        new = NewSubscriber(email=f"{name}@example.com", status=Status.ACTIVE)
        person = subscribers.add(session, new, NOON)
        outbox.enqueue_digest(
            session, person.id, digest, edition_id=None, message_id=f"<{name}@x>", now=NOON
        )
    return [it.id for it in claim(session)]


def test_outcomes_are_recorded_and_the_next_begun_in_one_step(session):
    one, two, three = three_claimed(session)
    turns.advance(session, a_sender(), [], [one, two])
    deferred = Deferred(code=451, reply="4.3.0 later")
    ended = [Ended(id=one, result=OK), Ended(id=two, result=deferred)]
    turn = turns.advance(session, a_sender(), ended, [three])
    assert turn.states == {one: State.SENT, two: State.DEFERRED}
    assert turn.starts == {three: Start.BEGUN}
    sent = row(session, one)
    assert (sent.state, sent.sent_at, sent.smtp_code) == (State.SENT, NOON, 250)
    assert (sent.attempts, row(session, two).reason) == (1, "4.3.0 later")
    assert row(session, three).attempts == 1


def test_a_step_records_nothing_of_what_was_taken_over(session):
    one, *_ = three_claimed(session)
    turns.advance(session, a_sender(), [], [one])
    claim(session, owner="b", now=NOON + LEASE)
    turn = turns.advance(session, a_sender(), [Ended(id=one, result=OK)], [])
    assert turn.states == {one: None}
    assert row(session, one).state is State.SENDING


def test_what_is_not_permitted_waits_and_keeps_its_tries(session):
    one, two, three = three_claimed(session)
    later = NOON + 5 * SECOND

    def permit(_session, emails):
        return [later if email.startswith("bob") else None for email in emails]

    turn = turns.advance(session, a_sender(permit=permit), [], [one, two, three])
    assert turn.starts == {one: Start.BEGUN, two: Start.WAITS, three: Start.BEGUN}
    assert turn.waits == {two: later}
    ledger.put_off(session, "a", {two: later, one: later})
    assert (row(session, two).state, row(session, two).attempts) == (State.QUEUED, 0)
    assert row(session, one).state is State.SENDING  # begun: nobody puts it off any more
    assert claim(session, owner="b", now=NOON + 4 * SECOND) == []
    assert [it.id for it in claim(session, owner="b", now=later)] == [two]


@pytest.mark.postgres
def test_rows_that_another_transaction_holds_are_left_and_nobody_waits(postgres_url):
    engine = open_engine(postgres_url)
    with transaction(engine) as session:
        one, two, three = three_claimed(session)
        turns.advance(session, a_sender(), [], [one])
        people = session.scalars(select(DELIVERIES.c.subscriber_id).order_by(DELIVERIES.c.id)).all()
    with transaction(engine) as other:
        for number in people[:2]:
            subscribers.by_id(other, number, lock=True)
        with transaction(engine) as session:
            session.connection().exec_driver_sql("SET LOCAL lock_timeout = '20ms'")
            ended = [Ended(id=one, result=OK)]
            turn = turns.advance(session, a_sender(), ended, [two, three])
            assert (turn.states, turn.starts) == ({}, {three: Start.BEGUN})
    engine.dispose()


@pytest.mark.postgres
def test_leases_are_renewed_and_given_back_without_waiting_for_rows_held_elsewhere(postgres_url):
    engine = open_engine(postgres_url)
    with transaction(engine) as session:
        one, two, three = three_claimed(session)
    later = NOON + 60 * SECOND
    with transaction(engine) as other:
        other.execute(select(DELIVERIES.c.id).where(DELIVERIES.c.id == one).with_for_update())
        with transaction(engine) as session:
            session.connection().exec_driver_sql("SET LOCAL lock_timeout = '20ms'")
            assert ledger.renew(session, "a", NOON, LEASE) == 2
            assert ledger.put_off(session, "a", {one: later, two: later}) == {two}
            assert ledger.release(session, "a") == 1
    with transaction(engine) as session:
        assert row(session, one).state is State.SENDING
        assert {row(session, n).state for n in (two, three)} == {State.QUEUED}
    engine.dispose()
