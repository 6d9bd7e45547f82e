"""The ledger on both engines: once per date, leases, doubts, opt-outs at every moment."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert, select, text, update

from digest.domain.deliveries import (
    Cancelled,
    Deferred,
    Failed,
    InDoubt,
    MailKind,
    NotTried,
    Sent,
    State,
)
from digest.domain.digests import Digest, Pick, Reason, Skip, SkipReason, Where
from digest.domain.papers import PaperId
from digest.domain.subscribers import Status, SuppressionReason, address_hash
from digest.errors import StoreError
from digest.store import (
    contents,
    ledger,
    ledger_read,
    outbox,
    subscribers,
    suppressions,
    turns,
)
from digest.store.database import open_engine, reading, transaction
from digest.store.ledger_read import Which
from digest.store.outbox import Outcome
from digest.store.subscribers import NewSubscriber
from digest.store.tables import DeliveryRow, MergedPaperRow, PaperRow, table
from digest.store.turns import Sender, Start
from tests.builders import NOON

DAY = date(2026, 3, 12)
LEASE = timedelta(seconds=30)
SECOND = timedelta(seconds=1)
PEPPER = "pepper"
OK = Sent(code=250, reply="2.0.0 queued")


def a_pick(number=1, **changes):
    values = {
        "paper_id": PaperId(number),
        "score": 0.1 + 0.2,
        "relevance": 1 / 3,
        "trend": 0.5,
        "reason": Reason(where=Where.TITLE, interest="graphs", words=("graph",), upvotes=3),
    }
    return Pick(**values | changes)


def a_digest(*numbers, day=DAY, **changes):
    return Digest(digest_on=day, picks=tuple(a_pick(n) for n in numbers or (1,)), **changes)


def a_person(session, email="ada@example.com", status=Status.ACTIVE):
    return subscribers.add(session, NewSubscriber(email=email, status=status), NOON)


def queue(session, person, digest=None, now=NOON):
    return outbox.enqueue_digest(
        session, person.id, digest or a_digest(), edition_id=None, message_id="<m@x>", now=now
    )


def row(session, delivery_id=None):
    which = Which(ids=[delivery_id]) if delivery_id else Which()
    (found,) = ledger_read.list_deliveries(session, which)
    return found


def claim(session, owner="a", now=NOON, limit=10):
    return ledger.claim(session, owner, now, LEASE, limit)


def begin(session, claimed, owner="a", now=NOON, **changes):
    sender = Sender(owner=owner, pepper=PEPPER, now=now, wall=changes.get("wall", now))
    return turns.advance(session, sender, [], [claimed.id]).starts.get(claimed.id)


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


@pytest.mark.parametrize("status", [Status.UNSUBSCRIBED, Status.PAUSED, Status.SUPPRESSED])
def test_an_opt_out_between_claim_and_begin_cancels(session, status):
    ada = a_person(session)
    queue(session, ada)
    (it,) = claim(session)
    subscribers.set_status(session, ada.id, status, next_digest_at=None, now=NOON)
    assert begin(session, it) is Start.CANCELLED
    assert (row(session).state, row(session).reason) == (State.CANCELLED, status.value)
    assert row(session).attempts == 0


def test_a_suppressed_address_is_not_mailed_though_its_subscriber_is_active(session):
    queue(session, a_person(session, "Ada@Example.com"))
    (it,) = claim(session)
    digest = address_hash(PEPPER, "ada@example.com")
    suppressions.add(session, digest, SuppressionReason.REQUEST, NOON, email=None)
    assert begin(session, it) is Start.CANCELLED
    assert row(session).reason == Cancelled.SUPPRESSED


def test_an_opt_out_that_commits_elsewhere_is_seen_by_begin(engine):
    with transaction(engine) as session:
        ada = a_person(session)
        queue(session, ada)
        (it,) = claim(session)
    with transaction(engine) as session:
        subscribers.set_status(session, ada.id, Status.UNSUBSCRIBED, next_digest_at=None, now=NOON)
        assert outbox.cancel_open(session, ada.id, Cancelled.UNSUBSCRIBED) == 1
    with transaction(engine) as session:
        assert begin(session, it) is Start.LOST
        assert row(session).state is State.CANCELLED


@pytest.mark.postgres
def test_an_opt_out_waits_for_a_message_that_is_being_begun(postgres_url):
    engine = open_engine(postgres_url)
    with transaction(engine) as session:
        ada = a_person(session)
        queue(session, ada)
        (it,) = claim(session)
    with transaction(engine) as one:
        assert begin(one, it) is Start.BEGUN
        with pytest.raises(StoreError, match="lock timeout"), transaction(engine) as two:
            two.connection().exec_driver_sql("SET LOCAL lock_timeout = '20ms'")
            subscribers.by_id(two, ada.id, lock=True)
    with transaction(engine) as session:
        assert subscribers.by_id(session, ada.id, lock=True) == ada
    engine.dispose()


def test_an_erased_subscriber_is_not_mailed_and_leaves_no_words(session):
    ada = a_person(session)
    for day in (DAY, DAY + timedelta(days=1)):
        queue(session, ada, a_digest(day=day))
    one, two = claim(session)
    begin(session, one)
    outbox.cancel_open(session, ada.id, Cancelled.ERASED)
    outbox.unname(session, ada.id)
    subscribers.erase_row(session, ada.id)
    assert begin(session, two) is Start.LOST
    said = Deferred(code=450, reply="<ada@example.com> is busy")
    assert ledger.record(session, one.id, "a", said, NOON) is State.CANCELLED
    for found in ledger_read.list_deliveries(session):
        assert (found.subscriber_id, found.email, found.reason) == (None, "", "erased")
        assert "graph" not in found.picks and contents.paper_ids(found.picks) == (1,)
    everything = str(session.execute(select(table(DeliveryRow))).all())
    assert "ada@example.com" not in everything


@pytest.mark.parametrize(
    ("kind", "status", "start"),
    [
        (MailKind.CONFIRM, Status.PENDING, Start.BEGUN),
        (MailKind.CONFIRM, Status.ACTIVE, Start.CANCELLED),
        (MailKind.WELCOME, Status.ACTIVE, Start.BEGUN),
        (MailKind.WELCOME, Status.PENDING, Start.CANCELLED),
        (MailKind.WELCOME, Status.PAUSED, Start.CANCELLED),
        (MailKind.ACCESS, Status.ACTIVE, Start.BEGUN),
        (MailKind.ACCESS, Status.PAUSED, Start.BEGUN),
        (MailKind.ACCESS, Status.PENDING, Start.BEGUN),
        (MailKind.ACCESS, Status.UNSUBSCRIBED, Start.CANCELLED),
        (MailKind.ACCESS, Status.SUPPRESSED, Start.CANCELLED),
    ],
)
def test_each_kind_of_mail_goes_to_those_whose_status_it_fits(session, kind, status, start):
    ada = a_person(session, status=status)
    outbox.enqueue_mail(session, kind, ada.id, "t", message_id="<c@x>", now=NOON)
    (it,) = claim(session)
    assert (it.kind, it.token, it.digest) == (kind, "t", None)
    assert begin(session, it) is start


def test_only_what_is_not_begun_is_cancelled_and_by_kind(session):
    ada = a_person(session)
    queue(session, ada)
    outbox.enqueue_mail(session, MailKind.WELCOME, ada.id, "", message_id="<w@x>", now=NOON)
    one, _two = claim(session)
    begin(session, one)
    assert outbox.cancel_open(session, ada.id, Cancelled.PAUSED, [MailKind.CONFIRM]) == 0
    assert outbox.cancel_open(session, ada.id, Cancelled.PAUSED) == 1
    assert row(session, one.id).state is State.SENDING


def test_the_operator_queues_failed_and_held_again_and_nothing_else(session):
    people = [a_person(session, f"p{n}@example.com") for n in range(3)]
    for person in people:
        queue(session, person)
    one, two, three = claim(session)
    for it, result in ((one, Failed(code=550, reply="no")), (two, OK)):
        begin(session, it)
        ledger.record(session, it.id, "a", result, NOON)
    later = NOON + timedelta(days=3)
    assert outbox.retry(session, later, ids=[two.id, three.id]) == []
    assert outbox.retry(session, later, states=[State.HELD, State.SENT]) == []
    assert outbox.retry(session, later) == [one.id]
    (again,) = [c for c in claim(session, "b", later) if c.id == one.id]
    assert again.message_id == one.message_id and again.queued_at == later


def test_a_spoiled_row_fails_alone(session):
    for email in ("ada@example.com", "bob@example.com"):
        queue(session, a_person(session, email))
    first = ledger_read.list_deliveries(session)[-1]
    spoiled = update(table(DeliveryRow)).where(table(DeliveryRow).c.id == first.id)
    session.execute(spoiled.values(picks='{"picks": [{"p": '))
    assert [c.subscriber.email for c in claim(session)] == ["bob@example.com"]
    assert row(session, first.id).state is State.FAILED


def test_what_was_sent_is_remembered_through_merges_and_for_its_window(session):
    ada, bob = a_person(session), a_person(session, "bob@example.com")
    paper = {"title": "T", "first_seen_at": NOON, "updated_at": NOON}
    made = insert(table(PaperRow)).values(paper).returning(table(PaperRow).c.id)
    kept = session.execute(made).scalar_one()
    session.execute(insert(table(MergedPaperRow)).values(old_id=90_001, paper_id=kept))
    queue(session, ada, a_digest(90_001, 90_002))
    queue(session, ada, a_digest(90_003, day=date(2026, 3, 1)), NOON - timedelta(days=11))
    skip = Skip(digest_on=DAY, reason=SkipReason.NO_MATCHES)
    outbox.write_skip(session, bob.id, skip, edition_id=None, now=NOON)
    week = NOON - timedelta(days=7)
    sent = ledger_read.sent_before(session, [ada.id, bob.id], week)
    assert sent == {ada.id: {90_001, 90_002, kept}}
    outbox.cancel_open(session, ada.id, Cancelled.PAUSED)
    assert ledger_read.sent_before(session, [ada.id], week) == {}


def test_what_was_in_doubt_and_then_cancelled_counts_as_sent(session):
    ada = a_person(session)
    queue(session, ada, a_digest(7))
    (it,) = claim(session)
    begin(session, it)
    ledger.record(session, it.id, "a", InDoubt(detail="connection lost"), NOON)
    outbox.cancel_open(session, ada.id, Cancelled.PAUSED)
    assert row(session, it.id).state is State.CANCELLED
    week = NOON - timedelta(days=7)
    assert ledger_read.sent_before(session, [ada.id], week) == {ada.id: {7}}


def test_listings_filter_and_count(session):
    ada, bob = a_person(session), a_person(session, "bob@example.com")
    for person in (ada, bob):
        queue(session, person)
    skip = Skip(digest_on=date(2026, 3, 13), reason=SkipReason.NO_PAPERS)
    outbox.write_skip(session, ada.id, skip, edition_id=None, now=NOON)

    def ids(limit=50, offset=0, **which):
        found = ledger_read.list_deliveries(session, Which(**which), limit=limit, offset=offset)
        return [(one.email, one.digest_on.day) for one in found]

    everything = [("ada@example.com", 13), ("bob@example.com", 12), ("ada@example.com", 12)]
    assert ids() == ids(limit=0) == everything
    assert ids(limit=1, offset=1) == everything[1:2]
    assert ids(email="ADA@example.com", states=[State.QUEUED]) == everything[2:]
    assert ids(digest_on=DAY, kinds=[MailKind.DIGEST]) == everything[1:]
    assert ids(kinds=[MailKind.WELCOME]) == []
    found = ledger_read.counts(session)
    assert (found[State.QUEUED], found[State.SKIPPED], found[State.SENT]) == (2, 1, 0)


def test_stats_count_by_utc_day(session):
    before = NOON - timedelta(days=1)
    ada = a_person(session)
    queue(session, ada)
    skip = Skip(digest_on=date(2026, 3, 11), reason=SkipReason.NO_PAPERS)
    outbox.write_skip(session, ada.id, skip, edition_id=None, now=before)
    late = datetime(2026, 3, 11, 23, 30, tzinfo=UTC)
    paper = {"title": "T", "first_seen_at": late, "updated_at": NOON}
    session.execute(insert(table(PaperRow)).values(paper))
    suppressions.add(session, "hash", SuppressionReason.ERASED, NOON, email=None)
    first, second, third = ledger_read.stats_by_day(session, NOON, 3)
    assert (first.papers, first.deliveries) == (0, {})
    assert (second.day, second.papers) == (date(2026, 3, 11), 1)
    assert second.deliveries == {State.SKIPPED: 1}
    assert (third.deliveries, third.left) == ({State.QUEUED: 1}, 1)


def test_a_digest_comes_back_exactly_and_later_keys_are_passed_over():
    plain = Pick(
        paper_id=PaperId(2),
        score=1.0,
        relevance=0.0,
        trend=1e-17,
        reason=Reason(where=Where.TRENDING),
    )
    digest = Digest(
        digest_on=DAY, picks=(a_pick(reason=a_pick().reason), plain), trending_only=True
    )
    text = contents.content_to_json(digest)
    assert contents.content_from_json(text, DAY) == digest
    extended = text.replace('{"p":2', '{"later":[1],"p":2').replace('{"picks"', '{"v":2,"picks"')
    assert contents.content_from_json(extended, DAY) == digest
    assert contents.content_from_json("[]", DAY).picks == ()
    with pytest.raises(ValueError, match="JSON compliant"):
        contents.content_to_json(Digest(digest_on=DAY, picks=(a_pick(score=float("nan")),)))


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("state IN ('queued', 'deferred') AND due_at <= 'x'", "ix_deliveries_waiting"),
        ("state = 'sending' AND lease_until <= 'x'", "ix_deliveries_leased"),
    ],
)
def test_sqlite_reads_the_queue_through_its_partial_indexes(sqlite_url, condition, index):
    engine = open_engine(sqlite_url)
    with reading(engine) as session:
        query = f"EXPLAIN QUERY PLAN SELECT id FROM deliveries WHERE {condition}"
        plan = session.connection().exec_driver_sql(query).all()
    engine.dispose()
    assert index in str(plan)
