"""The daemon's pulse: whether what is at work still gives signs of life.

A step gives one each time it asks whether to stop, which it does between its parts. systemd is told
that all is well only as long as there is a pulse, so that a step that hangs for ever ends in a
restart; what it held goes back to the ledger with its lease.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# longer than any part takes: to learn a store of half a million papers, to wait for a hanging relay
# (smtp.data_timeout_s is 600), or for a source
BOUND_S = 900.0
TICKS = "ticks"


class Pulse:
    """Signs of life by name; `steady` gives the seconds of a clock that nobody sets."""

    def __init__(self, steady: Callable[[], float], bound_s: float = BOUND_S) -> None:
        self._steady = steady
        self._bound_s = bound_s
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {TICKS: steady()}

    @contextmanager
    def at_work(self, name: str) -> Iterator[Callable[[], None]]:
        """Something of that name is at work in this block; gives what to call as a sign of life."""

        def beat() -> None:
            with self._lock:
                self._seen[name] = self._seen[TICKS] = self._steady()

        beat()
        try:
            yield beat
        finally:
            with self._lock:
                self._seen.pop(name, None)
                self._seen[TICKS] = self._steady()

    def missing(self) -> list[str]:
        """What gave no sign of life for too long; `ticks` where nothing was even begun."""
        with self._lock:
            since = self._steady() - self._bound_s
            return sorted(name for name, seen in self._seen.items() if seen < since)
