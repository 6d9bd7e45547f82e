"""The step that compares this host with the store: its clock, and its program's schema."""

from datetime import timedelta

import structlog

from digest.app import App
from digest.daemon.steps import Stop
from digest.store.version import NEWEST, newer

log = structlog.get_logger("digest.daemon")

LOOK_S = 600.0
OFF_MOST = timedelta(seconds=3)


def looking(app: App, _stop: Stop) -> None:
    """Warn where this host's clock is off, and where the store is a newer program's."""
    ahead = app.wall().sync()
    if abs(ahead) > OFF_MOST:
        log.warning(
            "this host's clock is not the store's: let NTP set it",
            store_ahead_s=round(ahead.total_seconds(), 1),
        )
    if found := newer(app.engine):
        log.warning(
            "the store is a newer program's: upgrade this host too", schema=found, known=NEWEST
        )
