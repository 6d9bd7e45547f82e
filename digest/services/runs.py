"""Runs: what the stages of one run did, summed up in one line of the log, and counted.

A run is a tick of the daemon or one command. Stages tell it what they did wherever they are called
from; outside of a run they are counted all the same.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from digest import observe
from digest.domain.deliveries import State
from digest.domain.digests import SkipReason

if TYPE_CHECKING:
    from digest.services.collect import Collected
    from digest.services.compose import Composed
    from digest.services.post import Delivered

log = structlog.get_logger("digest.run")


@dataclass(kw_only=True)
class Run:
    """The sums of one run."""

    fetched: int = 0
    new: int = 0
    sources_failed: int = 0
    composed: int = 0
    not_composed: int = 0
    skipped: Counter[SkipReason] = field(default_factory=Counter)
    states: Counter[State] = field(default_factory=Counter)
    waiting: int = 0
    stages_failed: list[str] = field(default_factory=list)

    @property
    def anything(self) -> bool:
        """Whether it did, or failed to do, anything."""
        sums = (self.fetched, self.composed, self.not_composed, self.waiting)
        return any(sums) or any((self.skipped, self.states, self.stages_failed))

    def as_fields(self, seconds: float) -> dict[str, object]:
        """The sums as log fields: the usual ones always, the others where they are not zero."""
        usual = (State.SENT, State.DEFERRED, State.FAILED)
        others = sorted(state for state in self.states if state not in usual)
        extra: dict[str, object] = {
            "sources_failed": self.sources_failed,
            "not_composed": self.not_composed,
            **{state.value: self.states[state] for state in others},
            "waiting": self.waiting,
            "stages_failed": ",".join(self.stages_failed),
        }
        return {
            "fetched": self.fetched,
            "new": self.new,
            "composed": self.composed,
            "skipped": self.skipped.total(),
            **{f"skipped_{why.value}": count for why, count in sorted(self.skipped.items())},
            **{state.value: self.states[state] for state in usual},
            "seconds": round(seconds, 3),
            **{name: value for name, value in extra.items() if value},
        }


_current: ContextVar[Run | None] = ContextVar("run", default=None)


@contextmanager
def run(what: str) -> Iterator[Run]:
    """One run, named `what` in its line; where it does nothing, no line is written."""
    began, mine = time.perf_counter(), Run()
    token = _current.set(mine)
    try:
        yield mine
    finally:
        _current.reset(token)
        if mine.anything:
            log.info("run", what=what, **mine.as_fields(time.perf_counter() - began))


@contextmanager
def stage(name: str) -> Iterator[None]:
    """One stage: how long it takes, whether it fails, and when it last did not."""
    try:
        with observe.STAGE_SECONDS.timed(name):
            yield
    except BaseException:
        observe.STAGE_FAILURES.add(1, name)
        if mine := _current.get():
            mine.stages_failed.append(name)
        raise
    observe.STAGE_SUCCESS.set(time.time(), name)


def fetched(done: "Collected") -> None:
    """A source was asked."""
    observe.BATCHES.add(1, done.source, done.outcome.value)
    observe.PAPERS.add(done.new, done.source)
    observe.REJECTED.add(len(done.rejected), done.source)
    if mine := _current.get():
        mine.fetched += 1
        mine.new += done.new
        mine.sources_failed += done.failed


def composed(done: "Composed") -> None:
    """Digests were composed."""
    for outcome, count in (("composed", done.composed), ("failed", len(done.failed))):
        if count:
            observe.DIGESTS.add(count, outcome)
    for why, count in done.skipped.items():
        observe.DIGESTS.add(count, why.value)
    if mine := _current.get():
        mine.composed += done.composed
        mine.not_composed += len(done.failed)
        mine.skipped += done.skipped


def delivered(done: "Delivered") -> None:
    """Mails were sent; each was counted when it was."""
    if mine := _current.get():
        mine.states += done.states
        mine.waiting = max(mine.waiting, done.waiting)
