"""A disk that is full: nothing is half-written, and nothing is lost once there is room."""

import time
from pathlib import Path

import pytest

from tests.faults.store.conftest import ALL
from tests.faults.store.disks import Disk
from tests.faults.store.shop import CONNECTIONS, DAY, PEOPLE, Shop, Step, one_line
from tests.reliability import record

STRIDE = 21  # pages between two places where the disk is full
FULL = ("disk is full", "make room")
READERS = (
    ("deliveries", "list"),
    ("subscribers", "list"),
    ("papers", "list"),
    ("stats",),
    ("db", "check"),
    ("preview", "p2@example.com"),
    ("backtest", "p2@example.com", "--days", "2"),
)
WRITERS = (
    ("subscribers", "add", "new@example.com", "--confirmed"),
    ("subscribers", "pause", "p1@example.com"),
    ("subscribers", "erase", "p1@example.com"),
    ("suppressions", "add", "p1@example.com"),
    ("bounces", "read", "returned.mbox"),
    ("invitations", "add"),
    ("db", "settle"),
)


def test_a_step_of_the_day_on_a_full_disk_changes_nothing_and_goes_on_later(
    shop_on_disk: Shop, disk: Disk
) -> None:
    tried = 0
    for step in DAY:
        shop_on_disk.begin(step.before)
        before = shop_on_disk.rows()
        disk.fill()
        one_line(shop_on_disk.run(*step.command), FULL)
        disk.empty()
        assert shop_on_disk.rows() == before
        began = time.perf_counter()
        assert shop_on_disk.run(*step.command).code == 0
        tried += 1
        record("store faults", "disk full", recovered_s=time.perf_counter() - began)
    assert len(shop_on_disk.mails()) == PEOPLE
    record("store faults", "disk full", tried=tried, lost=0, half_written=0)


@pytest.mark.slow
def test_commands_that_write_fail_in_one_line_and_work_once_there_is_room(
    shop_on_disk: Shop, disk: Disk
) -> None:
    shop_on_disk.bounces()
    for command in WRITERS:
        shop_on_disk.begin("sent")
        before = shop_on_disk.rows()
        disk.fill()
        one_line(shop_on_disk.run(*command), FULL)
        disk.empty()
        assert shop_on_disk.rows() == before, command
        assert shop_on_disk.run(*command).code == 0, command
    record("store faults", "disk full", tried=len(WRITERS), half_written=0)


@pytest.mark.slow
def test_what_is_to_be_forgotten_is_forgotten_once_there_is_room(
    shop_on_disk: Shop, disk: Disk
) -> None:
    """Pruning needs room itself, for SQLite's log."""
    shop_on_disk.begin("sent")
    later = ("prune", "--now", "2036-01-01T00:00Z")
    before = shop_on_disk.rows()
    disk.fill()
    ended = shop_on_disk.run(*later)
    assert ended.code in (1, 3)
    assert all(word in ended.err for word in FULL)
    disk.empty()
    assert shop_on_disk.rows() == before
    assert shop_on_disk.run(*later).code == 0
    assert shop_on_disk.counts()["deliveries"] == 0


@pytest.mark.slow
def test_commands_that_read_go_on_beside_the_service_without_any_room(
    shop_on_disk: Shop, disk: Disk
) -> None:
    shop_on_disk.begin("sent")
    with shop_on_disk.in_use():
        there = {command: shop_on_disk.run(*command) for command in READERS}
        disk.fill()
        for command in READERS:
            assert shop_on_disk.run(*command) == there[command], command
        said = shop_on_disk.run("doctor", "--offline", "--area", "disk", "--area", "store")
    assert "make room" in said.out
    assert said.code == 1


@pytest.mark.slow
def test_without_the_service_a_reader_that_finds_no_room_says_so(
    shop_on_disk: Shop, disk: Disk
) -> None:
    shop_on_disk.begin("sent")
    disk.fill()
    for command in (*READERS, ("doctor", "--offline", "--area", "store")):
        ended = shop_on_disk.run(*command)
        assert ended.code == 1
        assert "make room" in " ".join((ended.out + ended.err).split())


@pytest.mark.slow
@pytest.mark.parametrize("step", DAY, ids=lambda step: step.command[0])
def test_a_disk_that_fills_up_in_the_middle_of_a_step_loses_nothing(
    step: Step, shop_on_disk: Shop, disk: Disk
) -> None:
    shop = shop_on_disk
    shop.begin(step.before)
    shop.run(*step.command)
    whole, mails = shop.counts(), set(shop.mails())
    failed = again = 0
    stride = 2 * STRIDE if step.before == "bare" else STRIDE
    for room in range(0, 999, 1 if ALL else stride):
        shop.begin(step.before)
        shop.sink.received.clear()
        disk.fill(but_pages=room)
        ended = shop.run(*step.command)
        disk.empty()
        if ended.code == 0:
            break
        failed += 1
        one_line(ended, FULL)
        shop.let_leases_end()
        assert shop.run(*step.command).code == 0
        assert shop.counts() == whole
        assert set(shop.mails()) == mails
        twice = sum(shop.mails().values()) - len(mails)
        assert twice <= sum(doubtful for _, _, doubtful in shop.ledger()) <= CONNECTIONS
        again += twice
    assert failed
    name = f"disk full in the middle of {step.command[0]}"
    record("store faults", name, tried=failed, lost=0, half_written=0, twice=again)


@pytest.mark.slow
def test_a_copy_that_has_no_room_is_not_half_there(shop: Shop, disk: Disk) -> None:
    shop.begin("sent")
    before = shop.rows()
    disk.fill(but_pages=1)
    for command in (
        ("export", disk.folder / "store.zip"),
        ("db", "backup", disk.folder / "backup.sqlite3"),
        ("subscribers", "export", disk.folder / "people.jsonl"),
    ):
        one_line(shop.run(*command), (str(command[-1]), "cannot be written", "No space"), code=2)
        assert [path.name for path in disk.folder.iterdir()] == ["ballast"]
    assert shop.rows() == before
    disk.empty()
    assert shop.run("db", "backup", disk.folder / "backup.sqlite3").code == 0


@pytest.mark.slow
def test_an_import_that_finds_no_room_leaves_an_empty_store(
    shop_on_disk: Shop, disk: Disk, tmp_path: Path
) -> None:
    shop_on_disk.begin("sent")
    whole = shop_on_disk.counts()
    assert shop_on_disk.run("export", tmp_path / "store.zip").code == 0
    for room in (0, 12, 40):
        shop_on_disk.begin("empty")
        before = shop_on_disk.rows()
        disk.fill(but_pages=room)
        one_line(shop_on_disk.run("import", tmp_path / "store.zip"), FULL)
        disk.empty()
        assert shop_on_disk.rows() == before
        assert shop_on_disk.run("import", tmp_path / "store.zip").code == 0
        assert shop_on_disk.counts() == whole
