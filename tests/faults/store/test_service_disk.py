"""The service at work while its disk fills up: it says so, keeps what it has, and goes on."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from digest.app import App, present
from digest.daemon import Daemon
from digest.errors import StoreError
from digest.services.signup import take_in
from digest.services.subscribe import Keys
from digest.settings import load
from digest.store.database import open_engine, reading, transaction
from digest.store.tables import SubscriberRow, table
from digest.store.web_tables import SignUpRow
from digest.web import account, home
from tests.faults.store.disks import Disk
from tests.faults.store.shop import PEOPLE, Shop
from tests.faults.waiting import until
from tests.reliability import record
from tests.web.building import Browser, Clock, a_desk

FORM = {"email": "new@lab.example", "interests": "continual learning", "hour": "7"}
ROOT = str(Path(__file__).resolve().parents[3])
SOURCE = '[[sources]]\nname = "papers"\nkind = "jsonl"\npath = "papers.jsonl"\n'


def nobody_is_due(shop: Shop) -> None:
    engine = open_engine(f"sqlite:///{shop.path}")
    with transaction(engine) as session:
        later = present() + timedelta(hours=12)
        session.execute(update(table(SubscriberRow)).values(next_digest_at=later))
    engine.dispose()


def test_a_form_gets_503_while_there_is_no_room_and_is_taken_when_there_is(
    shop_on_disk: Shop, disk: Disk
) -> None:
    shop_on_disk.begin("sent")
    engine = open_engine(f"sqlite:///{shop_on_disk.path}")
    browser = Browser(a_desk(engine, Clock(), shop_on_disk.desk.folder), home, account)
    assert browser.get("/").status_code == 200
    disk.fill()
    refused = browser.post("/subscribe", FORM)
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert "Nothing was changed" in refused.text
    assert browser.get("/").status_code == 200
    disk.empty()
    assert browser.post("/subscribe", FORM).status_code < 400
    with reading(engine) as session:
        waiting = select(func.count()).select_from(table(SignUpRow))
        assert session.execute(waiting).scalar_one() == 1
    engine.dispose()


@pytest.mark.slow
def test_a_sign_up_that_was_taken_waits_until_there_is_room_to_act_upon_it(
    shop_on_disk: Shop, disk: Disk
) -> None:
    shop_on_disk.begin("sent")
    url = open_engine(f"sqlite:///{shop_on_disk.path}")
    desk = a_desk(url, Clock(), shop_on_disk.desk.folder)
    assert Browser(desk, home, account).post("/subscribe", FORM).status_code < 400
    before = shop_on_disk.counts()
    keys = Keys(pepper="p" * 32, secret="s" * 32, domain="papers.example")
    disk.fill()
    with pytest.raises(StoreError, match="disk is full"):
        take_in(desk.engine, keys, present())
    disk.empty()
    assert shop_on_disk.counts() == before
    assert take_in(desk.engine, keys, present()).taken == 1
    after = shop_on_disk.counts()
    assert after["subscribers"] == before["subscribers"] + 1
    assert after["deliveries"] == before["deliveries"] + 1  # the mail that asks for confirmation
    assert after["sign_ups"] == 0
    desk.engine.dispose()


@pytest.mark.slow
def test_a_daemon_goes_on_by_itself_with_all_that_a_full_disk_kept_back(
    shop_on_disk: Shop, disk: Disk
) -> None:
    shop = shop_on_disk
    shop.desk.write("config.toml", SOURCE)
    shop.begin("people")
    nobody_is_due(shop)  # whatever the hour is now
    daemon = Daemon(App(load(), present))
    before = shop.counts()
    disk.fill()
    for _ in range(2):
        daemon.tick()
    disk.empty()
    assert shop.counts() == before
    assert not shop.sink.received
    daemon.tick()
    assert shop.counts()["papers"] > 0
    assert shop.run("compose", "--date", f"{present():%Y-%m-%d}").code == 0
    disk.fill()
    daemon.tick()
    assert not shop.sink.received
    disk.empty()
    daemon.tick()
    assert len(shop.mails()) == sum(shop.mails().values()) == PEOPLE


@pytest.mark.slow
def test_the_program_lives_through_a_full_disk_and_sends_what_waited(
    shop_on_disk: Shop, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_on_disk
    shop.begin("composed")
    monkeypatch.setenv("DIGEST_DAEMON__TICK_S", "1")
    log = shop.desk.folder / "log"
    with shop.in_use(), log.open("wb") as sink:
        disk.fill()
        process = subprocess.Popen(
            [sys.executable, "-m", "digest", "worker"],
            cwd=shop.desk.folder,
            env=os.environ | {"PYTHONPATH": ROOT},
            stdout=sink,
            stderr=sink,
        )
        try:
            until(lambda: b"disk is full" in log.read_bytes(), "the log says what is wrong")
            assert not shop.sink.received
            disk.empty()
            took = until(lambda: len(shop.mails()) == PEOPLE, "all mails are sent")
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()
    assert b"Traceback" not in log.read_bytes()
    assert {state for state, _, _ in shop.ledger()} == {"sent"}
    record("store faults", "disk full under digest worker", lost=0, recovered_s=took)
