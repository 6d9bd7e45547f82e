"""Fixtures: hosts, PostgreSQL on one of them, and a village of each test's own.

DIGEST_FAULTS_DELIVERIES and DIGEST_FAULTS_LEASE_S make the runs longer, as `make soak` does.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.database import Database, database, stocked
from tests.faults.hosts import Host, NoHosts, network
from tests.faults.village import Village, village
from tests.postgres import NoPostgres

DELIVERIES = int(os.environ.get("DIGEST_FAULTS_DELIVERIES", "400"))
LEASE_S = float(os.environ.get("DIGEST_FAULTS_LEASE_S", "5"))
ROLES = ("store", "relay", "worker1", "worker2", "worker3")


@pytest.fixture(scope="session")
def hosts() -> Iterator[dict[str, Host]]:
    """Five hosts on one switch."""
    try:
        with network(ROLES) as made:
            yield made
    except NoHosts as exc:
        pytest.skip(f"no hosts of our own: {exc}")


@pytest.fixture(scope="session")
def server(hosts: dict[str, Host]) -> Iterator[Database]:
    """PostgreSQL on the host `store`."""
    try:
        with database(hosts["store"]) as running:
            yield running
    except NoPostgres as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="session")
def stock(server: Database) -> str:
    """The name of a store that holds the deliveries, to be copied."""
    return stocked(server, DELIVERIES)


@pytest.fixture
def place(
    hosts: dict[str, Host], server: Database, stock: str, tmp_path: Path
) -> Iterator[Village]:
    """A village with everything to send."""
    with village(hosts, server, stock, DELIVERIES, tmp_path, lease_s=LEASE_S, claim=20) as made:
        yield made
