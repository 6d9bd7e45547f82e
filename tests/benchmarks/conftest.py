"""What the mail benchmarks share: ledgers that are filled once, a signing key, a PostgreSQL that
writes to disk as an operator's does.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.mail.plans import write_key
from tests.benchmarks.mail.world import Ledgers
from tests.postgres import NoPostgres, running_server


@pytest.fixture(scope="session")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Ledgers:
    """Ledgers in SQLite files."""
    return Ledgers(tmp_path_factory.mktemp("ledgers"))


@pytest.fixture(scope="session")
def durable_postgres() -> Iterator[str]:
    """The URL of a server, without a database's name."""
    try:
        with running_server(durable=True) as url:
            yield url
    except NoPostgres as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="session")
def signing_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a DKIM key, RSA-2048."""
    return write_key(tmp_path_factory.mktemp("key") / "dkim.pem")
