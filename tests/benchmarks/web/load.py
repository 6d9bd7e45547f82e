"""An open load: requests are sent when they are due, whatever became of the earlier ones.

A request's time counts from when it was due, so that a server which stalls cannot hide it by
keeping the sender waiting.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlencode

CONNECTIONS = 64
_TICKS = 100  # of /proc: clock ticks a second on every Linux


@dataclass(kw_only=True)
class Seen:
    """What a load met: seconds until the answer, statuses, and the server's CPU-seconds."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    cpu_s: float = 0.0
    wall_s: float = 0.0

    def at(self, percent: int) -> float:
        """That percentile of the times, in milliseconds."""
        return quantiles(self.seconds, n=100)[percent - 1] * 1e3

    @property
    def cpu_ms(self) -> float:
        """CPU of the server per request, in milliseconds."""
        return self.cpu_s / max(len(self.seconds), 1) * 1e3


def told(what: str, seen: Seen) -> None:
    statuses = " ".join(f"{status}:{n}" for status, n in sorted(seen.statuses.items()))
    print(
        f"{what:44}{len(seen.seconds):7,} requests {len(seen.seconds) / seen.wall_s:6.0f}/s"
        f"  p50 {seen.at(50):6.1f}  p95 {seen.at(95):6.1f}  p99 {seen.at(99):6.1f} ms"
        f"  {seen.cpu_ms:5.2f} ms CPU  {statuses}"
    )


def form(path: str, fields: dict[str, str]) -> bytes:
    """A form as a browser posts it."""
    body = urlencode(fields).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: digest.example\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def page(path: str) -> bytes:
    """A page as a browser asks for it."""
    return f"GET {path} HTTP/1.1\r\nHost: digest.example\r\n\r\n".encode()


def load(port: int, pid: int, rate: float, seconds: float, request: Callable[[int], bytes]) -> Seen:
    """Send `rate` requests a second for so many seconds; `request` makes the n-th."""
    before = cpu_s(pid)
    seen = asyncio.run(_load(port, rate, seconds, request))
    seen.cpu_s = cpu_s(pid) - before
    return seen


def cpu_s(pid: int) -> float:
    """CPU-seconds, user and system, that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def _load(port: int, rate: float, seconds: float, request: Callable[[int], bytes]) -> Seen:
    seen = Seen()
    due: asyncio.Queue[tuple[float, int] | None] = asyncio.Queue()
    workers = [asyncio.create_task(_worker(port, due, request, seen)) for _ in range(CONNECTIONS)]
    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        at = began + number / rate
        if (wait := at - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        due.put_nowait((at, number))
    for _ in workers:
        due.put_nowait(None)
    await asyncio.gather(*workers)
    seen.wall_s = time.perf_counter() - began
    return seen


async def _worker(
    port: int,
    due: asyncio.Queue[tuple[float, int] | None],
    request: Callable[[int], bytes],
    seen: Seen,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (job := await due.get()) is not None:
        at, number = job
        writer.write(request(number))
        try:
            status, closes = await _answer(reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            status, closes = 0, True
        seen.seconds.append(time.perf_counter() - at)
        seen.statuses[status] += 1
        if closes:
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    length = 0
    for line in head.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line[15:])
    await reader.readexactly(length)
    return status, b"connection: close" in head
