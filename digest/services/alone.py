"""Alone: what one process at a time does for all, such as asking the sources."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from sqlalchemy import Engine

from digest.errors import StoreError
from digest.store import leases
from digest.store.database import transaction

LEASE = timedelta(seconds=60)

Wall = Callable[[], datetime]
"""The present instant by the store's clock."""


@contextmanager
def alone(
    engine: Engine, what: str, owner: str, wall: Wall, lease: timedelta = LEASE
) -> Iterator[bool]:
    """Have `what` to oneself as long as the block lasts; gives False where another process has it.

    A thread renews the lease. A host that is cut off loses it after `lease`, so that what is done
    under it must do no harm done twice.
    """

    def take() -> bool:
        with transaction(engine) as session:
            return leases.take(session, what, owner, wall(), lease)

    if not take():
        yield False
        return
    over = threading.Event()
    every_s = lease.total_seconds() / 3
    keeper = threading.Thread(target=_keep, args=(take, every_s, over), daemon=True)
    keeper.start()
    try:
        yield True
    finally:
        over.set()
        keeper.join()
        with suppress(StoreError), transaction(engine) as session:  # else it runs out
            leases.leave(session, owner)


def _keep(take: Callable[[], bool], every_s: float, over: threading.Event) -> None:
    while not over.wait(every_s):
        with suppress(StoreError):
            take()
