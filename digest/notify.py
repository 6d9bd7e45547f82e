"""Tells systemd how the process is doing: the protocol of sd_notify(3), without its library.

One datagram a message to the socket that `$NOTIFY_SOCKET` names. Without that variable nothing is
sent, and what cannot be sent is dropped: a service must not fail because nobody listens.
"""

import os
import socket
import time


def ready(status: str = "") -> None:
    """The service has started, or has finished to reload."""
    _send("READY=1", *_said(status))


def reloading() -> None:
    """The service reads its settings again; `ready` must follow."""
    # systemd takes the instant to match this with its own request (sd_notify(3), since 253)
    _send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping(status: str = "") -> None:
    """The service has begun to end."""
    _send("STOPPING=1", *_said(status))


def status(text: str) -> None:
    """One line for `systemctl status`."""
    _send(*_said(text))


def alive() -> None:
    """The service is at work; owed at least every `WatchdogSec`, see `watchdog_every`."""
    _send("WATCHDOG=1")


def watchdog_every() -> float | None:
    """The seconds after which to call `alive`: half of what systemd waits before it kills.

    None where no watchdog is set, or where it watches another process (sd_watchdog_enabled(3)).
    """
    limit, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if not _is_number(limit) or int(limit) == 0 or process not in (None, "", str(os.getpid())):
        return None
    return int(limit) / 2_000_000


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20  # 64 bits


def _said(text: str) -> tuple[str, ...]:
    """The field of a status; one line, for a second one would be a field of its own."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return (f"STATUS={line}",) if line else ()


def _send(*fields: str) -> None:
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not fields or not place.startswith(("/", "@")):  # AF_VSOCK is for machines, not services
        return
    # the name of an abstract socket begins with a zero byte, which no variable can hold
    address = "\0" + place[1:] if place.startswith("@") else place
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)  # a full queue must not hold up the work
            sender.sendto("\n".join(fields).encode("utf-8", "replace"), address)
    except (OSError, ValueError):  # nobody there, the queue is full, or no name of a socket
        return
