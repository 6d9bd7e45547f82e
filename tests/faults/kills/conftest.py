"""Fixtures: a nursery and a relay's certificate for the session, a sweep for each test.

DIGEST_KILLS=all tries each point first, last and between, on both stores, as `make soak` does.
"""

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.kills import program
from tests.faults.kills.places import stocked
from tests.faults.kills.sweep import Sweep
from tests.faults.kills.ways import Way
from tests.mail.relays import make_certificate, server_context

ALL = os.environ.get("DIGEST_KILLS") == "all"
Sweeper = Callable[[Way], Sweep]


@pytest.fixture(scope="session")
def nursery() -> Iterator[program.Nursery]:
    with program.nursery() as made:
        yield made


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """The relay's certificate, and what it serves with."""
    shown, key = make_certificate(tmp_path_factory.mktemp("relay"))
    return shown, server_context(shown, key)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def sweeps(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    nursery: program.Nursery,
    certificate: tuple[Path, ssl.SSLContext],
) -> Iterator[Sweeper]:
    """Makes the sweep of a way, on each store in turn, whose undisturbed run is over."""
    server = request.getfixturevalue("postgres_server") if request.param == "postgres" else ""
    shown, tls = certificate
    with ExitStack() as stack:

        def made(way: Way) -> Sweep:
            sweep = Sweep(
                way=way,
                stock=stocked(tmp_path / way.name, server, way.fill),
                program=nursery,
                relay=stack.enter_context(way.relay(tls)),
                certificate=shown,
            )
            sweep.trace()
            return sweep

        yield made
