"""The store's clock: leases and limits go by it on every host, whatever its own clock says."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine

from digest.store.database import clock_ahead


def steady() -> float:
    """Seconds since some instant, by a clock that nobody sets.

    Linux's counts on while the machine sleeps, which `time.monotonic` does not: a lease does not
    wait for that either.
    """
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class StoreClock:
    """The present instant by the store: asked for by `sync`, and counted on steadily from there, so
    that a host's clock that is set meanwhile changes no lease.

    On SQLite, which knows one host, it is the host's clock `now`.
    """

    def __init__(self, engine: Engine, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._now = now
        self._own = engine.dialect.name != "postgresql"
        self._since: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        """The instant, in UTC. Raises StoreError where the store was never asked and is silent."""
        if self._own:
            return self._now()
        if self._since is None:
            self.sync()
        instant, at = self._since or (self._now(), steady())
        return instant + timedelta(seconds=steady() - at)

    def sync(self) -> timedelta:
        """Ask the store anew; by how much it is ahead of the host's clock."""
        ahead = clock_ahead(self._engine, self._now)
        self._since = (self._now() + ahead, steady())
        return ahead
