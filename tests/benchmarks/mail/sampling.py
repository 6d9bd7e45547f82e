"""Where the senders' CPU goes: `python -m tests.benchmarks.mail.sampling WHAT [MAILS]`.

WHAT is sqlite, postgres or compose: a ledger sent with one process to smtp-sink, or mails made and
not sent. Every millisecond of CPU time the stack is noted. That slows nothing down, unlike a
tracing profiler, which makes small functions look dear. Prints milliseconds of CPU per message, by
function: its own, and with what it called.
"""

import signal
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from tests.benchmarks.mail import ours
from tests.benchmarks.mail.plans import write_key
from tests.benchmarks.mail.runs import Cost, environment, told
from tests.benchmarks.mail.servers import sink
from tests.benchmarks.mail.world import Ledgers
from tests.postgres import running_server

EVERY_S = 0.001
SHOWN = 40
Places = defaultdict[str, float]


class Threads:
    """How much CPU each thread has used since the last look."""

    def __init__(self) -> None:
        self._used: dict[int, float] = {}

    def spent(self) -> dict[int, float]:
        """Seconds by thread."""
        return {ident: self._since(ident) for ident in sys._current_frames()}

    def _since(self, ident: int) -> float:
        used = time.clock_gettime(time.pthread_getcpuclockid(ident))
        before, self._used[ident] = self._used.get(ident, used), used
        return used - before


@contextmanager
def sampled(own: Places, whole: Places) -> Iterator[None]:
    """Add to each place the seconds in which it was the innermost call, or on the stack.

    Python tells of the tick late: after a call that lets other threads run, such as one into a
    cryptographic library. So each thread gets the time that its own clock says.
    """
    threads, main = Threads(), threading.main_thread().ident

    def note(_signal: int, interrupted: FrameType | None) -> None:
        frames = sys._current_frames()
        for ident, spent in threads.spent().items():
            frame = interrupted if ident == main else frames.get(ident)
            own[_place(frame)] += spent
            seen = set()
            while frame:
                seen.add(_place(frame))
                frame = frame.f_back
            for place in seen:
                whole[place] += spent

    before = signal.signal(signal.SIGPROF, note)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _place(frame: FrameType | None) -> str:
    if frame is None:
        return "?"
    code = frame.f_code
    return f"{'/'.join(Path(code.co_filename).parts[-3:])}:{code.co_qualname}"


def main(what: str, mails: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sampling-")))
        ledgers = Ledgers(folder)
        if what == "postgres":
            server = stack.enter_context(running_server(durable=True))
            store = ledgers.postgres(server, mails)
        else:
            store = ledgers.sqlite(mails)
        port = stack.enter_context(sink())
        settings = environment(store, port, folder, 10, write_key(folder / "key.pem"))
        own, whole = Places(float), Places(float)
        if what == "compose":
            with sampled(own, whole):
                cost = ours.composed(settings, mails)[0]
        else:
            app = stack.enter_context(ours.app(settings))
            app.mailroom.check()
            cpu, began = time.process_time(), time.perf_counter()
            with sampled(own, whole):
                done = app.deliver()
            spent, wall = time.process_time() - cpu, time.perf_counter() - began
            assert done.sent == mails, done
            cost = Cost(messages=mails, cpu_s=spent, wall_s=wall)
        told(what, cost)
        _table("own", own, sum(own.values()), cost)
        _table("with what it calls", whole, sum(own.values()), cost)


def _table(what: str, places: Places, total: float, cost: Cost) -> None:
    print(f"\n{'ms/mail':>8} {'share':>6}  {what}")
    dearest = sorted(places.items(), key=lambda item: -item[1])
    for place, spent in dearest[:SHOWN]:
        share = spent / total
        print(f"{share * cost.cpu_s / cost.messages * 1e3:8.3f} {share:6.1%}  {place}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2_000)
