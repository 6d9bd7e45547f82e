"""A store that another process keeps locked: who wants to write waits, says so, and goes on."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from digest.app import App, present
from digest.daemon import Daemon
from digest.settings import load
from digest.store.database import open_engine
from digest.web import account, home
from tests.faults.store.shop import PEOPLE, Shop, one_line
from tests.reliability import record
from tests.web.building import Browser, Clock, a_desk

WAIT_S = 0.2
WHY = ("keeps the store locked", "do this again")
FORM = {"email": "new@lab.example", "interests": "continual learning", "hour": "7"}
READERS = (("deliveries", "list"), ("stats",), ("preview", "p2@example.com"))
WRITERS = (
    ("deliver",),
    ("compose",),
    ("fetch", "--file", "papers.jsonl", "--format", "jsonl"),
    ("subscribers", "add", "new@example.com"),
    ("subscribers", "import", "people.csv"),
    ("bounces", "read", "returned.mbox"),
    ("db", "upgrade"),
)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.store.database.BUSY_TIMEOUT_MS", round(1000 * WAIT_S))


@contextmanager
def writing(shop: Shop) -> Iterator[None]:
    """While another process is in the middle of writing."""
    with shop.in_use() as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def exclusive(shop: Shop) -> Iterator[None]:
    """While another process has the file to itself, as `VACUUM` by hand may."""
    with closing(sqlite3.connect(shop.path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.slow
def test_commands_wait_and_then_say_who_is_in_the_way(shop: Shop) -> None:
    shop.begin("composed")
    shop.bounces()
    before = shop.rows()
    with writing(shop):
        for command in WRITERS:
            began = time.monotonic()
            if command == ("compose",):  # nobody is due: that needs only a look
                assert shop.run(*command).code == 0
                continue
            one_line(shop.run(*command), WHY)
            assert time.monotonic() - began >= WAIT_S
        for command in READERS:
            assert shop.run(*command).code == 0
        told = shop.run("doctor", "--offline", "--area", "store")
        assert "keeps the store locked" in " ".join(told.out.split())
    assert shop.rows() == before
    for command in WRITERS:
        assert shop.run(*command).code == 0
    record("store faults", "locked", tried=len(WRITERS) + len(READERS), half_written=0)


@pytest.mark.slow
def test_nobody_reads_beside_one_who_has_the_file_to_himself_and_all_are_told(shop: Shop) -> None:
    shop.begin("composed")
    with exclusive(shop):
        for command in (READERS[0], WRITERS[0]):
            one_line(shop.run(*command), WHY)
    assert shop.run(*READERS[0]).code == 0


def test_a_form_is_answered_in_time_and_the_daemon_goes_on_afterwards(shop: Shop) -> None:
    shop.begin("composed")
    engine = open_engine(f"sqlite:///{shop.path}")
    browser = Browser(a_desk(engine, Clock(), shop.desk.folder), home, account)
    daemon = Daemon(App(load(), present))
    with writing(shop):
        assert browser.get("/").status_code == 200
        began = time.monotonic()
        assert browser.post("/subscribe", FORM).status_code == 503
        answered_s = time.monotonic() - began
        daemon.deliver()
        assert not shop.sink.received
    assert answered_s < 5 * WAIT_S + 1
    began = time.monotonic()
    daemon.deliver()
    recovered_s = time.monotonic() - began
    assert len(shop.mails()) == sum(shop.mails().values()) == PEOPLE
    assert browser.post("/subscribe", FORM).status_code < 400
    record("store faults", "locked", lost=0, recovered_s=recovered_s)
    browser.desk.engine.dispose()
    engine.dispose()
