"""Long reads on PostgreSQL: thinking, or a reader who is slow, does not cost them their connection.

The server ends a transaction that is idle for longer than a third of a lease. Each of these is idle
for longer, in its middle.
"""

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from digest.domain.editions import Edition, EditionId
from digest.domain.subscribers import Preferences, Status, SuppressionReason
from digest.domain.tiers import Tier
from digest.errors import StoreError
from digest.services import suppress
from digest.services.backtest import Terms, backtest
from digest.services.knowledge import Knowledge
from digest.services.move.exports import export_store
from digest.services.roster import exported
from digest.services.rowfiles import Format
from digest.services.subscribe import Keys
from digest.services.suggest import suggest
from digest.store.database import open_engine, reading, transaction
from digest.store.merge import merge_batch
from digest.store.subscribers import NewSubscriber, add_many
from tests.builders import NOON, a_batch, a_listing, some_interests
from tests.reliability import record

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

IDLE_S = 0.4
KEYS = Keys(pepper="p" * 32, secret="s" * 32, domain="papers.example")
EMAILS = [f"p{number}@example.com" for number in range(3)]


@pytest.fixture
def strict(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A store with papers and people, whose server has little patience."""
    monkeypatch.setattr("digest.store.database.LEAST_S", IDLE_S)
    engine = open_engine(postgres_url, timedelta(seconds=IDLE_S))
    titles = (f"Continual learning, part {number}" for number in range(4))
    with transaction(engine) as session:
        merge_batch(session, a_batch(*map(a_listing, titles)), NOON)
        add_many(session, [a_reader(email) for email in EMAILS], NOON)
    for email in EMAILS:
        suppress.add(engine, email, SuppressionReason.REQUEST, now=NOON, keys=KEYS)
    yield engine
    engine.dispose()


def a_reader(email: str) -> NewSubscriber:
    return NewSubscriber(
        email=email,
        status=Status.ACTIVE,
        interests=some_interests("continual learning"),
        preferences=Preferences(),
        next_digest_at=NOON,
    )


def too_long(*_anything: object) -> None:
    """The time in which somebody thinks, or reads what was printed."""
    Event().wait(1.5 * IDLE_S)


def learning(engine: Engine) -> None:
    knowledge = Knowledge(Tier.CORE)
    with reading(engine) as session:
        knowledge.learn(session, NOON)
        edition = Edition(id=EditionId(0), cutoff_at=NOON, lookback_days=7)
        knowledge.ranker(session, edition, threshold=0.25, beyond=0)


def going_back(engine: Engine) -> None:
    backtest(engine, EMAILS[0], 1, NOON, Terms(lookback_days=7, threshold=0.25))


def suggesting(engine: Engine) -> None:
    with reading(engine) as session:
        suggest(session, "continual learning")


def exporting_people(engine: Engine) -> None:
    with exported(engine, Format.CSV) as lines:
        for _line in lines:
            too_long()


def exporting_suppressions(engine: Engine) -> None:
    for _line in suppress.export(engine):
        too_long()


def exporting_all(engine: Engine) -> None:
    export_store(engine, io.BytesIO(), NOON, too_long)


def thinks_after_papers(_connection: Any, _cursor: Any, statement: str, *_others: object) -> None:
    if "FROM papers" in statement:
        too_long()


@pytest.mark.parametrize(
    "read",
    [
        learning,
        going_back,
        suggesting,
        exporting_people,
        exporting_suppressions,
        exporting_all,
    ],
)
def test_a_read_that_takes_its_time_is_not_cut_off(
    read: Callable[[Engine], None], strict: Engine
) -> None:
    event.listen(strict, "after_cursor_execute", thinks_after_papers)
    read(strict)
    record("store faults", "long reads against the server's timeouts", tried=1, cut_off=0)


def test_a_read_that_did_not_ask_for_patience_is_cut_off_and_says_so(strict: Engine) -> None:
    one = text("SELECT 1")
    with pytest.raises(StoreError, match="silent for too long"), reading(strict) as session:
        session.execute(one)
        too_long()
        session.execute(one)
    with reading(strict) as session:
        assert session.execute(one).scalar_one() == 1
