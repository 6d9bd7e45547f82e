"""What a second process runs in the tests: it imports no more than it needs."""

from typing import Any

from digest.store import schema
from digest.store.database import open_engine


def upgrade_together(url: str, start: Any, results: Any) -> None:
    """Wait until all processes are here, then upgrade and report."""
    start.wait(30)
    engine = open_engine(url)
    results.put(schema.upgrade(engine))
    engine.dispose()
