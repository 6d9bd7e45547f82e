"""PostgreSQL on a host of its own, with stores in it that hold many deliveries to send."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path

import psycopg

from digest.domain.digests import Digest, Pick, Reason, Where
from digest.domain.subscribers import Status
from digest.store import outbox, schema
from digest.store.database import open_engine, transaction
from digest.store.merge import merge_batch
from digest.store.subscribers import NewSubscriber, add_many
from tests import postgres
from tests.builders import NOON, a_batch, a_listing, some_interests
from tests.faults.hosts import NETWORK, Host, Running
from tests.faults.waiting import until

CHUNK = 1_000
PORT = 5432
NEVER = datetime(2100, 1, 1, tzinfo=UTC)
_numbers = count(1)


@dataclass(kw_only=True)
class Database:
    """The server; the test itself speaks to it by a socket in its folder, without a network."""

    host: Host
    home: Path
    data: Path
    binaries: Path
    durable: bool = False
    running: Running | None = None

    def start(self) -> None:
        """Start it, unless it runs, and wait until it takes connections."""
        if self.running and self.running.process.poll() is None:
            return
        write = "on" if self.durable else "off"
        settings = {
            "fsync": write,  # where processes are killed, and not the machine, it matters not
            "synchronous_commit": "on",
            "full_page_writes": write,
            "max_connections": "60",
            "shared_buffers": "64MB",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        where = ["-D", self.data, "-h", self.host.address, "-p", str(PORT), "-k", self.data]
        self.running = self.host.start(
            [*_as_account(), self.binaries / "postgres", *where, *options],
            settings={},
            folder=self.data,
            log=self.home / "log",
        )
        until(self.answers, "PostgreSQL answers")

    def stop(self, how: signal.Signals) -> None:
        """SIGINT is a fast shutdown, SIGQUIT an immediate one, which recovers at the next start."""
        assert self.running
        self.running.end(how)

    def own_url(self, name: str) -> str:
        """For the test itself."""
        return f"postgresql://{postgres.USER}@/{name}?host={self.data}&port={PORT}"

    def url(self, name: str) -> str:
        """For the other hosts."""
        return f"postgresql://{postgres.USER}@{self.host.address}:{PORT}/{name}"

    def copy(self, template: str) -> str:
        """A store of one test's own, by its name."""
        name = f"store_{next(_numbers)}"
        self.run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def run(self, statement: str, name: str = "postgres") -> list[tuple[object, ...]]:
        """One statement, and what it gives."""
        with psycopg.connect(self.own_url(name), autocommit=True) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def database(host: Host, *, durable: bool = False) -> Iterator[Database]:
    """A server on that host until the block ends; a `durable` one waits for its disk, as an
    operator's does. Raises NoPostgres.
    """
    home = Path(tempfile.mkdtemp(prefix="digest-faults-"))
    home.chmod(0o755)
    try:
        binaries = postgres._reachable(postgres._binaries(), home)
        data = postgres._initialised(binaries, home)
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {NETWORK}.0/24 trust\n")
        server = Database(host=host, home=home, data=data, binaries=binaries, durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)  # what it holds is thrown away
    finally:
        shutil.rmtree(home, ignore_errors=True)


def stocked(server: Database, deliveries: int) -> str:
    """A store with so many queued digests, due only when `release` says so; its name."""
    name = f"stock_{deliveries}"
    server.run(f'CREATE DATABASE "{name}"')
    engine = open_engine(server.own_url(name))
    schema.upgrade(engine)
    with transaction(engine) as session:
        merge_batch(session, a_batch(a_listing("Learning to Wait", arxiv="2603.00001")), NOON)
        paper = session.connection().exec_driver_sql("SELECT max(id) FROM papers").scalar_one()
    reason = Reason(where=Where.TITLE, interest="waiting", words=("Wait",))
    pick = Pick(paper_id=paper, score=1, relevance=1, trend=0, reason=reason)
    digest = Digest(digest_on=date(2026, 3, 12), picks=(pick,))
    for first in range(0, deliveries, CHUNK):
        with transaction(engine) as session:
            readers = [_reader(n) for n in range(first, min(first + CHUNK, deliveries))]
            outcomes = [
                outbox.Outcome(
                    subscriber_id=person.id,
                    content=digest,
                    edition_id=None,
                    message_id=f"<digest.{person.id}@papers.example>",
                )
                for person in add_many(session, readers, NOON)
            ]
            outbox.write_outcomes(session, outcomes, NEVER)
    engine.dispose()
    return name


def release(server: Database, name: str) -> None:
    """Let everything be due from now on."""
    server.run("UPDATE deliveries SET queued_at = now(), due_at = now()", name)


def _reader(number: int) -> NewSubscriber:
    return NewSubscriber(
        email=f"reader{number}@example{number % 40}.com",
        status=Status.ACTIVE,
        interests=some_interests("waiting"),
        next_digest_at=NEVER,
    )


def _as_account() -> list[str]:
    """PostgreSQL refuses to run as root."""
    account = postgres._account()
    if os.geteuid() != 0:
        return []
    ids = (f"--reuid={account['user']}", f"--regid={account['group']}")
    return ["setpriv", *ids, "--clear-groups"]
