"""Our own mails without sending them: from rows of a ledger to signed bytes."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from unittest.mock import patch

from sqlmodel import Session

from digest.app import App
from digest.settings import load
from digest.store import ledger
from digest.store.database import transaction
from digest.store.ledger import Claimed
from tests.benchmarks.mail.runs import LEASE, Cost
from tests.benchmarks.mail.world import DUE

CLAIM = 250  # rows of which papers are read at once


@dataclass(frozen=True)
class Ready:
    """A mail as it goes out."""

    sender: str
    recipient: str
    content: bytes


@contextmanager
def app(settings: Mapping[str, str]) -> Iterator[App]:
    """The service over these settings, in this process."""
    with patch.dict(os.environ, settings, clear=True):
        opened = App(load(None), lambda: DUE)
        yield opened
        opened.engine.dispose()


def composed(settings: Mapping[str, str], count: int) -> tuple[Cost, Cost, list[Ready]]:
    """So many mails of a ledger, whose rows stay as they were, and the same again, when all that
    they have in common is known; claiming them does not count.
    """
    with app(settings) as opened, transaction(opened.engine) as session:
        opened.mailroom.check()
        rows = ledger.claim(session, "composer", DUE, LEASE, count, wall=datetime.now(UTC))
        first, ready = _made(opened, session, rows)
        again, _ = _made(opened, session, rows)
        session.rollback()
    return first, again, ready


def _made(opened: App, session: Session, rows: Sequence[Claimed]) -> tuple[Cost, list[Ready]]:
    ready = []
    cpu, began = time.process_time(), time.perf_counter()
    for first in range(0, len(rows), CLAIM):
        for one in opened.mailroom.outgoing(session, rows[first : first + CLAIM]):
            content = one.content()
            assert isinstance(content, bytes), content
            ready.append(Ready(one.sender, one.recipient, content))
    spent, wall = time.process_time() - cpu, time.perf_counter() - began
    size = sum(len(one.content) for one in ready) / len(ready)
    return Cost(messages=len(ready), cpu_s=spent, wall_s=wall, size=size), ready
