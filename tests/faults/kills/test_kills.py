"""SIGKILL at every commit and every step of SMTP: nothing is lost, and what comes twice is exactly
what the relay had and the ledger did not know.
"""

import pytest

from tests.faults.kills.conftest import ALL, Sweeper, store_of
from tests.faults.kills.keeping import Keeping
from tests.faults.kills.life import Life
from tests.faults.kills.sweep import Death, Sweep
from tests.faults.kills.ways import DIGESTS, LIMITS, LOGIN
from tests.reliability import record

# The three that matter most: work is there and nothing says so, and the other way round.
FEW = (
    "services.compose.chunk.committed",
    "mail.dialogue.dot.said",
    "services.recorder.written.commit",
)
FORMS = (
    "services.signup.receive.committed",
    "services.signup.take.committed",
    "services.selfcare.changed.committed",
    "web.confirm.confirm.committed",
)
IN_THE_AIR = ("services.recorder.written.", "mail.dialogue.dot.answered")
MOST = 3 if ALL else 1
ALL_WAYS = (DIGESTS, LOGIN, LIMITS)


def _die_all(sweep: Sweep, deaths: list[Death]) -> None:
    for death in deaths:
        sweep.die(death)
    figures = sweep.figures
    assert figures.lost == 0
    assert figures.duplicates == figures.in_doubt
    record("kill sweep", f"{sweep.way.name}, {store_of(sweep.stock)}", **figures.counts())


def test_program_killed_where_a_mail_is_in_doubt_sends_it_again_and_no_other(
    sqlite_sweeps: Sweeper,
) -> None:
    sweep = sqlite_sweeps(DIGESTS)
    _die_all(sweep, [one for one in sweep.deaths(most=1) if one.point in FEW])
    assert sweep.figures.kills == len(FEW)
    assert sweep.figures.in_doubt > 0


@pytest.mark.slow
def test_program_killed_at_any_point_loses_nothing_and_repeats_only_what_was_in_doubt(
    sqlite_sweeps: Sweeper,
) -> None:
    """Each point once in `make test-all`, by the first way that comes to it."""
    known: set[str] = set()
    doubts = 0
    for way in ALL_WAYS if ALL else (DIGESTS, LOGIN):
        sweep = sqlite_sweeps(way)
        _die_all(sweep, [one for one in sweep.deaths(most=MOST) if ALL or one.point not in known])
        known |= sweep.figures.points
        doubts += sweep.figures.in_doubt
    assert doubts > 0


@pytest.mark.slow
@pytest.mark.postgres
def test_program_killed_on_postgresql_loses_nothing_either(postgres_sweeps: Sweeper) -> None:
    """In `make test-all` at what touches the store while a mail is in the air."""
    for way in ALL_WAYS if ALL else (DIGESTS,):
        sweep = postgres_sweeps(way)
        deaths = sweep.deaths(most=MOST)
        _die_all(sweep, [one for one in deaths if ALL or one.point.startswith(IN_THE_AIR)])


@pytest.mark.slow
def test_operators_command_killed_at_any_point_is_done_once_given_again(keeping: Keeping) -> None:
    """In `make test-all` every fifth of them on SQLite."""
    for death in keeping.deaths()[:: 1 if ALL else 5]:
        keeping.die(death)
    record("kill sweep", f"commands, {store_of(keeping.stock)}", **keeping.figures.counts())


@pytest.mark.slow
def test_daemon_killed_at_any_point_serves_its_visitor_once_it_is_back(life: Life) -> None:
    """In `make test-all` after the commits that a form makes, on SQLite."""
    for death in life.deaths():
        if ALL or death.point in FORMS:
            life.die(death)
    assert life.figures.kills > 0
    figures = life.figures
    record(
        "kill sweep",
        f"daemon and pages, {store_of(life.stock)}",
        **figures.counts(),
        no_longer_wanted=figures.in_doubt - figures.duplicates,
    )
