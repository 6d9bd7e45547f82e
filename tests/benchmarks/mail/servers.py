"""Servers beside which the senders are measured, each in a process of its own, on loopback.

Postfix's `smtp-sink` swallows mail; `proxy` stands before it as a network of some delay would.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
START_TIMEOUT_S = 20


class Missing(Exception):
    """A tool is not installed; the text names it."""


def tool(name: str) -> str:
    """The path of an outside program, also where the administrator's folders are not searched."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if not found:
        raise Missing(f"{name} is not installed")
    return found


@contextmanager
def sink(*options: str) -> Iterator[int]:
    """A running smtp-sink; gives its port. `options` are further ones of its own."""
    port = _free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with _running([tool("smtp-sink"), *options, *user, f"127.0.0.1:{port}", "1000"], port):
        yield port


@contextmanager
def delayed(target: int, delay_s: float) -> Iterator[int]:
    """A way to the port `target` that takes `delay_s` in each direction; gives its port."""
    port = _free_port()
    command = [sys.executable, "-m", "tests.benchmarks.mail.proxy", str(port), str(target)]
    with _running([*command, str(delay_s)], port):
        yield port


@contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        _wait_until_ready(process, port)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)  # the one way to learn that a server has begun to listen
        else:
            return
    raise RuntimeError(f"{process.args!r} did not begin to listen on port {port}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
