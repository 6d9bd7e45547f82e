"""Verdicts on tries, waits, and names of messages."""

from datetime import timedelta

import pytest

from digest.domain.deliveries import (
    Deferred,
    Failed,
    InDoubt,
    MailKind,
    NotTried,
    Sent,
    State,
    message_id,
    retry_delay,
    verdict,
)
from tests.builders import NOON

MINUTE = timedelta(minutes=1)


def judged(result, **changes):
    values = {"attempts": 1, "doubtful": 0, "queued_at": NOON, "now": NOON, "jitter": 0.0}
    return verdict(result, **values | changes)


@pytest.mark.parametrize(
    ("attempts", "minutes"), [(0, 1), (1, 1), (2, 2), (3, 4), (8, 128), (9, 240), (10_000, 240)]
)
def test_waits_double_from_a_minute_up_to_four_hours(attempts, minutes):
    assert retry_delay(attempts, 0.0) == minutes * MINUTE
    assert retry_delay(attempts, 1.0) == minutes * MINUTE * 0.75


@pytest.mark.parametrize(
    ("result", "state", "reason"),
    [
        (Sent(code=250, reply="ok"), State.SENT, ""),
        (Deferred(code=451, reply="busy"), State.DEFERRED, "busy"),
        (Failed(code=550, reply="no"), State.FAILED, "no"),
        (InDoubt(detail="lost"), State.QUEUED, "lost"),
        (NotTried(detail="down"), State.QUEUED, "down"),
    ],
)
def test_each_result_has_its_state(result, state, reason):
    found = judged(result)
    assert (found.state, found.reason) == (state, reason)
    assert (found.due_at is not None) == (state is State.DEFERRED)
    assert found.doubtful == (1 if isinstance(result, InDoubt) else 0)


def test_the_second_doubt_is_held():
    found = judged(InDoubt(detail="lost"), doubtful=1)
    assert (found.state, found.doubtful) == (State.HELD, 2)


def test_after_two_days_a_deferral_is_a_failure_and_not_before():
    busy = Deferred(code=451, reply="busy")
    two_days = timedelta(hours=48)
    assert judged(busy, now=NOON + two_days - MINUTE).state is State.DEFERRED
    assert judged(busy, now=NOON + two_days).state is State.FAILED


def test_when_to_give_up_is_a_setting_and_stands_in_the_reason():
    busy = Deferred(code=451, reply="busy")
    six = timedelta(hours=6)
    found = judged(busy, now=NOON + six, give_up_after=six)
    assert (found.state, found.reason) == (State.FAILED, "gave up after 6 h: busy")
    assert judged(busy, now=NOON + six - MINUTE, give_up_after=six).state is State.DEFERRED


def test_a_time_that_the_receiver_asks_for_is_the_least_wait():
    grey = Deferred(code=451, reply="4.7.1 Greylisted, try again in 10 minutes")
    assert judged(grey).due_at == NOON + 10 * MINUTE
    assert judged(grey, jitter=1.0).due_at == NOON + 12.5 * MINUTE
    assert judged(grey, attempts=8).due_at == NOON + 128 * MINUTE
    long = Deferred(code=451, reply="try again in 72 hours")
    assert judged(long, jitter=1.0).due_at == NOON + 240 * MINUTE


def test_a_message_id_is_the_same_each_time_and_only_for_its_delivery():
    def name(kind=MailKind.DIGEST, number=7, mark="2026-03-12", secret="s"):
        return message_id(kind, number, mark, secret=secret, domain="digest.example")

    assert name() == name()
    others = {name(number=8), name(mark="2026-03-13"), name(MailKind.WELCOME), name(secret="t")}
    assert len(others | {name()}) == 5
    assert name().startswith("<digest.") and name().endswith("@digest.example>")
    assert len(name()) < 250 and name().isascii()
