"""The daemon's process: it runs the jobs until told to stop, and the pages beside them."""

import os
import signal
import threading
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from digest import notify
from digest.app import App, present
from digest.daemon.equipment import looking
from digest.daemon.jobs import JOBS, Job
from digest.daemon.pulse import Pulse
from digest.daemon.reload import reread
from digest.daemon.setback import SetBack
from digest.daemon.signals import LOOK_S, Told
from digest.daemon.steps import Step
from digest.errors import ConfigError, DigestError
from digest.services import runs
from digest.store.clock import steady
from digest.web.machines import machines
from digest.web.server import Server

if TYPE_CHECKING:
    from digest.web.role import Web

log = structlog.get_logger("digest.daemon")


class Daemon:
    """Runs `JOBS` over an app."""

    def __init__(self, app: App, *, pages: bool = True) -> None:
        """`pages` False leaves the web pages to other processes."""
        self._app = app
        self._pages = pages
        self._stop = threading.Event()
        self._told = Told()
        self._pulse = Pulse(steady)
        self._missing: list[str] = []
        self._web: Web | None = None
        self._wanted: set[str] = set()
        self._running: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def tick(self) -> None:
        """One look at everything that is due: sign-ups, sources, digests, mails, in this order."""
        self.do("tick")

    def deliver(self) -> None:
        """Send what the ledger holds, unless that is being done already."""
        self.do("deliver")

    def returns(self) -> None:
        """Read what came back by mail, and do what follows."""
        self.do("returns")

    def do(self, name: str) -> None:
        """Run the job of that name once, now."""
        self._do(next(job for job in JOBS if job.name == name))

    def stop(self) -> None:
        """Finish the messages in flight, claim no more, and end `run`."""
        self._stop.set()
        self._told.put(signal.SIGTERM)

    def run(self) -> None:
        """Tick until SIGTERM or SIGINT; messages in flight are finished first. SIGHUP has the
        settings read again.

        Raises UsageError for a tier that is not installed, WeightsError where its files are
        damaged: before anything ran, for no later tick could compose either.
        """
        with looking(self._app.settings.ranking.tier) as missing_for_it:
            self._told.listen(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
            scheduler = BackgroundScheduler(timezone="UTC")
            for job in JOBS:
                self._schedule(scheduler, job)
            self._web = self._pages_if_wanted()
            figures = None if self._web else self._figures_if_wanted()
            missing = missing_for_it()
        servers: list[Web | Server] = [one for one in (self._web, figures) if one]
        for server in servers:
            server.start()
        scheduler.start()  # last: the first jobs would keep visitors and systemd waiting
        settings = self._app.settings
        log.info("started", tick_s=settings.daemon.tick_s, sources=len(settings.sources))
        if missing:
            log.warning(missing)
        notify.ready("waiting for what is due")
        self._wait(scheduler)
        log.info("stopping")
        notify.stopping()
        for server in servers:
            server.stop()
        drained = self._drain(scheduler)
        log.info("stopped")
        if not drained:
            # the interpreter would wait for the threads of the jobs, for as long as a relay hangs
            os._exit(0)

    def _schedule(self, scheduler: BackgroundScheduler, job: Job) -> None:
        every_s = job.every_s(self._app.settings)
        # no grace limit: a tick that comes late is as good as one in time; missed ones are one
        scheduler.add_job(
            self._do,
            "interval",
            args=(job,),
            id=job.name,
            seconds=every_s,
            next_run_time=self._app.clock() + timedelta(seconds=every_s if job.waits else 0),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

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

    def _wait(self, scheduler: BackgroundScheduler) -> None:
        """Until told to stop; systemd hears meanwhile that all is well."""
        every = notify.watchdog_every()
        back = SetBack(present, steady)
        while (told := self._told.within(every or LOOK_S)) in (None, signal.SIGHUP):
            if told:
                self._reload(scheduler)
            if back.noticed():
                log.warning("this host's clock was set back, so every job begins anew")
                for job in scheduler.get_jobs():  # each would wait for its old instant otherwise
                    job.modify(next_run_time=present())
            if self._is_alive() and every:
                notify.alive()
        self._stop.set()

    def _is_alive(self) -> bool:
        """Whether there is a pulse; what lacks one is told once."""
        missing = self._pulse.missing()
        if missing and missing != self._missing:
            log.error("no sign of life, so the watchdog is not fed", steps=missing)
        self._missing = missing
        return not missing

    def _reload(self, scheduler: BackgroundScheduler) -> None:
        """Read the settings again; what runs already goes on with the old ones."""
        notify.reloading()
        old, self._app = self._app, reread(self._app)
        if self._app is not old:
            for job in JOBS:
                every_s = job.every_s(self._app.settings)
                if every_s != job.every_s(old.settings):
                    scheduler.reschedule_job(job.name, trigger="interval", seconds=every_s)
            if self._web:
                self._web.renew(self._app)
        notify.ready("waiting for what is due")

    def _do(self, job: Job) -> None:
        with runs.run(job.name):
            for name, step in job.steps:
                self._once_at_a_time(name, step)

    def _once_at_a_time(self, name: str, step: Step) -> None:
        """Run a step, or have whoever runs it at this moment do so once more: it may have looked
        before there was anything to find.
        """
        self._wanted.add(name)
        running = self._running[name]
        while name in self._wanted and running.acquire(blocking=False):
            try:
                self._wanted.discard(name)
                self._guarded(name, step)
            finally:
                running.release()

    def _guarded(self, name: str, step: Step) -> None:
        """Run a step; what goes wrong in it is logged and does not end the daemon."""
        if self._stop.is_set():
            return
        try:
            with runs.stage(name), self._pulse.at_work(name) as beat:

                def stop() -> bool:
                    beat()
                    return self._stop.is_set()

                step(self._app, stop)
        except DigestError as exc:
            log.error(name, error=str(exc))  # noqa: TRY400  # a trace would say no more
        except Exception:  # a defect of ours in one step must not silence all later digests
            log.exception(name)

    def _figures_if_wanted(self) -> Server | None:
        """What machines ask, where no pages answer them, and as little a reason to send no mail."""
        try:
            return machines(self._app)
        except ConfigError as exc:
            log.error("no figures", error=str(exc))  # noqa: TRY400  # a trace would say no more
            return None

    def _pages_if_wanted(self) -> "Web | None":
        """The pages; None where none are wanted, or where another process has the port: the mails
        of the day must not wait for that.
        """
        if not (self._pages and self._app.settings.web.port):
            return None
        from digest.web.role import Web

        try:
            return Web(self._app, self.deliver)
        except ConfigError as exc:
            log.error("no web pages", error=str(exc))  # noqa: TRY400  # a trace would say no more
            return None
