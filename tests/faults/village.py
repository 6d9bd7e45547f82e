"""Three workers, a store and a relay, each on a host of its own, and what they have made of a day.

The relay's record and the ledger are written apart from each other: that they agree is the proof.
"""

import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.commands import SECRETS
from tests.faults.database import Database, release
from tests.faults.hosts import ROOT, Host, Running
from tests.faults.waiting import LOOK_S, PATIENCE_S, until

CONNECTIONS = 4
RELAY_PORT = 25
RELAY_WAIT_S = 0.015
ASK_S = 0.25  # to ask the store more often would cost the workers time
CONFIG = "sources = []\n"
_numbers = count(1)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One mail as the relay wrote it down: at which instant, from which host, whose."""

    at: float
    peer: str
    recipient: str
    message_id: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One delivery as the ledger has it."""

    recipient: str
    message_id: str
    state: str
    doubtful: int
    attempts: int


@dataclass(kw_only=True)
class Relay:
    """The relay, which keeps its record over its restarts."""

    host: Host
    folder: Path
    wait_s: float = RELAY_WAIT_S
    running: Running | None = None

    @property
    def record(self) -> Path:
        """The file in which it writes what it takes."""
        return self.folder / "taken.tsv"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        where = (self.host.address, str(RELAY_PORT), self.record, str(self.wait_s))
        self.running = self.host.start(
            [sys.executable, "-m", "tests.faults.sink", *where],
            settings={},
            folder=ROOT,
            log=self.folder / "relay.log",
        )
        until(self.host.listens(RELAY_PORT), "the relay listens")

    def kill(self) -> None:
        """As by the kernel, in the middle of what it is taking."""
        assert self.running
        self.running.kill()

    def taken(self) -> list[Taken]:
        """All that it took, in its order; a line that is half written counts later."""
        if not self.record.exists():
            return []
        lines = self.record.read_text().split("\n")[:-1]
        fields = (line.split("\t") for line in lines)
        return [
            Taken(at=float(at), peer=peer, recipient=recipient, message_id=number)
            for at, peer, recipient, number in fields
        ]


@dataclass(kw_only=True)
class Worker:
    """One host that sends; `fake` is what libfaketime is told of its clock."""

    host: Host
    folder: Path
    settings: dict[str, str]
    fake: dict[str, str] = field(default_factory=dict)
    running: Running | None = None

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / f"{self.host.role}.log"

    def start(self) -> None:
        """Start the daemon, without waiting for it."""
        self.running = self.host.start(
            [sys.executable, "-m", "digest", "worker"],
            settings=self.settings | self.fake,
            folder=self.folder,
            log=self.log,
        )

    def is_up(self) -> bool:
        """Whether it has begun to look for work."""
        return self.log.exists() and '"started"' in self.log.read_text(errors="replace")

    def process(self) -> Running:
        """Its process, which was started."""
        assert self.running
        return self.running


