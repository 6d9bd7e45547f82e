"""Visits: so many an hour for a network and for all, whoever counts them."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from digest.errors import TooMany
from digest.store import asked_mails, visits
from digest.store.database import transaction
from digest.store.tables import AskedMailRow, VisitRow, table
from digest.store.visits import VisitLimits
from tests.builders import NOON

HERE, THERE = "192.0.2.0/24", "2001:db8::/48"
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
TWO = VisitLimits(per_network_per_hour=2)


def visit(session, network=HERE, limits=TWO, now=NOON):
    visits.visit(session, network, limits, now)


def test_a_network_may_come_so_often_within_one_hour(session):
    for _ in range(2):
        visit(session, now=NOON + 20 * MINUTE)
    with pytest.raises(TooMany) as refused:
        visit(session, now=NOON + 20 * MINUTE)
    assert refused.value.retry_after_s == 2_400
    assert "40 min" in str(refused.value)
    visit(session, THERE, now=NOON + 20 * MINUTE)
    visit(session, now=NOON + 60 * MINUTE)


@pytest.mark.parametrize("network", ["", "127.0.0.0/24", "127.0.0.1", "::1/128"])
def test_this_machine_and_nobody_are_limited_together_with_all_alone(session, network):
    for _ in range(5):
        visit(session, network)
    limits = VisitLimits(per_network_per_hour=1, per_hour=3)
    for _ in range(3):
        visit(session, network, limits)
    with pytest.raises(TooMany):
        visit(session, network, limits)


def test_no_limit_counts_nothing(session):
    for _ in range(3):
        visit(session, limits=VisitLimits())
    assert session.execute(select(table(VisitRow))).all() == []


def test_who_is_refused_is_not_counted(engine):
    limits = VisitLimits(per_network_per_hour=1, per_hour=3)
    for network in (HERE, HERE, HERE, HERE, THERE, "198.51.100.0/24"):
        try:
            with transaction(engine) as session:
                visit(session, network, limits)
        except TooMany:
            assert network == HERE
    with transaction(engine) as session:
        rows = session.execute(select(table(VisitRow))).all()
    assert {row.scope: row.used for row in rows}["all"] == 3


def test_many_at_once_do_not_get_more_than_the_limit(engine):
    def come(_):
        try:
            with transaction(engine) as session:
                visit(session, limits=VisitLimits(per_network_per_hour=7, per_hour=100))
        except TooMany:
            return "refused"
        return "let in"

    with ThreadPoolExecutor(4) as threads:
        assert Counter(threads.map(come, range(20))) == {"let in": 7, "refused": 13}


def test_closed_windows_are_forgotten_and_open_ones_are_not(session):
    visit(session)
    assert not visits.has_stale(session, NOON + timedelta(hours=2))
    later = NOON + timedelta(hours=3)
    visit(session, THERE, now=later)
    assert visits.has_stale(session, later)
    visits.prune(session, later)
    scopes = session.scalars(select(table(VisitRow).c.scope)).all()
    assert scopes == [f"network {THERE}"]


def test_an_address_gets_one_asked_mail_in_any_24_hours(session):
    assert asked_mails.grant(session, ["a", "b", "a"], NOON) == {"a", "b"}
    assert asked_mails.grant(session, ["a", "c"], NOON + DAY - MINUTE) == {"c"}
    assert asked_mails.may_ask(session, "a", NOON + DAY)  # a refused one does not make it later
    assert not asked_mails.may_ask(session, "a", NOON + DAY + MINUTE)
    asked_mails.forget(session, "a")
    assert asked_mails.may_ask(session, "a", NOON + DAY + MINUTE)


def test_two_who_ask_for_one_address_at_once_get_one_mail(engine):
    def ask(_):
        with transaction(engine) as session:
            return len(asked_mails.grant(session, [f"hash {n}" for n in range(10)], NOON))

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(ask, range(12))) == 10


def test_old_grants_are_forgotten(session):
    asked_mails.grant(session, ["old"], NOON)
    asked_mails.grant(session, ["new"], NOON + 3 * DAY)
    assert asked_mails.has_stale(session, NOON + 3 * DAY)
    asked_mails.prune(session, NOON + 3 * DAY)
    assert session.scalars(select(table(AskedMailRow).c.address_hash)).all() == ["new"]
