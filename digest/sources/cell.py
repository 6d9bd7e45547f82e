"""The program of a cell: reads one body after another within bounds, and knows nothing else.

`prison` starts it as `python -m digest.sources.cell` with a socket as its standard input. A request
is a header (JSON) and the body, an answer is JSON; before each stands its length.
"""

import contextlib
import json
import os
import resource
import sys
from datetime import datetime
from typing import BinaryIO

from digest.domain.papers import SourceKind
from digest.errors import SourceError
from digest.sources.formats import parsed
from digest.sources.records import ANSWER, REQUEST, to_plain

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_REFUSED = (  # audit events: https://docs.python.org/3/library/audit_events.html
    "ctypes.", "ftplib.", "http.client.", "os.exec", "os.fork", "os.kill", "os.link", "os.mkdir",
    "os.posix_spawn", "os.remove", "os.rename", "os.rmdir", "os.spawn", "os.symlink", "os.system",
    "pty.", "shutil.", "smtplib.", "socket.", "sqlite3.", "subprocess.", "urllib.",
)  # fmt: skip


def main() -> None:
    """Answer requests until there are no more."""
    with os.fdopen(os.dup(0), "rb") as requests, os.fdopen(os.dup(0), "wb") as answers:
        _forbid()
        while head := requests.read(REQUEST.size):
            _answer(answers, _answered(requests, *REQUEST.unpack(head)))


def _answered(requests: BinaryIO, header_size: int, body_size: int) -> dict[str, object]:
    """What a body holds, or why not; too little memory is an answer too."""
    try:
        header, body = json.loads(requests.read(header_size)), requests.read(body_size)
        _bound(header["cpu_s"], header["memory"])
        return _parsed(header, body)
    except MemoryError:
        return {"over": "memory"}


def _parsed(header: dict[str, str], body: bytes) -> dict[str, object]:
    try:
        found = parsed(
            SourceKind(header["kind"]),
            body,
            datetime.fromisoformat(header["now"]),
            url=header["url"],
            content_type=header["content_type"],
        )
    except SourceError as exc:
        return {"unreadable": str(exc)}
    return {"found": to_plain(found)}


def _answer(answers: BinaryIO, what: dict[str, object]) -> None:
    try:
        data = json.dumps(what).encode()
    except MemoryError:
        data = b'{"over": "memory"}'
    answers.write(ANSWER.pack(len(data)) + data)
    answers.flush()


def _bound(cpu_s: int, memory: int) -> None:
    """Let the kernel end this process after so many seconds of CPU from now, and refuse it more
    than so many bytes. Where it knows no such limit, as macOS of memory, the deadline remains.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + 1 + cpu_s
    for what, most in (
        (resource.RLIMIT_CPU, until),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        with contextlib.suppress(ValueError, OSError):
            soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(what, (soft, hard))


def _forbid() -> None:
    """No network, no other program, no file but to read: no parser needs any of it."""

    def watch(event: str, args: tuple[object, ...]) -> None:
        opens = event == "open" and isinstance(args[2], int) and args[2] & _WRITES
        if opens or event.startswith(_REFUSED):
            raise PermissionError(f"{event} is not for a parser")

    sys.addaudithook(watch)


if __name__ == "__main__":
    main()
