"""A run of pruning: what it tells, whom it waits for, and how it ends early."""

from dataclasses import replace
from datetime import date, timedelta

from sqlalchemy import select

from digest.domain.deliveries import State
from digest.domain.retention import Kind
from digest.services.prune import prune
from digest.store import pruning
from digest.store.database import transaction
from digest.store.ledger import claim
from digest.store.merge import merge_batch
from digest.store.tables import DeliveryRow, EditionRow, PaperRow, table
from tests.builders import NOON, a_batch, a_listing
from tests.services.grown import (
    DAY,
    FEW,
    a_bounce,
    a_delivery,
    a_paper,
    a_person,
    add,
    asked,
    readings,
    rows,
)


def a_full_store(engine):
    """A little of every kind, old."""
    with transaction(engine) as session:
        ada = a_person(session)
        a_delivery(session, ada, 100)
        add(session, EditionRow, cutoff_at=NOON - 100 * DAY, lookback_days=7)
        a_bounce(session, ada, 500)
        a_bounce(session, ada, 500, "complaint")
        asked(session, "never@example.com", 31)
        a_paper(session, 500, "Old")
        a_paper(session, 1, "New")
        readings(session, 40, range(1, 9))


def test_a_dry_run_tells_the_same_and_changes_nothing(engine):
    a_full_store(engine)
    told = prune(engine, FEW, NOON, dry_run=True)
    assert rows(engine, PaperRow) == 3
    assert rows(engine, DeliveryRow) == 2
    done = prune(engine, FEW, NOON)
    assert {k: n for k, n in told.rows.items() if n} == {k: n for k, n in done.rows.items() if n}
    assert len([n for n in done.rows.values() if n]) == 8


def test_a_second_run_finds_nothing(engine):
    a_full_store(engine)
    prune(engine, FEW, NOON)
    assert not prune(engine, FEW, NOON).anything


def test_a_run_that_is_stopped_has_done_what_it_has_done(engine, monkeypatch):
    monkeypatch.setattr(pruning, "AT_ONCE", 2)
    with transaction(engine) as session:
        ada = a_person(session)
        for days in range(100, 110):
            a_delivery(session, ada, days)
    answers = iter([False, True])
    done = prune(engine, FEW, NOON, stop=lambda: next(answers, True))
    assert (done.stopped, done.rows) == (True, {Kind.DELIVERIES: 4})
    assert rows(engine, DeliveryRow) == 6


def test_nobody_waits_for_rows_that_a_transaction_holds(postgres_url):
    from digest.store.database import open_engine

    engine = open_engine(postgres_url)
    with transaction(engine) as session:
        ada = a_person(session)
        busy, free = a_delivery(session, ada, 100), a_delivery(session, ada, 101)
        a_delivery(session, ada, 0, state=State.QUEUED.value)
    with transaction(engine) as session:
        mine = table(DeliveryRow).c.id == busy
        session.execute(select(table(DeliveryRow).c.id).where(mine).with_for_update())
        assert prune(engine, FEW, NOON).rows[Kind.DELIVERIES] == 1
        assert len(claim(session, "a", NOON, timedelta(seconds=30), 10)) == 1
    assert free not in [number for (number,) in rows(engine, DeliveryRow, "id")]
    assert prune(engine, FEW, NOON).rows[Kind.DELIVERIES] == 1
    engine.dispose()


def test_two_runs_at_once_take_each_row_once(engine):
    a_full_store(engine)
    inner = []

    def meanwhile():
        if not inner:
            inner.append(None)
            inner.append(prune(engine, FEW, NOON))
        return False

    outer = prune(engine, FEW, NOON, stop=meanwhile)
    total = sum(outer.rows.values()) + sum(inner[1].rows.values())
    assert not outer.problems
    assert total == 12
    assert not prune(engine, FEW, NOON, dry_run=True).anything


def test_papers_wait_for_the_next_day_while_a_batch_is_merged(postgres_url):
    from digest.store.database import open_engine

    engine = open_engine(postgres_url)
    with transaction(engine) as session:
        a_paper(session, 500, "Old")
        a_paper(session, 1, "New")
    with transaction(engine) as session:
        merge_batch(session, a_batch(a_listing("Old", listed_on=date(2026, 3, 12))), NOON)
        assert prune(engine, FEW, NOON).rows.get(Kind.PAPERS, 0) == 0
    assert rows(engine, PaperRow) == 2
    engine.dispose()


def test_a_kind_that_fails_is_named_and_stops_no_other(engine, monkeypatch):
    from digest.errors import StoreError

    def broken(*_arguments):
        raise StoreError("the store failed: disk full")

    monkeypatch.setitem(prune.__globals__["_STEPS"], Kind.DELIVERIES, broken)
    a_full_store(engine)
    done = prune(engine, FEW, NOON)
    assert done.problems == [(Kind.DELIVERIES, "the store failed: disk full")]
    assert done.rows[Kind.PAPERS] == 1


def test_the_summary_names_what_went(engine):
    a_full_store(engine)
    told = replace(prune(engine, FEW, NOON), seconds=1.25, left=3).as_fields()
    assert told["pending_subscribers"] == 1
    assert (told["papers_left"], told["seconds"]) == (3, 1.2)
    assert "visits" not in told
