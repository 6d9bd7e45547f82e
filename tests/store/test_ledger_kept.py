"""What the ledger remembers and what operators do with it, on both engines."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert, update

from digest.domain.deliveries import Cancelled, Failed, InDoubt, MailKind, State
from digest.domain.digests import Digest, Pick, Reason, Skip, SkipReason, Where
from digest.domain.papers import PaperId
from digest.domain.subscribers import SuppressionReason
from digest.store import contents, ledger, ledger_read, outbox, suppressions
from digest.store.database import open_engine, reading
from digest.store.ledger_read import Which
from digest.store.tables import DeliveryRow, MergedPaperRow, PaperRow, table
from tests.builders import NOON
from tests.store.queue import DAY, OK, a_digest, a_person, a_pick, begin, claim, queue, row


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
