"""Limits that hold whoever asks: processes, hosts, clocks; and seats at the relay."""

import bisect
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, text
from sqlmodel import Session

from digest.domain.limits import Limits, Rate
from digest.store import allowances
from digest.store.database import open_engine, transaction
from tests.builders import NOON

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
GMAIL, WEB = "ada@gmail.com", "bob@web.example"


def limits(per_second: float = 0.0, per_hour: int = 0, **domains: Rate) -> Limits:
    named = {name.replace("_", "."): rate for name, rate in domains.items()}
    return Limits.of(Rate(per_second=per_second, per_hour=per_hour), named)


GMAIL_SLOW = limits(gmail_com=Rate(per_second=1))


def most_within(instants: list[datetime], window: timedelta) -> int:
    """The most of these instants that fall into any half-open window."""
    ordered = sorted(instants)
    return max(
        (bisect.bisect_left(ordered, at + window) - n for n, at in enumerate(ordered)), default=0
    )


@pytest.fixture
def statements(session: Session) -> Iterator[list[str]]:
    """The statements that reach the store while the test runs."""
    seen: list[str] = []
    connection = session.connection()

    def note(_connection, _cursor, statement, *_rest):
        seen.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    yield seen
    event.remove(connection, "before_cursor_execute", note)


def test_without_limits_nothing_is_asked_of_the_store(session, statements):
    assert allowances.take(session, [GMAIL, WEB], Limits(), NOON) == [None, None]
    assert allowances.take(session, [WEB], GMAIL_SLOW, NOON) == [None]
    assert allowances.take(session, [], GMAIL_SLOW, NOON) == []
    assert statements == []


def test_a_group_costs_the_same_few_statements_whatever_its_size(session, statements):
    both = limits(per_second=100, per_hour=500, gmail_com=Rate(per_second=50, per_hour=100))
    allowances.take(session, [GMAIL], both, NOON)
    alone = len(statements)
    allowances.take(session, [GMAIL, WEB] * 20, both, NOON + MINUTE)
    assert len(statements) - alone <= alone <= 5


def test_beginnings_are_spaced_evenly_and_the_line_behind_is_told_when(session):
    five = limits(per_second=5)
    answers = allowances.take(session, [GMAIL] * 4, five, NOON)
    assert answers == [None, *(NOON + n * SECOND / 5 for n in (1, 2, 3))]
    assert allowances.take(session, [GMAIL], five, NOON + SECOND / 10) == [NOON + SECOND / 5]
    assert allowances.take(session, [GMAIL], five, NOON + SECOND / 5) == [None]


def test_a_rate_below_one_lets_one_through_in_so_many_seconds(session):
    slow = limits(per_second=0.2)
    assert allowances.take(session, [GMAIL, WEB], slow, NOON) == [None, NOON + 5 * SECOND]
    assert allowances.take(session, [GMAIL], slow, NOON + 4.9 * SECOND) == [NOON + 5 * SECOND]
    assert allowances.take(session, [GMAIL], slow, NOON + 5 * SECOND) == [None]


def test_an_hour_allows_a_burst_and_then_nothing_until_it_is_over(session):
    three = limits(per_hour=3)
    answers = allowances.take(session, [GMAIL] * 5, three, NOON)
    assert answers == [None, None, None, NOON + 61 * MINUTE, NOON + 61 * MINUTE]
    assert allowances.take(session, [GMAIL], three, NOON + HOUR) == [NOON + 61 * MINUTE]
    assert allowances.take(session, [GMAIL] * 4, three, NOON + 61 * MINUTE)[:3] == [None] * 3


def test_places_in_an_hour_come_back_as_they_were_used(session):
    two = limits(per_hour=2)
    assert allowances.take(session, [GMAIL], two, NOON) == [None]
    assert allowances.take(session, [GMAIL], two, NOON + 20 * MINUTE) == [None]
    answers = allowances.take(session, [GMAIL] * 2, two, NOON + 30 * MINUTE)
    assert answers == [NOON + 61 * MINUTE, NOON + 81 * MINUTE]


def test_what_begins_at_a_minutes_end_is_counted_where_it_arrives(session):
    one = limits(per_hour=1)
    end = NOON + MINUTE - SECOND
    assert allowances.take(session, [GMAIL], one, end) == [None]
    assert allowances.take(session, [GMAIL], one, NOON + 61 * MINUTE) == [NOON + 62 * MINUTE]


