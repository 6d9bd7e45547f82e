"""The window of the pages, opened when somebody looks through it, closed when nobody does any more.

The ranker and what it learns of the store take hundreds of megabytes, which a daemon whose pages
nobody visits must not hold.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from digest.domain.interests import Interest
from digest.services.memory import give_back
from digest.services.shown import Shown
from digest.store.clock import steady

if TYPE_CHECKING:
    from digest.services.window import Window

LASTS_S = 3600.0
FIRST_S = 3.0  # how long the first who looks waits for the papers; who comes later finds them
LOOK_S = 30.0


class OnDemand:
    """A `Window` that `make` makes, with its questions; a thread of its own follows the store as
    long as somebody has asked something within LASTS_S.
    """

    def __init__(self, make: "Callable[[], Window]", lasts_s: float = LASTS_S) -> None:
        self._make = make
        self._lasts_s = lasts_s
        self._lock = Lock()
        self._making = Lock()
        self._window: Window | None = None
        self._keeper: Thread | None = None
        self._asked_at = steady()
        self._open = Event()
        self._started = False
        self._stopping = Event()

    @property
    def ready(self) -> bool:
        """Whether there are papers to show now; asking this opens nothing."""
        window = self._window
        return window is not None and window.ready

    @property
    def at(self) -> datetime | None:
        """The instant of the papers shown; None before there are any."""
        self._ask()
        window = self._window
        return window.at if window else None

    def start(self) -> None:
        """Open from now on when somebody looks."""
        self._started = True

    def stop(self) -> None:
        """Close, and stay so."""
        self._stopping.set()
        self.close()

    def wait(self, timeout_s: float) -> bool:
        """Open, and wait until there are papers; whether there are."""
        self._ask()
        if not self._open.wait(timeout_s):
            return False
        window = self._window  # gone again only if the service stops meanwhile
        return window is not None and window.wait(timeout_s)

    def preview(
        self,
        interests: Sequence[Interest],
        *,
        max_papers: int = 10,
        threshold: float | None = None,
    ) -> Shown:
        """As `Window.preview`; who looks first waits a little for the papers."""
        self._ask()
        if self._started and not self.ready and not self.wait(FIRST_S):
            return Shown()
        window = self._window if self._started else self._opened()
        if window is None:
            return Shown()
        return window.preview(interests, max_papers=max_papers, threshold=threshold)

    def trending(self, limit: int = 10) -> Shown:
        """As `Window.trending`."""
        self._ask()
        window = self._window
        return window.trending(limit) if window else Shown()

    def related(self, phrase: str, limit: int = 8) -> list[str]:
        """As `Window.related`."""
        self._ask()
        window = self._window
        return window.related(phrase, limit) if window else []

    def refresh(self) -> bool:
        """As `Window.refresh`."""
        return self._opened().refresh()

    def close(self) -> None:
        """Let go of the papers, and of what was learnt, until somebody looks again."""
        self._close(unasked_s=0.0)

    def _close(self, unasked_s: float) -> bool:
        """Close unless somebody asked less than so many seconds ago; whether it is closed now."""
        with self._lock:  # whoever asks comes before this, and keeps it open, or opens it anew
            if unasked_s and steady() - self._asked_at < unasked_s:
                return False
            window, self._window, self._keeper = self._window, None, None
            self._open.clear()
        if window:
            window.stop()
            del window
            give_back()
        return True

    def _ask(self) -> None:
        with self._lock:
            self._asked_at = steady()
            closed = self._keeper is None or not self._keeper.is_alive()
            if self._started and closed and not self._stopping.is_set():
                self._keeper = Thread(target=self._keep, name="window keeper", daemon=True)
                self._keeper.start()

    def _opened(self) -> "Window":
        with self._making:
            window = self._window
            if window is None:
                window = self._make()
                with self._lock:
                    self._window = window
                    self._open.set()
            return window

    def _keep(self) -> None:
        """Open, and close again when nobody has looked for long."""
        self._opened().start()
        while not self._stopping.wait(LOOK_S):
            if self._close(self._lasts_s):
                return
        self.close()
