"""Where the product is put on the virtual clock: the one list of what is exchanged, and why."""

import gc
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import cache, lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import sqlmodel
import structlog
from sqlalchemy import event

import digest.app
import digest.daemon.runner
import digest.daemon.steps
import digest.faultpoints
import digest.parts
import digest.ranking.match
import digest.ranking.statistics
import digest.ranking.vocabulary
import digest.services.alone
import digest.services.attempts
import digest.services.claims
import digest.services.collect
import digest.services.compose
import digest.services.deliver
import digest.services.knowledge
import digest.services.prune  # else a planted bug could stay in what is imported meanwhile
import digest.store.clock
import digest.store.turns
from digest.daemon.jobs import Job
from digest.daemon.pruning import Pruning
from digest.mail.render import Renderer
from digest.mail.theme import Theme
from digest.services.mailroom import Mailroom
from digest.sources.formats import parsed
from digest.sources.prison import Prison
from digest.store.turns import Start
from tests.faults.year.clock import World
from tests.faults.year.hosts import Look, composing, keeping, taking_in
from tests.faults.year.library import Library
from tests.faults.year.loop import Loop
from tests.faults.year.post import Post
from tests.faults.year.store import watching

Exchange = tuple[Any, str, Any]


class _Inline:
    """A pool of threads whose work is done at once: threads have an order of their own."""

    def __init__(self, *_args: object, **_named: object) -> None: ...

    def __enter__(self) -> "_Inline":
        return self

    def __exit__(self, *_exc: object) -> None: ...

    def map(self, work: Callable[[Any], Any], items: Any) -> Iterator[Any]:
        return map(work, items)


class _NoThread:
    """The thread that renews the lease on collecting, which takes less than a lease here."""

    def __init__(self, *_args: object, **_named: object) -> None: ...

    def start(self) -> None: ...

    def join(self) -> None: ...

    def set(self) -> None: ...


class _Log:
    """The daemon's log: what it logs as its own defect, or as a failing store, is a finding."""

    def __init__(self, world: World) -> None:
        self._world = world

    def exception(self, name: str, **_fields: object) -> None:
        import traceback

        self._complain(f"step {name} failed: {traceback.format_exc(limit=-6)}")

    def error(self, name: str, **fields: object) -> None:
        self._complain(f"step {name}: {fields}")

    def _complain(self, text: str) -> None:
        process = self._world.process
        if process is not None and not process.dead:
            self._world.complain(f"{process.name}: {text}")

    def warning(self, *_words: object, **_fields: object) -> None: ...

    info = debug = warning


def _jobs(world: World, library: Library, looks: list[Look]) -> tuple[Job, ...]:
    """The daemon's own jobs, their steps watched, and pruning with a memory of its own."""
    steps = {
        "intake": lambda real: taking_in(real, world),
        "compose": lambda real: composing(real, world, looks),
        "prune": lambda _real: Pruning(),
    }
    return tuple(
        replace(job, steps=tuple((name, steps.get(name, _same)(step)) for name, step in job.steps))
        for job in digest.daemon.runner.JOBS
    )


@cache
def _renderer(folder: Path | None, theme: Theme) -> Renderer:
    return Renderer(folder, theme)


def _same(step: Any) -> Any:
    return step


def _nothing_else(**_named: object) -> None:
    """A pool without background: interests are matched by their words."""


def _known(real: Callable[[str], Any]) -> Callable[[str], Any]:
    """What a text is made into, kept for as long as its paper is listed."""
    return lru_cache(maxsize=4_096)(real)


