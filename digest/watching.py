"""What alerts stand on, put together from an app."""

import os
import socket
from functools import partial
from pathlib import Path

from sqlalchemy import make_url

from digest import parts
from digest.app import App
from digest.domain.alerts import Policy
from digest.services.alerts import Watch


def watch_of(app: App) -> Watch:
    """The watch over an app's store, sources, relay and disk."""
    chosen, host = app.settings.alerts, socket.gethostname()
    return Watch(
        engine=app.engine,
        policy=Policy(
            source_days=chosen.source_days,
            late_hours=chosen.late_hours,
            failure_rate=chosen.failure_rate,
        ),
        sources=app.sources,
        to=chosen.to,
        owner=f"{host}:{os.getpid()}",
        host=host,
        folder=app.loaded.path("."),
        store_file=_file(app.loaded.store_url),
        mailroom=lambda: app.mailroom,
        relay=partial(parts.relay, app.loaded),
        secret=app.keys.secret,
        domain=app.mail_domain,
    )


def _file(url: str) -> Path | None:
    """The file of a SQLite store."""
    parsed = make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    return Path(parsed.database) if is_file and parsed.database else None
