"""Signals, as something to wait for."""

import signal
from queue import Empty, SimpleQueue
from types import FrameType

LOOK_S = 1.0


class Told:
    """The signals that came to this process, in their order.

    A handler may interrupt `Event.wait` while it holds the lock that `set` needs; a SimpleQueue is
    made to be put into from there.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[signal.Signals] = SimpleQueue()

    def listen(self, *numbers: signal.Signals) -> None:
        """Take these signals from now on; only the main thread may."""
        for number in numbers:
            signal.signal(number, self._take)

    def put(self, number: signal.Signals) -> None:
        """As if this signal had come."""
        self._queue.put(number)

    def within(self, seconds: float) -> signal.Signals | None:
        """The next signal, None where none comes within these seconds.

        Who waits must not wait for ever: a signal that comes just before the waiting begins wakes
        nobody up, and its handler runs only when the interpreter goes on.
        """
        try:
            return self._queue.get(timeout=min(seconds, LOOK_S))
        except Empty:
            return None

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self._queue.put(signal.Signals(number))
