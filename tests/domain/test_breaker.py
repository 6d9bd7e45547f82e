"""A relay that refuses everything burns nothing, and one dead recipient still ends."""

from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.domain.breaker import (
    BLAMED_MOST,
    DOUBT,
    REFUSED_MOST,
    Answer,
    Breaker,
    News,
    RelayState,
    answer,
    pause_length,
)
from digest.domain.deliveries import Deferred, Failed, InDoubt, NotTried, Sent
from tests.builders import NOON

MINUTE = timedelta(minutes=1)
OK = Sent(code=250, reply="2.0.0 ok")
DEAD = Failed(code=550, reply="5.1.1 no such user")
SPAM = Failed(code=554, reply="5.7.1 message rejected as spam")
DENIED = Failed(code=554, reply="5.7.1 <a@b.example>: Relay access denied")
BUSY = Deferred(code=421, reply="4.3.2 service shutting down")
FULL = Deferred(code=452, reply="4.2.2 mailbox full")
GREY = Deferred(code=451, reply="4.7.1 Greylisted, try again in 300 seconds")
DOWN = NotTried(detail="connection refused")
CUT = InDoubt(detail="connection lost")
UNMADE = Failed(code=0, reply="no address")


def hear(breaker: Breaker, *results, domain=None):
    """What is to be recorded for these results, each from another domain unless one is named."""
    numbers = count()
    return [breaker.judged(one, domain=domain or f"d{next(numbers)}.example") for one in results]


def final(results):
    return sum(isinstance(one, Failed) for one in results)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (OK, Answer.TAKEN),
        (DEAD, Answer.RECIPIENT),
        (Failed(code=552, reply="5.2.2 mailbox full"), Answer.RECIPIENT),
        (SPAM, Answer.US),
        (DENIED, Answer.US),
        (BUSY, Answer.US),
        (Deferred(code=450, reply="4.7.1 too many messages, slow down"), Answer.US),
        (Deferred(code=451, reply="Temporary local problem"), Answer.US),
        (
            Deferred(code=451, reply="4.7.0 Temporary server error. Please try again later"),
            Answer.US,
        ),
        (Deferred(code=451, reply="4.3.0 Temporary failure, try again later"), Answer.US),
        (Deferred(code=421, reply="4.7.1 Try again later"), Answer.US),
        (Deferred(code=451, reply="4.7.1 Try again later"), Answer.NOTHING),
        (Deferred(code=451, reply="Temporary failure, please try again later."), Answer.NOTHING),
        (Deferred(code=451, reply="GL - temporary problem. Try again later"), Answer.NOTHING),
        (Deferred(code=450, reply="4.7.1 <a@b.example>: Please try again later"), Answer.NOTHING),
        (Deferred(code=452, reply="4.3.1 insufficient system storage"), Answer.US),
        (FULL, Answer.NOTHING),
        (Deferred(code=450, reply="4.2.1 try later"), Answer.NOTHING),
        (GREY, Answer.NOTHING),
        (DOWN, Answer.LOST),
        (CUT, Answer.LOST),
        (UNMADE, Answer.NOTHING),
    ],
)
def test_each_result_says_something_about_the_relay(result, said):
    assert answer(result) is said


def test_a_proven_relay_is_believed():
    breaker = Breaker()
    assert hear(breaker, OK, DEAD, SPAM) == [OK, DEAD, SPAM]
    assert not breaker.is_open


def test_one_dead_recipient_alone_is_final_when_its_run_ends():
    breaker = Breaker()
    (recorded,) = hear(breaker, DEAD)
    assert isinstance(recorded, Deferred) and recorded.code == 550
    assert "5.1.1 no such user" in recorded.reply and "to be confirmed" in recorded.reply
    assert breaker.proven


def test_a_relay_that_refuses_everything_burns_nothing():
    for refusal in (DEAD, SPAM, DENIED):
        breaker = Breaker()
        assert final(hear(breaker, *[refusal] * 30)) == 0
        assert not breaker.proven


def test_refusals_before_the_first_mail_taken_are_final_when_the_run_ends():
    breaker = Breaker()
    assert final(hear(breaker, SPAM, DEAD, OK)) == 0
    assert breaker.proven


def test_mail_taken_within_the_hour_is_evidence_for_the_next_run():
    breaker = Breaker()
    breaker.learn(RelayState(taken_at=NOON), NOON + 59 * MINUTE)
    assert hear(breaker, DEAD) == [DEAD]
    breaker = Breaker()
    breaker.learn(RelayState(taken_at=NOON), NOON + 61 * MINUTE)
    assert final(hear(breaker, DEAD)) == 0


def test_a_refusal_about_us_is_never_final_without_evidence():
    breaker = Breaker()
    assert final(hear(breaker, SPAM)) == 0
    assert not breaker.proven
    assert final(hear(Breaker(taken=True), SPAM)) == 1


@pytest.mark.parametrize("result", [SPAM, DENIED, BUSY, DOWN, CUT])
def test_so_many_refusals_of_us_in_a_row_open_the_breaker(result):
    breaker = Breaker()
    hear(breaker, *[result] * (BLAMED_MOST - 1))
    assert not breaker.is_open
    hear(breaker, result)
    assert breaker.is_open and "in a row" in breaker.why


def test_connections_that_cannot_be_made_count_too():
    breaker = Breaker()
    for _ in range(BLAMED_MOST):
        breaker.lost("connection refused")
    assert "connection refused" in breaker.why


def test_what_all_processes_heard_counts_together():
    breaker = Breaker()
    breaker.learn(RelayState(blamed=BLAMED_MOST - 1), NOON)
    hear(breaker, DOWN)
    assert breaker.is_open


