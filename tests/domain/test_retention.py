"""Retention: how long each kind is kept, which readings may go, and when it is time."""

from datetime import UTC, date, datetime, timedelta

import pytest

from digest.domain import feedback
from digest.domain.papers import Attention, PaperId, Signal
from digest.domain.retention import (
    CHANGE_DAYS,
    CONFIRM_DAYS,
    VOTES_KEPT,
    Keep,
    Kind,
    Policy,
    Run,
    closed_before,
    is_time,
    papers_at_once,
    superfluous,
)
from digest.domain.trends import trends
from digest.services import mailroom
from tests.builders import NOON

DAY = date(2026, 3, 12)
HOUR = timedelta(hours=1)


def policy(lookback_days=7, soft_days=30, **keep):
    return Policy(keep=Keep(**keep), lookback_days=lookback_days, soft_days=soft_days)


@pytest.mark.parametrize(
    "key, kind",
    [
        ("papers_days", Kind.PAPERS),
        ("signals_days", Kind.SIGNALS),
        ("deliveries_days", Kind.DELIVERIES),
        ("deliveries_days", Kind.EDITIONS),
        ("bounces_days", Kind.BOUNCES),
        ("bounces_days", Kind.COMPLAINTS),
        ("pending_days", Kind.PENDING),
        ("pending_days", Kind.SIGN_UPS),
        ("invitations_days", Kind.INVITATIONS),
        ("batches_days", Kind.BATCHES),
    ],
)
def test_days_asked_for_hold_and_zero_keeps_for_ever(key, kind):
    assert policy(**{key: 200}).before(kind, NOON) == NOON - timedelta(days=200)
    assert policy(**{key: 0}).before(kind, NOON) is None


def test_what_was_sent_is_remembered_for_longer_than_the_window_of_candidates():
    short = policy(deliveries_days=1, lookback_days=60)
    assert short.before(Kind.DELIVERIES, NOON) <= NOON - timedelta(days=62)


@pytest.mark.parametrize("kind", [Kind.PAPERS, Kind.SIGNALS, Kind.EDITIONS, Kind.BATCHES])
def test_nothing_goes_that_an_edition_of_today_may_need(kind):
    short = policy(
        papers_days=1, signals_days=1, deliveries_days=1, batches_days=1, lookback_days=60
    )
    assert short.before(kind, NOON) < NOON - timedelta(days=60)


def test_soft_bounces_are_kept_as_long_as_they_count():
    assert policy(bounces_days=1, soft_days=50).before(Kind.BOUNCES, NOON) < NOON - timedelta(50)


def test_nobody_is_forgotten_whose_link_is_still_good():
    assert policy(pending_days=1).days(Kind.PENDING) > mailroom.CONFIRM_DAYS == CONFIRM_DAYS
    assert policy().days(Kind.ADDRESS_CHANGES) == mailroom.CHANGE_DAYS == CHANGE_DAYS


def test_every_kind_has_its_days():
    assert all(policy().days(kind) > 0 for kind in Kind)


def test_a_time_before_all_dates_keeps_everything():
    assert policy(papers_days=36_500).before(Kind.PAPERS, datetime(1, 2, 3, tzinfo=UTC)) is None


def test_dates_are_closed_when_their_rows_may_be_gone():
    assert closed_before(policy(), NOON) == DAY - timedelta(days=90)
    assert closed_before(policy(deliveries_days=0), NOON) is None


def test_a_store_shrinks_by_a_fiftieth_a_day():
    assert papers_at_once(500_000) == 10_000
    assert papers_at_once(100) == 1_000


def test_a_vote_that_still_weighs_keeps_its_paper():
    vote = feedback.Vote(
        paper_id=PaperId(1), title="t", opinion=feedback.Opinion.MORE, given_at=NOON - VOTES_KEPT
    )
    assert feedback.weight(vote, NOON) <= 1 / 32


def runs_at(*hours):
    begin = datetime(2026, 3, 12, tzinfo=UTC)
    return [Run(number, begin + hour * HOUR) for number, hour in enumerate(hours, start=1)]


def test_first_last_of_the_day_and_last_of_all_stay():
    assert superfluous(DAY, runs_at(1, 5, 9, 20, 30, 40, 50)) == [2, 3, 5, 6]


def test_three_runs_or_fewer_all_stay():
    assert superfluous(DAY, runs_at(1, 5, 9)) == []
    assert superfluous(DAY, []) == []


def test_runs_come_in_any_order():
    assert superfluous(DAY, runs_at(50, 1, 40, 20, 5)) == [5, 3]


def test_runs_that_all_began_after_their_day_keep_the_first_and_the_last():
    assert superfluous(DAY, runs_at(30, 40, 50, 60)) == [2, 3]


def test_the_archive_orders_an_old_day_as_before_it_was_thinned_out():
    shown = {1: (3, 30, 60, 60, 61), 2: (5, 8, 9, 80, 90), 3: (0, 1, 50, 51, 52)}
    hours = (2, 8, 14, 20, 40)
    signals, kept = [], []
    for paper, counts in shown.items():
        gone = superfluous(DAY, runs_at(*hours))
        for run, count in zip(runs_at(*hours), counts, strict=True):
            one = Signal(
                paper_id=PaperId(paper),
                source="hf",
                listed_on=DAY,
                read_at=run.read_at,
                held_until=run.read_at + HOUR,
                attention=Attention(upvotes=count),
            )
            signals.append(one)
            kept += [] if run.id in gone else [one]
    ends = datetime(2026, 3, 12, 23, 59, 59, tzinfo=UTC)
    assert len(kept) == 9
    assert trends(kept, ends) == trends(signals, ends)


def test_it_is_time_in_the_quiet_hour_and_after_a_day_in_any_case():
    quiet = datetime(2026, 3, 12, 3, 10, tzinfo=UTC)
    assert is_time(quiet, quiet - 23 * HOUR, 3)
    assert not is_time(quiet, quiet - HOUR / 2, 3)
    assert not is_time(quiet + 5 * HOUR, quiet, 3)
    assert is_time(quiet + 24 * HOUR, quiet, 9)
    assert not is_time(quiet - 9 * HOUR, quiet, 3)
