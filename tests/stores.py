"""Fixtures: a migrated, empty store for each test, on SQLite and on a real PostgreSQL.

Each engine migrates one template a session; a test gets its own copy of it, on PostgreSQL one that
an earlier test may have had, emptied.
"""

import shutil
from collections.abc import Collection, Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from digest.store import schema
from digest.store.database import open_engine
from tests.lending import Lender
from tests.postgres import NoPostgres, create_database, drop_database, running_server

_numbers = count(1)
BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


def slow_on_postgres(items: list[pytest.Item], folder: Path, but: Collection[str] = ()) -> None:
    """Leave it to the slow suite to try the tests of a folder on PostgreSQL, `but` these modules';
    from a hook of its conftest that comes first, before markers choose.
    """
    for item in items:
        here = item.path.parent == folder and item.path.stem.removeprefix("test_") not in but
        if here and item.get_closest_marker("postgres"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def sqlite_url(tmp_path: Path, _sqlite_template: Path) -> str:
    """A migrated, empty SQLite store."""
    path = tmp_path / "store" / "digest.sqlite"
    path.parent.mkdir()
    shutil.copy(_sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres_server: str, _lender: Lender) -> Iterator[str]:
    """A migrated, empty PostgreSQL store of the test's own."""
    name = _lender.lend()
    yield f"{postgres_server}/{name}"
    _lender.take_back(name)


@pytest.fixture(params=BOTH)
def store_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty store on each engine in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    """An engine on `store_url`: the test runs once on SQLite and once on PostgreSQL."""
    opened = open_engine(store_url)
    yield opened
    opened.dispose()


@pytest.fixture(params=BOTH)
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A session on a migrated store of each engine in turn, in a transaction that is undone.

    The quick way to an empty store: ids do not begin at 1. Ask for `engine` to commit.
    """
    shared: Engine = request.getfixturevalue(f"_shared_{request.param}")
    with shared.connect() as connection:
        with Session(connection, expire_on_commit=False) as opened:
            yield opened
        connection.rollback()


@pytest.fixture(params=BOTH)
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store without any schema on each engine in turn; the SQLite file does not exist yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'bare' / 'digest.sqlite'}"
        return
    server: str = request.getfixturevalue("postgres_server")
    name = f"bare_{next(_numbers)}"
    yield create_database(server, name)
    drop_database(server, name)


@pytest.fixture
def bare_engine(bare_url: str) -> Iterator[Engine]:
    opened = open_engine(bare_url)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server of this session's own, without a database name."""
    try:
        with running_server() as url:
            yield url
    except NoPostgres as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "digest.sqlite"
    _migrate(f"sqlite:///{path}").dispose()
    return path


@pytest.fixture(scope="session")
def _postgres_template(postgres_server: str) -> str:
    _migrate(create_database(postgres_server, "migrated")).dispose()
    return "migrated"


@pytest.fixture(scope="session")
def _lender(postgres_server: str, _postgres_template: str) -> Iterator[Lender]:
    lender = Lender(postgres_server, _postgres_template)
    yield lender
    lender.close()


@pytest.fixture(scope="session")
def _shared_sqlite(
    tmp_path_factory: pytest.TempPathFactory, _sqlite_template: Path
) -> Iterator[Engine]:
    copy = shutil.copy(_sqlite_template, tmp_path_factory.mktemp("shared"))
    engine = open_engine(f"sqlite:///{copy}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def _shared_postgres(postgres_server: str, _postgres_template: str) -> Iterator[Engine]:
    engine = open_engine(create_database(postgres_server, "shared", _postgres_template))
    yield engine
    engine.dispose()


def _migrate(url: str) -> Engine:
    engine = open_engine(url)
    schema.upgrade(engine)
    return engine
