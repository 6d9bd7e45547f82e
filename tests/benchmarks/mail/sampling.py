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
from collections import Counter
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
WAITS = ("wait", "_worker")  # as threads of a pool do that have nothing to do
Places = Counter[str]


@contextmanager
def sampled(own: Places, whole: Places) -> Iterator[None]:
    """Count, by place, the samples whose innermost call it is, and those with it on the stack."""

    def note(_signal: int, interrupted: FrameType | None) -> None:
        frame = _at_work(interrupted)
        own[_place(frame)] += 1
        seen = set()
        while frame:
            seen.add(_place(frame))
            frame = frame.f_back
        whole.update(seen)

    before = signal.signal(signal.SIGPROF, note)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _at_work(interrupted: FrameType | None) -> FrameType | None:
    """The frame that uses the CPU: where the main thread waits, that of a thread that does not."""
    if interrupted is None or interrupted.f_code.co_name != "select":
        return interrupted
    here = threading.get_ident()
    others = (frame for ident, frame in sys._current_frames().items() if ident != here)
    busy = (frame for frame in others if frame.f_code.co_name not in WAITS)
    return next(busy, interrupted)


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
        own, whole = Places(), Places()
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
        _table("own", own, cost)
        _table("with what it calls", whole, cost)


def _table(what: str, places: Places, cost: Cost) -> None:
    print(f"\n{'ms/mail':>8} {'share':>6}  {what}")
    every = max(places.values()) if what != "own" else places.total()
    for place, count in places.most_common(SHOWN):
        share = count / every
        print(f"{share * cost.cpu_s / cost.messages * 1e3:8.3f} {share:6.1%}  {place}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2_000)
