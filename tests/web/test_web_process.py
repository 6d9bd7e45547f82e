"""The pages served by real processes: alone, and by the daemon, from the form to the mail."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from digest.mail.sink import Sink
from tests.commands import Desk
from tests.commands import desk as town  # the fixture of the command line
from tests.test_daemon_process import _wait_for

__all__ = ["town"]

PATIENCE_S = 30
FORM = {"email": "ada@lab.example", "interests": "continual learning", "hour": "0",
        "timezone": "UTC", "frequency": "daily", "max_papers": "10"}  # fmt: skip


@contextmanager
def _process(folder: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    env = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]), "DIGEST_LOG__FORMAT": "json",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "digest", *command],
        cwd=folder, env=env, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stderr
    for line in process.stderr:
        if '"serving"' in line:
            port: int = json.loads(line)["port"]
            return port
    raise AssertionError("the pages are not served")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def test_the_web_alone_answers_and_ends_on_sigterm(town: Desk) -> None:
    with _process(town.folder, "web", "--port", "0") as process:
        base = f"http://127.0.0.1:{_port(process)}"
        assert httpx2.get(f"{base}/healthz").text == "ok\n"
        assert httpx2.get(f"{base}/readyz").json()["store"] is True
        assert "digest_subscribers" in httpx2.get(f"{base}/metrics").text
        assert "<title>" in httpx2.get(base).text
        assert httpx2.post(f"{base}/subscribe", data=FORM).status_code == 200
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    town.ok("run", "--help")
    people = town.ok("subscribers", "list", "--json").json
    assert [one["status"] for one in people] in ([], ["pending"])  # taken in, or waiting for it


@pytest.mark.slow
def test_the_daemon_leads_from_the_form_to_the_inbox(
    town: Desk, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = _free_port()
    monkeypatch.setenv("DIGEST_WEB__PORT", str(port))
    monkeypatch.setenv("DIGEST_SOURCES", "[]")
    with _process(town.folder, "run") as process:
        base = f"http://127.0.0.1:{_port(process)}"
        assert httpx2.post(f"{base}/subscribe", data=FORM).status_code == 200
        _wait_for(sink, 1)
        mail = sink.received[0].content.decode().replace("=\r\n", "").replace("=3D", "=")
        link = re.search(r"https://papers\.example(/confirm/[\w.~-]+)", mail)
        assert link
        assert httpx2.get(base + link[1]).status_code == 200
        assert httpx2.post(base + link[1]).status_code == 200
        _wait_for(sink, 2)  # the welcome
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, log
    assert [one["status"] for one in town.ok("subscribers", "list", "--json").json] == ["active"]


@pytest.mark.slow
def test_a_taken_port_keeps_no_mail_waiting_but_ends_the_web_role(
    town: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("DIGEST_WEB__PORT", str(port))
        monkeypatch.setenv("DIGEST_SOURCES", "[]")
        ended = town.run("web")
        assert ended.code == 2
        assert "web.port" in ended.err
        with _process(town.folder, "run") as process:
            assert process.stderr
            for line in process.stderr:
                if '"started"' in line:
                    break
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
