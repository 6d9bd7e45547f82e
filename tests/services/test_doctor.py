"""The doctor: how checks are run, and what it says of config, store, disk, clock and zones."""

import os
import socket
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text

from digest.checkup_parts import synchronised
from digest.domain.checkup import (
    CERTIFICATE_LEFT,
    Area,
    Finding,
    Level,
    any_failed,
    certificate,
    cleaned,
    fail,
    ok,
    skew,
    space,
    unknown,
    warn,
)
from digest.domain.subscribers import Status
from digest.errors import ConfigError
from digest.services.doctor import Checkup, StoreFacts, examine, plan
from digest.services.doctor.host import _zones
from digest.services.doctor.model import Check
from digest.store.database import open_engine, transaction
from digest.store.subscribers import NewSubscriber, add
from tests.services.doctoring import GOOD, NOW, Names, a_checkup, a_world, found, name_server

AREA = Area.DISK


@pytest.fixture(scope="module")
def names() -> Iterator[Names]:
    with name_server(GOOD) as served:
        yield served


def _one(findings: list[Finding], name: str) -> Finding:
    (one,) = [finding for finding in findings if finding.name == name]
    return one


# Running


def test_a_check_that_breaks_or_hangs_stops_no_other_and_is_told() -> None:
    forever = threading.Event()

    def hangs() -> Iterator[Finding]:
        yield ok(AREA, "first", "came before")
        forever.wait()

    def breaks() -> Iterator[Finding]:
        raise RuntimeError("the password is hunter22")
        yield

    def refuses() -> Iterator[Finding]:
        raise ConfigError("a file is missing: make it with 'digest init'")
        yield

    def works() -> Iterator[Finding]:
        yield ok(AREA, "works", "yes")

    checks = [
        Check(area=AREA, name=run.__name__, run=run) for run in (hangs, breaks, refuses, works)
    ]
    try:
        told = list(examine(checks, 0.2))
    finally:
        forever.set()
    assert [(one.name, one.level.value) for one in told] == [
        ("first", "ok"),
        ("hangs", "unknown"),
        ("breaks", "unknown"),
        ("refuses", "fail"),
        ("works", "ok"),
    ]
    assert told[1].text == "did not end within 0.2 s"
    assert told[2].text == "this check is broken (RuntimeError)"
    assert told[3].mend == "make it with 'digest init'"


def test_a_check_that_waits_for_its_turn_gets_the_time_for_it() -> None:
    started = threading.Event()

    def late() -> Iterator[Finding]:
        started.wait(5)
        yield ok(AREA, "late", "came")

    timer = threading.Timer(0.3, started.set)
    timer.start()
    patient = Check(area=AREA, name="late", run=late, extra=timedelta(seconds=5))
    told = list(examine([patient], 0.05))
    timer.join()
    assert [one.text for one in told] == ["came"]


# Rules


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("hunter22", "login hunter22 refused"),
        ("p@ss word", "postgresql://u:p%40ss%20word@db/x"),
        ("\0me\0hunter22", "AUTH PLAIN AG1lAGh1bnRlcjIy"),
    ],
)
def test_no_finding_shows_a_secret_in_any_form(secret: str, said: str) -> None:
    told = cleaned(fail(AREA, "login", said, f"look at {said}"), [secret, ""])
    assert "(hidden)" in told.text
    for form in (secret, "p%40ss%20word", "AG1lAGh1bnRlcjIy", "hunter22"):
        assert form not in told.text + told.mend


def test_a_finding_is_one_printable_line_of_bounded_length() -> None:
    told = cleaned(warn(AREA, "x", "a\x1b[2J\r\nb\u202ec\ud800" + "y" * 5000, "z\x00"), [])
    assert told.text.startswith("a [2J b c y")
    assert told.text.isprintable()
    assert len(told.text) == 600
    assert told.mend == "z"


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (certificate(CERTIFICATE_LEFT), Level.OK),
        (certificate(CERTIFICATE_LEFT - timedelta(seconds=1)), Level.WARN),
        (certificate(timedelta(0)), Level.FAIL),
        (skew(timedelta(seconds=-10)), Level.OK),
        (skew(timedelta(seconds=-11)), Level.WARN),
        (skew(timedelta(seconds=121)), Level.FAIL),
        (space(1_000_000_000), Level.OK),
        (space(999_999_999), Level.WARN),
        (space(5_000_000_000, 6_000_000_000), Level.WARN),
        (space(99_999_999), Level.FAIL),
    ],
)
def test_bounds_of_good_and_bad(level: Level, expected: Level) -> None:
    assert level is expected


def test_only_a_fault_makes_the_checkup_fail() -> None:
    fine = [ok(AREA, "a", "x"), warn(AREA, "b", "x", "y"), unknown(AREA, "c", "x")]
    assert not any_failed(fine)
    assert any_failed([*fine, fail(AREA, "d", "x", "y")])


# Config