@dataclass(kw_only=True)
class Village:
    """One test's store, relay and workers, over the session's hosts and server."""

    database: Database
    store: str
    relay: Relay
    workers: list[Worker]
    deliveries: int

    def start(self) -> None:
        """Start relay and workers, and let everything be due once they are up."""
        for worker in self.workers:
            worker.start()
        self.relay.start()
        for worker in self.workers:
            self.waits_until(worker.is_up, f"{worker.host.role} is up")
        release(self.database, self.store)

    def stop(self) -> None:
        """End workers and relay, as they stand."""
        for running in (self.relay.running, *(worker.running for worker in self.workers)):
            if running:
                running.kill()

    def rate(self) -> float:
        """Mails a second, without the first and the last tenth: not all begin and end at once."""
        instants = sorted(one.at for one in self.relay.taken())
        tenth = len(instants) // 10
        middle = instants[tenth : len(instants) - tenth]
        return (len(middle) - 1) / (middle[-1] - middle[0])

    def sent_by(self, worker: Worker) -> int:
        """How much the relay has taken from that host."""
        return sum(one.peer == worker.host.address for one in self.relay.taken())

    def in_full_swing(self, *workers: Worker, within_s: float = PATIENCE_S) -> None:
        """Wait until a third has gone, and each of these workers is sending."""

        def swings() -> bool:
            by = Counter(one.peer for one in self.relay.taken())
            enough = by.total() >= self.deliveries / 3
            return enough and all(by[worker.host.address] >= 8 for worker in workers)

        self.waits_until(swings, f"a third of {self.deliveries} is sent", within_s)

    def ledger(self) -> list[Row]:
        """Every delivery."""
        rows = self.database.run(
            "SELECT s.email, d.message_id, d.state, d.doubtful, d.attempts"
            " FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id",
            self.store,
        )
        names = ("recipient", "message_id", "state", "doubtful", "attempts")
        return [Row(**dict(zip(names, row, strict=True))) for row in rows]  # type: ignore[arg-type]

    def states(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        rows = self.database.run("SELECT state, count(*) FROM deliveries GROUP BY 1", self.store)
        return {str(state): int(str(number)) for state, number in rows}

    def drained(self, within_s: float = 60) -> float:
        """Wait until nothing is left to send; the seconds that it took."""
        return self.waits_until(self._is_drained, "everything is sent", within_s, ASK_S)

    def waits_until(
        self,
        reached: Callable[[], bool],
        what: str,
        within_s: float = PATIENCE_S,
        look_s: float = LOOK_S,
    ) -> float:
        """As `until`, and where it fails one sees what the workers said."""
        try:
            return until(reached, what, within_s, look_s)
        except AssertionError as exc:
            raise AssertionError(f"{exc}: {self.states()}\n{self.logs()}") from exc

    def _is_drained(self) -> bool:
        return not self.states().keys() & {"queued", "sending", "deferred"}

    def logs(self) -> str:
        """The last words of every worker."""
        said = []
        for worker in self.workers:
            with suppress(FileNotFoundError):
                lines = worker.log.read_text(errors="replace").splitlines()
                said.append("\n".join([f"-- {worker.host.role}", *lines[-12:]]))
        return "\n".join(said)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a fault cost."""

    deliveries: int
    lost: int
    duplicates: int
    doubtful: int
    drain_s: float

    def __str__(self) -> str:
        return (
            f"{self.deliveries:,} deliveries · {self.lost} lost · {self.duplicates} duplicates "
            f"({self.doubtful} in doubt) · drained {self.drain_s:.1f} s after the fault"
        )


def settled(village: Village, doubt_most: int, within_s: float = 60) -> Figures:
    """After the fault: nothing is lost, no more came twice than was in doubt, and the ledger says
    what the relay says.
    """
    drain_s = village.drained(within_s)
    times = Counter(one.message_id for one in village.relay.taken())
    rows = village.ledger()
    assert len(rows) == village.deliveries
    lost = [row for row in rows if not times[row.message_id]]
    duplicates = times.total() - len(times)
    doubtful = sum(row.doubtful for row in rows)
    figures = Figures(
        deliveries=len(rows),
        lost=len(lost),
        duplicates=duplicates,
        doubtful=doubtful,
        drain_s=drain_s,
    )
    said = f"{figures}\n{village.logs()}"
    assert not lost, said
    assert {row.state for row in rows} == {"sent"}, f"{village.states()} {said}"
    assert times.keys() == {row.message_id for row in rows}, said
    assert duplicates <= doubtful <= doubt_most, said
    assert all(times[row.message_id] - 1 <= row.doubtful for row in rows), said
    ids = {(one.recipient, one.message_id) for one in village.relay.taken()}
    assert len(ids) == len(rows), f"one person got two Message-IDs: {said}"
    return figures


@contextmanager
def village(
    hosts: dict[str, Host],
    server: Database,
    template: str,
    deliveries: int,
    folder: Path,
    *,
    relay_wait_s: float = RELAY_WAIT_S,
    **delivery: float,
) -> Iterator[Village]:
    """A village that is ready to start; it is left as it was found, whatever happens in it.

    `delivery` are settings of that section.
    """
    (folder / "config.toml").write_text(CONFIG)
    store = server.copy(template)
    made = Village(
        database=server,
        store=store,
        relay=Relay(host=hosts["relay"], folder=folder, wait_s=relay_wait_s),
        workers=[
            Worker(
                host=host, folder=folder, settings=_settings(server, store, hosts, host, delivery)
            )
            for role, host in hosts.items()
            if role.startswith("worker")
        ],
        deliveries=deliveries,
    )
    try:
        yield made
    finally:
        for host in hosts.values():
            host.mend()
            host.pass_on()
        made.stop()
        server.start()
        shutil.rmtree(folder, ignore_errors=True)


def _settings(
    server: Database,
    store: str,
    hosts: dict[str, Host],
    host: Host,
    delivery: Mapping[str, float],
) -> dict[str, str]:
    settings = {
        "DIGEST_STORE__URL": server.url(store),
        "DIGEST_SMTP__HOST": hosts["relay"].address,
        "DIGEST_SMTP__PORT": str(RELAY_PORT),
        "DIGEST_SMTP__SECURITY": "none",
        "DIGEST_SMTP__CONNECTIONS": str(CONNECTIONS),
        "DIGEST_SMTP__LOCAL_HOSTNAME": f"{host.role}.papers.example",
        "DIGEST_SENDER__ADDRESS": "digest@papers.example",
        "DIGEST_DAEMON__TICK_S": "1",
        "DIGEST_LOG__FORMAT": "json",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    wanted = {f"DIGEST_DELIVERY__{name.upper()}": str(value) for name, value in delivery.items()}
    return SECRETS | settings | wanted
