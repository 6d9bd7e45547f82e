"""The faults of the network are real ones: else what outlives them would prove nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.hosts import Host
from tests.faults.waiting import until
from tests.reliability import record

pytestmark = [pytest.mark.slow]
PORT = 7000
ROOM = "hosts under fire"
LISTEN = "import socket, time; held = socket.create_server(('', 7000)); time.sleep(60)"
CALL = "import socket, sys; socket.create_connection((sys.argv[1], 7000), timeout=1)"


@pytest.fixture
def called(hosts: dict[str, Host], tmp_path: Path) -> Iterator[Host]:
    """A host on which somebody listens."""
    host = hosts["worker1"]
    listener = host.start(
        [sys.executable, "-c", LISTEN], settings={}, folder=tmp_path, log=tmp_path / "log"
    )
    until(host.listens(PORT), "somebody listens")
    yield host
    listener.kill()


def _answers(called: Host, caller: Host) -> bool:
    command = ["ip", "netns", "exec", caller.name, sys.executable, "-c", CALL, called.address]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_hosts_reach_one_another(called: Host, hosts: dict[str, Host]) -> None:
    assert _answers(called, hosts["worker2"])


def test_host_whose_cable_is_pulled_is_out_of_reach(called: Host, hosts: dict[str, Host]) -> None:
    called.cut()
    assert not _answers(called, hosts["worker2"])
    called.mend()
    assert _answers(called, hosts["worker2"])
    record(ROOM, "a pulled cable parts hosts, and put back it joins them", tried=1)


def test_host_whose_packets_are_dropped_is_out_of_reach(
    called: Host, hosts: dict[str, Host]
) -> None:
    called.swallow()
    assert not _answers(called, hosts["worker2"])
    called.pass_on()
    assert _answers(called, hosts["worker2"])
    record(ROOM, "dropped packets part hosts, and passed on they join them", tried=1)


def test_machines_own_network_sees_nothing_of_it(hosts: dict[str, Host]) -> None:
    links = subprocess.run(["ip", "link"], check=True, capture_output=True, text=True).stdout
    assert not [role for role in hosts if f" {role}" in links]
    assert f"{next(iter(hosts.values())).address}/" not in links
