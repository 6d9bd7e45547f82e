"""Simulated life: no seed may find a broken promise, and a seed always tells the same story."""

import os
import time

import pytest

from tests.faults.year.year import APIA, LEAP_YEAR, Outcome, simulate
from tests.reliability import record

SEEDS = int(os.environ.get("DIGEST_SIM_SEEDS", "1"))
DAYS = int(os.environ.get("DIGEST_SIM_DAYS", "75"))  # 366 in the soak


def _lived(row: str, seeds: range, days: int, **named: object) -> list[Outcome]:
    """Simulate, record what was tried, and let no promise be broken."""
    began = time.process_time()
    outcomes = [simulate(seed, days, **named) for seed in seeds]  # type: ignore[arg-type]
    record(
        "simulator",
        row,
        seeds=len(outcomes),
        days=sum(one.days for one in outcomes),
        digests=sum(one.digests for one in outcomes),
        deaths=sum(one.deaths for one in outcomes),
        in_doubt=sum(one.in_doubt for one in outcomes),
        again=sum(one.again for one in outcomes),
        violations=sum(len(one.violations) for one in outcomes),
        cpu_s_per_year=round(
            (time.process_time() - began) / sum(o.days for o in outcomes) * 366, 1
        ),
    )
    for one in outcomes:
        assert not one.violations, one.told()
        assert one.digests > one.days, "somebody must have got something"
    return outcomes


def test_weeks_of_two_daemons_under_every_fault_break_no_promise() -> None:
    _lived("quick: weeks", range(1, 2), 7)


def test_same_seed_tells_the_same_story() -> None:
    first, again, other = simulate(3, 1), simulate(3, 1), simulate(4, 1)
    assert first.trace == again.trace
    assert first.trace != other.trace


@pytest.mark.slow
def test_leap_year_of_two_daemons_under_every_fault_breaks_no_promise() -> None:
    _lived("leap year", range(1, SEEDS + 1), DAYS, start=LEAP_YEAR)


@pytest.mark.slow
def test_weeks_around_the_date_that_apia_left_out_break_no_promise() -> None:
    _lived("Apia's missing date", range(1, SEEDS + 1), 24, start=APIA)
