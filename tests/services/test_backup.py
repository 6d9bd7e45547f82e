"""A copy of SQLite while it is in use, and files that appear whole or not at all."""

import shlex
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from digest.domain.subscribers import Status
from digest.errors import SchemaMismatch, StoreError, UsageError
from digest.services.move.backup import back_up
from digest.services.move.outputs import beside
from digest.store import schema
from digest.store.database import open_engine, reading, transaction
from digest.store.subscribers import NewSubscriber, add_many
from digest.store.tables import SubscriberInterestRow, SubscriberRow, table
from tests.builders import NOON, some_interests

SUBSCRIBERS, INTERESTS = table(SubscriberRow), table(SubscriberInterestRow)


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Engine]:
    opened = open_engine(sqlite_url)
    yield opened
    opened.dispose()


def join(engine: Engine, numbers: range) -> None:
    """So many people with two interests each, in one transaction."""
    with transaction(engine) as session:
        wanted = some_interests("graphs", "learning")
        new = [
            NewSubscriber(email=f"r{n}@lab.example", status=Status.ACTIVE, interests=wanted)
            for n in numbers
        ]
        add_many(session, new, NOON)


def test_a_backup_taken_while_others_write_is_whole(store: Engine, tmp_path: Path) -> None:
    join(store, range(5_000))
    begun, stop = threading.Event(), threading.Event()

    def write() -> None:
        first = 5_000
        while not stop.is_set():
            join(store, range(first, first + 10))
            first += 10
            begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(20)
        done = [back_up(store, tmp_path / f"copy{n}.sqlite3") for n in range(3)]
    finally:
        stop.set()
        writer.join()
    assert {one.schema for one in done} == {schema.head()}
    for number, one in enumerate(done):
        path = tmp_path / f"copy{number}.sqlite3"
        assert one.bytes == path.stat().st_size
        copy = open_engine(f"sqlite:///{path}")
        with reading(copy) as session:
            people = session.scalar(select(func.count()).select_from(SUBSCRIBERS))
            wanted = session.scalar(select(func.count()).select_from(INTERESTS))
        copy.dispose()
        assert people >= 5_010
        assert wanted == 2 * people


def test_a_backup_is_one_file_for_its_owner_alone(store: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    back_up(store, folder / "copy.sqlite3")
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(sqlite3.connect(path)) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_backup_replaces_no_file(store: Engine, tmp_path: Path) -> None:
    path = tmp_path / "copy.sqlite3"
    path.write_text("yesterday's")
    with pytest.raises(UsageError, match="is there already"):
        back_up(store, path)
    assert path.read_text() == "yesterday's"


def test_a_backup_of_an_older_schema_is_made_before_the_upgrade(
    store: Engine, tmp_path: Path
) -> None:
    schema.downgrade(store, "0004")
    assert back_up(store, tmp_path / "copy.sqlite3").schema == "0004"


def test_a_damaged_store_gives_no_backup(sqlite_url: str, tmp_path: Path) -> None:
    engine = open_engine(sqlite_url)
    join(engine, range(2_000))
    engine.dispose()  # the last connection writes the log into the file
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xa5" * 20_000)
    folder = tmp_path / "backups"
    folder.mkdir()
    damaged = open_engine(sqlite_url)
    with pytest.raises(StoreError, match="damaged"):
        back_up(damaged, folder / "copy.sqlite3")
    damaged.dispose()
    assert list(folder.iterdir()) == []


def test_no_store_gives_no_backup(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'none.sqlite'}")
    with pytest.raises(SchemaMismatch, match="digest init"):
        back_up(engine, tmp_path / "copy.sqlite3")
    assert list(tmp_path.iterdir()) == []


def test_postgresql_gets_the_command_without_the_password(tmp_path: Path) -> None:
    engine = open_engine("postgresql+psycopg://me:s3cret@db.example:5433/papers?sslmode=require")
    with pytest.raises(UsageError) as caught:
        back_up(engine, tmp_path / "my copy")
    said = str(caught.value)
    assert "s3cret" not in said
    words = shlex.split(said[said.index("pg_dump") :])
    assert words == [
        "pg_dump",
        "--format=custom",
        f"--file={tmp_path / 'my copy'}",
        "postgresql://me@db.example:5433/papers?sslmode=require",
    ]


def test_a_file_that_fails_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "store.zip"
    path.write_text("old")
    with pytest.raises(ValueError, match="broken"), beside(path, replace=True) as passing:
        passing.write_text("half")
        raise ValueError("broken")
    assert [one.name for one in tmp_path.iterdir()] == ["store.zip"]
    assert path.read_text() == "old"
    with beside(path, replace=True) as passing:
        passing.write_text("new")
    assert path.read_text() == "new"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "no" / "store.zip"
    with pytest.raises(UsageError, match="cannot be written"), beside(path, replace=True):
        pass


def test_a_name_that_is_taken_meanwhile_is_left_to_whoever_took_it(tmp_path: Path) -> None:
    path = tmp_path / "store.zip"
    with pytest.raises(UsageError, match="already"), beside(path, replace=False) as passing:
        passing.write_text("mine")
        path.write_text("theirs")
    assert path.read_text() == "theirs"
