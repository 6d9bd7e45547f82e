"""What the daemon lets its operator see: a line a run, figures, and alarms by mail."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from freezegun import freeze_time
from structlog.testing import capture_logs

from digest import observe
from digest.app import App
from digest.daemon import Daemon
from digest.mail.sink import Sink
from digest.settings import load
from tests.commands import Desk

START = datetime(2026, 3, 12, 9, tzinfo=UTC)
PAPER = '{"id": "1", "title": "Continual learning", "abstract": "We study continual learning."}\n'
PATIENCE_S = 60


def a_daemon() -> Daemon:
    return Daemon(App(load(), lambda: datetime.now(UTC)))


@pytest.fixture
def town(desk: Desk) -> Desk:
    desk.write("papers.jsonl", PAPER)
    desk.write(
        "config.toml",
        '[[sources]]\nname = "papers"\nkind = "jsonl"\npath = "papers.jsonl"\n'
        '[[sources]]\nname = "gone"\nkind = "feed"\npath = "gone.xml"\n',
    )
    return desk


def test_a_tick_that_did_something_writes_one_line_and_an_idle_one_none(
    town: Desk, sink: Sink
) -> None:
    town.ok(
        "subscribers", "add", "ada@example.com", "-i", "continual learning", "--confirmed",
        "--now", "2026-03-12T00:00Z",
    )  # fmt: skip
    with freeze_time(START, real_asyncio=True), capture_logs() as logged:
        daemon = a_daemon()
        daemon.tick()
        daemon.tick()
    (line,) = [one for one in logged if one["event"] == "run"]
    names = ("what", "fetched", "new", "composed", "skipped", "sent", "deferred", "failed")
    assert [line[name] for name in names] == ["tick", 2, 1, 1, 0, 1, 0, 0]
    assert line["sources_failed"] == 1
    assert observe.BATCHES.sample()["gone", "fault"] >= 1
    assert {("intake",), ("collect",), ("compose",), ("deliver",)} <= set(
        observe.STAGE_SUCCESS.sample()
    )


def test_of_several_daemons_one_tells_the_operator_once_and_again_when_it_is_over(
    town: Desk, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_ALERTS__TO", "operator@example.com")
    subjects = []

    def look(*daemons: Daemon) -> None:
        for daemon in daemons:
            daemon.do("alerts")
        subjects[:] = [re.search(rb"Subject: (.*)", one.content)[1] for one in sink.received]

    with freeze_time(START, real_asyncio=True) as clock:
        daemons = [a_daemon() for _ in range(3)]
        daemons[0].tick()
        look(*daemons)
        assert subjects == []
        clock.tick(timedelta(days=3))
        daemons[0].tick()
        for _ in range(12):
            look(*daemons)
            clock.tick(timedelta(minutes=5))
        assert len(subjects) == 1
        assert subjects[0].startswith(b"Alert: source gone has brought nothing for 3 days")
        town.write("gone.xml", _feed())
        daemons[1].tick()
        for _ in range(12):
            clock.tick(timedelta(minutes=5))
            look(*daemons)
    assert [one.recipient for one in sink.received] == ["operator@example.com"] * 2
    assert subjects[1].startswith(b"Mended: source gone")


def _feed() -> str:
    return (
        '<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>'
        "<id>urn:x</id><updated>2026-03-15T08:00:00Z</updated><entry><title>On waiting</title>"
        "<id>urn:y</id><link href='https://example.org/1'/><updated>2026-03-15T08:00:00Z</updated>"
        "<summary>We wait.</summary></entry></feed>"
    )


def test_send_writes_its_line_beside_what_it_says(town: Desk, sink: Sink) -> None:
    town.ok("fetch", "papers")
    town.ok("subscribers", "add", "ada@example.com", "-i", "continual learning", "--confirmed")
    ended = town.ok("send", "--only", "ada@example.com")
    assert re.search(r"info  run  what=send fetched=0 new=0 composed=1 .*sent=1 ", ended.err)
    assert "1 sent" in ended.out
    assert "run" not in ended.out
    dry = town.ok("send", "--only", "ada@example.com", "--dry-run")
    assert "what=send" not in dry.err


@pytest.mark.slow
def test_a_worker_without_pages_offers_its_figures(
    town: Desk, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("DIGEST_WEB__METRICS_PORT", str(port))
    process = subprocess.Popen(
        [sys.executable, "-m", "digest", "worker"],
        cwd=town.folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        figures = _ask(f"http://127.0.0.1:{port}/metrics", 'digest_batches_total{outcome="papers"')
        assert 'source="papers"} 1.0' in figures
        assert _ask(f"http://127.0.0.1:{port}/healthz", "") == "ok\n"
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 0, log


def _ask(url: str, until: str) -> str:
    """The answer, as soon as it holds that text."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as reply:
            text: str = reply.read().decode()
            if until in text:
                return text
        time.sleep(0.1)
    raise AssertionError(f"{url} never said {until!r}")