def test_config_in_good_order(names: Names, tmp_path: Path) -> None:
    (tmp_path / "secrets.toml").touch(mode=0o600)
    told = found(a_checkup(tmp_path), a_world(names), Area.CONFIG)
    assert {one.level for one in told} == {Level.OK}
    assert [one.name for one in told] == ["file", "secrets", "secret_keys", "pepper", "sender"]


def test_a_secrets_file_that_the_group_can_read_is_told(names: Names, tmp_path: Path) -> None:
    (tmp_path / "secrets.toml").touch()
    (tmp_path / "secrets.toml").chmod(0o640)
    told = _one(found(a_checkup(tmp_path), a_world(names), Area.CONFIG), "secrets")
    assert told.level is Level.WARN
    assert told.mend == f"run 'chmod 600 {tmp_path / 'secrets.toml'}'"


@pytest.mark.parametrize(("shared", "level"), [(False, "warn"), (True, "fail")])
def test_secrets_that_each_host_would_make_up_are_a_fault_where_hosts_share_a_store(
    names: Names, tmp_path: Path, shared: bool, level: str
) -> None:
    checkup = a_checkup(tmp_path)
    checkup = replace(
        checkup,
        config=replace(checkup.config, has_keys=False, has_pepper=False),
        store=replace(checkup.store, is_shared=shared),
    )
    told = found(checkup, a_world(names), Area.CONFIG)
    assert _one(told, "secret_keys").level == level
    assert _one(told, "pepper").level == level
    assert "digest init" in _one(told, "pepper").mend


# The store


def _on(engine: Engine, folder: Path) -> Checkup:
    sqlite = engine.dialect.name == "sqlite"
    path = Path(engine.url.database or "") if sqlite else None
    facts = StoreFacts(name="the store", path=path, engine=lambda: engine, is_shared=not sqlite)
    return a_checkup(folder, store=facts)


def test_a_store_in_good_order(names: Names, engine: Engine, tmp_path: Path) -> None:
    told = found(_on(engine, tmp_path), a_world(names), Area.STORE, Area.ZONES)
    assert {one.level for one in told if one.name != "data"} == {Level.OK}
    last = "sound" if engine.dialect.name == "sqlite" else "version"
    assert [one.name for one in told if one.area is Area.STORE] == [
        "reachable",
        "schema",
        "writable",
        last,
    ]


def test_an_old_schema_is_told_with_the_command(
    names: Names, engine: Engine, tmp_path: Path
) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    (told,) = found(_on(engine, tmp_path), a_world(names), Area.STORE)
    assert (told.name, told.level, told.mend) == ("schema", Level.FAIL, "run digest db upgrade")


def test_a_zone_that_this_host_does_not_know_is_named(
    names: Names, engine: Engine, tmp_path: Path
) -> None:
    with transaction(engine) as session:
        add(session, NewSubscriber(email="a@b.example", status=Status.ACTIVE), NOW)
        session.execute(text("UPDATE subscribers SET timezone = 'Mars/Olympus'"))
    told = _one(found(_on(engine, tmp_path), a_world(names), Area.ZONES), "subscribers")
    assert told.level is Level.FAIL
    assert "Mars/Olympus" in told.text


@pytest.mark.postgres
@pytest.mark.parametrize(("seconds", "level"), [(0, "ok"), (10, "warn"), (-60, "fail")])
def test_the_clock_of_the_server_is_compared(
    names: Names, postgres_url: str, tmp_path: Path, seconds: int, level: str
) -> None:
    engine = open_engine(postgres_url)
    with engine.connect() as connection:
        theirs = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    world = a_world(names, clock=lambda: theirs - timedelta(seconds=seconds))
    told = _one(found(_on(engine, tmp_path), world, Area.CLOCK), "store")
    engine.dispose()
    assert told.level == level, told


