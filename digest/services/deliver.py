"""Deliver: send what the ledger holds, and record every answer."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from digest.faultpoints import reach
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
    reach("services.deliver.begun")
    senders = Senders(post, options, stop)
    try:
        with _seldom_collecting():
            asyncio.run(senders.run())
        reach("services.deliver.sent")
    finally:
        with transaction(post.engine) as session:
            ledger.release(session, options.owner)
    reach("services.deliver.done")
    return senders.summary


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Look for garbage in circles more seldom: mails leave hardly any, and to look through all that
    is kept for them took a tenth of the time.
    """
    before = gc.get_threshold()
    gc.set_threshold(50_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
