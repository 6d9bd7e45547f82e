"""Runs the checks: side by side, each within its deadline, and none stops another."""

import queue
import threading
import time
from collections.abc import Iterable, Iterator, Sequence

from digest.domain.checkup import Area, Finding, cleaned, fail, unknown
from digest.errors import DigestError
from digest.services.doctor import (
    config,
    domain,
    hooks,
    host,
    keys,
    pages,
    relay,
    reverse,
    sources,
    store,
)
from digest.services.doctor.dns import NoReply
from digest.services.doctor.model import AGAIN, Check, Checkup, NotAsked, World


def plan(checkup: Checkup, world: World, areas: Sequence[Area] = ()) -> list[Check]:
    """The checks in the order of their areas; those of `areas` alone where any is named."""
    rooms = (config, store, host, sources, relay, keys, domain, reverse, pages, hooks)
    every = [check for room in rooms for check in room.checks(checkup, world)]
    order = list(Area)
    chosen = [check for check in every if not areas or check.area in areas]
    return sorted(chosen, key=lambda check: order.index(check.area))


def examine(
    checks: Iterable[Check], deadline_s: float, secrets: Sequence[str] = ()
) -> Iterator[Finding]:
    """What the checks find, in their order, as it comes; no secret stands in it.

    A check that raises or does not end in time gives a finding that says so.
    """
    runs = [_Run(check, deadline_s + check.extra.total_seconds()) for check in checks]
    for run in runs:
        for finding in run.findings():
            yield cleaned(finding, secrets)


class _Run:
    """One check in a thread of its own, which is left behind when its time is over."""

    def __init__(self, check: Check, seconds: float) -> None:
        self._check = check
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._found: queue.SimpleQueue[Finding | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=f"doctor-{check.name}", daemon=True).start()

    def findings(self) -> Iterator[Finding]:
        """What it finds until its deadline."""
        late = self._check.late
        while True:
            try:
                finding = self._found.get(timeout=max(0.0, self._until - time.monotonic()))
            except queue.Empty:
                yield late or self._unfinished()
                return
            if finding is None:
                return
            late = None
            yield finding

    def _unfinished(self) -> Finding:
        text = f"did not end within {self._seconds:g} s"
        mend = "give it longer with --seconds 60"
        return unknown(self._check.area, self._check.name, text, mend)

    def _work(self) -> None:
        check = self._check
        try:
            for finding in check.run():
                self._found.put(finding)
        except NotAsked as exc:
            self._found.put(unknown(check.area, check.name, str(exc), exc.mend))
        except NoReply as exc:
            self._found.put(unknown(check.area, check.name, str(exc), AGAIN))
        except DigestError as exc:
            text, mend = parted(str(exc))
            self._found.put(fail(check.area, check.name, text, mend))
        except Exception as exc:  # a fault of ours; its text may quote what is secret
            text = f"this check is broken ({type(exc).__name__})"
            mend = "report it as a bug of this program"
            self._found.put(unknown(check.area, check.name, text, mend))
        finally:
            self._found.put(None)


def parted(message: str) -> tuple[str, str]:
    """An error of ours in two: what is wrong, and what to do about it."""
    for mark in ("; ", ": "):
        wrong, _, mend = message.rpartition(mark)
        if wrong:
            return wrong, mend
    return message, "correct that setting; config.example.toml explains each"
