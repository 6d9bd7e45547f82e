"""The daemon: APScheduler ticks over a schedule that is data; it keeps no state of its own.

Each tick asks the store what is due. A daemon that crashed, slept or runs twice changes nothing but
the delay, because the store decides what is due and the ledger is unique.
"""

import os
import signal
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import FrameType

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from digest import notify
from digest.app import App
from digest.errors import ConfigError, DigestError
from digest.services.collect import collect, due_sources
from digest.services.pauses import resume_due
from digest.services.signup import take_in
from digest.web.role import Web

log = structlog.get_logger("digest.daemon")

LOOK_S = 1.0


def told_within(told: SimpleQueue[None], seconds: float) -> bool:
    """Whether there was something in the queue, or came within these seconds.

    Who waits for a signal must not wait for ever: one that comes just before the waiting begins
    wakes nobody up, and its handler runs only when the interpreter goes on.
    """
    try:
        told.get(timeout=seconds)
    except Empty:
        return False
    return True


class Daemon:
    """Ticks: one job does everything in order, another sends in between, until told to stop."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._stop = threading.Event()
        # a handler of signals may interrupt `Event.wait` while it holds the lock that `set` needs;
        # this queue is made to be put into from there
        self._told: SimpleQueue[None] = SimpleQueue()
        self._sending = threading.Lock()

    def tick(self) -> None:
        """One look at everything that is due: sign-ups, sources, digests, mails, in this order."""
        self._guarded("intake", self._take_in)
        self._guarded("collect", self._collect)
        self._guarded("compose", self._compose)
        self.deliver()

    def deliver(self) -> None:
        """Send what the ledger holds, unless that is being done already."""
        if self._sending.acquire(blocking=False):
            try:
                self._guarded("deliver", self._deliver)
            finally:
                self._sending.release()

    def returns(self) -> None:
        """Read what came back by mail, and do what follows."""
        self._guarded("returns", self._returns)

    def stop(self) -> None:
        """Finish the messages in flight, claim no more, and end `run`."""
        self._stop.set()
        self._told.put(None)

    def run(self) -> None:
        """Tick until SIGTERM or SIGINT; messages in flight are finished first.

        Raises UsageError for a tier that is not installed, WeightsError where its files are
        damaged: before anything ran, for no later tick could compose either.
        """
        missing = self._app.composer.note
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        scheduler = BackgroundScheduler(timezone="UTC")
        tick_s = self._app.settings.daemon.tick_s
        jobs = [(self.tick, tick_s), (self.deliver, tick_s)]  # a slow source keeps no mail waiting
        if self._app.watches_mailbox:
            jobs.append((self.returns, 60 * self._app.settings.bounces.every_minutes))
        for job, every_s in jobs:
            # no grace limit: a tick that comes late is as good as one in time; missed ones are one
            scheduler.add_job(
                job,
                "interval",
                seconds=every_s,
                next_run_time=self._app.clock(),
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
            )
        web = self._web()
        scheduler.start()
        if web:
            web.start()
        log.info("started", tick_s=tick_s, sources=len(self._app.settings.sources))
        if missing:
            log.warning(missing)
        notify.ready("waiting for what is due")
        self._wait()
        log.info("stopping")
        notify.stopping()
        if web:
            web.stop()
        drained = self._drain(scheduler)
        log.info("stopped")
        if not drained:
            # the interpreter would wait for the threads of the jobs, for as long as a relay hangs
            os._exit(0)

    def _drain(self, scheduler: BackgroundScheduler) -> bool:
        """Wait for the running jobs, but not longer than `daemon.drain_s`; whether they ended.

        A delivery that is cut off then is settled by its lease.
        """
        waiter = threading.Thread(target=scheduler.shutdown, kwargs={"wait": True}, daemon=True)
        waiter.start()
        waiter.join(self._app.settings.daemon.drain_s)
        if waiter.is_alive():
            log.warning("drain_s is over, leaving the rest to the next start")
        return not waiter.is_alive()

    def _wait(self) -> None:
        """Until told to stop; systemd hears meanwhile that all is well."""
        every = notify.watchdog_every()
        while not told_within(self._told, min(every or LOOK_S, LOOK_S)):
            if every:
                notify.alive()
        self._stop.set()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._told.put(None)

    def _guarded(self, what: str, step: Callable[[], None]) -> None:
        """Run a step; what goes wrong in it is logged and does not end the daemon."""
        if self._stop.is_set():
            return
        try:
            step()
        except DigestError as exc:
            log.error(what, error=str(exc))  # noqa: TRY400  # a trace would say no more
        except Exception:  # a defect of ours in one step must not silence all later digests
            log.exception(what)

    def _web(self) -> Web | None:
        """The pages; None where none are wanted, or where another process has the port: the mails
        of the day must not wait for that.
        """
        if not self._app.settings.web.port:
            return None
        try:
            return Web(self._app, self.deliver)
        except ConfigError as exc:
            log.error("no web pages", error=str(exc))  # noqa: TRY400  # a trace would say no more
            return None

    def _take_in(self) -> None:
        resumed = resume_due(self._app.engine, self._app.clock())
        taken = take_in(self._app.engine, self._app.keys, self._app.clock()).taken
        if resumed or taken:
            log.info("taken in", sign_ups=taken, resumed=resumed)

    def _collect(self) -> None:
        app = self._app
        due = due_sources(app.engine, app.sources, app.clock())
        for done in collect(app.engine, due, app.http, app.clock):
            level = log.warning if done.went_wrong else log.info
            level(
                "collected",
                source=done.source,
                outcome=done.outcome.value,
                note=done.note,
                listed=done.listed,
                new=done.new,
                rejected=len(done.rejected),
            )

    def _compose(self) -> None:
        summary = self._app.compose(stop=self._stop.is_set)
        if summary.due:
            log.info("composed", **summary.as_fields())
        for email, error in summary.failed:
            log.error("not composed", email=email, error=error)

    def _deliver(self) -> None:
        summary = self._app.deliver(stop=self._stop.is_set)
        if summary.anything:
            log.info("delivered", **summary.as_fields())
        for email, problem in summary.problems:
            log.warning("not delivered", email=email, problem=problem)

    def _returns(self) -> None:
        summary = self._app.read_mailbox(self._stop.is_set)
        if summary.read:
            log.info("returned", **{k.replace(" ", "_"): n for k, n in summary.counts.items()})
        for name, problem in summary.problems:
            log.warning("returned mail not read", mail=name, problem=problem)