def test_a_limited_domain_holds_up_nobody_else(session):
    answers = allowances.take(session, [GMAIL, GMAIL, WEB, GMAIL, WEB], GMAIL_SLOW, NOON)
    assert [answer is None for answer in answers] == [True, False, True, False, True]


def test_a_message_that_waits_for_its_domain_takes_nothing_of_the_whole(session):
    whole = limits(per_hour=2, gmail_com=Rate(per_hour=1))
    answers = allowances.take(session, [GMAIL, GMAIL, GMAIL, WEB], whole, NOON)
    assert [answer is None for answer in answers] == [True, False, False, True]


def test_every_other_domain_is_limited_by_itself_and_in_any_spelling(session):
    each = limits(**{"*": Rate(per_hour=1), "gmail_com": Rate()})
    people = [GMAIL, GMAIL, "a@bücher.example", "b@XN--BCHER-KVA.example", WEB, "c@WEB.Example"]
    answers = allowances.take(session, people, each, NOON)
    assert [answer is None for answer in answers] == [True, True, True, False, True, False]


def test_a_clock_years_ahead_holds_nobody_for_years(session):
    both = limits(per_second=1, per_hour=10)
    years = timedelta(days=5 * 365)
    assert allowances.take(session, [GMAIL] * 10, both, NOON + years)[0] is None
    assert allowances.take(session, [GMAIL], both, NOON) == [None]
    assert allowances.take(session, [GMAIL], both, NOON) == [NOON + SECOND]


def test_a_clock_that_is_behind_gains_nothing(session):
    both = limits(per_second=1, per_hour=2)
    assert allowances.take(session, [GMAIL], both, NOON) == [None]
    assert allowances.take(session, [GMAIL], both, NOON - 30 * SECOND) == [NOON + SECOND]
    assert allowances.take(session, [GMAIL], both, NOON + MINUTE) == [None]
    assert allowances.take(session, [GMAIL], both, NOON - HOUR / 2)[0] is not None


def test_a_clock_that_is_behind_sees_the_hour_that_others_have_filled(session):
    one = limits(per_hour=1)
    assert allowances.take(session, [GMAIL], one, NOON) == [None]
    assert allowances.take(session, [GMAIL], one, NOON - HOUR / 2) == [NOON + 61 * MINUTE]


def test_what_was_rolled_back_is_not_counted(engine):
    one = limits(per_hour=1)
    with pytest.raises(RuntimeError), transaction(engine) as session:
        allowances.take(session, [GMAIL], one, NOON)
        raise RuntimeError
    with transaction(engine) as session:
        assert allowances.take(session, [GMAIL], one, NOON) == [None]


def test_old_counts_go_as_new_ones_come_and_idle_domains_are_swept(session):
    busy = limits(per_hour=1000, **{"*": Rate(per_second=1, per_hour=5)})
    allowances.take(session, [WEB], busy, NOON)
    for day in range(3):
        allowances.take(session, [GMAIL], busy, NOON + timedelta(days=day))
    rows = "SELECT count(*) FROM spendings"
    assert session.connection().execute(text(rows)).scalar_one() == 5
    assert allowances.sweep(session, NOON + timedelta(days=2)) > 0
    scopes = session.connection().execute(text("SELECT scope FROM paces ORDER BY scope"))
    assert scopes.scalars().all() == ["all", "domain/gmail.com"]


def test_those_given_back_are_spread_out_behind_one_another(session):
    first = allowances.put_off(session, [GMAIL, WEB, GMAIL], GMAIL_SLOW, NOON)
    again = allowances.put_off(session, [GMAIL], GMAIL_SLOW, NOON)
    assert first == [NOON + SECOND, NOON, NOON + 2 * SECOND]
    assert again == [NOON + 3 * SECOND]
    slow = limits(per_hour=1)
    assert allowances.take(session, [GMAIL], slow, NOON) == [None]
    assert allowances.put_off(session, [GMAIL] * 9, slow, NOON)[-1] == NOON + 4 * HOUR


