"""The trend of papers: comparable between sources and days, monotone, never out of 0 to 1."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.domain.papers import PaperId, Signal
from digest.domain.trends import HALF_LIFE, trends
from tests.builders import attention

NOW = datetime(2026, 3, 12, 18, tzinfo=UTC)
TODAY = date(2026, 3, 12)


def reading(
    number: int, upvotes: int | None = None, *, source: str = "huggingface", **changes: Any
) -> Signal:
    """A reading at noon of 2026-03-12, held for an hour."""
    read_at = changes.pop("read_at", datetime(2026, 3, 12, 12, tzinfo=UTC))
    counts = attention(upvotes, changes.pop("comments", None), changes.pop("stars", None))
    values: dict[str, Any] = {
        "paper_id": PaperId(number),
        "source": source,
        "listed_on": TODAY,
        "read_at": read_at,
        "held_until": read_at + timedelta(hours=1),
        "attention": counts,
    }
    return Signal(**values | changes)


def scores(*signals: Signal, now: datetime = NOW) -> list[float]:
    found = trends(signals, now)
    return [found[key].score for key in sorted(found)]


def test_more_upvotes_on_the_same_day_trend_more() -> None:
    low, middle, high = scores(reading(1, 2), reading(2, 30), reading(3, 63))
    assert low < middle < high


def test_the_formula_gives_the_figure_worked_out_by_hand() -> None:
    # percentiles (below + equal/2 + 2) / (3 + 4); a run of one hour has velocity 0;
    # read until 13:00 and looked at 18:00: 5 hours old
    fresh = 2 ** (-5 / 72)
    expected = [1 - (1 - (1 - 0.8 * p) * 0.92 * 1) for p in (2.5 / 7, 3.5 / 7, 4.5 / 7)]
    got = scores(reading(1, 5), reading(2, 6), reading(3, 7))
    assert got == pytest.approx([(1 - e) * fresh for e in expected])


def test_best_of_a_quiet_day_and_best_of_a_loud_day_are_alike() -> None:
    quiet = [reading(n, n, source="small") for n in range(1, 11)]
    loud = [reading(20 + n, 100 * n, source="large") for n in range(1, 11)]
    found = trends([*quiet, *loud], NOW)
    assert found[PaperId(10)].score == pytest.approx(found[PaperId(30)].score)


def test_best_of_a_tiny_day_trends_less_than_best_of_a_full_day() -> None:
    tiny = [reading(1, 5, source="tiny"), reading(2, 4, source="tiny")]
    full = [reading(10 + n, n, source="full") for n in range(1, 30)]
    found = trends([*tiny, *full], NOW)
    assert found[PaperId(1)].score < found[PaperId(39)].score


def test_a_source_without_counts_gives_a_listing_and_no_level() -> None:
    found = trends([reading(1, source="rss"), reading(2, 5), reading(3, 6)], NOW)
    assert 0 < found[PaperId(1)].score < 0.1 < found[PaperId(2)].score
    assert found[PaperId(1)].upvotes is None
    assert found[PaperId(1)].listings == 1


def test_a_paper_that_several_sources_list_trends_more() -> None:
    found = trends(
        [reading(1, 5), reading(2, 5), reading(2, source="rss"), reading(2, source="page")], NOW
    )
    assert found[PaperId(2)].score > found[PaperId(1)].score
    assert (found[PaperId(1)].listings, found[PaperId(2)].listings) == (1, 3)


def test_a_source_that_lists_again_counts_once() -> None:
    again = reading(1, 5, source="page", listed_on=date(2026, 3, 11))
    assert trends([reading(1, 5, source="page"), again], NOW)[PaperId(1)].listings == 1


def test_a_paper_that_gains_overtakes_its_equal_and_is_called_rising() -> None:
    morning = datetime(2026, 3, 12, 6, tzinfo=UTC)
    signals = [
        reading(1, 40, read_at=morning, held_until=NOW),
        reading(2, 10, read_at=morning),
        reading(2, 40),
    ]
    found = trends(signals, NOW)
    assert found[PaperId(2)].score > found[PaperId(1)].score
    assert (found[PaperId(1)].rising, found[PaperId(2)].rising) == (False, True)


def test_growth_of_last_week_is_not_called_rising() -> None:
    week_ago = NOW - timedelta(days=7)
    grown = [
        reading(1, 1, read_at=week_ago - timedelta(hours=9)),
        reading(1, 90, read_at=week_ago),
    ]
    assert not trends(grown, NOW)[PaperId(1)].rising


def test_a_half_life_halves_the_score() -> None:
    signals = (reading(1, 5), reading(2, 9))
    fresh = scores(*signals, now=datetime(2026, 3, 12, 13, tzinfo=UTC))
    later = scores(*signals, now=datetime(2026, 3, 12, 13, tzinfo=UTC) + HALF_LIFE)
    assert later == pytest.approx([score / 2 for score in fresh])


def test_readings_after_now_are_not_foreseen() -> None:
    early = [reading(1, 5)]
    assert trends([*early, reading(1, 500, read_at=NOW + timedelta(hours=1))], NOW) == trends(
        early, NOW
    )


def test_zero_upvotes_are_no_attention() -> None:
    none, zero = scores(reading(1), reading(2, 0))
    assert zero == none


def test_the_order_of_signals_does_not_matter() -> None:
    signals = [reading(1, 3), reading(1, 9, read_at=NOW), reading(2, 5), reading(2, source="b")]
    assert trends(signals, NOW) == trends(signals[::-1], NOW)


def test_no_signals_no_trends() -> None:
    assert trends([], NOW) == {}


counts = st.none() | st.integers(-(10**400), 10**400)
instants = st.integers(0, 250_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda number, source, day, at, hours, up, stars: reading(
                number, up, source=source, listed_on=day, stars=stars, read_at=at,
                held_until=at + timedelta(hours=hours),
            ),
            st.integers(1, 4), st.sampled_from("ab"), st.dates(), instants, st.integers(-3, 20),
            counts, counts,
        ),
        max_size=12,
    ),
    instants,
)  # fmt: skip
def test_whatever_a_feed_claims_the_score_stays_in_0_to_1(
    signals: list[Signal], now: datetime
) -> None:
    for trend in trends(signals, now).values():
        assert 0 <= trend.score <= 1
        assert trend.upvotes is None or trend.upvotes >= 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=8), st.integers(1, 30))
def test_a_further_upvote_never_lowers_a_score(upvotes: list[int], more: int) -> None:
    earlier = [reading(n, 1, read_at=NOW - timedelta(hours=9)) for n in range(len(upvotes))]
    before = [reading(n, u) for n, u in enumerate(upvotes)]
    after = [reading(0, upvotes[0] + more), *before[1:]]
    one, other = trends([*earlier, *before], NOW), trends([*earlier, *after], NOW)
    assert other[PaperId(0)].score >= one[PaperId(0)].score
