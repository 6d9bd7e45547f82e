"""A ledger of ninety days on PostgreSQL: nothing that senders, composers and operators ask may grow
with the days that it holds, and a day is pruned in seconds, in small transactions.

DIGEST_BENCH_ROWS rows in all, a million by default; 9,000,000 were measured for docs/retention.md
(some 12 GB of disk).
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from digest.domain.digests import Digest, Pick, Reason, Skip, SkipReason, Where
from digest.domain.papers import PaperId
from digest.domain.retention import Keep, Policy
from digest.domain.subscribers import SubscriberId
from digest.services.prune import prune
from digest.store import contents, ledger, ledger_read, outbox, schema
from digest.store.database import open_engine, reading, transaction
from digest.store.due import due
from digest.store.ledger_read import Which
from digest.store.outbox import Outcome
from tests.builders import NOON
from tests.postgres import create_database, drop_database

pytestmark = [pytest.mark.bench, pytest.mark.postgres]

ROWS = int(os.environ.get("DIGEST_BENCH_ROWS", "1000000"))
DAYS = 90
LOOKS = (10, 30, 90)
READERS = ROWS // DAYS
CHUNK = 500
TRIES = 5
STEADY = 5
DAY = timedelta(days=1)
FIRST = NOON - (DAYS - 1) * DAY

_SOON = text("SET LOCAL synchronous_commit = off")
_PERSON = text(
    "INSERT INTO subscribers (email, email_key, status, timezone, hour, frequency, weekday,"
    " max_papers, empty_day, min_matches, text_only, next_digest_at, created_at, updated_at)"
    " SELECT 'reader' || n || '@example.com', 'reader' || n || '@example.com', 'active', 'UTC',"
    " n % 24, 'daily', 0, 10, 'trending', 1, false, :due, :now, :now"
    " FROM generate_series(1, :readers) AS n"
)
_MAIL = text(
    "INSERT INTO deliveries (kind, subscriber_id, digest_on, edition_id, token, state, reason,"
    " message_id, picks, attempts, doubtful, queued_at, due_at, begun_at, sent_at, smtp_code,"
    " smtp_reply)"
    " SELECT 'digest', reader, :day, :edition, '', :state, '',"
    " '<digest.' || md5(reader || ' ' || :mark) || '@papers.example>', pool.picks, 1, 0, :now,"
    " :now, :now, :now, 250, '2.0.0 Ok: queued as 4F1C2B3D'"
    " FROM generate_series(1, :readers) AS reader"
    " JOIN pool ON pool.n = (reader + :shift) % 1000"
)
_SENT = text("UPDATE deliveries SET state = 'sent' WHERE state = 'queued'")
_PAGES = text(
    "SELECT sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read)"
    " FROM pg_statio_user_tables WHERE relname IN ('deliveries', 'subscribers')"
)
_INDEXES = text(
    "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'deliveries'"
    " AND indexname NOT LIKE 'pk%'"
)


@dataclass(frozen=True)
class Ledger:
    """A store with readers, and the digests of so many days."""

    engine: Engine

    def open(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(_SOON)
            connection.execute(_PERSON, {"readers": READERS, "now": FIRST, "due": NOON + 30 * DAY})
            for name in ("deliveries", "subscribers"):  # `rest` does its work, at known times
                connection.execute(text(f"ALTER TABLE {name} SET (autovacuum_enabled = off)"))
            connection.execute(text("CREATE TABLE pool (n int PRIMARY KEY, picks text)"))
            pool = [{"n": n, "picks": picks(n)} for n in range(1_000)]
            connection.execute(text("INSERT INTO pool VALUES (:n, :picks)"), pool)

    def fill(self, days: range) -> None:
        """These days' mails, all of them sent; indexes are built afterwards, as a copy would."""
        with self.engine.begin() as connection:
            indexes = connection.execute(_INDEXES).all()
            for name, _ in indexes:
                connection.execute(text(f"DROP INDEX {name}"))
        for number in days:
            self.add(number, "sent")
        with self.engine.begin() as connection:
            connection.execute(text("SET LOCAL maintenance_work_mem = '1GB'"))
            for _, definition in indexes:
                connection.execute(text(definition))

    def add(self, number: int, state: str = "queued") -> None:
        """The mails of the day of that number; yesterday's are sent by now."""
        now = FIRST + number * DAY
        edition = text(
            "INSERT INTO editions (cutoff_at, lookback_days) VALUES (:now, 7) RETURNING id"
        )
        with self.engine.begin() as connection:
            connection.execute(_SOON)
            if state == "queued":
                connection.execute(_SENT)
            else:  # without looking up each row's parents
                connection.execute(text("SET LOCAL session_replication_role = replica"))
            made = connection.execute(edition, {"now": now}).scalar_one()
            values = {"day": now.date(), "now": now, "edition": made, "readers": READERS}
            more = {"mark": str(number), "shift": number * 7, "state": state}
            connection.execute(_MAIL, values | more)

    def rest(self) -> None:
        """What autovacuum does in the hours between."""
        with self.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text("VACUUM ANALYZE deliveries"))
            connection.execute(text("ANALYZE subscribers"))

    def sizes(self) -> str:
        with self.engine.connect() as connection:
            sizes = connection.execute(
                text(
                    "SELECT pg_table_size('deliveries') / 1e9, pg_indexes_size('deliveries') / 1e9"
                )
            ).one()
        return f"{sizes[0]:.2f} GB of rows, {sizes[1]:.2f} GB of indexes"


