"""Deliver: send what the ledger holds, and record every answer."""

import asyncio
from collections.abc import Callable

from digest.services.post import Delivered, DeliverOptions, Post
from digest.services.senders import Senders
from digest.store import ledger
from digest.store.database import transaction

__all__ = ("DeliverOptions", "Delivered", "Post", "deliver")


def deliver(
    post: Post, options: DeliverOptions, stop: Callable[[], bool] = lambda: False
) -> Delivered:
    """Send everything that is due in the ledger, at most `options.limit` messages.

    Returns when nothing is due now, when `stop()` turns true (messages in flight are finished), or
    when the relay cannot be used; what was claimed and not begun goes back to the queue.
    """
    senders = Senders(post, options, stop)
    try:
        asyncio.run(senders.run())
    finally:
        with transaction(post.engine) as session:
            ledger.release(session, options.owner)
    return senders.summary
