"""A heartbeat beside the event loop, in a thread of its own: whatever the recorder waits for, such
as a subscriber who is held elsewhere, must not cost the leases.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from digest.errors import StoreError


@contextlib.asynccontextmanager
async def heartbeat(every: timedelta, beat: Callable[[], None]) -> AsyncIterator[None]:
    """Beat as long as the block lasts, and not any more when it has ended."""
    with ThreadPoolExecutor(1, thread_name_prefix="heartbeat") as thread:
        task = asyncio.create_task(_go_on(thread, every, beat))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _go_on(thread: ThreadPoolExecutor, every: timedelta, beat: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(every.total_seconds())
        # a store that is busy now may not be at the next beat; two are missed at most
        with contextlib.suppress(StoreError):
            await loop.run_in_executor(thread, beat)
