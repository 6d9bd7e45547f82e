"""Where bytes from outside are parsed: in processes of their own, with bounds on what each may use.

Parsers are other people's, and some inputs cost them minutes or gigabytes: half a megabyte of
`&lt;!--` takes feedparser more than a minute. Such a body costs its own source one error. A cell is
started when one is needed, parses one body after another, and ends after a while of idleness.
"""

import atexit
import contextlib
import json
import os
import signal
import socket

# what it starts is our own program, without a shell
import subprocess  # nosec B404
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from digest.domain.papers import SourceKind
from digest.errors import SourceError, SourceUnreadable
from digest.sources.entries import Parsed
from digest.sources.records import ANSWER, REQUEST, from_plain
from digest.sources.unpack import MOST_BYTES

IDLE_S = 30.0
AT_ONCE = 2
_KEPT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "PYTHONHOME", "LD_LIBRARY_PATH")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """What parsing one body may use: seconds of CPU, seconds in all, bytes of memory, and bytes of
    what is found.

    They are ample for 10 MB, the most that is fetched; a larger file of the operator's own gets as
    many times more as it is larger.
    """

    cpu_s: int = 20
    wall_s: float = 60.0
    memory: int = 512 * 1024 * 1024
    answer: int = 4 * MOST_BYTES

    def of(self, size: int) -> Self:
        """The bounds of a body of so many bytes."""
        more = max(1.0, size / MOST_BYTES)
        return type(self)(
            cpu_s=int(self.cpu_s * more),
            wall_s=self.wall_s * more,
            memory=int(self.memory * more),
            answer=int(self.answer * more),
        )


class Prison:
    """Parses in at most `at_once` cells; safe from many threads, none of which it forks."""

    def __init__(
        self, bounds: Bounds | None = None, *, at_once: int = AT_ONCE, idle_s: float = IDLE_S
    ) -> None:
        self._bounds = bounds or Bounds()
        self._idle_s = idle_s
        self._slots = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._idle: list[_Cell] = []
        self._alarm: threading.Timer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def parsed(
        self,
        kind: SourceKind,
        body: bytes,
        now: datetime,
        *,
        url: str | None = None,
        content_type: str = "",
    ) -> Parsed:
        """What `formats.parsed` finds in the body.

        Raises SourceUnreadable as it does, and where it takes more than the bounds; SourceError
        where no cell can be had.
        """
        bounds = self._bounds.of(len(body))
        header = {
            "kind": kind.value,
            "now": now.isoformat(),
            "url": url,
            "content_type": content_type,
            "cpu_s": bounds.cpu_s,
            "memory": bounds.memory,
        }
        with self._cell() as cell:
            answer = cell.ask(json.dumps(header).encode(), body, bounds)
        return _read(answer, bounds)

    def warm(self) -> None:
        """Start a cell, unless one is there: it gets ready while its first body is on its way."""
        with contextlib.suppress(SourceError), self._cell():
            pass

    def close(self) -> None:
        """End the cells that nobody uses."""
        with self._lock:
            if self._alarm:
                self._alarm.cancel()
            self._alarm = None
            idle, self._idle = self._idle, []
        for cell in idle:
            cell.end()

    @contextmanager
    def _cell(self) -> Iterator["_Cell"]:
        """A cell of one's own; what went wrong in it is its end."""
        with self._slots:
            cell = self._take()
            try:
                yield cell
            except BaseException:
                cell.end()
                raise
            with self._lock:
                self._idle.append(cell)
                self._set_alarm()

    def _take(self) -> "_Cell":
        with self._lock:
            idle, self._idle = self._idle, []
            alive = [cell for cell in idle if cell.is_alive]
            self._idle = alive[1:]
        for cell in idle:
            if cell not in alive:
                cell.end()
        return alive[0] if alive else _Cell()

    def _set_alarm(self) -> None:
        if self._alarm is None:
            self._alarm = threading.Timer(self._idle_s, self.close)
            self._alarm.daemon = True
            self._alarm.start()


class _Cell:
    """One process, and the socket between it and us."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                # nothing of the command comes from outside
                self._process = subprocess.Popen(  # nosec B603
                    [sys.executable, "-B", "-P", "-W", "ignore", "-m", "digest.sources.cell"],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=_environment(),
                    start_new_session=True,  # Ctrl-C is for us
                )
            except OSError as exc:
                ours.close()
                raise SourceError(f"no process can be started to parse in: {exc.strerror}") from exc
        self._socket = ours

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, header: bytes, body: bytes, bounds: Bounds) -> bytes:
        """The answer. Raises SourceUnreadable where the cell died of it or took too long."""
        until = time.monotonic() + bounds.wall_s
        try:
            self._socket.settimeout(bounds.wall_s)
            self._socket.sendall(REQUEST.pack(len(header), len(body)) + header)
            self._socket.sendall(body)
            (size,) = ANSWER.unpack(self._receive(ANSWER.size, until))
            if size > bounds.answer:
                raise SourceUnreadable("what was read of it is larger than it can be")
            return bytes(self._receive(size, until))
        except TimeoutError as exc:
            raise SourceUnreadable(_over(f"{bounds.wall_s:g} s", "")) from exc
        except (OSError, EOFError) as exc:
            raise SourceUnreadable(self._epitaph(bounds)) from exc

    def end(self) -> None:
        """Kill it, and wait until it is gone."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _receive(self, size: int, until: float) -> bytearray:
        got = bytearray()
        while len(got) < size:
            self._socket.settimeout(max(until - time.monotonic(), 0.001))
            if not (part := self._socket.recv(min(size - len(got), 1 << 20))):
                raise EOFError
            got += part
        return got

    def _epitaph(self, bounds: Bounds) -> str:
        """What a cell died of."""
        self._socket.close()
        try:
            status = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "the process that parsed it hung up"
        if status == -signal.SIGXCPU:
            return _over(f"{bounds.cpu_s} s", " of CPU")
        if status < 0:
            return f"the process that parsed it was ended by {signal.Signals(-status).name}"
        return f"the process that parsed it ended with exit code {status}: is this program whole?"


def _read(answer: bytes, bounds: Bounds) -> Parsed:
    """The entries. Raises SourceUnreadable for an answer that says why not, or for none."""
    try:
        told = json.loads(answer)
        if "found" in told:
            return from_plain(told["found"])
        said = _over(f"{bounds.memory >> 20} MB", " of memory")
        if "unreadable" in told:
            said = str(told["unreadable"])
    except (ValueError, TypeError, RecursionError) as exc:
        raise SourceUnreadable("the process that parsed it answered nonsense") from exc
    raise SourceUnreadable(said)


def _over(most: str, of_what: str) -> str:
    return (
        f"reading it took more than {most}{of_what}: it is broken or malicious; "
        "tell the source, or take it out of the config"
    )


def _environment() -> dict[str, str]:
    """None of our secrets; the same modules as ours."""
    kept = {name: os.environ[name] for name in os.environ if name in _KEPT or name[:3] == "LC_"}
    here = [path or str(Path.cwd()) for path in sys.path]
    return kept | {"PYTHONPATH": os.pathsep.join(here)}


PRISON = Prison()
atexit.register(PRISON.close)
