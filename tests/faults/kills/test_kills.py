"""SIGKILL at every commit and every step of SMTP: nothing is lost, and what comes twice is exactly
what the relay had and the ledger did not know.
"""

import pytest

from tests.faults.kills.conftest import ALL, Sweeper
from tests.faults.kills.ways import DIGESTS, LOGIN, Way
from tests.reliability import record


@pytest.mark.slow
@pytest.mark.parametrize("way", [DIGESTS, LOGIN], ids=lambda way: way.name)
def test_program_killed_at_any_point_loses_nothing_and_repeats_only_what_was_in_doubt(
    way: Way, sweeps: Sweeper, request: pytest.FixtureRequest
) -> None:
    sweep = sweeps(way)
    for death in sweep.deaths(most=3 if ALL else 1):
        sweep.die(death)
    figures = sweep.figures
    assert figures.lost == 0
    assert figures.duplicates == figures.in_doubt > 0
    store = "PostgreSQL" if sweep.stock.server else "SQLite"
    record("kill sweep", f"{way.name}, {store}", **figures.counts())
