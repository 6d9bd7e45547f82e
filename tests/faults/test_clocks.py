"""Three workers whose clocks are wrong: leases go by the store's, so nobody takes what is held."""

import pytest

from tests.faults.clocks import Clock, NoFaketime, library
from tests.faults.telling import told
from tests.faults.village import CONNECTIONS, Village, settled

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
SLOW_S = 600.0  # libfaketime makes a worker several times slower


@pytest.fixture
def clocks(place: Village) -> list[Clock]:
    """A clock for each worker, which is right until it is set."""
    try:
        library()
    except NoFaketime as exc:
        pytest.skip(str(exc))
    made = []
    for worker in place.workers:
        clock = Clock(file=worker.folder / f"{worker.host.role}.clock")
        clock.set("+0")
        worker.fake.update(clock.settings())
        made.append(clock)
    return made


def test_clocks_an_hour_ahead_and_behind_that_are_set_while_the_workers_send(
    place: Village, clocks: list[Clock]
) -> None:
    ahead, behind, _ = clocks
    ahead.set("+1h")
    behind.set("-1h")
    place.start()
    place.in_full_swing(*place.workers, within_s=SLOW_S)
    ahead.set("-1h")
    behind.set("+1h")
    told("clocks an hour off, then set", settled(place, doubt_most=0, within_s=SLOW_S))


def test_clock_set_back_keeps_no_worker_waiting_for_that_hour(
    place: Village, clocks: list[Clock]
) -> None:
    place.start()
    alone, *others = place.workers
    place.in_full_swing(*place.workers, within_s=SLOW_S)
    for worker in others:
        worker.process().kill()
    clocks[0].set("-1h")
    told(
        "clock of the only worker set back",
        settled(place, doubt_most=2 * CONNECTIONS, within_s=SLOW_S),
    )
    assert place.sent_by(alone) > place.deliveries / 3
