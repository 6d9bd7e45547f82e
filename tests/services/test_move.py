"""The whole store into an archive and back, between SQLite and PostgreSQL."""

import hashlib
import json
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Engine,
    Float,
    LargeBinary,
    MetaData,
    String,
    select,
    text,
)
from sqlalchemy import Table as SqlTable
from sqlmodel import Session
from sqlmodel.sql.sqltypes import UTCDateTime

from digest.domain.subscribers import Status, Subscriber, SubscriberId
from digest.errors import InvalidInput, StoreError
from digest.services.move.exports import export_store
from digest.services.move.settle import settle
from digest.services.move.values import Form
from digest.store import schema, subscribers
from digest.store.database import open_engine, reading, transaction
from digest.store.due import due
from digest.web.desk import Desk
from tests.builders import NOON
from tests.postgres import create_database, drop_database
from tests.services.moving import (
    DELIVERIES,
    EVERY,
    exported,
    fill_everything,
    imported,
    manifest_of,
    parts_of,
    repacked,
)
from tests.web.building import Clock, a_desk
from tests.web.people import DAY, a_person, all_rows

ACTIVE = Status.ACTIVE
_numbers = count(1)


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return a_desk(engine, Clock(), tmp_path)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def other(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A second, empty store, on each engine in turn."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_store")
        return
    server: str = request.getfixturevalue("postgres_server")
    template: str = request.getfixturevalue("_postgres_template")
    name = f"other_{next(_numbers)}"
    opened = open_engine(create_database(server, name, template))
    yield opened
    opened.dispose()
    drop_database(server, name)


@pytest.fixture
def sqlite_store(tmp_path: Path, _sqlite_template: Path) -> Iterator[Engine]:
    path = tmp_path / "other.sqlite"
    path.write_bytes(_sqlite_template.read_bytes())
    opened = open_engine(f"sqlite:///{path}")
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


def test_values_stand_in_the_archive_as_documented(desk: Desk) -> None:
    fill_everything(desk)
    parts = parts_of(exported(desk.engine))
    person = next(
        json.loads(line) for line in parts["subscribers.jsonl"].splitlines() if b"nine@" in line
    )
    assert person["threshold"] == 0.1 + 0.2
    assert person["text_only"] is False
    assert person["created_at"] == "2026-03-12T12:00:00Z"
    assert person["resume_at"] is None
    assert list(person) == sorted(person)
    told = json.loads(parts["manifest.json"])["tables"]
    for name, part in told.items():
        content = parts[f"{name}.jsonl"]
        assert (content.count(b"\n"), hashlib.sha256(content).hexdigest()) == (
            part["rows"],
            part["sha256"],
        )


def test_a_column_of_every_type_goes_out_and_comes_back() -> None:
    columns: list[Column[Any]] = [
        Column("flag", Boolean()),
        Column("raw", LargeBinary()),
        Column("number", BigInteger()),
        Column("share", Float()),
        Column("day", Date()),
        Column("at", UTCDateTime()),
        Column("said", String()),
    ]
    form = Form(SqlTable("odd", MetaData(), *columns))
    rows: list[tuple[Any, ...]] = [
        (True, b"\0\xff", 2**63 - 1, 5e-324, date.min, datetime.max.replace(tzinfo=UTC), "\u2028"),
        (False, b"", -(2**63), -0.0, date.max, datetime.min.replace(tzinfo=UTC), 'a"\n\\🙂'),
        (None, None, None, math.inf, None, None, None),
        (None, None, 0, 0.1 + 0.2, None, None, ""),
    ]
    for row in rows:
        assert repr(form.row(form.line(row))) == repr(row)


def test_a_column_of_a_type_that_no_archive_knows_stops_the_export() -> None:
    with pytest.raises(StoreError, match="JSON"):
        Form(SqlTable("odd", MetaData(), Column("when", JSON())))


