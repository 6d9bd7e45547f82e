"""Where the senders' CPU goes: `python -m tests.benchmarks.mail.sampling sqlite|postgres [MAILS]`.

Sends a ledger with one process to smtp-sink, and interrupts it every millisecond of its CPU time to
note the stack. That slows nothing down, unlike a tracing profiler, which makes small functions look
dear. Prints milliseconds of CPU per message, by function: its own, and with what it called.
"""

import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from tests.benchmarks.mail import ours
from tests.benchmarks.mail.plans import write_key
from tests.benchmarks.mail.runs import environment
from tests.benchmarks.mail.servers import sink
from tests.benchmarks.mail.world import Ledgers
from tests.postgres import running_server

EVERY_S = 0.001
SHOWN = 40
Places = Counter[str]


@contextmanager
def sampled(own: Places, whole: Places) -> Iterator[None]:
    """Count, by place, the samples whose innermost call it is, and those with it on the stack."""

    def note(_signal: int, frame: FrameType | None) -> None:
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


def _place(frame: FrameType | None) -> str:
    if frame is None:
        return "?"
    code = frame.f_code
    return f"{'/'.join(Path(code.co_filename).parts[-3:])}:{code.co_qualname}"


def main(engine: str, mails: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sampling-")))
        ledgers = Ledgers(folder)
        if engine == "postgres":
            server = stack.enter_context(running_server(durable=True))
            store = ledgers.postgres(server, mails)
        else:
            store = ledgers.sqlite(mails)
        port = stack.enter_context(sink())
        settings = environment(store, port, folder, 10, write_key(folder / "key.pem"))
        app = stack.enter_context(ours.app(settings))
        app.mailroom.check()
        own, whole = Places(), Places()
        cpu, began = time.process_time(), time.perf_counter()
        with sampled(own, whole):
            done = app.deliver()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - began
        assert done.sent == mails, done
        print(f"{mails} sent: {cpu / mails * 1e3:.3f} ms CPU each, {mails / wall:.0f}/s")
        _table("own", own, cpu, mails)
        _table("with what it calls", whole, cpu, mails)


def _table(what: str, places: Places, cpu: float, mails: int) -> None:
    print(f"\n{'ms/mail':>8} {'share':>6}  {what}")
    every = max(places.values()) if what != "own" else places.total()
    for place, count in places.most_common(SHOWN):
        share = count / every
        print(f"{share * cpu / mails * 1e3:8.3f} {share:6.1%}  {place}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2_000)