def test_those_given_back_come_by_the_second_until_the_hour_is_used_up(session):
    both = limits(per_second=10, per_hour=2)
    tenth = SECOND / 10
    assert allowances.take(session, [GMAIL], both, NOON) == [None]
    assert allowances.put_off(session, [GMAIL] * 2, both, NOON) == [NOON + tenth, NOON + 2 * tenth]
    assert allowances.take(session, [GMAIL], both, NOON + SECOND) == [None]
    assert allowances.put_off(session, [GMAIL], both, NOON + SECOND)[0] > NOON + HOUR / 2


def test_nobody_is_given_back_for_less_than_the_limits_said(session):
    until = NOON + 30 * SECOND
    assert allowances.put_off(session, [GMAIL, GMAIL], GMAIL_SLOW, NOON, [until, NOON]) == [
        until,
        NOON + 2 * SECOND,
    ]


# --- never above, in any window ---


_steps = st.lists(
    st.tuples(
        st.integers(0, 3),  # which recipients ask
        st.integers(1, 6),  # how many
        st.one_of(st.integers(0, 3_000_000), st.integers(0, 1_500_000_000)),  # microseconds later
        st.integers(-40_000_000, 40_000_000),  # how wrong the asker's clock is
    ),
    max_size=40,
)
_rates = st.sampled_from([0.0, 0.2, 1.0, 2.5, 3.0, 7.0])
_hours = st.sampled_from([0, 1, 4, 9])


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(overall=st.tuples(_rates, _hours), gmail=st.tuples(_rates, _hours), steps=_steps)
def test_no_window_ever_holds_more_than_its_limit(session, overall, gmail, steps):
    for rows in ("paces", "spendings"):
        session.connection().execute(text(f"DELETE FROM {rows}"))
    every = Limits.of(
        Rate(per_second=overall[0], per_hour=overall[1]),
        {"gmail.com": Rate(per_second=gmail[0], per_hour=gmail[1])},
    )
    began: dict[str, list[datetime]] = {"all": [], GMAIL: []}
    now = NOON
    for who, number, later, wrong in steps:
        now += timedelta(microseconds=later)
        wanted = [GMAIL if (who + n) % 2 else WEB for n in range(number)]
        clock = now + timedelta(microseconds=wrong)
        answers = allowances.take(session, wanted, every, clock)
        for email, answer in zip(wanted, answers, strict=True):
            assert answer is None or answer > clock
            if answer is None:
                began["all"].append(clock)
                if email == GMAIL:
                    began[GMAIL].append(clock)
    for scope, (per_second, per_hour) in (("all", overall), (GMAIL, gmail)):
        if per_hour:
            assert most_within(began[scope], HOUR) <= per_hour
        if per_second:
            assert most_within(began[scope], SECOND / per_second) <= 1


def test_whoever_asks_again_when_told_gets_through_in_the_end(session):
    """Neither limit starves: nine messages at three an hour are gone after three hours."""
    both = limits(per_second=0.5, per_hour=3)
    now, left, asked = NOON, 9, 0
    while left:
        answers = allowances.take(session, [GMAIL] * left, both, now)
        begun = sum(answer is None for answer in answers)
        left, asked = left - begun, asked + 1
        if left:
            now = min(answer for answer in answers if answer)
    assert now - NOON <= 2 * 61 * MINUTE + 10 * SECOND
    assert asked <= 10


def _ask_often(url: str, seed: int, count: int) -> list[datetime]:
    """One process: asks at random virtual instants of the same two hours, and says what began."""
    engine, random = open_engine(url), Random(seed)
    both = limits(per_second=2, per_hour=40, gmail_com=Rate(per_second=1, per_hour=25))
    began = []
    now = NOON
    for _ in range(count):
        now += random.random() * 3 * SECOND if random.random() < 0.95 else 5 * MINUTE
        wanted = [random.choice([GMAIL, WEB]) for _ in range(random.randint(1, 5))]
        with transaction(engine) as session:
            answers = allowances.take(session, wanted, both, now)
        began += [(email, now) for email, answer in zip(wanted, answers, strict=True) if not answer]
    engine.dispose()
    return began


def _assert_kept(began: list[tuple[str, datetime]]) -> None:
    everything = [at for _, at in began]
    gmail = [at for email, at in began if email == GMAIL]
    assert most_within(everything, HOUR) <= 40
    assert most_within(everything, SECOND) <= 2
    assert most_within(gmail, HOUR) <= 25
    assert most_within(gmail, SECOND) <= 1
    assert len(everything) >= 20  # and what is allowed is let through


