"""Several sender processes on one store: each claims its own batches, so none needs the others."""

import gc
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.context import BaseContext

from digest.app import App, present
from digest.errors import DigestError
from digest.services.deliver import Delivered
from digest.services.mailroom import Mailroom
from digest.services.senders import NO_SEAT
from digest.settings import Loaded, with_secrets
from digest.store import ledger
from digest.store.database import reading

PREPARED_MOST = 2_000  # digests whose papers are rendered before the senders begin


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
    context = _context(app)
    try:
        with ProcessPoolExecutor(processes, mp_context=context, initializer=_watch_parent) as pool:
            runs = list(pool.map(partial(_deliver, loaded, now), shares))
    except BrokenProcessPool as exc:
        raise DigestError(
            "a sender process was killed: what it was sending is settled once its lease has run "
            "out; run 'digest deliver' again"
        ) from exc
    finally:
        _shared.clear()
    return _together(runs)


def _context(app: App) -> BaseContext:
    """How processes are begun: as copies of this one, which has rendered the papers that all of
    them will send, where that is safe: on Linux, and while no other thread could hold a lock.
    """
    if sys.platform != "linux" or threading.active_count() > 1:
        return get_context("spawn")
    with reading(app.engine) as session:
        app.mailroom.prepare(session, ledger.waiting(session, app.clock(), PREPARED_MOST))
    app.engine.dispose()  # no two processes may speak through one connection
    _shared.append(app.mailroom)
    gc.collect()
    gc.freeze()  # what is never looked at by the collector stays one copy for all
    return get_context("fork")


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
        app = App(loaded, (lambda: now) if now else present)
        if _shared:
            app.mailroom = _shared[0]
        return app.deliver(limit=limit, insist=True, stop=_orphaned.is_set)


_shared: list[Mailroom] = []  # what copies of this process find ready
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
