"""The daemon as a process of its own: it sends what is due, and ends in good order."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from digest.mail.sink import Sink
from tests.commands import Desk

PAPER = (
    '{"id": "1", "title": "On continual learning", "abstract": "It goes on.", "authors": ["A"]}\n'
)
PATIENCE_S = 25  # less than a tick: what was composed goes out at once


@contextmanager
def _running(folder: Path, command: str = "run") -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "digest", command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _wait_for(sink: Sink, count: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while len(sink.received) < count and time.monotonic() < until:
        time.sleep(0.05)
    assert len(sink.received) == count


@pytest.fixture
def town(desk: Desk, sink: Sink) -> Desk:
    desk.write("papers.jsonl", PAPER)
    desk.write(
        "config.toml",
        '[daemon]\ntick_s = 30\n[log]\nformat = "json"\n'
        '[[sources]]\nname = "papers"\nkind = "jsonl"\npath = "papers.jsonl"\n',
    )
    # hour 0 has always passed, so the first digest is due at once
    desk.ok("subscribers", "add", "ada@example.com", "-i", "continual learning", "--hour", "0",
            "--confirmed")  # fmt: skip
    return desk


def test_daemon_fetches_composes_sends_and_stops_on_sigterm(town: Desk, sink: Sink) -> None:
    with _running(town.folder) as process:
        _wait_for(sink, 1)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, log
    for event in ('"started"', '"collected"', '"composed"', '"delivered"', '"stopped"'):
        assert event in log
    (row,) = town.ok("deliveries", "list", "--json").json
    assert row["state"] == "sent"


@pytest.mark.slow
def test_worker_does_the_same_without_pages(
    town: Desk, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("DIGEST_WEB__PORT", str(taken.getsockname()[1]))
        with _running(town.folder, "worker") as process:
            _wait_for(sink, 1)
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, log
    assert "no web pages" not in log
    assert '"serving"' not in log


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "web"])
def test_sighup_reads_the_settings_again_and_keeps_the_old_where_they_are_wrong(
    command: str, town: Desk, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("DIGEST_WEB__PORT", str(port))
    config = (town.folder / "config.toml").read_text()

    def page() -> str:
        url = f"http://127.0.0.1:{port}/"
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            with suppress(OSError), urllib.request.urlopen(url, timeout=5) as reply:
                return reply.read().decode()
            time.sleep(0.1)
        raise AssertionError("the pages do not answer")

    def reloads_to(settings: str, name: str) -> None:
        town.write("config.toml", settings)
        process.send_signal(signal.SIGHUP)
        until = time.monotonic() + PATIENCE_S
        while name not in page() and time.monotonic() < until:
            time.sleep(0.1)
        assert name in page()

    with _running(town.folder, command) as process:
        assert "Papers of Tuesday" not in page()
        reloads_to(f'{config}[sender]\nname = "Papers of Tuesday"\n', "Papers of Tuesday")
        reloads_to(f"{config}[sender]\nnames = 1\n", "Papers of Tuesday")
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, log
    assert "sender.names is no setting" in log


@pytest.mark.slow
def test_daemon_tells_systemd_that_it_is_ready_alive_and_stopping(
    town: Desk, sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(PATIENCE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        with _running(town.folder) as process:
            assert b"READY=1" in told.recv(1000)
            assert b"WATCHDOG=1" in told.recv(1000)
            process.send_signal(signal.SIGTERM)
            while b"STOPPING=1" not in (last := told.recv(1000)):
                assert b"WATCHDOG=1" in last
            process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


@pytest.mark.slow
def test_daemon_killed_and_started_again_sends_no_digest_twice(town: Desk, sink: Sink) -> None:
    with _running(town.folder) as process:
        _wait_for(sink, 1)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if town.ok("deliveries", "stats", "--json").json[2]["deliveries"]:
                break
        process.kill()
    with _running(town.folder) as process:
        time.sleep(4)  # the first tick has long been over
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
    assert len(sink.received) == 1


def test_daemon_refuses_to_start_without_a_store(bare_desk: Desk) -> None:
    ended = bare_desk.run("run")
    assert ended.code == 1
    assert "digest init" in ended.err
