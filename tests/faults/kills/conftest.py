"""Fixtures: a nursery and a relay's certificate for the session, sweeps for each test.

DIGEST_KILLS=all tries each point first, last and between, on both stores, as `make soak` does.
"""

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.faults.kills import program
from tests.faults.kills.keeping import Keeping, household
from tests.faults.kills.life import Life, quiet
from tests.faults.kills.places import Stock, stocked
from tests.faults.kills.relay import Taker
from tests.faults.kills.sweep import Sweep
from tests.faults.kills.ways import Way
from tests.mail.relays import make_certificate, server_context

ALL = os.environ.get("DIGEST_KILLS") == "all"
Sweeper = Callable[[Way], Sweep]
"""Makes the sweep of a way; its undisturbed run is over."""


def store_of(stock: Stock) -> str:
    """As the report names it."""
    return "PostgreSQL" if stock.server else "SQLite"


@pytest.fixture(scope="session")
def nursery() -> Iterator[program.Nursery]:
    if not hasattr(os, "pidfd_open"):
        pytest.skip("waiting for another process's child takes Linux")
    with program.nursery() as made:
        yield made


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """The relay's certificate, and what it serves with."""
    shown, key = make_certificate(tmp_path_factory.mktemp("relay"))
    return shown, server_context(shown, key)


@pytest.fixture
def sqlite_sweeps(
    tmp_path: Path, nursery: program.Nursery, certificate: tuple[Path, ssl.SSLContext]
) -> Iterator[Sweeper]:
    with _sweeps(tmp_path, "", nursery, certificate) as made:
        yield made


@pytest.fixture
def postgres_sweeps(
    tmp_path: Path,
    postgres_server: str,
    nursery: program.Nursery,
    certificate: tuple[Path, ssl.SSLContext],
) -> Iterator[Sweeper]:
    with _sweeps(tmp_path, postgres_server, nursery, certificate) as made:
        yield made


@contextmanager
def _sweeps(
    folder: Path,
    server: str,
    nursery: program.Nursery,
    certificate: tuple[Path, ssl.SSLContext],
) -> Iterator[Sweeper]:
    shown, tls = certificate
    with ExitStack() as stack:

        def made(way: Way) -> Sweep:
            sweep = Sweep(
                way=way,
                stock=stocked(folder / way.name, server, way.fill),
                program=nursery,
                relay=stack.enter_context(way.relay(tls)),
                certificate=shown,
            )
            sweep.trace()
            return sweep

        yield made


POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


@pytest.fixture(params=["sqlite", POSTGRES] if ALL else ["sqlite"])
def server(request: pytest.FixtureRequest) -> str:
    """Nothing for SQLite, and PostgreSQL's URL, in turn where all is tried."""
    if request.param == "sqlite":
        return ""
    url: str = request.getfixturevalue("postgres_server")
    return url


@pytest.fixture
def keeping(server: str, tmp_path: Path, nursery: program.Nursery) -> Keeping:
    """The operator's commands, carried out undisturbed."""
    made = Keeping(stock=stocked(tmp_path / "household", server, household), program=nursery)
    made.trace()
    return made


@pytest.fixture
def life(server: str, tmp_path: Path, nursery: program.Nursery) -> Iterator[Life]:
    """The daemon's life, lived undisturbed."""
    with Taker(pipelining=True) as relay:
        stock = stocked(tmp_path / "life", server, quiet)
        made = Life(stock=stock, program=nursery, relay=relay)
        made.trace()
        yield made