def test_a_value_of_another_type_than_its_column_stops_the_export(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    with transaction(engine) as session:  # SQLite takes any value into any column
        session.execute(
            text("INSERT INTO editions (cutoff_at, lookback_days) VALUES (:now, 'seven')"),
            {"now": "2026-03-12 12:00:00.000000"},
        )
    with pytest.raises(InvalidInput, match=r"editions: .*'lookback_days' cannot hold.*str"):
        exported(engine)
    engine.dispose()


def test_ids_go_on_behind_those_that_were_ever_given(desk: Desk, other: Engine) -> None:
    last = a_person(desk, "last@lab.example")
    with transaction(desk.engine) as session:
        subscribers.erase_row(session, a_person_in(session, "gone@lab.example").id)
    imported(other, exported(desk.engine))
    with transaction(other) as session:
        assert a_person_in(session, "new@lab.example").id == last + 2


def a_person_in(session: Session, email: str) -> Subscriber:
    return subscribers.add(session, subscribers.NewSubscriber(email=email, status=ACTIVE), NOON)


def test_an_export_is_the_store_at_one_instant(desk: Desk) -> None:
    a_person(desk, "first@lab.example")
    late: list[SubscriberId] = []

    def meanwhile(_rows: int) -> None:
        if not late:
            late.append(a_person(desk, "late@lab.example"))

    sink = BytesIO()
    manifest = export_store(desk.engine, sink, NOON, meanwhile)
    assert late
    assert b"late@" not in b"".join(parts_of(sink.getvalue()).values())
    assert manifest.parts["subscribers"].rows == 1


@pytest.mark.slow
def test_an_import_that_fails_at_its_last_table_leaves_the_store_empty(
    desk: Desk, other: Engine
) -> None:
    fill_everything(desk)
    before = all_rows(other)
    bad = repacked(exported(desk.engine), lambda parts: parts.update(spoiled(parts)))
    with pytest.raises(InvalidInput, match="bounces"):
        imported(other, bad)
    assert all_rows(other) == before
    imported(other, exported(desk.engine))


def spoiled(parts: dict[str, bytes]) -> dict[str, bytes]:
    """A bounce of a delivery that is not there, with a manifest that is right about it."""
    row = json.loads(parts["bounces.jsonl"].splitlines()[0]) | {"delivery_id": 99_999}
    line = json.dumps(row).encode() + b"\n"
    told = json.loads(parts["manifest.json"])
    told["tables"]["bounces"] = {"rows": 1, "sha256": hashlib.sha256(line).hexdigest()}
    return {"bounces.jsonl": line, "manifest.json": json.dumps(told).encode()}


@pytest.mark.slow
@pytest.mark.parametrize("revision", ["0001", "0005"])
def test_an_archive_of_an_older_schema_becomes_what_an_upgrade_makes_of_its_store(
    desk: Desk, sqlite_store: Engine, revision: str
) -> None:
    other = sqlite_store
    fill_everything(desk)
    schema.downgrade(desk.engine, revision)
    archive = exported(desk.engine)
    assert manifest_of(archive)["schema"] == revision
    done = imported(other, archive)
    assert done.upgraded
    schema.upgrade(desk.engine)
    assert all_rows(other) == all_rows(desk.engine)
    assert schema.check(other) == []


def test_what_is_with_senders_is_told(desk: Desk) -> None:
    fill_everything(desk)
    told = manifest_of(exported(desk.engine))
    assert told["in_the_air"] == {"leased": 1, "begun": 1}


def test_settling_holds_what_waits_and_skips_what_was_due(desk: Desk) -> None:
    fill_everything(desk)
    person = a_person(desk, "due@lab.example")
    until = NOON + timedelta(hours=26)
    assert (
        settle(desk.engine, until, dry_run=True).held == (done := settle(desk.engine, until)).held
    )
    assert done.skipped > 0
    with reading(desk.engine) as session:
        open_rows = DELIVERIES.c.state.in_(["queued", "deferred", "sending"])
        assert session.execute(select(DELIVERIES.c.id).where(open_rows)).all() == []
        mine = DELIVERIES.c.subscriber_id == person
        days = select(DELIVERIES.c.digest_on, DELIVERIES.c.state).where(
            mine, DELIVERIES.c.kind == "digest"
        )
        assert sorted(session.execute(days).all()) == [
            (DAY, "skipped"),
            (DAY + timedelta(days=1), "skipped"),
        ]
        assert due(session, until) == []
        found = subscribers.by_id(session, person)
        assert found.next_digest_at == datetime(2026, 3, 14, 8, tzinfo=UTC)
    again = settle(desk.engine, until)
    assert (again.held, again.skipped) == (0, 0)
