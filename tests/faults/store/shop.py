"""A small service over a store that a test may damage, at each stage of its first day.

What the store holds is read here by SQL of our own, so that nothing is judged by the code that is
tried.
"""

import gc
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

import pytest

from digest.mail.sink import Sink
from digest.mail.verp import Verp
from tests.commands import SECRETS, Desk, Ended
from tests.mail.returned import a_dsn

PEOPLE, PAPERS, CONNECTIONS = 24, 30, 4
STAGES = ("bare", "empty", "people", "papers", "composed", "sent")
_LOGS = ("-wal", "-shm", "-journal")


def _papers() -> str:
    return "".join(
        json.dumps(
            {
                "id": str(number),
                "title": f"Paper {number} on continual learning",
                "abstract": f"We study continual learning, part {number}. " * 12,
                "authors": ["Ada Lovelace"],
                "arxiv": f"2603.{number:05d}",
            }
        )
        + "\n"
        for number in range(1, PAPERS + 1)
    )


def _people() -> str:
    rows = (f"p{number}@example.com,continual learning,active\n" for number in range(PEOPLE))
    return "email,interests,status\n" + "".join(rows)


@dataclass(frozen=True)
class Step:
    """What brings a store from one stage to the next."""

    before: str
    after: str
    command: tuple[str, ...]


TODAY = f"{datetime.now(UTC):%Y-%m-%d}"
DAY = (
    Step("bare", "empty", ("db", "upgrade")),
    Step("empty", "people", ("subscribers", "import", "people.csv")),
    Step("people", "papers", ("fetch", "--file", "papers.jsonl", "--format", "jsonl")),
    Step("papers", "composed", ("compose", "--date", TODAY)),
    Step("composed", "sent", ("deliver",)),
)


@dataclass
class Shop:
    """Commands over the store at `path`; `stock` holds stores of each stage to begin with."""

    desk: Desk
    sink: Sink
    path: Path
    stock: dict[str, Path] = field(default_factory=dict)

    def run(self, *arguments: str | Path) -> Ended:
        """Run a command, and let go of the files that it had open."""
        ended = self.desk.run(*arguments)
        gc.collect()
        assert "Traceback" not in ended.err, ended.err
        return ended

    def begin(self, stage: str) -> None:
        """Put a store of this stage in the place."""
        self.path.parent.mkdir(exist_ok=True)
        for name in ("", *_LOGS):
            Path(f"{self.path}{name}").unlink(missing_ok=True)
        if stage != "bare":
            shutil.copyfile(self.stock[stage], self.path)

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every table; the store must be sound."""
        if not self.path.is_file():
            return {}
        with closing(sqlite3.connect(self.path, timeout=1)) as store:
            assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert store.execute("PRAGMA foreign_key_check").fetchall() == []
            names = [
                row[0]
                for row in store.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table'"
                    " AND name NOT LIKE 'sqlite_%' ORDER BY name"
                )
            ]
            return {
                name: sorted(store.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
                for name in names
            }

    def counts(self) -> dict[str, int]:
        """How many rows each table has; leases and other passing things left out, and editions
        that nobody got, which pruning forgets.
        """
        passing = {"leases", "seats", "spendings", "paces", "editions", "tries"}
        return {name: len(rows) for name, rows in self.rows().items() if name not in passing}

    def ledger(self) -> list[tuple[str, str, int]]:
        """State, Message-ID and doubts of every delivery."""
        with closing(sqlite3.connect(self.path, timeout=1)) as store:
            return store.execute("SELECT state, message_id, doubtful FROM deliveries").fetchall()

    @contextmanager
    def in_use(self) -> Iterator[sqlite3.Connection]:
        """As long as another process has the store open, as the service does."""
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=1)) as store:
            store.execute("SELECT count(*) FROM deliveries").fetchone()
            yield store

    def let_leases_end(self) -> None:
        """As if a lease's time had passed."""
        if "deliveries" not in self.rows():
            return
        past = "UPDATE deliveries SET lease_until = '2026-01-01 00:00:00' WHERE lease_until > ''"
        with closing(sqlite3.connect(self.path, timeout=5)) as store, store:
            store.execute(past)

    def mails(self) -> Counter[str]:
        """How often each Message-ID came."""
        found = (message_from_bytes(mail.content)["Message-ID"] for mail in self.sink.received)
        return Counter(str(one) for one in found)

    def bounces(self) -> Path:
        """An mbox of hard bounces of the first five readers' mails."""
        verp = Verp("digest@papers.example", [SECRETS["DIGEST_SECRET_KEYS"]])
        mails = [a_dsn(verp.sender(number), number=number) for number in range(1, 6)]
        text = b"".join(b"From x Thu Mar 12 14:00:00 2026\n" + mail + b"\n\n" for mail in mails)
        return self.desk.write("returned.mbox", text)


def opened(desk: Desk, sink: Sink, path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop over the store at `path`."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DIGEST_SENDER__ADDRESS", "digest@papers.example")
    monkeypatch.setenv("DIGEST_SITE__URL", "https://papers.example")
    monkeypatch.setenv("DIGEST_WEB__PORT", "0")
    monkeypatch.setenv("DIGEST_STORE__URL", f"sqlite:///{path}")
    monkeypatch.setattr("digest.services.senders.RECORD_PAUSES_S", (0.0, 0.0))
    desk.write("people.csv", _people())
    desk.write("papers.jsonl", _papers())
    return Shop(desk=desk, sink=sink, path=path)


def stocked(shop: Shop, folder: Path) -> Shop:
    """The shop with a store of each stage to begin with, made in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for step in DAY:
        shop.desk.ok(*step.command)
        gc.collect()
        kept = folder / f"{step.after}.sqlite3"
        kept.unlink(missing_ok=True)
        with closing(sqlite3.connect(shop.path)) as store:
            store.execute("VACUUM INTO ?", (str(kept),))
        with closing(sqlite3.connect(kept)) as store:
            store.execute("PRAGMA journal_mode=WAL")  # as the program leaves it
        shop.stock[step.after] = kept
    shop.sink.received.clear()
    return shop


def one_line(ended: Ended, words: Sequence[str], code: int = 1) -> None:
    """A command that failed as it should: one line on stderr that has these words."""
    assert ended.code == code, (ended.code, ended.out, ended.err)
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, ended.err
    assert all(word in errors[0] for word in words), errors[0]
