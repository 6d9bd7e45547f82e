"""Ready mails over the wire: `python -m tests.benchmarks.mail.ready WAY FOLDER PORT COUNT LINES`.

Sends the files of FOLDER over so many connections, by `aiosmtplib` as it comes or by our own
`relay`, and prints a line of JSON: messages, CPU-seconds, seconds, mean size.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiosmtplib

from digest.domain.relay import Security
from digest.mail.transport import Relay, RelaySettings
from tests.benchmarks.mail.world import SENDER

RECIPIENT = "reader@example.com"


@dataclass(frozen=True)
class Load:
    """Which contents go where, and over how many connections."""

    contents: Sequence[bytes]
    port: int
    connections: int

    def take(self, numbers: Iterator[int]) -> Iterator[bytes]:
        """What one connection sends of all, as the others leave it."""
        for number in numbers:
            yield self.contents[number % len(self.contents)]


async def by_aiosmtplib(load: Load, numbers: Iterator[int]) -> None:
    async def work() -> None:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=load.port, start_tls=False)
        async with client:
            for content in load.take(numbers):
                await client.sendmail(SENDER, [RECIPIENT], content)

    await asyncio.gather(*(work() for _ in range(load.connections)))


async def by_our_relay(load: Load, numbers: Iterator[int]) -> None:
    settings = RelaySettings(
        host="127.0.0.1", port=load.port, security=Security.NONE, connections=load.connections
    )

    async def work(relay: Relay) -> None:
        async with relay.connection() as connection:
            for content in load.take(numbers):
                await connection.send(SENDER, RECIPIENT, content)

    async with Relay(settings) as relay:
        await asyncio.gather(*(work(relay) for _ in range(load.connections)))


WAYS = {"aiosmtplib": by_aiosmtplib, "relay": by_our_relay}


def main(way: str, folder: Path, port: int, total: int, connections: int) -> None:
    contents = [path.read_bytes() for path in sorted(folder.iterdir())]
    load = Load(contents, port, connections)
    cpu, began = time.process_time(), time.perf_counter()
    asyncio.run(WAYS[way](load, iter(range(total))))
    spent = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - began}
    octets = sum(len(contents[number % len(contents)]) for number in range(total))
    print(json.dumps({"messages": total, "size": octets / total, **spent}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