def test_a_store_of_a_newer_version_is_not_called_the_newest(
    names: Names, engine: Engine, tmp_path: Path
) -> None:
    with transaction(engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    told = _one(found(_on(engine, tmp_path), a_world(names), Area.STORE), "schema")
    assert told.level is Level.WARN
    assert "9999, of a newer version" in told.text
    assert "install the newer version" in told.mend


@pytest.mark.postgres
def test_numbers_of_deliveries_that_come_to_their_end_are_told(
    names: Names, postgres_url: str, tmp_path: Path
) -> None:
    engine = open_engine(postgres_url)
    with transaction(engine) as session:
        person = add(session, NewSubscriber(email="a@b.example", status=Status.ACTIVE), NOW)
        row = (
            "INSERT INTO deliveries (id, kind, subscriber_id, state, message_id, queued_at, due_at,"
            " attempts, doubtful, token, reason, smtp_reply, picks)"
            " VALUES (1700000000, 'confirm', :person, 'queued', '<x@papers.example>', :now, :now,"
            " 0, 0, 't', '', '', '[]')"
        )
        session.execute(text(row), {"person": person.id, "now": NOW})
    told = _one(found(_on(engine, tmp_path), a_world(names), Area.STORE), "numbers")
    engine.dispose()
    assert (told.level, "79%" in told.text) == (Level.WARN, True)


def test_a_store_that_is_locked_is_not_called_damaged(
    names: Names, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.store.database.BUSY_TIMEOUT_MS", 20)
    engine = open_engine(sqlite_url)
    with sqlite3.connect(engine.url.database or "") as other:
        other.execute("BEGIN EXCLUSIVE")
        told = _one(found(_on(engine, tmp_path), a_world(names), Area.STORE), "writable")
    other.close()
    engine.dispose()
    assert told.level is Level.FAIL
    assert "locked" in told.text
    assert "do this again" in told.mend


def test_a_store_that_is_not_there_is_not_made(names: Names, tmp_path: Path) -> None:
    checkup = a_checkup(tmp_path)
    path = tmp_path / "none" / "digest.sqlite"
    checkup = replace(checkup, store=replace(checkup.store, path=path))
    (told,) = found(checkup, a_world(names), Area.STORE)
    assert (told.level, told.mend) == (Level.FAIL, "run 'digest init'")
    assert not path.parent.exists()


def test_a_damaged_file_and_one_that_is_no_database_are_told(
    names: Names, sqlite_url: str, tmp_path: Path
) -> None:
    path = Path(make_url(sqlite_url).database or "")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'papers'")
        number, size = page.fetchone()[0], connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    whole = path.read_bytes()
    at = (number - 1) * size
    path.write_bytes(whole[:at] + b"\xff" * size + whole[at + size :])
    engine = open_engine(sqlite_url)
    told = found(_on(engine, tmp_path), a_world(names), Area.STORE)
    engine.dispose()
    assert told[-1].level is Level.FAIL
    assert "restore a backup" in told[-1].mend

    path.write_bytes(b"no database at all" * 100)
    engine = open_engine(sqlite_url)
    (told_of_no_database,) = found(_on(engine, tmp_path), a_world(names), Area.STORE)
    engine.dispose()
    assert told_of_no_database.level is Level.FAIL


def test_a_store_that_cannot_be_reached_says_nothing_of_its_password(
    names: Names, tmp_path: Path
) -> None:
    engine = open_engine("postgresql://me:hunter22@127.0.0.1:9/digest")
    checkup = replace(_on(engine, tmp_path), secrets=("hunter22",))
    told = found(checkup, a_world(names), Area.STORE, Area.ZONES)
    store = _one(told, "reachable")
    assert (store.level, "start PostgreSQL" in store.mend) == (Level.FAIL, True)
    assert _one(told, "subscribers").level is Level.UNKNOWN
    assert "hunter22" not in repr(told)


def test_a_server_that_takes_the_connection_and_says_nothing_is_a_fault(
    names: Names, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = open_engine(f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/digest")
        checks = plan(_on(engine, tmp_path), a_world(names), [Area.STORE])
        (told,) = examine(checks, 0.3)
    assert (told.name, told.level) == ("reachable", Level.FAIL)
    assert "start PostgreSQL" in told.mend


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who may write everything")
def test_root_is_told_that_its_own_leave_says_nothing(
    names: Names, sqlite_url: str, tmp_path: Path
) -> None:
    engine = open_engine(sqlite_url)
    os.chown(engine.url.database or "", 65534, 65534)
    told = _one(found(_on(engine, tmp_path), a_world(names), Area.STORE), "writable")
    engine.dispose()
    assert (told.level, "sudo -u #65534" in told.mend) == (Level.WARN, True)


# The host


@pytest.mark.parametrize(("kept", "level"), [(True, "ok"), (False, "warn"), (None, "unknown")])
def test_the_kernel_is_asked_whether_ntp_keeps_the_clock(
    names: Names, tmp_path: Path, kept: bool | None, level: str
) -> None:
    world = a_world(names, synchronised=lambda: kept)
    assert _one(found(a_checkup(tmp_path), world, Area.CLOCK), "kernel").level == level


def test_this_kernel_answers_without_a_change() -> None:
    assert synchronised() in (True, False, None)


def test_old_zone_data_of_the_system_is_told(tmp_path: Path, names: Names) -> None:
    (tmp_path / "tzdata.zi").write_text("# version 2019c\n")
    (told,) = _zones((str(tmp_path / "none"), str(tmp_path)), a_world(names))
    assert (told.level, "2019c of the system" in told.text) == (Level.WARN, True)
    (told,) = _zones((str(tmp_path / "none"),), a_world(names))
    assert (told.level, "of the package tzdata" in told.text) == (Level.OK, True)
    world = a_world(names, clock=lambda: NOW.replace(year=2040))
    (told,) = _zones((), world)
    assert (told.level, "is old" in told.text) == (Level.WARN, True)


def test_the_disk_of_the_store_is_measured(names: Names, tmp_path: Path) -> None:
    (tmp_path / "digest.sqlite").touch()
    os.truncate(tmp_path / "digest.sqlite", 200_000_000)
    (told,) = found(a_checkup(tmp_path), a_world(names), Area.DISK)
    assert f"free at {tmp_path}; the store takes 0.2 GB" in told.text
