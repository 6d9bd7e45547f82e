"""What systemd is told, read from a real socket of its kind."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from digest import notify


@pytest.fixture(autouse=True)
def _no_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)


class Manager:
    """The end of the socket that systemd holds."""

    def __init__(self, listening: socket.socket) -> None:
        self._socket = listening
        listening.setblocking(False)

    def heard(self) -> list[str]:
        """The fields of the next message; of none that came, an empty list."""
        try:
            return self._socket.recv(4096).decode().split("\n")
        except BlockingIOError:
            return []


@pytest.fixture(params=["path", "abstract"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Manager]:
    name = f"digest-test-{secrets.token_hex(8)}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listening:
        if request.param == "abstract":
            listening.bind("\0" + name)
            monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        else:
            monkeypatch.chdir(tmp_path)  # a bound name has 107 bytes at most; pytest's are longer
            listening.bind("s")
            short = Path("/tmp") / name
            short.symlink_to(tmp_path / "s")
            request.addfinalizer(short.unlink)
            monkeypatch.setenv("NOTIFY_SOCKET", str(short))
        yield Manager(listening)


def test_each_state_arrives_as_its_own_message(manager: Manager) -> None:
    notify.ready("12 subscribers")
    notify.alive()
    notify.status("sending")
    notify.stopping()
    assert manager.heard() == ["READY=1", "STATUS=12 subscribers"]
    assert manager.heard() == ["WATCHDOG=1"]
    assert manager.heard() == ["STATUS=sending"]
    assert manager.heard() == ["STOPPING=1"]
    assert manager.heard() == []


def test_ready_without_a_status_leaves_the_last_one_standing(manager: Manager) -> None:
    notify.ready()
    assert manager.heard() == ["READY=1"]


def test_reload_tells_the_instant_by_the_clock_that_systemd_uses(manager: Manager) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notify.reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    state, instant = manager.heard()
    assert state == "RELOADING=1"
    name, _, value = instant.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(value) <= after


def test_status_can_forge_no_field_of_its_own(manager: Manager) -> None:
    notify.status("broken\nSTOPPING=1\x00\x1b[31m\u2028end")
    (line,) = manager.heard()
    assert line == "STATUS=broken STOPPING=1 [31m end"


def test_half_a_character_in_a_status_is_left_out(manager: Manager) -> None:
    notify.status("half \ud800")
    notify.status("whole é")
    assert manager.heard() == ["STATUS=half"]  # a lone surrogate is not printable
    assert manager.heard() == ["STATUS=whole é"]


def test_empty_status_sends_nothing(manager: Manager) -> None:
    notify.status(" \n")
    assert manager.heard() == []


@pytest.mark.parametrize(
    "place", ["", "relative", "vsock:2:1234", "/nowhere/at/all", "@", "/" + "x" * 300, "@nobody"]
)
def test_a_socket_that_is_not_there_is_no_error(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", place)
    notify.ready("up")
    notify.alive()
    notify.stopping()


def test_a_manager_that_does_not_listen_holds_up_nobody(manager: Manager) -> None:
    for _ in range(5000):  # more than any queue of datagrams holds
        notify.alive()
    assert manager.heard() == ["WATCHDOG=1"]


def test_nothing_is_sent_without_the_variable(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify.ready()
    assert manager.heard() == []


@pytest.mark.parametrize(
    ("limit", "process", "seconds"),
    [
        ("120000000", None, 60.0),
        ("3000000", "own", 1.5),
        ("3000000", "", 1.5),
        ("3000000", "1", None),
        ("3000000", "none", None),
        ("0", None, None),
        ("", None, None),
        ("-5", None, None),
        ("1e6", None, None),
        ("٣", None, None),
        ("9" * 5000, None, None),
        (None, None, None),
    ],
)
def test_watchdog_is_fed_at_half_its_interval(
    limit: str | None, process: str | None, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit is not None:
        monkeypatch.setenv("WATCHDOG_USEC", limit)
    if process is not None:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if process == "own" else process)
    assert notify.watchdog_every() == seconds


def test_it_imports_nothing_beyond_the_standard_library() -> None:
    script = "import sys; import digest.notify; print('structlog' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
