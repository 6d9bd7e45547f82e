"""A host's clock that is set back: APScheduler would wait for an instant that comes once more."""

from collections.abc import Callable
from datetime import datetime

AT_LEAST_S = 2.0  # NTP slews a clock by half a millisecond a second at most


class SetBack:
    """Notices it, by a clock that nobody sets: `steady` gives its seconds."""

    def __init__(self, clock: Callable[[], datetime], steady: Callable[[], float]) -> None:
        self._clock = clock
        self._steady = steady
        self._ahead = self._now_ahead()

    def noticed(self) -> bool:
        """Whether the clock was set back since the last look, by AT_LEAST_S or more."""
        before, self._ahead = self._ahead, self._now_ahead()
        return self._ahead <= before - AT_LEAST_S

    def _now_ahead(self) -> float:
        return self._clock().timestamp() - self._steady()
