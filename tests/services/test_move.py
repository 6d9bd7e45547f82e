"""The whole store into an archive and back, between SQLite and PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from digest.store.database import open_engine
from digest.web.desk import Desk
from tests.services.moving import (
    EVERY,
    exported,
    fill_everything,
    imported,
    manifest_of,
    parts_of,
)
from tests.web.building import Clock, a_desk
from tests.web.people import all_rows


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return a_desk(engine, Clock(), tmp_path)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A second, empty store, on each engine in turn."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("_sqlite_template")
        path = tmp_path / "other.sqlite"
        path.write_bytes(template.read_bytes())
        opened = open_engine(f"sqlite:///{path}")
    else:
        from tests.postgres import create_database

        server = request.getfixturevalue("postgres_server")
        name = f"other_{abs(hash(str(tmp_path)))}"
        opened = open_engine(
            create_database(server, name, request.getfixturevalue("_postgres_template"))
        )
    yield opened
    opened.dispose()


def test_every_table_is_filled_by_the_builder_and_stands_in_the_archive(desk: Desk) -> None:
    fill_everything(desk)
    told = manifest_of(exported(desk.engine))["tables"]
    assert sorted(told) == sorted(one.name for one in EVERY)
    assert [name for name, part in told.items() if not part["rows"]] == []


def test_a_moved_store_holds_the_same_rows_and_exports_the_same_bytes(
    desk: Desk, other: Engine
) -> None:
    fill_everything(desk)
    archive = exported(desk.engine)
    done = imported(other, archive)
    assert all_rows(other) == all_rows(desk.engine)
    assert exported(other) == archive
    assert {name: part.rows for name, part in done.parts.items()} == {
        name: part["rows"] for name, part in manifest_of(archive)["tables"].items()
    }
    assert parts_of(archive).keys() == {f"{one.name}.jsonl" for one in EVERY} | {"manifest.json"}
