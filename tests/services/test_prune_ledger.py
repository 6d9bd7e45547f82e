"""Pruning the ledger on both engines: what goes, and what stays whatever is asked for."""

import json
from datetime import UTC, datetime

import pytest

from digest.domain.deliveries import State
from digest.domain.editions import Edition, EditionId
from digest.domain.retention import Keep, Kind, Policy
from digest.services.prune import prune
from digest.store import ledger_read, pruning
from digest.store.database import reading, transaction
from digest.store.tables import BounceRow, DeliveryRow, EditionRow, TryRow
from tests.builders import NOON
from tests.services.grown import DAY, FEW, a_bounce, a_delivery, a_person, add, policy, rows


def test_what_ended_long_ago_goes_and_what_is_younger_stays(engine):
    with transaction(engine) as session:
        ada = a_person(session)
        for days in (91, 200, 500):
            a_delivery(session, ada, days)
        kept = [a_delivery(session, ada, days) for days in (89, 5)]
    assert prune(engine, FEW, NOON).rows[Kind.DELIVERIES] == 3
    assert rows(engine, DeliveryRow, "id") == [(number,) for number in kept]


@pytest.mark.parametrize("state", list(State))
def test_what_waits_is_in_the_air_or_held_is_never_pruned(engine, state):
    with transaction(engine) as session:
        a_delivery(session, a_person(session), 300, state=state.value)
    prune(engine, FEW, NOON)
    open_states = (State.QUEUED, State.DEFERRED, State.SENDING, State.HELD)
    assert rows(engine, DeliveryRow) == (1 if state in open_states else 0)


def test_a_date_yet_to_come_keeps_its_row(engine):
    with transaction(engine) as session:
        a_delivery(session, a_person(session), 300, digest_on=NOON.date() + DAY)
    prune(engine, FEW, NOON)
    assert rows(engine, DeliveryRow) == 1


def test_what_was_sent_is_known_for_the_whole_window(engine):
    wide = Policy(keep=Keep(deliveries_days=1), lookback_days=40)
    with transaction(engine) as session:
        ada = a_person(session)
        picks = json.dumps({"picks": [{"p": 7}]})
        a_delivery(session, ada, 39, picks=picks)
        a_delivery(session, ada, 60, picks=picks)
    assert prune(engine, wide, NOON).rows[Kind.DELIVERIES] == 1
    edition = Edition(id=EditionId(1), cutoff_at=NOON, lookback_days=40)
    with reading(engine) as session:
        assert ledger_read.sent_before(session, [ada.id], edition.opens_at) == {ada.id: {7}}


def test_a_date_that_may_still_be_composed_has_its_row(engine):
    with transaction(engine) as session:
        ada = a_person(session)
        for days in range(12):
            a_delivery(session, ada, days, state=State.SKIPPED.value)
    prune(engine, Policy(keep=Keep(deliveries_days=1), lookback_days=1), NOON)
    with reading(engine) as session:
        for days in range(4):
            assert ledger_read.has_row(session, ada.id, NOON.date() - days * DAY)


def test_zero_days_keep_the_ledger_for_ever(engine):
    with transaction(engine) as session:
        a_delivery(session, a_person(session), 3_000)
    assert Kind.DELIVERIES not in prune(engine, policy(deliveries_days=0), NOON).rows
    assert rows(engine, DeliveryRow) == 1


def test_old_rows_are_found_beyond_rows_of_a_clock_that_was_ahead(engine, monkeypatch):
    monkeypatch.setattr(pruning, "AT_ONCE", 3)
    with transaction(engine) as session:
        ada = a_person(session)
        for year in range(2030, 2040):
            ahead = datetime(year, 1, 1, tzinfo=UTC)
            a_delivery(session, ada, 0, queued_at=ahead, digest_on=ahead.date())
        a_delivery(session, ada, 100)
        a_delivery(session, ada, 200, state=State.HELD.value)
        a_delivery(session, ada, 300)
    assert prune(engine, FEW, NOON).rows[Kind.DELIVERIES] == 2


def test_the_walk_ends_where_the_young_rows_begin(engine, monkeypatch):
    monkeypatch.setattr(pruning, "AT_ONCE", 2)
    with transaction(engine) as session:
        ada = a_person(session)
        for days in (9, 8, 7, 6):
            a_delivery(session, ada, days)
    cut = pruning.Cut(before=NOON - 90 * DAY, now=NOON)
    with transaction(engine) as session:
        assert pruning.deliveries(session, 0, cut) == pruning.Part(rows=0, after=None)


def test_what_came_back_outlives_its_delivery_and_failed_tries_go_with_it(engine):
    with transaction(engine) as session:
        ada = a_person(session)
        mail = a_delivery(session, ada, 100)
        a_bounce(session, ada, 99, delivery_id=mail)
        add(session, TryRow, delivery_id=mail, tried_at=NOON, outcome="deferred", reply="no")
    prune(engine, FEW, NOON)
    assert rows(engine, BounceRow, "delivery_id") == [(None,)]
    assert rows(engine, TryRow) == 0


def test_editions_go_when_no_delivery_was_chosen_from_them(engine):
    with transaction(engine) as session:
        _old, used, young = (
            add(session, EditionRow, cutoff_at=NOON - days * DAY, lookback_days=7)
            for days in (100, 99, 5)
        )
        a_delivery(session, a_person(session), 99, edition_id=used, state=State.HELD.value)
    assert prune(engine, FEW, NOON).rows[Kind.EDITIONS] == 1
    assert rows(engine, EditionRow, "id") == [(used,), (young,)]
