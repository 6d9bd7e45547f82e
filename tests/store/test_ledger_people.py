"""Opt-outs, suppressions and erasures against messages that are about to begin, on both engines."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from digest.domain.deliveries import Cancelled, Deferred, MailKind, State
from digest.domain.subscribers import Status, SuppressionReason, address_hash
from digest.errors import StoreError
from digest.store import contents, ledger, ledger_read, outbox, subscribers, suppressions
from digest.store.database import open_engine, transaction
from digest.store.tables import DeliveryRow, table
from digest.store.turns import Start
from tests.builders import NOON
from tests.store.queue import DAY, PEPPER, a_digest, a_person, begin, claim, queue, row


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
