"""Subscribers as columns: who shares an interest shares a row, and days are counted by schedule."""

from datetime import date, timedelta

import numpy as np
import pytest

from digest.domain.interests import interest
from digest.domain.schedule import Frequency, Schedule
from digest.ranking.crowd import Request, columns, gap
from digest.ranking.match import Matcher
from digest.ranking.statistics import Statistics
from tests.builders import a_paper, a_subscriber

MONDAY = date(2026, 3, 9)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(), [1, 1, 1, 1, 1, 1, 1]),
        (Schedule(frequency=Frequency.WEEKDAYS), [3, 1, 1, 1, 1, 1, 2]),
        (Schedule(frequency=Frequency.WEEKLY, weekday=2), [5, 6, 7, 1, 2, 3, 4]),
    ],
)
def test_the_days_since_the_digest_before(schedule: Schedule, expected: list[int]) -> None:
    days = [MONDAY + timedelta(days=n) for n in range(7)]
    assert [gap(schedule, day) for day in days] == expected
    assert gap(schedule, date.min) >= 1


def test_a_shared_interest_is_one_row_and_exclusions_are_barred() -> None:
    papers = [a_paper("Sleep of owls", number=1), a_paper("Diffusion of tea", number=2)]
    matcher = Matcher(papers, Statistics.of(()))
    ada = a_subscriber("ada@example.com", "sleep", "tea", number=1)
    never = (*ada.interests[:1], interest("tea", excluded=True))
    bob = a_subscriber("bob@example.com", number=2, interests=never)
    requests = [
        Request.of(one, MONDAY, sent, matcher)
        for one, sent in ((ada, frozenset({1})), (bob, frozenset()))
    ]
    lifts = {bob.id: np.array([1.25, 1.0])}
    flat = columns(requests, matcher, lifts, threshold=0.25, beyond=1)
    assert flat.readers.rows.tolist() == [0, 1, 0]
    assert len(flat.interests.certain) == 2
    assert flat.readers.starts.tolist() == [0, 2, 3]
    assert flat.readers.barred_starts.tolist() == [0, 1, 2]
    assert flat.readers.barred.tolist() == [1, 1]
    assert (flat.readers.lifted.tolist(), flat.readers.lift.tolist()) == ([0], [1.25])
    assert flat.gaps == (1,)
