"""Two worker hosts beside one, on one PostgreSQL, each a network namespace: `make bench`.

The relay answers each mail after 20 ms, and each host has four connections to it: so one host can
send 200 mails a second at most, however fast it is. Twice the hosts should send twice as much, if
the ledger shares the work out well. The bar of the project is 1.7 times.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.database import Database, database, stocked
from tests.faults.hosts import Host, NoHosts, network
from tests.faults.village import CONNECTIONS, settled, village
from tests.postgres import NoPostgres

MAILS = 3_000
RELAY_WAIT_S = 0.020
BAR = 1.7


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, Host]]:
    try:
        with network(("store", "relay", "worker1", "worker2")) as made:
            yield made
    except NoHosts as exc:
        pytest.skip(f"no hosts of our own: {exc}")


@pytest.fixture(scope="module")
def server(hosts: dict[str, Host]) -> Iterator[Database]:
    try:
        with database(hosts["store"], durable=True) as running:
            yield running
    except NoPostgres as exc:
        pytest.skip(str(exc))


@pytest.mark.bench
def test_two_hosts_beside_one(hosts: dict[str, Host], server: Database, tmp_path: Path) -> None:
    stock = stocked(server, MAILS)
    one = _rate(
        {role: host for role, host in hosts.items() if role != "worker2"}, server, stock, tmp_path
    )
    two = _rate(hosts, server, stock, tmp_path)
    most = CONNECTIONS / RELAY_WAIT_S
    print(
        f"\n{MAILS:,} mails, {CONNECTIONS} connections a host, the relay waits"
        f" {1000 * RELAY_WAIT_S:.0f} ms: at most {most:.0f}/s a host\n"
        f"one host  {one:6.0f}/s\ntwo hosts {two:6.0f}/s  {two / one:.2f}× (bar {BAR}×)"
    )
    assert two / one >= BAR


def _rate(hosts: dict[str, Host], server: Database, stock: str, folder: Path) -> float:
    place = folder / f"{len(hosts)}"
    place.mkdir()
    with village(hosts, server, stock, MAILS, place, relay_wait_s=RELAY_WAIT_S) as made:
        made.start()
        settled(made, doubt_most=0, within_s=120)
        return made.rate()
