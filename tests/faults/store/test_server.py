"""A server that ends connections, or commits and does not say so: nothing is lost or done twice."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, make_url, select

from digest.app import App, present
from digest.daemon import Daemon
from digest.mail.sink import Sink
from digest.settings import load
from digest.store.database import open_engine, reading
from digest.store.tables import table
from digest.store.web_tables import SignUpRow
from digest.web import account, home
from tests.commands import Desk
from tests.faults.store.conftest import ALL
from tests.faults.store.servers import Lossy, ServerShop, ended_at, stocked
from tests.faults.store.shop import CONNECTIONS, DAY, PEOPLE, Step, one_line, opened
from tests.postgres import drop_database
from tests.reliability import record
from tests.web.building import Browser, Clock, a_desk

FORM = {"email": "new@lab.example", "interests": "continual learning", "hour": "7"}
PLACES = 999 if ALL else 3  # of each step
STEPS = [step for step in DAY if step.before != "bare"]

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture(scope="module")
def templates() -> set[str]:
    """The stages of which there are templates."""
    return set()


@pytest.fixture
def shop(
    bare_desk: Desk,
    sink: Sink,
    postgres_server: str,
    templates: set[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[ServerShop]:
    plain = opened(bare_desk, sink, tmp_path / "none", monkeypatch)
    made = ServerShop(desk=plain.desk, sink=sink, path=plain.path, server=postgres_server)
    monkeypatch.setenv("DIGEST_STORE__URL", made.url)
    if not templates:
        stocked(made, monkeypatch)
        templates.update(step.after for step in DAY)
    yield made
    made.begin("bare")
    drop_database(postgres_server, made.name)


def undisturbed(shop: ServerShop, step: Step) -> tuple[dict[str, int], set[str]]:
    """What the step makes of the store, and the mails that it sends."""
    shop.begin(step.before)
    shop.sink.received.clear()
    assert shop.run(*step.command).code == 0
    return shop.counts(), set(shop.mails())


def nothing_lost(shop: ServerShop, step: Step, whole: dict[str, int], mails: set[str]) -> int:
    """After the same command once more all is as it should be; how many mails came twice."""
    shop.let_leases_end()
    ended = shop.run(*step.command)
    assert ended.code == 0, ended.err
    found = shop.counts()
    differing = {name for name in whole if found[name] != whole[name]}
    assert differing <= {"batches"}  # the same file may have been read twice
    assert set(shop.mails()) == mails
    twice = sum(shop.mails().values()) - len(mails)
    assert twice <= sum(doubtful for _, _, doubtful in shop.ledger()) <= CONNECTIONS
    return twice


def places(most: int) -> list[int]:
    """Some numbers from 1 to `most`, the first and the last among them."""
    if most <= PLACES:
        return list(range(1, most + 1))
    return sorted({1 + round(n * (most - 1) / (PLACES - 1)) for n in range(PLACES)})


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.command[0])
def test_a_connection_that_the_server_ends_at_any_statement_loses_nothing(
    step: Step, shop: ServerShop
) -> None:
    with ended_at(shop.server, 0) as counted:
        whole, mails = undisturbed(shop, step)
    failed = again = 0
    tried = places(counted[0])
    for number in tried:
        shop.begin(step.before)
        shop.sink.received.clear()
        with ended_at(shop.server, number):
            ended = shop.run(*step.command)
        if ended.code:
            failed += 1
            one_line(ended, ("do this again",), ended.code)
        again += nothing_lost(shop, step, whole, mails)
    assert failed
    row = f"connection ended in the middle of {step.command[0]}"
    record("store faults", row, tried=len(tried), lost=0, twice=again)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.command[0])
def test_a_commit_whose_reply_is_lost_is_neither_lost_nor_done_twice(
    step: Step, shop: ServerShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = make_url(shop.server).port or 0

    def through(number: int) -> Lossy:
        lossy = Lossy(port, number)
        way = make_url(shop.url).set(port=lossy.port)
        monkeypatch.setenv("DIGEST_STORE__URL", way.render_as_string(hide_password=False))
        return lossy

    with through(0) as lossless:
        whole, mails = undisturbed(shop, step)
    failed = again = 0
    tried = places(lossless.commits)
    for number in tried:
        shop.begin(step.before)
        shop.sink.received.clear()
        with through(number) as lossy:
            ended = shop.run(*step.command)
        if lossy.commits < number:  # senders share commits, now more and now fewer
            assert step.before == "composed"
            continue
        monkeypatch.setenv("DIGEST_STORE__URL", shop.url)
        if ended.code:
            failed += 1
            one_line(ended, ("see that PostgreSQL runs", "do this again"), ended.code)
        again += nothing_lost(shop, step, whole, mails)
    assert failed
    row = f"lost reply to COMMIT in {step.command[0]}"
    record("store faults", row, tried=len(tried), lost=0, twice=again)


def test_pages_and_daemon_go_on_after_every_connection_was_ended(shop: ServerShop) -> None:
    shop.begin("composed")
    browser = Browser(a_desk(open_engine(shop.url), Clock(), shop.desk.folder), home, account)
    daemon = Daemon(App(load(), present))
    assert browser.get("/").status_code == 200
    with ended_at(shop.server, 1):
        assert browser.post("/subscribe", FORM).status_code == 503
    with ended_at(shop.server, 3):
        daemon.deliver()
    shop.let_leases_end()
    began = time.monotonic()
    daemon.deliver()
    recovered_s = time.monotonic() - began
    assert set(shop.mails()) == {number for _, number, _ in shop.ledger()}
    assert len(shop.mails()) == PEOPLE
    assert browser.post("/subscribe", FORM).status_code < 400
    with reading(browser.desk.engine) as session:
        waiting = select(func.count()).select_from(table(SignUpRow))
        assert session.execute(waiting).scalar_one() == 1
    browser.desk.engine.dispose()
    record("store faults", "connections ended under the daemon", lost=0, recovered_s=recovered_s)