def test_mail_taken_in_between_keeps_it_closed():
    breaker = Breaker()
    hear(breaker, *[SPAM, SPAM, SPAM, SPAM, OK] * 20)
    assert not breaker.is_open


def test_greylisting_and_full_mailboxes_never_open_it():
    breaker = Breaker()
    assert hear(breaker, *[GREY, FULL, UNMADE] * 50) == [GREY, FULL, UNMADE] * 50
    assert not breaker.is_open and not breaker.take_news(NOON)


def test_dead_recipients_of_many_domains_in_a_row_open_it():
    breaker = Breaker(taken=True)
    recorded = hear(breaker, *[DEAD] * REFUSED_MOST)
    assert breaker.is_open and "own fault" in breaker.why
    assert final(recorded) == DOUBT - 1


def test_a_domain_that_is_gone_stops_nobody_else():
    breaker = Breaker()
    recorded = hear(breaker, *[DEAD] * 200, domain="gone.example")
    assert not breaker.is_open and final(recorded) == 0
    assert hear(breaker, OK, *[DEAD] * 3)[1:] == [DEAD] * 3


def test_in_doubt_nothing_is_final():
    breaker = Breaker()
    breaker.learn(RelayState(refused=DOUBT - 1, taken_at=NOON), NOON)
    assert final(hear(breaker, DEAD, DEAD)) == 0
    assert not breaker.proven


def test_after_a_pause_one_failing_probe_opens_it_again():
    state = RelayState(strikes=2, blamed=7, paused_until=NOON)
    for result in (DEAD, SPAM, DOWN, BUSY):
        breaker = Breaker()
        breaker.learn(state, NOON + MINUTE, probing=True)
        assert final(hear(breaker, result)) == 0
        assert "still" in breaker.why


def test_a_probe_goes_on_over_what_says_nothing_and_ends_with_the_first_taken():
    breaker = Breaker()
    breaker.learn(RelayState(strikes=2, blamed=7, paused_until=NOON), NOON, probing=True)
    hear(breaker, GREY, FULL)
    assert breaker.probing and not breaker.is_open
    hear(breaker, OK)
    assert not breaker.probing and hear(breaker, DEAD) == [DEAD]


def test_mail_taken_late_closes_it_again():
    breaker = Breaker()
    hear(breaker, *[DOWN] * BLAMED_MOST, OK)
    assert not breaker.is_open
    assert breaker.take_news(NOON) == News(taken=True)


def test_the_store_hears_each_thing_once_and_of_a_good_relay_rarely():
    breaker = Breaker()
    hear(breaker, OK, DEAD, SPAM)
    assert breaker.take_news(NOON) == News(taken=True, refused=1, blamed=1)
    assert not breaker.take_news(NOON)
    breaker.told(RelayState(refused=1, blamed=1, taken_at=NOON))
    hear(breaker, OK)
    assert breaker.take_news(NOON) == News(taken=True)
    breaker.told(RelayState(taken_at=NOON))
    hear(breaker, OK)
    assert not breaker.take_news(NOON + MINUTE)
    hear(breaker, OK)
    assert breaker.take_news(NOON + 11 * MINUTE) == News(taken=True)


@pytest.mark.parametrize(("strikes", "minutes"), [(0, 1), (1, 2), (4, 16), (5, 30), (10**9, 30)])
def test_pauses_double_from_a_minute_up_to_thirty(strikes, minutes):
    assert pause_length(strikes, 0.0) == minutes * MINUTE
    assert pause_length(strikes, 1.0) == minutes * MINUTE * 0.75


def test_a_relay_that_is_lost_is_tried_again_sooner():
    assert pause_length(0, 0.0, lost=True) == MINUTE / 4
    assert pause_length(2, 0.0, lost=True) == MINUTE
    assert pause_length(10**9, 0.0, lost=True) == 30 * MINUTE


def test_what_opened_the_breaker_says_whether_the_relay_is_lost():
    unreachable, refusing = Breaker(), Breaker()
    for _ in range(BLAMED_MOST):
        unreachable.lost("connection refused")
        hear(refusing, SPAM)
    assert unreachable.take_news(NOON) == News(blamed=BLAMED_MOST, opened=True, lost=True)
    assert refusing.take_news(NOON) == News(blamed=BLAMED_MOST, opened=True)


def test_a_pause_that_lies_further_ahead_than_any_is_a_wrong_clock():
    assert RelayState(strikes=1, paused_until=NOON + MINUTE).pause(NOON) == NOON + MINUTE
    assert RelayState(strikes=1, paused_until=NOON).pause(NOON) is None
    assert RelayState(strikes=0, paused_until=NOON + MINUTE).pause(NOON) is None
    assert RelayState(strikes=1, paused_until=NOON + 999 * MINUTE).pause(NOON) is None


_any = st.sampled_from([OK, DEAD, SPAM, DENIED, BUSY, FULL, GREY, DOWN, CUT])


@given(st.lists(_any, max_size=60), st.lists(st.sampled_from([DEAD, SPAM, DENIED]), max_size=60))
def test_a_relay_that_goes_bad_burns_at_most_a_few(before, bad):
    breaker = Breaker()
    hear(breaker, *before)
    assert final(hear(breaker, *bad)) <= DOUBT - 1


@given(st.lists(_any, max_size=60))
def test_nothing_but_a_refusal_for_good_is_ever_changed(results):
    for said, recorded in zip(results, hear(Breaker(), *results), strict=True):
        assert recorded == said or (isinstance(said, Failed) and isinstance(recorded, Deferred))
