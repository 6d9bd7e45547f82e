"""The daemons of one host: they tick, are killed, stand still, and start anew knowing nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from digest.app import App
from digest.daemon import Daemon
from digest.domain.tiers import Tier
from digest.settings import Loaded, Settings
from tests.faults.year.clock import Dead, Process, World
from tests.faults.year.library import Http, Library, settings
from tests.faults.year.store import watched_engine


@dataclass(eq=False)
class Look:
    """One composing step: when it began and ended, and the instant that it took for the present.

    `intake_at` is when the step before it had ended the pauses that were over; `whole` says that it
    came to its end.
    """

    begun: float
    process: Process
    intake_at: datetime
    shown: datetime
    done: float = float("inf")
    whole: bool = False


class House(App):
    """The product's app, as one process makes it; it tells the oracle when it looked."""

    looked_at: datetime | None = None
    taken_in_at: datetime

    def _due_at(self) -> datetime:
        self.looked_at = super()._due_at()
        return self.looked_at


@dataclass(eq=False)
class Host:
    """One daemon's place: at most one process is up in it at a time."""

    name: str
    world: World
    library: Library
    loaded: Loaded
    looks: list[Look]
    process: Process = field(init=False)
    busy: set[str] = field(default_factory=set)
    starts: int = 0

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A fresh process; it knows nothing of the one before."""
        self.starts += 1
        self.busy = set()
        self.process = Process(f"{self.name}{self.starts}")
        self.app = House(self.loaded, self.world.clock)
        self.app.raw_engine = watched_engine(self.loaded.store_url)
        self.app.http = Http(self.world, self.library, self.process)  # type: ignore[assignment]
        self.daemon = Daemon(self.app, pages=False)

    def do(self, job: str) -> None:
        """Run one job of the daemon; one that still runs is left alone, as the scheduler does."""
        process = self.process
        if process.dead or job in self.busy or self.world.process is not process:
            return
        busy = self.busy
        busy.add(job)
        self.world.trace.tell(self.world, process.name, job)
        try:
            self.daemon.do(job)
        finally:
            busy.discard(job)
        self.world.trace.tell(self.world, process.name, job, "ends")


def composing(real: Callable[..., None], world: World, looks: list[Look]) -> Callable[..., None]:
    """The composing step, with its look written down."""

    def step(app: Any, stop: Any) -> None:
        assert world.process is not None
        look = Look(world.steady, world.process, app.taken_in_at, world.now())
        looks.append(look)
        defects = len(world.complaints)
        try:
            real(app, stop)
            look.whole = len(world.complaints) == defects and not stop()
        finally:
            look.shown = app.looked_at or look.shown
            look.done = world.steady

    return step


def taking_in(real: Callable[..., None], world: World) -> Callable[..., None]:
    """The intake step, with its instant written down."""

    def step(app: Any, stop: Any) -> None:
        app.taken_in_at, app.looked_at = world.now(), None
        real(app, stop)

    return step


def keeping(real: Callable[..., Any], world: World, library: Library) -> Callable[..., Any]:
    """What merges a batch, with what was merged told to the oracle."""

    def keep(engine: Engine, batch: Any, now: datetime, **named: Any) -> Any:
        assert world.process is not None
        handed = library.handed.pop((world.process.name, batch.source), ())
        try:
            done = real(engine, batch, now, **named)
        except Dead:
            library.perhaps_merged(handed, now)
            raise
        if not done.failed:
            library.merged(handed, now, world.steady)
        return done

    return keep


def loaded(folder: Path, store_url: str) -> Loaded:
    """The settings of the host: the lexical matcher, no signature, a store that forgets early."""
    made = Settings(
        secret_keys=("k" * 32,),
        pepper="p" * 32,
        store={"url": store_url},
        sender={"address": "digest@papers.example"},
        site={"url": "https://papers.example"},
        smtp={"connections": 2, "security": "none"},
        web={"port": 0},
        ranking={"tier": Tier.CORE, "beyond": 0},
        sources=settings(),
    )
    short = {"papers_days": 21, "least_papers": 30, "signals_days": 10, "deliveries_days": 400}
    kept = made.retention.model_copy(update=short)
    return Loaded(
        settings=made.model_copy(update={"retention": kept}), base=folder, config_file=None
    )
