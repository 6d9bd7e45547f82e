"""What all processes know of the relay: pauses that stand for everybody, and one probe a pause."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from sqlalchemy import event

from digest.domain.breaker import News, RelayState
from digest.store import allowances, relay
from digest.store.database import open_engine, transaction
from tests.builders import NOON

MINUTE, LEASE = timedelta(minutes=1), timedelta(seconds=30)
OPENED, TAKEN = News(opened=True), News(taken=True)


def approach(session, owner="me", now=NOON, lease=LEASE, **options):
    return relay.approach(session, owner, now, lease, **options)


def test_a_relay_nobody_heard_of_may_be_used(session):
    assert approach(session) == relay.Approach(state=RelayState())


def test_an_opened_breaker_holds_everybody_and_for_longer_each_time(session):
    now = NOON
    for minutes in (1, 2, 4, 8, 16, 30, 30):
        assert relay.settle(session, OPENED, now).paused_until == now + minutes * MINUTE
        assert approach(session, "other", now).paused_until == now + minutes * MINUTE
        now += minutes * MINUTE


def test_jitter_shortens_a_pause(session):
    assert relay.settle(session, OPENED, NOON, 1.0).paused_until == NOON + 0.75 * MINUTE


def test_several_that_open_at_once_begin_one_pause(session):
    for _ in range(4):
        state = relay.settle(session, OPENED, NOON)
    assert (state.strikes, state.paused_until) == (1, NOON + MINUTE)


def test_a_lost_relay_rests_for_a_quarter_of_a_minute_at_first(session):
    state = relay.settle(session, News(opened=True, lost=True), NOON)
    assert state.paused_until == NOON + MINUTE / 4


def test_after_a_pause_one_probes_and_the_others_wait_for_it(session):
    relay.settle(session, OPENED, NOON)
    later = NOON + MINUTE
    assert approach(session, "a", later).probe
    assert approach(session, "b", later).paused_until == later + LEASE
    assert approach(session, "b", later + LEASE).probe  # a died


def test_a_probe_that_fails_ends_its_turn_and_begins_the_next_pause(session):
    relay.settle(session, OPENED, NOON)
    later = NOON + MINUTE
    assert approach(session, "a", later, lease=60 * MINUTE).probe
    assert relay.settle(session, News(blamed=1, opened=True), later).strikes == 2
    assert approach(session, "b", later).paused_until == later + 2 * MINUTE
    assert approach(session, "b", later + 2 * MINUTE).probe


def test_mail_that_was_taken_lets_everybody_go_on(session):
    relay.settle(session, News(blamed=5, opened=True), NOON)
    assert approach(session, "a", NOON + MINUTE).probe
    state = relay.settle(session, TAKEN, NOON + MINUTE)
    assert state.clean and state.taken_at == NOON + MINUTE
    found = approach(session, "b", NOON + MINUTE)
    assert not found.probe and found.paused_until is None


def test_what_is_held_against_the_relay_adds_up_until_it_takes_mail(session):
    relay.settle(session, News(blamed=2, refused=1), NOON)
    state = relay.settle(session, News(blamed=1), NOON)
    assert (state.blamed, state.refused, state.strikes) == (3, 1, 0)
    state = relay.settle(session, News(taken=True, refused=1), NOON)
    assert (state.blamed, state.refused, state.taken_at) == (0, 1, NOON)


def test_a_person_who_insists_probes_within_the_pause(session):
    relay.settle(session, OPENED, NOON)
    assert approach(session, "a").paused_until
    assert approach(session, "a", insist=True).probe
    assert relay.settle(session, OPENED, NOON).strikes == 1  # and lengthens nothing


def test_a_pause_from_a_clock_years_ahead_holds_nobody(session):
    relay.settle(session, OPENED, NOON + timedelta(days=999))
    assert approach(session).probe


def test_who_leaves_gives_the_probe_back(session):
    relay.settle(session, OPENED, NOON)
    approach(session, "a", NOON + MINUTE)
    allowances.leave(session, "a")
    assert approach(session, "b", NOON + MINUTE).probe


def _paused_elsewhere(url: str, asked: Event) -> bool:
    """Whether another connection, which says when it asks for the first lock, may not probe."""
    engine = open_engine(url)

    @event.listens_for(engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, *_rest):
        if statement.startswith("INSERT"):
            asked.set()

    with transaction(engine) as session:
        found = approach(session, "b", NOON + MINUTE)
    engine.dispose()
    return found.paused_until is not None


@pytest.mark.postgres
def test_a_pause_that_is_just_being_written_is_waited_for(postgres_url):
    engine, asked = open_engine(postgres_url), Event()
    with transaction(engine) as session:
        relay.settle(session, OPENED, NOON)
    with ThreadPoolExecutor(1) as pool:
        with transaction(engine) as session:
            relay.settle(session, OPENED, NOON + MINUTE)
            paused = pool.submit(_paused_elsewhere, postgres_url, asked)
            assert asked.wait(20)
        assert paused.result()
    engine.dispose()


@pytest.mark.parametrize("rounds", [3])
def test_of_many_at_once_one_probes_each_pause(store_url, rounds):
    engine = open_engine(store_url)
    with transaction(engine) as session:
        until = relay.settle(session, OPENED, NOON).paused_until

    def ask(owner: str) -> bool:
        own = open_engine(store_url)
        with transaction(own) as session:
            found = approach(session, owner, until)
        own.dispose()
        return found.probe

    for _ in range(rounds):
        with ThreadPoolExecutor(5) as pool:
            assert sum(pool.map(ask, "abcde")) == 1
        with transaction(engine) as session:
            until = relay.settle(session, News(blamed=1, opened=True), until).paused_until
    engine.dispose()
