"""Migrations that are killed in the middle: the store is old or new, and the next start ends it."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text

from digest import faultpoints
from digest.store import schema
from digest.store.database import open_engine
from tests.faults.store.conftest import ALL
from tests.reliability import record

STRIDE = 1 if ALL else 97  # statements between two deaths
COMMITTED = "store.schema.migrating.committed"
FIRST = "0001"
Look = dict[str, object]


@pytest.fixture(params=["nothing", FIRST])
def before(request: pytest.FixtureRequest, bare_url: str) -> tuple[str, str | None]:
    """A store without any schema, and one of the first with rows in it."""
    if request.param == "nothing":
        return bare_url, None
    engine = open_engine(bare_url)
    schema.upgrade(engine)
    schema.downgrade(engine, FIRST)
    with engine.begin() as connection:
        for number in range(5):
            row = "INSERT INTO editions (cutoff_at, lookback_days) VALUES (:at, :days)"
            connection.execute(text(row), {"at": "2026-03-12 12:00:00", "days": number})
    engine.dispose()
    return bare_url, FIRST


def look(url: str) -> Look:
    """Version, tables with their columns and indexes, and the rows that must survive."""
    engine = open_engine(url)
    with engine.connect() as connection:
        found = inspect(connection)
        names = sorted(set(found.get_table_names()) - {"alembic_version"})
        shape = {
            name: (
                sorted(column["name"] for column in found.get_columns(name)),
                sorted(str(index["name"]) for index in found.get_indexes(name)),
            )
            for name in names
        }
        kept = "SELECT lookback_days FROM editions ORDER BY 1"
        rows = connection.execute(text(kept)).scalars().all() if "editions" in names else []
        connection.rollback()
    version = schema.current(engine)
    engine.dispose()
    return {"version": version, "shape": shape, "rows": list(rows)}


def in_a_child(act: Callable[[], None]) -> int:
    """Do this in a process of its own; the signal that ended it, 0 where it ended by itself."""
    child = os.fork()
    if not child:
        try:
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def upgrading(url: str, *, dies_at: str = "", trace: Path | None = None) -> Callable[[], None]:
    """An upgrade that dies at this point, or writes down which there are."""

    def act() -> None:
        faultpoints.ARMED, faultpoints._WANTED = True, dies_at
        faultpoints._TRACE = str(trace) if trace else None
        schema.upgrade(open_engine(url))

    return act


def points(url: str, folder: Path) -> Iterator[str]:
    """The points of an upgrade of this store, each once; afterwards it is upgraded."""
    trace = folder / "trace"
    assert in_a_child(upgrading(url, trace=trace)) == 0
    names = list(dict.fromkeys(trace.read_text().split()))
    steps = [name for name in names if name.startswith("migrate.step.")]
    others = [name for name in names if name not in steps]
    assert len(steps) > 20
    assert f"migrate.{schema.head()}.applied" in others
    yield from steps[::STRIDE]
    yield from (others if ALL else others[-2:])


@pytest.mark.slow
def test_a_killed_migration_leaves_the_old_store_or_the_new_and_is_done_at_the_next_start(
    before: tuple[str, str | None], tmp_path: Path
) -> None:
    url, version = before
    old = look(url)
    assert old["version"] == version
    names = list(points(url, tmp_path))
    new = look(url)
    slowest = 0.0
    for name in names:
        to_old(url, version)
        assert look(url) == old
        assert in_a_child(upgrading(url, dies_at=name)) == signal.SIGKILL
        assert look(url) == (new if name == COMMITTED else old), name
        began = time.monotonic()
        engine = open_engine(url)
        schema.upgrade(engine)
        slowest = max(slowest, time.monotonic() - began)
        assert schema.check(engine) == []
        engine.dispose()
        assert look(url) == new
    kind = "PostgreSQL" if url.startswith("postgresql") else "SQLite"
    row = f"migration killed, {kind}"
    record("store faults", row, tried=len(names), half_written=0, recovered_s=slowest)


def to_old(url: str, version: str | None) -> None:
    engine: Engine = open_engine(url)
    schema.downgrade(engine, version or "base")
    if version is None:  # a fresh store has no such table either, and making it is a step
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
    engine.dispose()
