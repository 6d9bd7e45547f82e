"""Several sender processes on one store: each claims its own batches, so none needs the others."""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context, parent_process

from digest.app import App
from digest.errors import DigestError
from digest.services.deliver import Delivered
from digest.services.senders import NO_SEAT
from digest.settings import Loaded, with_secrets


def deliver_with(
    app: App, processes: int, limit: int | None, now: datetime | None = None
) -> Delivered:
    """Deliver with so many processes side by side; `limit` is shared out among them.

    `now` replaces the clock of all of them. Raises DigestError, after all have ended, where one was
    killed.
    """
    app.mailroom.check()  # a wrong template must stop us before the first process starts
    loaded = with_secrets(app.loaded)  # made once, here, where they are missing
    processes = min(processes, app.settings.limits.connections or processes)
    shares = [None] * processes if limit is None else _shares(limit, processes)
    spawn = get_context("spawn")
    try:
        with ProcessPoolExecutor(processes, mp_context=spawn, initializer=_watch_parent) as pool:
            runs = list(pool.map(partial(_deliver, loaded, now), shares))
    except BrokenProcessPool as exc:
        raise DigestError(
            "a sender process was killed: what it was sending is settled once its lease has run "
            "out; run 'digest deliver' again"
        ) from exc
    return _together(runs)


def _together(runs: Sequence[Delivered]) -> Delivered:
    """What all of them did; one that found every seat taken by its own kind has lost nothing."""
    total = Delivered()
    seated = any(run.relay_error != NO_SEAT for run in runs)
    for run in runs:
        if seated and run.relay_error == NO_SEAT:
            run.relay_error = ""
        total.add(run)
    return total


def _deliver(loaded: Loaded, now: datetime | None, limit: int | None) -> Delivered:
    with _busy:
        app = App(loaded, lambda: now or datetime.now(UTC))
        return app.deliver(limit=limit, insist=True, stop=_orphaned.is_set)


_orphaned = threading.Event()
_busy = threading.Lock()


def _watch_parent() -> None:
    """Where the first process is killed, finish what is in the air and end: a pool's processes
    would wait for its next order for ever.
    """
    threading.Thread(target=_end_with_parent, name="watch-parent", daemon=True).start()


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
    _orphaned.set()
    with _busy:
        os._exit(1)


def _shares(limit: int, processes: int) -> list[int | None]:
    """`limit` in parts as equal as can be, empty ones left out."""
    parts = [limit // processes + (n < limit % processes) for n in range(processes)]
    return [part for part in parts if part]
