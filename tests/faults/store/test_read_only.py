"""A store that can only be read: what reads goes on, what writes says why not, in one line."""

from pathlib import Path

import pytest

from digest.app import App, present
from digest.daemon import Daemon
from digest.settings import load
from digest.store.database import open_engine
from digest.web import account, home
from tests.faults.store.disks import Disk
from tests.faults.store.shop import PEOPLE, Shop, one_line
from tests.reliability import record
from tests.web.building import Browser, Clock, a_desk

WHY = ("can only be read", "let the user of the service write")
FORM = {"email": "new@lab.example", "interests": "continual learning", "hour": "7"}
READERS = (
    ("deliveries", "list"),
    ("subscribers", "list"),
    ("papers", "list"),
    ("stats",),
    ("db", "check"),
    ("db", "current"),
    ("preview", "p2@example.com"),
    ("compose", "--dry-run"),
)
WRITERS = (
    ("deliver",),
    ("send", "--only", "p1@example.com"),
    ("fetch", "--file", "papers.jsonl", "--format", "jsonl"),
    ("subscribers", "add", "new@example.com"),
    ("subscribers", "erase", "p1@example.com"),
    ("suppressions", "add", "p1@example.com"),
    ("bounces", "read", "returned.mbox"),
    ("db", "upgrade"),
    ("db", "settle"),
)


def files(shop: Shop, *ends: str) -> dict[Path, bytes]:
    """The store's files as they are now."""
    paths = [Path(f"{shop.path}{end}") for end in ends]
    return {path: path.read_bytes() for path in paths}


def write(files: dict[Path, bytes]) -> None:
    for path, content in files.items():
        path.write_bytes(content)


def both_kinds(shop: Shop) -> None:
    """Readers read as before, writers are told why they cannot write, the doctor sees it too."""
    for command in READERS:
        assert shop.run(*command).code == 0, command
    for command in WRITERS:
        one_line(shop.run(*command), WHY)
    told = shop.run("doctor", "--offline", "--area", "store")
    assert told.code == 1
    assert "store can only be read here" in " ".join(told.out.split())
    record("store faults", "read-only", tried=len(READERS) + len(WRITERS), half_written=0)


@pytest.mark.slow
def test_a_store_on_a_read_only_disk_is_still_read(shop_on_disk: Shop, disk: Disk) -> None:
    shop_on_disk.begin("composed")
    shop_on_disk.bounces()
    before = shop_on_disk.rows()
    disk.protect()
    both_kinds(shop_on_disk)
    assert shop_on_disk.run("db", "backup", "kept.sqlite3").code == 0
    disk.release()
    assert shop_on_disk.rows() == before
    assert shop_on_disk.run("deliver").code == 0


def test_a_disk_that_turns_read_only_at_work_stops_writers_alone(
    shop_on_disk: Shop, disk: Disk
) -> None:
    shop_on_disk.begin("composed")
    url = open_engine(f"sqlite:///{shop_on_disk.path}")
    browser = Browser(a_desk(url, Clock(), shop_on_disk.desk.folder), home, account)
    engine = browser.desk.engine
    daemon = Daemon(App(load(), present))
    assert browser.get("/").status_code == 200
    engine.dispose()  # what is open keeps a disk from being turned
    disk.protect()
    assert browser.get("/").status_code == 200
    assert browser.post("/subscribe", FORM).status_code == 503
    daemon.deliver()
    assert not shop_on_disk.sink.received
    disk.release()
    daemon.deliver()
    assert len(shop_on_disk.mails()) == sum(shop_on_disk.mails().values()) == PEOPLE
    assert browser.post("/subscribe", FORM).status_code < 400
    engine.dispose()


@pytest.mark.slow
def test_a_log_that_cannot_be_put_into_the_store_is_read_with_it(
    shop_on_disk: Shop, disk: Disk
) -> None:
    """As after a crash on a disk that the kernel then turns read-only."""
    shop_on_disk.begin("composed")
    with shop_on_disk.in_use() as store:
        store.execute("UPDATE subscribers SET status = 'paused' WHERE id = 1")
        left = files(shop_on_disk, "", "-wal", "-shm")
    write(left)
    disk.protect()
    found = shop_on_disk.run("subscribers", "show", "p0@example.com")
    assert "paused" in found.out
    disk.release()


@pytest.mark.slow
def test_a_log_without_its_index_on_a_read_only_disk_is_never_left_out(
    shop_on_disk: Shop, disk: Disk
) -> None:
    shop_on_disk.begin("composed")
    with shop_on_disk.in_use() as store:
        store.execute("UPDATE subscribers SET status = 'paused' WHERE id = 1")
        left = files(shop_on_disk, "", "-wal")
    write(left)
    disk.protect()
    one_line(shop_on_disk.run("subscribers", "list"), ("cannot be opened", "folder"))
    disk.release()
    assert "paused" in shop_on_disk.run("subscribers", "show", "p0@example.com").out
