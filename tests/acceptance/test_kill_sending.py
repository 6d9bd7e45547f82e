"""SIGKILL in the middle of sending, again and again: nothing is lost, and only what was in doubt
arrives twice.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as Peer
from sqlalchemy import Engine

from digest.domain.deliveries import State
from digest.mail.sink import Sink
from digest.store import outbox
from digest.store.database import open_engine, reading, transaction
from digest.store.ledger_read import list_deliveries
from tests.commands import SECRETS
from tests.moody import queued, states

IS_SOAK = int(os.environ.get("DIGEST_FAULTS_DELIVERIES", "0")) >= 10_000
KILLS = 20 if IS_SOAK else 5  # at random; `tests/faults/kills` has each place by its name
MAILS = 30 * KILLS
PROCESSES = 2
CONNECTIONS = 3
LEASE_S = 2
PATIENCE_S = 60
ROOT = Path(__file__).parents[2]


class Counting(Sink):
    """Counts what it accepts, and lets some senders wait for its answer."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.accepted: Counter[str] = Counter()
        self.talking = 0
        self._rng = rng

    async def handle_DATA(self, server: SMTP, session: Peer, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(self._rng.choice((0, 0, 0.01, 0.03)))
        self.accepted[envelope.rcpt_tos[0]] += 1
        await asyncio.sleep(self._rng.choice((0, 0, 0.01, 0.03)))
        return "250 2.0.0 OK"

    def _protocol(self) -> SMTP:
        sink = self

        class Peer(SMTP):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                sink.talking += 1
                super().connection_made(transport)

            def connection_lost(self, error: Exception | None) -> None:
                sink.talking -= 1
                super().connection_lost(error)

        return Peer(self, hostname="localhost", ident="sink", loop=self._loop)

    def wait(self, reached: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not reached() and time.monotonic() < until:
            time.sleep(0.002)


@pytest.fixture
def counting() -> Iterator[Counting]:
    with Counting(random.Random(7)) as server:
        yield server


def _start(folder: Path, url: str, server: Counting) -> subprocess.Popen[bytes]:
    """`digest deliver` in a process group of its own."""
    settings = {
        "DIGEST_STORE__URL": url,
        "DIGEST_SMTP__HOST": server.host,
        "DIGEST_SMTP__PORT": str(server.port),
        "DIGEST_SMTP__SECURITY": "none",
        "DIGEST_SMTP__CONNECTIONS": str(CONNECTIONS),
        "DIGEST_SENDER__ADDRESS": "digest@papers.example",
        "DIGEST_DELIVERY__LEASE_S": str(LEASE_S),
        "DIGEST_DELIVERY__CLAIM": "20",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "digest", "deliver", "--processes", str(PROCESSES)],
        cwd=folder,
        env=os.environ | SECRETS | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _kill(process: subprocess.Popen[bytes], server: Counting) -> None:
    """All of its processes at once; what they had sent by then still arrives."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    server.wait(lambda: not server.talking)


def _run(folder: Path, url: str, server: Counting) -> None:
    process = _start(folder, url, server)
    assert process.wait(PATIENCE_S) in (0, 1, 3)


def _unrecorded(engine: Engine, server: Counting) -> int:
    """How often the server accepted a mail that the ledger does not call sent."""
    return server.accepted.total() - states(engine).get(State.SENT, 0)


@pytest.mark.slow
def test_killed_senders_lose_nothing_and_repeat_only_what_was_in_doubt(
    tmp_path: Path, store_url: str, engine: Engine, counting: Counting
) -> None:
    people = [f"reader{n}@example{n % 7}.com" for n in range(MAILS)]
    queued(engine, *people)
    rng, doubt = random.Random(11), [0]
    for kill in range(KILLS):
        process = _start(tmp_path, store_url, counting)
        goal = counting.accepted.total() + rng.randint(1, MAILS // KILLS)
        counting.wait(lambda goal=goal: counting.accepted.total() >= goal)  # type: ignore[misc]
        _kill(process, counting)
        doubt.append(_unrecorded(engine, counting))
        assert 0 <= doubt[kill + 1] - doubt[kill] <= PROCESSES * CONNECTIONS
    _finish(tmp_path, store_url, engine, counting)
    assert counting.accepted.keys() == set(people)
    assert counting.accepted.total() - MAILS == doubt[-1]
    with reading(engine) as session:
        rows = list_deliveries(session, limit=0)
    assert {row.state for row in rows} == {State.SENT}
    assert all(row.doubtful >= counting.accepted[row.email] - 1 for row in rows)


def _finish(folder: Path, url: str, engine: Engine, server: Counting) -> None:
    """Deliver until nothing is left; what was held after two doubts is queued again."""
    until = time.monotonic() + PATIENCE_S
    while states(engine) != {State.SENT: MAILS} and time.monotonic() < until:
        if states(engine).keys() <= {State.SENT, State.HELD}:
            _retry(engine)
        _run(folder, url, server)


def _retry(engine: Engine) -> None:
    with transaction(engine) as session:
        outbox.retry(session, datetime.now(UTC))


@pytest.mark.slow
def test_senders_whose_first_process_was_killed_finish_what_is_in_the_air_and_end(
    tmp_path: Path, sqlite_url: str, counting: Counting
) -> None:
    engine = open_engine(sqlite_url)
    queued(engine, *(f"reader{n}@example{n % 7}.com" for n in range(MAILS)))
    process = _start(tmp_path, sqlite_url, counting)
    counting.wait(lambda: counting.accepted.total() >= 10)
    process.kill()
    process.wait()
    counting.wait(lambda: not counting.talking)
    assert not _left(process.pid)
    assert 10 <= counting.accepted.total() < MAILS
    assert _unrecorded(engine, counting) == 0
    assert states(engine).keys() == {State.SENT, State.QUEUED}
    engine.dispose()


def _left(group: int) -> list[int]:
    """The processes of a group that have not ended."""
    found = []
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        numbers = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]
        found = [number for number in numbers if _is_of(number, group)]
        if not found:
            break
        time.sleep(0.05)
    return found


def _is_of(number: int, group: int) -> bool:
    try:
        return os.getpgid(number) == group and "Z" not in _state(number)
    except OSError:
        return False


def _state(number: int) -> str:
    return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
