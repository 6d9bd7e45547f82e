"""A whole store of 100,000 subscribers and a million deliveries: out, and in on both engines.

Each step in a process of its own, so that its memory is its own; both engines write to disk as an
operator's do.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from digest.domain.subscribers import Status
from digest.services.move.backup import back_up
from digest.services.move.exports import export_store
from digest.services.move.imports import import_store
from digest.store import schema
from digest.store.database import open_engine, transaction
from digest.store.merge import merge_batch
from digest.store.subscribers import NewSubscriber, add_many
from digest.store.tables import DeliveryRow, table
from tests.builders import NOON, a_batch, a_listing, some_interests
from tests.postgres import create_database

ROOT = Path(__file__).resolve().parents[2]
SIZES = (10_000, 100_000)
DAYS = 10
PAPERS = 1_000
CHUNK = 5_000
MOST_MB = 250


def filled(engine: Engine, subscribers: int) -> None:
    """Subscribers with three interests each, and for each a digest of ten picks a day, sent."""
    schema.upgrade(engine)
    with transaction(engine) as session:
        listings = [a_listing(f"Paper {n}", arxiv=f"2603.{n:05d}") for n in range(PAPERS)]
        merge_batch(session, a_batch(*listings), NOON)
    for first in range(0, subscribers, CHUNK):
        numbers = range(first, first + CHUNK)
        with transaction(engine) as session:
            people = add_many(session, [_reader(n) for n in numbers], NOON)
            for day in range(DAYS):
                rows = [_delivery(person.id, day) for person in people]
                session.connection().execute(insert(table(DeliveryRow)), rows)


def _reader(number: int) -> NewSubscriber:
    phrases = (f"topic {number % 997}", f"topic {number % 499}", f"method {number % 211}")
    return NewSubscriber(
        email=f"reader{number}@example{number % 40}.com",
        status=Status.ACTIVE,
        interests=some_interests(*dict.fromkeys(phrases)),
        next_digest_at=NOON,
    )


def _delivery(person: int, day: int) -> dict[str, object]:
    picks = [
        {
            "paper_id": (person * 7 + day * 31 + n) % PAPERS + 1,
            "score": 0.9 - n / 100 + person % 89 / 9_000,
            "reason": {"where": "title", "interest": f"topic {n}", "words": ["topic"]},
        }
        for n in range(10)
    ]
    at = NOON - timedelta(days=day, milliseconds=person)
    return {
        "kind": "digest",
        "subscriber_id": person,
        "digest_on": at.date(),
        "state": "sent",
        "message_id": f"<digest.{person:020x}{day:020x}@papers.example>",
        "picks": json.dumps({"picks": picks}),
        "attempts": 1,
        "queued_at": at,
        "due_at": at,
        "begun_at": at,
        "sent_at": at,
        "smtp_code": 250,
        "smtp_reply": "2.0.0 Ok: queued",
    }


def measured(*arguments: str) -> dict[str, float]:
    """One step in a process of its own: its seconds, CPU-seconds and peak memory."""
    command = [sys.executable, "-m", "tests.benchmarks.test_move", *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def step(what: str, url: str, file: Path) -> None:
    """What such a process does."""
    engine = open_engine(url)
    began = time.perf_counter()
    if what == "export":
        with file.open("wb") as sink:
            export_store(engine, sink, NOON)
    elif what == "import":
        schema.upgrade(engine)
        with file.open("rb") as source:
            import_store(engine, source)
    else:
        back_up(engine, file)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "s": time.perf_counter() - began,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "mb": _peak_mb(),
    }
    sys.stdout.write(json.dumps(told))
    engine.dispose()


def _peak_mb() -> float:
    """Of this process alone: what getrusage tells begins with the memory of its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@pytest.mark.bench
@pytest.mark.parametrize("subscribers", SIZES)
def test_ten_deliveries_a_subscriber_move_in_the_same_memory(
    tmp_path: Path, durable_postgres: str, subscribers: int
) -> None:
    sqlite, back = (f"sqlite:///{tmp_path / name}.sqlite3" for name in ("store", "back"))
    engine = open_engine(sqlite)
    filled(engine, subscribers)
    engine.dispose()
    postgres = create_database(durable_postgres, f"moved_{subscribers}")
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    steps: Sequence[tuple[str, str, str, Path]] = (
        ("backup of SQLite", "backup", sqlite, tmp_path / "backup.sqlite3"),
        ("export of SQLite", "export", sqlite, first),
        ("import into PostgreSQL", "import", postgres, first),
        ("export of PostgreSQL", "export", postgres, second),
        ("import into SQLite", "import", back, second),
    )
    print(f"\n{subscribers:,} subscribers, {subscribers * DAYS:,} deliveries")
    for name, what, url, file in steps:
        found = measured(what, url, str(file))
        size = file.stat().st_size / 1e6
        print(
            f"{name}: {found['s']:.0f} s, {found['cpu_s']:.0f} CPU-s, {found['mb']:.0f} MB peak; "
            f"file {size:,.0f} MB"
        )
        assert found["mb"] < MOST_MB
    assert first.read_bytes() == second.read_bytes()


if __name__ == "__main__":
    step(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
