"""The daily pruning, a step of the daemon."""

from datetime import datetime, timedelta

import structlog

from digest.app import App
from digest.daemon.steps import Stop
from digest.domain.retention import is_time

log = structlog.get_logger("digest.daemon")

LOOK_S = 600.0
# a fresh process prunes after an hour, unless its quiet hour comes before: not while it starts
_AT_FIRST = timedelta(hours=23)


class Pruning:
    """Prunes once a day, in the quiet hour of the settings; two daemons that do are harmless."""

    def __init__(self) -> None:
        self._last: datetime | None = None

    def __call__(self, app: App, stop: Stop) -> None:
        """Look whether it is time, and prune then."""
        now = app.clock()
        self._last = self._last or now - _AT_FIRST
        if not is_time(now, self._last, app.settings.retention.hour):
            return
        self._last = now
        done = app.prune(stop=stop)
        if done.anything:
            log.info("pruned", **done.as_fields())
        for kind, problem in done.problems:
            log.warning("not pruned", kind=kind.value, problem=problem)
