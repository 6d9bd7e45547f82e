"""Manners towards hosts: one request at a time in each lane, with a pause between two."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# arXiv asks for one request per 3 s on one connection, over API, RSS and OAI together (API manual)
ARXIV_SPACING_S = 3.0
SPACING_S = 0.5
REST_MOST_S = 86_400.0  # a host that asks for a century is asked again tomorrow


class Lane:
    """The requests to one host, or to a group of hosts that count as one."""

    def __init__(self, spacing_s: float) -> None:
        self.spacing_s = spacing_s
        self.not_before = float("-inf")
        self.resting_until = float("-inf")
        self.lock = threading.Lock()


class Pacing:
    """Hands out turns; safe from many threads. `clock` gives seconds, `sleep` waits for some."""

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lanes: dict[str, Lane] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, host: str) -> Iterator[None]:
        """Wait for the host's turn and hold it; the pause is counted from the end of the turn."""
        lane = self._lane(host)
        with lane.lock:
            wait = lane.not_before - self._clock()
            if wait > 0:
                self._sleep(wait)
            try:
                yield
            finally:
                lane.not_before = max(lane.not_before, self._clock() + lane.spacing_s)

    def hold_back(self, host: str, seconds: float) -> None:
        """Let nobody ask this host for so long: it said Retry-After."""
        lane = self._lane(host)
        lane.not_before = max(lane.not_before, self._clock() + seconds)

    def rest(self, host: str, seconds: float) -> None:
        """Remember that this host is not to be asked for so long, at most a day: nobody waits."""
        lane = self._lane(host)
        lane.resting_until = self._clock() + min(seconds, REST_MOST_S)

    def resting(self, host: str) -> float:
        """For how many seconds more the host is to be left alone."""
        return max(0.0, self._lane(host).resting_until - self._clock())

    def _lane(self, host: str) -> Lane:
        host = host.lower()
        arxiv = host == "arxiv.org" or host.endswith(".arxiv.org")
        with self._lock:
            return self._lanes.setdefault(
                "arxiv.org" if arxiv else host, Lane(ARXIV_SPACING_S if arxiv else SPACING_S)
            )
