"""Pruning people who never confirmed, and what the pages leave behind, on both engines."""

import pytest
from sqlalchemy import update

from digest.domain.deliveries import State
from digest.domain.retention import Kind
from digest.domain.subscribers import Channel, ConsentEvent
from digest.services.prune import prune
from digest.services.subscribe import confirm, subscribe, undo, unsubscribe
from digest.store import evidence
from digest.store.database import reading, transaction
from digest.store.evidence import Evidence
from digest.store.merge import merge_batch
from digest.store.sources import last_change, remember_batch
from digest.store.tables import (
    AddressChangeRow,
    AskedMailRow,
    BatchRow,
    ConsentEventRow,
    DeliveryRow,
    InterestRow,
    InvitationRow,
    SignUpRow,
    SuppressionRow,
    VisitRow,
    table,
)
from tests.builders import NOON, a_batch, a_listing, some_interests
from tests.services.grown import DAY, FEW, KEYS, a_person, add, asked, rows, who


def test_who_never_confirmed_is_forgotten_without_a_trace(engine):
    with transaction(engine) as session:
        asked(session, "never@example.com", 31)
        asked(session, "lately@example.com", 29)
    assert prune(engine, FEW, NOON).rows[Kind.PENDING] == 1
    assert who(engine) == ["lately@example.com"]
    assert rows(engine, ConsentEventRow) == 1
    assert rows(engine, SuppressionRow) == 0
    assert rows(engine, InterestRow, "key") == [("graphs lat",)]
    assert (None, "") in rows(engine, DeliveryRow, "subscriber_id", "smtp_reply")


def test_who_was_forgotten_may_come_by_any_way(engine):
    with transaction(engine) as session:
        asked(session, "never@example.com", 31)
    prune(engine, FEW, NOON)
    with transaction(engine) as session:
        subscribe(session, "never@example.com", channel=Channel.IMPORT, now=NOON, keys=KEYS)


def test_who_confirmed_or_left_is_not_forgotten(engine):
    with transaction(engine) as session:
        at = NOON - 100 * DAY
        ada = asked(session, "active@example.com", 100)
        confirm(session, ada.id, channel=Channel.LINK, now=at, keys=KEYS)
        bob = asked(session, "left@example.com", 100)
        unsubscribe(session, bob.id, channel=Channel.LINK, now=at)
        cyd = asked(session, "undecided@example.com", 100)
        unsubscribe(session, cyd.id, channel=Channel.LINK, now=at)
        undo(session, cyd.id, now=at)
    assert prune(engine, FEW, NOON).rows[Kind.PENDING] == 0
    assert len(who(engine)) == 3


@pytest.mark.parametrize("state", [State.QUEUED, State.DEFERRED, State.SENDING, State.HELD])
def test_who_has_a_mail_on_its_way_is_not_forgotten_yet(engine, state):
    with transaction(engine) as session:
        asked(session, "slow@example.com", 100)
        session.execute(update(table(DeliveryRow)).values(state=state.value))
    assert prune(engine, FEW, NOON).rows[Kind.PENDING] == 0


def test_who_asked_again_lately_is_not_forgotten(engine):
    with transaction(engine) as session:
        ada = asked(session, "again@example.com", 100)
        lately = Evidence(
            subscriber_id=ada.id,
            event=ConsentEvent.SUBSCRIBED,
            channel=Channel.FORM,
            happened_at=NOON - DAY,
        )
        evidence.record(session, [lately])
    assert prune(engine, FEW, NOON).rows[Kind.PENDING] == 0


def test_an_interest_that_others_have_stays(engine):
    with transaction(engine) as session:
        for email, days in (("never@example.com", 40), ("lately@example.com", 1)):
            graphs, at = some_interests("graphs"), NOON - days * DAY
            person = subscribe(
                session, email, interests=graphs, channel=Channel.FORM, now=at, keys=KEYS
            )
            mine = table(DeliveryRow).c.subscriber_id == person.id
            session.execute(update(table(DeliveryRow)).where(mine).values(state="sent"))
    prune(engine, FEW, NOON)
    assert rows(engine, InterestRow, "key") == [("graphs",)]


# what the pages leave behind


def test_what_the_pages_left_behind_goes(engine):
    def kept_and_gone(session, row, column, days, **values):
        for number, at in enumerate((NOON - (days + 1) * DAY, NOON)):
            changed = {name: f"{text}{number}" for name, text in values.items()}
            add(session, row, **{column: at} | changed)

    with transaction(engine) as session:
        kept_and_gone(session, SignUpRow, "received_at", 30, email="a@x.example", choices="null")
        kept_and_gone(session, AskedMailRow, "asked_at", 2, address_hash="h")
        for days in (91, 1):
            at = NOON - days * DAY
            add(session, InvitationRow, created_at=at, expires_at=at)
        add(session, InvitationRow, created_at=NOON, expires_at=NOON + DAY, revoked_at=NOON)
        for days in (3, 0):
            at = int((NOON - days * DAY).timestamp())
            add(session, VisitRow, scope="all", opens_at=at, used=1)
        for number, days in enumerate((3, 1)):
            person = a_person(session, f"p{number}@example.com")
            at = NOON - days * DAY
            values = {"email": "new@x.example", "token": "t", "asked_at": at}
            add(session, AddressChangeRow, subscriber_id=person.id, **values)
    done = prune(engine, FEW, NOON)
    gone = {
        Kind.SIGN_UPS: SignUpRow,
        Kind.ASKED_MAILS: AskedMailRow,
        Kind.VISITS: VisitRow,
        Kind.ADDRESS_CHANGES: AddressChangeRow,
    }
    assert {kind: done.rows[kind] for kind in gone} == dict.fromkeys(gone, 1)
    assert all(rows(engine, row) == 1 for row in gone.values())
    assert (done.rows[Kind.INVITATIONS], rows(engine, InvitationRow)) == (1, 2)


def test_old_fetches_go_but_for_each_sources_latest(engine):
    with transaction(engine) as session:
        for days, source in ((500, "a"), (450, "a"), (600, "b"), (5, "a")):
            at = NOON - days * DAY
            batch = a_batch(a_listing(f"Of {source} {days}"), source=source, fetched_at=at)
            remember_batch(session, batch, merge_batch(session, batch, at))
        before = last_change(session, NOON)
    assert prune(engine, FEW, NOON).rows[Kind.BATCHES] == 2
    with reading(engine) as session:
        assert last_change(session, NOON) == before
    assert len(rows(engine, BatchRow, "id")) == 2
