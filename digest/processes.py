"""Several sender processes on one store: each claims its own batches, so none needs the others."""

from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context

from digest.app import App
from digest.services.deliver import Delivered
from digest.settings import Loaded, with_secrets


def deliver_with(
    app: App, processes: int, limit: int | None, now: datetime | None = None
) -> Delivered:
    """Deliver with so many processes side by side; `limit` is shared out among them.

    `now` replaces the clock of all of them.
    """
    app.mailroom.check()  # a wrong template must stop us before the first process starts
    loaded = with_secrets(app.loaded)  # made once, here, where they are missing
    shares = [None] * processes if limit is None else _shares(limit, processes)
    total = Delivered()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for done in pool.map(partial(_deliver, loaded, now), shares):
            total.add(done)
    return total


def _deliver(loaded: Loaded, now: datetime | None, limit: int | None) -> Delivered:
    return App(loaded, lambda: now or datetime.now(UTC)).deliver(limit=limit, insist=True)


def _shares(limit: int, processes: int) -> list[int | None]:
    """`limit` in parts as equal as can be, empty ones left out."""
    parts = [limit // processes + (n < limit % processes) for n in range(processes)]
    return [part for part in parts if part]