def picks(seed: int) -> str:
    """Ten picks as the ledger keeps them, some 700 bytes."""
    dice = random.Random(seed)
    return contents.content_to_json(
        Digest(
            digest_on=NOON.date(),
            picks=tuple(
                Pick(
                    paper_id=PaperId(dice.randrange(1, 500_000)),
                    score=round(dice.random(), 3),
                    relevance=round(dice.random(), 3),
                    trend=round(dice.random(), 3),
                    reason=Reason(where=Where.TITLE, interest="graph networks", words=("graph",)),
                )
                for _ in range(6)
            ),
        )
    )


@pytest.fixture
def book(durable_postgres: str) -> Iterator[Ledger]:
    url = create_database(durable_postgres, "retention")
    engine = open_engine(url)
    schema.upgrade(engine)
    yield Ledger(engine)
    engine.dispose()
    drop_database(durable_postgres, "retention")


@dataclass(frozen=True)
class Cost:
    """What one question takes: the least milliseconds of some tries, which depend on whatever else
    the machine does, and the pages of 8 KB that it looks at, which do not.
    """

    ms: float
    pages: int


def cost(engine: Engine, work: Callable[[], object]) -> Cost:
    work()
    spent, before = [], looked_at(engine)
    for _ in range(TRIES):
        began = time.perf_counter()
        work()
        spent.append(1_000 * (time.perf_counter() - began))
    return Cost(min(spent), (looked_at(engine) - before) // TRIES)


def looked_at(engine: Engine) -> int:
    """The pages of the ledger and of the readers that were looked at so far."""
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
    with engine.begin() as connection:
        return int(connection.execute(_PAGES).scalar_one())


def asked(engine: Engine, now: datetime) -> dict[str, Cost]:
    """What each thing takes that is asked of the ledger all day long; nothing of it stays."""
    ids = [SubscriberId(n) for n in range(READERS // 2, READERS // 2 + CHUNK)]
    tomorrow = (now + DAY).date()

    def claim() -> None:
        with transaction(engine) as session:
            assert len(ledger.claim(session, "bench", now, timedelta(seconds=30), 200)) == 200
            session.rollback()

    def insert() -> None:
        written = [_skip(number, tomorrow) for number in ids]
        with transaction(engine) as session:
            assert len(outbox.write_outcomes(session, written, now)) == CHUNK
            session.rollback()

    def again() -> None:
        written = [_skip(number, now.date()) for number in ids]
        with transaction(engine) as session:
            assert not outbox.write_outcomes(session, written, now)
            session.rollback()

    def read(what: Callable[[Any], object]) -> Callable[[], None]:
        def run() -> None:
            with reading(engine) as session:
                what(session)

        return run

    return {
        "claim of 200": cost(engine, claim),
        "sent memory of 500": cost(
            engine, read(lambda session: ledger_read.sent_before(session, ids, now - 7 * DAY))
        ),
        "who is due": cost(engine, read(lambda session: due(session, now, limit=CHUNK))),
        "mails due": cost(engine, read(lambda session: ledger_read.due_count(session, now))),
        "500 new digests": cost(engine, insert),
        "500 that are there": cost(engine, again),
        "stats of 7 days": cost(
            engine, read(lambda session: ledger_read.stats_by_day(session, now, 7))
        ),
        "list": cost(engine, read(ledger_read.list_deliveries)),
        "list of one reader": cost(
            engine,
            read(
                lambda session: ledger_read.list_deliveries(
                    session, Which(email="reader77@example.com")
                )
            ),
        ),
    }


def _skip(number: SubscriberId, day: date) -> Outcome:
    content = Skip(digest_on=day, reason=SkipReason.NO_MATCHES)
    return Outcome(subscriber_id=number, content=content, edition_id=None)


def pruned(engine: Engine, oldest: datetime, now: datetime) -> Cost:
    """Prune the oldest day; what a thousand rows of it take."""
    days = (now - oldest).days
    keep = Policy(keep=Keep(deliveries_days=days), lookback_days=1)
    before, began = looked_at(engine), time.perf_counter()
    done = prune(engine, keep, now + timedelta(hours=13))
    spent = time.perf_counter() - began
    assert not done.problems
    assert READERS <= sum(done.rows.values()) <= READERS + 1
    thousands = READERS / 1_000
    return Cost(1_000 * spent / thousands, round((looked_at(engine) - before) / thousands))


def told(looks: dict[int, dict[str, Cost]]) -> None:
    print(" " * 24 + "".join(f"{days:>10} days: ms   pages" for days in looks))
    for what in looks[LOOKS[0]]:
        found = [look[what] for look in looks.values()]
        print(f"{what:<24}" + "".join(f"{one.ms:>18.1f}{one.pages:>8,}" for one in found))


def test_a_ledger_of_ninety_days_answers_as_one_of_ten(book: Ledger) -> None:
    book.open()
    looks: dict[int, dict[str, Cost]] = {}
    gone = filled = 0
    for days in LOOKS:
        book.fill(range(filled, days - 1))
        book.add(days - 1)
        filled, now = days, FIRST + (days - 1) * DAY
        book.rest()
        looks[days] = asked(book.engine, now)
        print(f"\n{days} days of {READERS:,} readers: {book.sizes()}")
        looks[days]["prune 1,000 rows"] = pruned(book.engine, FIRST + gone * DAY, now)
        gone += 1
    last = DAYS + STEADY
    for number in range(DAYS, last):  # a day comes, a day goes
        book.add(number)
        book.rest()
        took = pruned(book.engine, FIRST + gone * DAY, FIRST + number * DAY)
        gone += 1
    looks[last] = asked(book.engine, FIRST + (last - 1) * DAY) | {"prune 1,000 rows": took}
    print(f"\nafter {gone} days were pruned: {book.sizes()}")
    told(looks)
    for what, first in looks[LOOKS[0]].items():
        for days in (DAYS, last):
            assert looks[days][what].pages <= 1.5 * first.pages + 100, (what, days)
