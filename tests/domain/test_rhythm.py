"""Sources are asked when there can be something new, and left alone when they fail."""

from datetime import UTC, datetime, timedelta

import pytest

from digest.domain.papers import SourceKind
from digest.domain.rhythm import Asked, arxiv_opened, backoff, next_ask

RSS = SourceKind.ARXIV_RSS
HOUR = timedelta(hours=1)


def at(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    """March 2026: the 1st is a Sunday; US clocks go forward on the 8th."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "opened"),
    [
        (at(5, 12), at(5, 5, 20)),  # Thursday: midnight Eastern is 5:00 UTC in winter
        (at(5, 5, 19), at(4, 5, 20)),
        (at(6, 5, 20), at(6, 5, 20)),  # Friday bears what was announced on Thursday evening
        (at(7, 23), at(6, 5, 20)),  # Saturday
        (at(9, 4, 19), at(6, 5, 20)),  # Monday, not yet
        (at(9, 4, 20), at(9, 4, 20)),  # and by now daylight saving
        (at(2, 5, 20, month=11), at(2, 5, 20, month=11)),  # Monday after it has ended
    ],
)
def test_arxiv_opens_a_new_day_from_monday_to_friday_at_midnight_eastern(
    now: datetime, opened: datetime
) -> None:
    assert arxiv_opened(now) == opened


def test_arxiv_is_asked_at_once_when_its_day_opens_however_lately_it_was_asked() -> None:
    asked = Asked(at=at(5, 5, 10), papers_at=at(4, 6))
    assert next_ask(RSS, asked, at(5, 5, 19)) > at(5, 5, 20)
    assert next_ask(RSS, asked, at(5, 5, 20)) == at(5, 5, 20)


def test_arxiv_that_is_late_is_asked_often_at_first_and_then_less() -> None:
    def wait(hour: int, minute: int) -> timedelta:
        asked = Asked(at=at(5, hour, minute), papers_at=at(4, 6))
        return next_ask(RSS, asked, at(5, hour, minute)) - at(5, hour, minute)

    assert wait(5, 21) == wait(8, 19) == timedelta(minutes=30)
    assert wait(8, 20) == wait(20, 0) == 3 * HOUR


def test_arxiv_whose_day_is_here_is_asked_four_times_a_day_and_at_weekends_once() -> None:
    here = Asked(at=at(5, 5, 20), papers_at=at(5, 5, 20))
    assert next_ask(RSS, here, at(5, 6)) == at(5, 11, 20)
    saturday = Asked(at=at(7, 6), papers_at=at(6, 23))
    assert next_ask(RSS, saturday, at(7, 7)) == at(8, 6)
    assert next_ask(RSS, Asked(at=at(8, 6), papers_at=at(6, 23)), at(8, 7)) == at(9, 6)
    assert next_ask(RSS, Asked(at=at(8, 6), papers_at=at(6, 23)), at(9, 5)) == at(9, 4, 20)


def test_a_whole_week_of_arxiv_is_asked_after_each_announcement_and_seldom_otherwise() -> None:
    asked, times = Asked(), []
    for minute in range(0, 7 * 24 * 60, 5):
        now = at(16, 0) + timedelta(minutes=minute)  # Monday the 16th, in daylight saving time
        if next_ask(RSS, asked, now) <= now:
            times.append(now)
            asked = Asked(at=now, papers_at=now if now >= arxiv_opened(now) else None)
    for day in range(16, 21):
        assert at(day, 4, 20) in times
    assert len(times) <= 4 * 5 + 4


def test_hugging_face_is_asked_several_times_a_day_and_half_as_often_at_weekends() -> None:
    for day, hours in ((6, 3), (7, 6), (8, 6), (9, 3)):
        asked = Asked(at=at(day, 8))
        assert next_ask(SourceKind.HUGGINGFACE, asked, at(day, 9)) == at(day, 8 + hours)


def test_the_operators_own_rhythm_counts_more_than_that_of_the_kind() -> None:
    asked = Asked(at=at(5, 5), papers_at=at(4, 6))
    assert next_ask(RSS, asked, at(5, 5, 30), 2 * HOUR) == at(5, 7)


def test_failures_double_the_wait_up_to_six_hours_but_never_past_the_rhythm() -> None:
    minutes = [int(backoff(n) / timedelta(minutes=1)) for n in (1, 2, 3, 4, 5, 6, 99)]
    assert minutes == [15, 30, 60, 120, 240, 360, 360]
    failing = Asked(at=at(5, 12), failures=4)
    assert next_ask(SourceKind.FEED, failing, at(5, 12)) == at(5, 14)
    assert next_ask(SourceKind.FEED, failing, at(5, 12), HOUR) == at(5, 13)


def test_one_never_asked_or_asked_by_a_clock_that_was_ahead_is_due() -> None:
    now = at(5, 12)
    assert next_ask(SourceKind.FEED, Asked(), now) == now
    assert next_ask(SourceKind.FEED, Asked(at=now + HOUR), now) == now
