"""Three workers on hosts of their own, and what happens to hosts."""

import signal
import time

import pytest

from tests.faults.conftest import DELIVERIES, LEASE_S
from tests.faults.telling import told
from tests.faults.village import CONNECTIONS, Village, settled

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
LONGER_THAN_A_LEASE_S = LEASE_S * 1.5
STOPPED_S = LEASE_S + 60 if DELIVERIES >= 10_000 else LONGER_THAN_A_LEASE_S


def test_without_a_fault_nobody_gets_anything_twice(place: Village) -> None:
    place.start()
    told("no fault", settled(place, doubt_most=0, within_s=300))


def test_worker_whose_cable_is_pulled_while_it_sends(place: Village) -> None:
    place.start()
    cut, *_ = place.workers
    place.in_full_swing(cut)
    cut.host.cut()
    time.sleep(LONGER_THAN_A_LEASE_S)
    cut.host.mend()
    told("cable pulled", settled(place, doubt_most=CONNECTIONS))


def test_worker_whose_packets_are_dropped_while_it_sends(place: Village) -> None:
    place.start()
    cut, *_ = place.workers
    place.in_full_swing(cut)
    cut.host.swallow()
    time.sleep(LONGER_THAN_A_LEASE_S)
    cut.host.pass_on()
    told("packets dropped", settled(place, doubt_most=CONNECTIONS))


def test_killed_worker(place: Village) -> None:
    place.start()
    killed, *_ = place.workers
    place.in_full_swing(killed)
    killed.process().kill()
    told("killed", settled(place, doubt_most=CONNECTIONS))


def test_host_that_is_lost_for_good(place: Village) -> None:
    place.start()
    lost, *_ = place.workers
    place.in_full_swing(lost)
    lost.host.swallow()
    lost.process().kill()
    told("host lost", settled(place, doubt_most=CONNECTIONS))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_restarted_postgresql(place: Village, how: signal.Signals) -> None:
    place.start()
    place.in_full_swing(*place.workers)
    place.database.stop(how)
    place.database.start()
    most = CONNECTIONS * len(place.workers)
    told(f"PostgreSQL restarted by {how.name}", settled(place, doubt_most=most))


def test_store_that_nobody_reaches_for_longer_than_a_lease(place: Village) -> None:
    place.start()
    place.in_full_swing(*place.workers)
    place.database.host.swallow()
    time.sleep(LONGER_THAN_A_LEASE_S)
    place.database.host.pass_on()
    most = CONNECTIONS * len(place.workers)
    told("store out of reach", settled(place, doubt_most=most))


def test_worker_that_is_stopped_past_its_lease(place: Village) -> None:
    place.start()
    paused, *_ = place.workers
    place.in_full_swing(paused)
    paused.process().tell(signal.SIGSTOP)
    time.sleep(STOPPED_S)
    before = {one.message_id for one in place.relay.taken()}
    resumed_at = time.time()
    paused.process().tell(signal.SIGCONT)
    figures = settled(place, doubt_most=CONNECTIONS)
    again = [
        one
        for one in place.relay.taken()
        if one.at >= resumed_at and one.peer == paused.host.address and one.message_id in before
    ]
    assert len(again) <= CONNECTIONS
    told("stopped", figures)


def test_killed_relay(place: Village) -> None:
    place.start()
    place.in_full_swing(*place.workers)
    place.relay.kill()
    time.sleep(1)
    place.relay.start()
    most = CONNECTIONS * len(place.workers)
    told("relay restarted", settled(place, doubt_most=most))
