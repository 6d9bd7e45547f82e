"""The ledger on both engines: what goes in, how it is claimed, begun and recorded."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from digest.domain.deliveries import Deferred, Failed, InDoubt, MailKind, NotTried, State
from digest.domain.digests import Digest, Pick, Reason, Skip, SkipReason, Where
from digest.domain.papers import PaperId
from digest.domain.subscribers import Status
from digest.store import contents, ledger, ledger_read, outbox
from digest.store.database import transaction
from digest.store.ledger_read import Which
from digest.store.outbox import Outcome
from digest.store.turns import Start
from tests.builders import NOON
from tests.store.queue import DAY, LEASE, OK, SECOND, a_digest, a_person, begin, claim, queue, row


def test_a_date_gets_one_row_whatever_comes_second(session):
    ada = a_person(session)
    assert queue(session, ada)
    assert not queue(session, ada, a_digest(2))
    skip = Skip(digest_on=DAY, reason=SkipReason.NO_PAPERS)
    assert not outbox.write_skip(session, ada.id, skip, edition_id=None, now=NOON)
    assert row(session).state is State.QUEUED
    assert contents.paper_ids(row(session).picks) == (1,)
    assert ledger_read.has_row(session, ada.id, DAY)
    assert not ledger_read.has_row(session, ada.id, DAY + timedelta(days=1))


def test_many_outcomes_are_written_at_once_and_say_which_were_new(session):
    ada, bob = a_person(session), a_person(session, "bob@example.com")
    queue(session, ada)
    skip = Skip(digest_on=DAY, reason=SkipReason.LATE)
    outcomes = [
        Outcome(subscriber_id=ada.id, content=a_digest(5), edition_id=None, message_id="<1@x>"),
        Outcome(subscriber_id=bob.id, content=skip, edition_id=None),
    ]
    assert outbox.write_outcomes(session, outcomes, NOON) == {(bob.id, DAY)}
    assert outbox.write_outcomes(session, [], NOON) == set()
    (late,) = ledger_read.list_deliveries(session, Which(states=[State.SKIPPED]))
    assert (late.email, late.reason, late.message_id) == ("bob@example.com", "late", "")


def test_outcomes_by_the_hundred_come_back_as_they_were_written(session):
    people = [a_person(session, f"p{n}@example.com") for n in range(outbox.PIECE + 20)]
    hard = 'a "quoted" \\ word,\n{tab}\t, naïve 🦉 \\u0000 and \ufeff'
    reason = Reason(where=Where.TITLE, interest=hard, words=(hard,), upvotes=3)
    pick = Pick(paper_id=PaperId(7), score=0.1 + 0.2, relevance=1e-9, trend=1 / 3, reason=reason)
    digest = Digest(digest_on=DAY, picks=(pick,) * 3)
    outcomes = [
        Outcome(subscriber_id=one.id, content=digest, edition_id=None, message_id=f"<{one.id}@x>")
        for one in people
    ]
    assert outbox.write_outcomes(session, outcomes[3:5], NOON) == {
        (o.subscriber_id, DAY) for o in outcomes[3:5]
    }
    new = outbox.write_outcomes(session, outcomes, NOON)
    assert len(new) == len(outcomes) - 2
    rows = ledger_read.list_deliveries(session, limit=0)
    assert sorted(row.message_id for row in rows) == sorted(o.message_id for o in outcomes)
    assert {row.queued_at for row in rows} == {row.due_at for row in rows} == {NOON}
    columns = "digest_on, queued_at, due_at, kind, state, token, attempts, doubtful, smtp_reply"
    assert len(session.execute(text(f"SELECT DISTINCT {columns} FROM deliveries")).all()) == 1
    assert {contents.content_from_json(row.picks, DAY) for row in rows} == {digest}


def test_a_skip_is_replaced_and_nothing_else_ever(session):
    ada = a_person(session)
    digest = Outcome(subscriber_id=ada.id, content=a_digest(7), edition_id=None, message_id="<7@x>")
    assert not outbox.replace_skipped(session, digest, NOON)
    skip = Skip(digest_on=DAY, reason=SkipReason.NO_MATCHES)
    outbox.write_skip(session, ada.id, skip, edition_id=None, now=NOON)
    assert outbox.replace_skipped(session, digest, NOON)
    assert not outbox.replace_skipped(session, digest, NOON)
    found = row(session)
    assert (found.state, found.reason, found.message_id) == (State.QUEUED, "", "<7@x>")


def test_a_confirmation_is_queued_once_per_token(session):
    ada = a_person(session, status=Status.PENDING)

    def enqueue(token):
        return outbox.enqueue_mail(
            session, MailKind.CONFIRM, ada.id, token, message_id="<c@x>", now=NOON
        )

    assert [enqueue("1"), enqueue("1"), enqueue("2")] == [True, False, True]
    with pytest.raises(ValueError, match="enqueue_digest"):
        outbox.enqueue_mail(session, MailKind.DIGEST, ada.id, "", message_id="", now=NOON)


def test_rows_are_claimed_in_the_order_in_which_they_are_due_and_once(session):
    people = [a_person(session, f"p{n}@example.com") for n in range(4)]
    for minutes, person in zip((3, 1, 2, -5), people, strict=True):
        queue(session, person, now=NOON - timedelta(minutes=minutes))
    first = claim(session, "a", limit=2)
    assert [c.subscriber.id for c in first] == [people[0].id, people[2].id]
    assert first[0].digest == a_digest() and first[0].message_id == "<m@x>"
    assert [c.subscriber.id for c in claim(session, "b")] == [people[1].id]
    assert claim(session, "b") == []


def test_two_connections_that_claim_at_once_share_the_rows(engine):
    with transaction(engine) as session:
        for number in range(6):
            queue(session, a_person(session, f"p{number}@example.com"))
    if engine.dialect.name == "postgresql":  # SQLite has one writer at a time
        with transaction(engine) as one, transaction(engine) as two:
            mine, yours = claim(one, "a", limit=4), claim(two, "b", limit=4)
    else:
        with transaction(engine) as one:
            mine = claim(one, "a", limit=4)
        with transaction(engine) as two:
            yours = claim(two, "b", limit=4)
    assert (len(mine), len(yours)) == (4, 2)
    assert not {c.id for c in mine} & {c.id for c in yours}


def test_a_message_is_begun_recorded_and_sent(session):
    queue(session, a_person(session))
    (it,) = claim(session)
    assert begin(session, it) is Start.BEGUN
    assert (row(session).begun_at, row(session).attempts) == (NOON, 1)
    assert ledger.record(session, it.id, "a", OK, NOON + SECOND) is State.SENT
    found = row(session)
    assert (found.state, found.sent_at, found.smtp_code) == (State.SENT, NOON + SECOND, 250)
    assert begin(session, it) is Start.LOST
    assert ledger.record(session, it.id, "a", OK, NOON) is None


@pytest.mark.parametrize(
    ("result", "state", "code"),
    [
        (Deferred(code=451, reply="later"), State.DEFERRED, 451),
        (Failed(code=550, reply="no such user"), State.FAILED, 550),
        (Failed(code=0, reply="cannot be made"), State.FAILED, None),
    ],
)
def test_a_refusal_is_written_with_its_code_and_words(session, result, state, code):
    queue(session, a_person(session))
    (it,) = claim(session)
    begin(session, it)
    assert ledger.record(session, it.id, "a", result, NOON) is state
    found = row(session)
    assert (found.state, found.reason, found.smtp_code) == (state, result.reply, code)


def test_a_deferred_row_waits_its_minute_and_gives_up_after_two_days(session):
    queue(session, a_person(session))
    (it,) = claim(session)
    begin(session, it)
    ledger.record(session, it.id, "a", Deferred(code=421, reply="busy"), NOON, jitter=0)
    assert claim(session, now=NOON + timedelta(seconds=59)) == []
    late = NOON + timedelta(hours=48)
    (again,) = claim(session, now=late)
    assert again.message_id == it.message_id
    begin(session, again, now=late)
    assert ledger.record(session, it.id, "a", Deferred(code=421, reply="busy"), late) is (
        State.FAILED
    )
    assert row(session).reason == "gave up after 48 h: busy"


def test_a_relay_that_was_never_reached_counts_no_try(session):
    queue(session, a_person(session))
    (it,) = claim(session)
    begin(session, it)
    assert ledger.record(session, it.id, "a", NotTried(detail="refused"), NOON) is State.QUEUED
    assert (row(session).attempts, row(session).begun_at) == (0, None)
    assert len(claim(session)) == 1


def test_hostile_words_of_a_relay_are_stored_as_one_plain_line(session):
    queue(session, a_person(session))
    (it,) = claim(session)
    begin(session, it)
    said = "no\x00\r\nBcc: x\x1b[31m \udcff " + "y" * 9999
    ledger.record(session, it.id, "a", Failed(code=550, reply=said), NOON)
    found = row(session).reason
    assert found.startswith("no Bcc: x [31m y") and len(found) == ledger.LONGEST_REPLY


def test_an_expired_lease_that_was_never_begun_goes_back_as_it_was(session):
    queue(session, a_person(session))
    claim(session)
    assert claim(session, "b", NOON + LEASE - SECOND) == []
    (again,) = claim(session, "b", NOON + LEASE)
    assert (again.attempts, again.doubtful) == (0, 0)
    assert begin(session, again, "a", NOON + LEASE) is Start.LOST
    assert begin(session, again, "b", NOON + LEASE) is Start.BEGUN


def test_a_crash_in_doubt_is_sent_again_and_the_second_is_held(session):
    queue(session, a_person(session))
    (it,) = claim(session)
    begin(session, it)
    later = NOON + LEASE
    (again,) = claim(session, "b", later)
    assert (again.doubtful, again.message_id) == (1, it.message_id)
    assert ledger.record(session, it.id, "a", OK, later) is None  # a came back too late
    begin(session, again, "b", later)
    assert claim(session, "c", later + LEASE) == []
    found = row(session)
    assert (found.state, found.doubtful, found.attempts) == (State.HELD, 2, 2)
    assert found.reason == ledger.CRASHED


def test_a_lost_answer_twice_is_held_too(session):
    queue(session, a_person(session))
    for expected in (State.QUEUED, State.HELD):
        (it,) = claim(session)
        begin(session, it)
        lost = InDoubt(detail="connection lost")
        assert ledger.record(session, it.id, "a", lost, NOON) is expected
    assert claim(session) == []


def test_a_heartbeat_keeps_the_lease_and_only_its_own(session):
    queue(session, a_person(session))
    (it,) = claim(session)
    assert ledger.renew(session, "b", NOON + 20 * SECOND, LEASE) == 0
    assert ledger.renew(session, "a", NOON + 20 * SECOND, LEASE) == 1
    assert claim(session, "b", NOON + 40 * SECOND) == []
    assert begin(session, it, now=NOON + 40 * SECOND) is Start.BEGUN


def test_a_lease_that_ran_out_begins_nothing(session):
    queue(session, a_person(session))
    (it,) = claim(session)
    assert begin(session, it, now=NOON + LEASE) is Start.LOST


def test_a_shutdown_gives_back_what_was_not_begun(session):
    for email in ("ada@example.com", "bob@example.com"):
        queue(session, a_person(session, email))
    one, two = claim(session)
    begin(session, one)
    assert ledger.release(session, "b") == 0
    assert ledger.release(session, "a") == 1
    assert row(session, one.id).state is State.SENDING
    assert row(session, two.id).state is State.QUEUED
