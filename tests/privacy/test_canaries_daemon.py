"""The daemon as a process of its own says no secret, while relay, source, config and store fail."""

import base64
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.commands import Desk
from tests.privacy.canaries import CANARIES, leaks, planted, repeating_relay
from tests.privacy.test_canaries import STORE, with_mail_to_send
from tests.reliability import record

pytestmark = pytest.mark.slow
PATIENCE_S = 60.0
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def daemon(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`digest run`, which says everything into the file `log`."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "digest", "run"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def until(log: Path, is_there: Callable[[str], bool]) -> str:
    """The log, once it says so."""
    ends = time.monotonic() + PATIENCE_S
    while not is_there(text := log.read_text(errors="replace")) and time.monotonic() < ends:
        time.sleep(0.1)
    assert is_there(text), text
    return text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer(url: str, *, data: bytes | None = None, login: str = "") -> str:
    """Headers and body of a page, also of one that says no."""
    request = urllib.request.Request(url, data=data)
    if login:
        request.add_header("authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return f"{reply.headers}{reply.read().decode(errors='replace')}"
    except urllib.error.HTTPError as exc:
        with exc:
            return f"{exc.headers}{exc.read().decode(errors='replace')}"


@pytest.mark.parametrize("form", ["console", "json"])
def test_daemon_says_no_secret_whatever_fails(bare_desk: Desk, form: str) -> None:
    with repeating_relay() as relay:
        key = planted(bare_desk, relay=relay, store=STORE)
        config, port = bare_desk.folder / "config.toml", free_port()
        good = config.read_text().replace("[web]\nport = 0", f"[web]\nport = {port}")
        good = good.replace('level = "debug"', f'level = "debug"\nformat = "{form}"')
        config.write_text(good)
        bare_desk.ok("db", "upgrade")
        with_mail_to_send(bare_desk)
        log = bare_desk.folder / "log"
        with daemon(bare_desk.folder) as process:
            until(log, lambda text: "refused the login" in text and "127.0.0.1:9/feed" in text)
            said = pages(f"http://127.0.0.1:{port}")
            config.write_text(good.replace("https://papers", f"ftp://{CANARIES['pepper']}@papers"))
            process.send_signal(signal.SIGHUP)
            until(log, lambda text: "settings are wrong" in text)
            (bare_desk.folder / "store.sqlite3").write_bytes(b"no database at all" * 1000)
            said += pages(f"http://127.0.0.1:{port}")
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)
    text = log.read_text(errors="replace")
    assert leaks(text, key) == []
    assert leaks("\n".join(said), key) == []
    lines = len(text.splitlines())
    record("privacy", f"secrets, daemon ({form})", lines=lines, pages=len(said), leaks=0)


def pages(site: str) -> list[str]:
    """What a stranger may ask for."""
    said = [answer(site + path) for path in ("/", "/metrics", "/readyz", "/nothing", "/archive")]
    said.append(answer(site + "/subscribe", data=b"email=nobody"))
    wrong = f"postmark:{CANARIES['webhooks.postmark_password']}x"
    said.append(answer(site + "/webhooks/postmark", data=b"{}", login=wrong))
    right = wrong.removesuffix("x")
    said.append(answer(site + "/webhooks/postmark", data=b'{"RecordType": 1}', login=right))
    return said
