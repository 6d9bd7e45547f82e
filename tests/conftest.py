"""What every test stands on: no network but loopback, and the real material where it lies."""

import gc
import ipaddress
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from digest.services import embedders

pytest_plugins = ["tests.stores", "tests.commands", "tests.moody", "tests.postfix"]

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


_read: dict[Path, embedders.StaticEmbedder] = {}


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the garbage collector need not walk through it."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not SHARED.is_dir():
        terminalreporter.write_line(
            "NOTE: the folder ../shared/data is absent: tests on real material were SKIPPED",
            yellow=True,
            bold=True,
        )


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real material; a test that asks for it is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("real material (../shared/data) is absent")
    return SHARED


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that would leave this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, target: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = target[0]
            if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
                raise PermissionError(f"a test tried to reach {host}: only loopback is allowed")
        return connect(self, target)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command that sets up logging writes to the stderr of its own test alone."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _words_read_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the installed word vectors once a session, not for each command and each window."""
    if request.node.get_closest_marker("bench"):
        return
    load, installed = embedders._load, embedders._package_folder("wordllama")

    def once(read: Callable[[Path], Any], folder: Path, package: str) -> Any:
        if read is not embedders.StaticEmbedder or folder != installed:
            return load(read, folder, package)
        if folder not in _read:
            _read[folder] = load(read, folder, package)
        return _read[folder]

    monkeypatch.setattr(embedders, "_load", once)