@pytest.mark.slow
def test_several_processes_together_stay_below_the_limits(store_url):
    context = get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        runs = [pool.submit(_ask_often, store_url, seed, 120) for seed in (1, 2)]
        _assert_kept([one for run in runs for one in run.result()])


def test_many_connections_to_one_store_stay_below_the_limits(store_url):
    with ThreadPoolExecutor(6) as pool:
        runs = [pool.submit(_ask_often, store_url, seed, 40) for seed in range(6)]
        _assert_kept([one for run in runs for one in run.result()])


def test_groups_that_name_domains_in_opposite_order_wait_for_each_other_in_no_circle(store_url):
    each = limits(**{"*": Rate(per_second=1000)})
    names = [f"a@d{n}.example" for n in range(12)]

    def ask(turn: int) -> None:
        engine = open_engine(store_url)
        for n in range(15):
            chosen = Random(turn * 100 + n).sample(names, 6)
            with transaction(engine) as session:
                allowances.take(session, chosen, each, datetime(2026, 3, 12, tzinfo=UTC))
        engine.dispose()

    with ThreadPoolExecutor(5) as pool:
        for done in [pool.submit(ask, turn) for turn in range(5)]:
            done.result()


# --- seats ---

LEASE = 30 * SECOND


def sit(session, owner, *, wanted=4, most=5, now=NOON):
    return allowances.sit(session, "relay", owner, now, most=most, wanted=wanted, lease=LEASE)


def test_two_that_want_four_of_five_get_four_and_one(session):
    assert (sit(session, "a"), sit(session, "b"), sit(session, "c")) == (4, 1, 0)
    assert (sit(session, "a"), sit(session, "b")) == (4, 1)


def test_without_a_limit_everybody_sits_and_the_store_is_not_asked(session, statements):
    assert sit(session, "a", most=0, wanted=50) == 50
    assert statements == []


def test_seats_are_free_again_once_left_or_expired(session):
    sit(session, "a")
    sit(session, "b")
    allowances.leave(session, "a")
    assert sit(session, "b") == 4
    assert sit(session, "c", now=NOON + LEASE) == 4


def test_who_renews_keeps_and_who_was_late_loses_what_others_took(session):
    sit(session, "a")
    assert allowances.keep_seats(session, "a", NOON + 20 * SECOND, LEASE) == 4
    assert sit(session, "b", now=NOON + LEASE) == 1
    assert sit(session, "b", wanted=3, now=NOON + 51 * SECOND) == 3
    kept = allowances.keep_seats(session, "a", NOON + 52 * SECOND, LEASE)
    assert kept + 3 <= 5
    assert allowances.keep_seats(session, "nobody", NOON, LEASE) == 0


def test_a_lease_from_a_clock_years_ahead_holds_no_seat(session):
    assert sit(session, "a", now=NOON + timedelta(days=999)) == 4
    assert sit(session, "b") == 4


def test_fewer_seats_than_before_are_shared_by_all_that_stand(session):
    sit(session, "a", wanted=4, most=5)
    assert sit(session, "b", most=4) == 0
    assert sit(session, "b", most=2) == 0


def test_seats_of_higher_numbers_count_too_where_there_are_fewer_now(session):
    sit(session, "a", wanted=2)
    sit(session, "b", wanted=2)
    allowances.leave(session, "a")
    assert sit(session, "c", most=3) == 1


def _sit_in_own_process(url: str, owner: str) -> int:
    engine = open_engine(url)
    with transaction(engine) as session:
        got = sit(session, owner)
    engine.dispose()
    return got


def test_processes_never_sit_on_more_than_there_are(store_url):
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(_sit_in_own_process, [store_url] * 4, "abcd"))
    assert sum(got) == 5


def test_engines_agree(engine: Engine):
    """The same questions get the same answers from either store, commit by commit."""
    both = limits(per_second=2, per_hour=3)
    answers = []
    for n in range(6):
        with transaction(engine) as session:
            answers += allowances.take(session, [GMAIL, WEB], both, NOON + n * SECOND / 2)
    assert [answer is None for answer in answers] == [True, False] * 3 + [False] * 6
