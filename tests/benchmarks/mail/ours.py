"""Our own mails without sending them: from rows of a ledger to signed bytes."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from unittest.mock import patch

from digest.app import App
from digest.settings import load
from digest.store import ledger
from digest.store.database import transaction
from tests.benchmarks.mail.runs import LEASE, Cost
from tests.benchmarks.mail.world import DUE


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


def composed(settings: Mapping[str, str], count: int) -> tuple[Cost, list[Ready]]:
    """So many mails of a ledger, whose rows stay as they were; claiming them does not count."""
    with app(settings) as opened, transaction(opened.engine) as session:
        opened.mailroom.check()
        rows = ledger.claim(session, "composer", DUE, LEASE, count, wall=datetime.now(UTC))
        ready = []
        cpu, began = time.process_time(), time.perf_counter()
        for first in range(0, count, CLAIM):
            for one in opened.mailroom.outgoing(session, rows[first : first + CLAIM]):
                content = one.content()
                assert isinstance(content, bytes), content
                ready.append(Ready(one.sender, one.recipient, content))
        spent, wall = time.process_time() - cpu, time.perf_counter() - began
        session.rollback()
    size = sum(len(one.content) for one in ready) / count
    return Cost(messages=count, cpu_s=spent, wall_s=wall, size=size), ready


CLAIM = 250