def _exchanges(world: World, relay: Callable[[], Any]) -> list[Exchange]:
    numbers = iter(range(1, 10**9))

    def owner() -> str:
        return f"{world.process.name if world.process else 'desk'}:{next(numbers):06d}"

    def run(work: Any) -> Any:
        assert world.process is not None
        return Loop(world, world.process).run(work)

    def steady() -> float:
        return world.steady

    timed = (
        digest.store.clock,
        digest.services.attempts,
        digest.services.claims,
        digest.app,
        digest.daemon.runner,
    )
    log = _Log(world)
    return [
        *((module, "steady", steady) for module in timed),
        (digest.app, "present", world.clock),
        (digest.daemon.runner, "present", world.clock),
        (digest.store.clock, "clock_ahead", lambda _engine, _now: timedelta(0)),
        (digest.app, "_owner", owner),
        (digest.services.deliver, "asyncio", SimpleNamespace(run=run)),
        (digest.services.collect, "time", SimpleNamespace(sleep=world.pause)),
        (digest.services.collect, "ThreadPoolExecutor", _Inline),
        (digest.services.alone, "threading", SimpleNamespace(Thread=_NoThread, Event=_NoThread)),
        (digest.parts, "relay", lambda _loaded: relay()),
        (digest.faultpoints, "ARMED", True),
        (digest.faultpoints, "_act", world.step),
        # to learn the store anew at each look changes nothing but the time it takes
        (digest.daemon.steps, "RANKING_LASTS", timedelta(days=9_999)),
        # what is read in a child process takes a while that no virtual clock counts
        (Prison, "parsed", lambda _prison, *about, **named: parsed(*about, **named)),
        (Prison, "warm", lambda _prison: None),
        # a small world's statistics: tables for a million words take most of the time
        (digest.ranking.statistics, "_SLOTS", 1 << 12),
        (digest.ranking.statistics, "_SHIFT", np.uint64(52)),
        # what a phrase is about takes half of composing, and is for the ranker's tests to judge
        (digest.services.knowledge, "Background", _nothing_else),
        (digest.services.knowledge, "texts_before", lambda *_args: ()),
        # matrices of some dozens of papers keep no second core busy
        (digest.services.compose, "one_blas_thread", lambda: nullcontext),
        # the same few papers are read at each look
        (digest.ranking.match, "tokens", _known(digest.ranking.vocabulary.tokens)),
        (digest.ranking.statistics, "stems", _known(digest.ranking.vocabulary.stems)),
        # to read the templates takes a fresh process longer than a day of its life
        (digest.parts, "Renderer", _renderer),
        # templates do not change meanwhile, and every run looks at all of them first
        (Mailroom, "check", lambda _mailroom: None),
        (digest.daemon.runner, "log", log),
        (digest.daemon.steps, "log", log),
    ]


@contextmanager
def on_virtual_clock(
    world: World, seed: int, post: Post, library: Library, looks: list[Look]
) -> Iterator[None]:
    """The product goes by the world's clock, and sends to that relay, within this block."""
    advance = digest.store.turns.advance

    def advanced(session: Any, *args: Any) -> Any:
        done = advance(session, *args)
        started = {int(number) for number, start in done.starts.items() if start is Start.BEGUN}
        session.info["begun"] = started
        return done

    def committed(session: Any) -> None:
        if world.process is None or world.locked:  # a savepoint
            return
        if started := session.info.pop("begun", None):
            post.begun(started)
        if act := session.info.pop("act", None):
            act()
        world.step("committed")

    exchanges = [
        *_exchanges(world, post.relay),
        (digest.store.turns, "advance", advanced),
        (digest.daemon.runner, "JOBS", _jobs(world, library, looks)),
        (digest.services.collect, "keep", keeping(digest.services.collect.keep, world, library)),
    ]
    before = [(thing, name, getattr(thing, name)) for thing, name, _ in exchanges]
    state, threshold = random.getstate(), gc.get_threshold()
    random.seed(seed)  # the jitter of retries
    event.listen(sqlmodel.Session, "after_commit", committed)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[_silent])
    try:
        for thing, name, value in exchanges:
            setattr(thing, name, value)
        with watching(world):
            yield
    finally:
        for thing, name, value in before:
            setattr(thing, name, value)
        event.remove(sqlmodel.Session, "after_commit", committed)
        random.setstate(state)
        gc.set_threshold(*threshold)
        structlog.reset_defaults()


def _silent(_logger: object, _name: str, _event: object) -> str:
    raise structlog.DropEvent
