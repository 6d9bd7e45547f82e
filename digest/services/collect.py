"""Collect: fetch the sources, merge their batches into the store, and say how each one fared."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.papers import Batch, Outcome, Rejected
from digest.domain.rhythm import Asked, next_ask
from digest.errors import SourceError
from digest.faultpoints import reach
from digest.services.alone import Wall, alone
from digest.sources.http import HttpClient, shown
from digest.sources.prison import PRISON
from digest.sources.reader import SourceSpec, read, read_bytes, read_file
from digest.store import sources as memory
from digest.store.database import reading, transaction
from digest.store.merge import merge_batch

AT_ONCE = 4
NAME_MOST = 80
PATIENCE = 60  # looks, one a second, at whether another process is done with collecting


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """How one source fared: what it listed, what of it was new, and what could not be used."""

    source: str
    outcome: Outcome
    note: str
    listed: int = 0
    new: int = 0
    known: int = 0
    changed_signals: int = 0
    rejected: tuple[Rejected, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether nothing of it could be used."""
        return self.outcome in (Outcome.BROKEN, Outcome.FAULT)

    @property
    def went_wrong(self) -> bool:
        """Whether a person should look at it."""
        return self.failed or bool(self.rejected)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedSource:
    """A source and how often it is to be asked; `every` None: at the rhythm of its kind."""

    spec: SourceSpec
    every: timedelta | None = None


def due_sources(
    engine: Engine, planned: Sequence[PlannedSource], now: datetime
) -> list[SourceSpec]:
    """The sources that are to be asked again by now, in the order of the config."""
    with reading(engine) as session:
        kept = {known.name: known for known in memory.list_sources(session)}
        asked = {p.spec.name: _asked(session, kept.get(p.spec.name)) for p in planned}
    return [
        p.spec for p in planned if next_ask(p.spec.kind, asked[p.spec.name], now, p.every) <= now
    ]


def _asked(session: Session, known: memory.SourceMemory | None) -> Asked:
    if known is None:
        return Asked()
    failed = known.last_outcome in memory.FAILURES
    return Asked(
        at=known.last_fetch_at,
        papers_at=known.last_papers_at,
        failures=memory.failures_in_row(session, known.name) if failed else 0,
    )


def collect_due(
    engine: Engine,
    planned: Sequence[PlannedSource],
    http: HttpClient,
    clock: Callable[[], datetime],
    *,
    owner: str,
    wall: Wall,
    stop: Callable[[], bool] = lambda: False,
) -> list[Collected]:
    """Collect the sources that are due, one process at a time: however many hosts there are, each
    source is asked as often as if there were one. `stop` is asked after each source too.

    While another process collects, wait for it, because composing comes next; but not for longer
    than a minute.
    """
    for _ in range(PATIENCE):
        if stop() or not due_sources(engine, planned, clock()):
            break
        with alone(engine, "collect", owner, wall) as ours:
            if ours:
                due = due_sources(engine, planned, clock())  # another may have asked just now
                return collect(engine, due, http, clock, each=lambda _done: stop())
        time.sleep(1)
    return []


def collect(
    engine: Engine,
    specs: Sequence[SourceSpec],
    http: HttpClient,
    clock: Callable[[], datetime],
    *,
    day: date | None = None,
    dry_run: bool = False,
    each: Callable[[Collected], object] = lambda _done: None,
) -> list[Collected]:
    """Fetch the sources side by side and merge them one after the other, in the given order.

    A source that fails stops no other. `each` is called as soon as a source is done. A dry run
    fetches and counts, and keeps nothing.
    """

    def fetch(spec: SourceSpec) -> Batch:
        with reading(engine) as session:
            known = memory.source_memory(session, spec.name)
        fresh = day is not None or dry_run  # the validators would hide what is asked for
        return read(
            spec,
            http,
            now=clock(),
            day=day,
            etag=None if fresh else known.etag,
            last_modified=None if fresh else known.last_modified,
        )

    reach("services.collect.begun")
    done = []
    if specs:
        PRISON.warm()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch") as pool:
        for batch in pool.map(fetch, specs):
            reach("services.collect.fetched")
            collected = keep(engine, batch, clock(), dry_run=dry_run)
            each(collected)
            done.append(collected)
    reach("services.collect.done")
    return done


def collect_file(
    engine: Engine,
    path: Path,
    form: str,
    now: datetime,
    *,
    day: date | None = None,
    dry_run: bool = False,
) -> Collected:
    """Merge one file of the format `form`; its source is called `file:` and the file's name."""
    source = f"file:{path.name[:NAME_MOST]}"
    try:
        batch = read_bytes(form, read_file(path), source=source, now=now, day=day)
    except SourceError as exc:
        return Collected(source=source, outcome=Outcome.BROKEN, note=str(exc))
    return keep(engine, batch, now, dry_run=dry_run)


def keep(engine: Engine, batch: Batch, now: datetime, *, dry_run: bool = False) -> Collected:
    """Merge one batch into the store and remember how its source fared, in one transaction.

    A dry run does the same and takes it all back.
    """
    kept = replace(batch, url=shown(batch.url) if batch.url else None)  # backups hold no passwords
    with transaction(engine) as session:
        merged = merge_batch(session, batch, now)
        memory.remember_batch(session, kept, merged)
        if dry_run:
            session.rollback()
    return Collected(
        source=batch.source,
        outcome=batch.outcome,
        note=batch.note,
        listed=merged.listed,
        new=merged.new,
        known=merged.known,
        changed_signals=merged.changed_signals,
        rejected=batch.rejected + merged.rejected,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceState:
    """A source as configured, and how it fared last."""

    name: str
    kind: str
    place: str
    configured: bool
    last_outcome: str | None
    last_note: str
    last_fetch_at: datetime | None
    last_papers_at: datetime | None


def source_states(engine: Engine, planned: Sequence[PlannedSource]) -> list[SourceState]:
    """The configured sources in their order, then those that were asked once and are gone."""
    with reading(engine) as session:
        seen = {known.name: known for known in memory.list_sources(session)}
    states = [
        _state(seen.pop(p.spec.name, memory.SourceMemory(name=p.spec.name)), p.spec)
        for p in planned
    ]
    return states + [_state(known, None) for known in seen.values()]


def _place(spec: SourceSpec) -> str:
    """Where a source is, for a listing: of an address no part that may hold a key or a password."""
    return str(spec.path or "") or shown(spec.url or "")


def _state(known: memory.SourceMemory, spec: SourceSpec | None) -> SourceState:
    kind = spec.kind if spec else known.kind
    return SourceState(
        name=known.name,
        kind=kind.value if kind else "",
        place=_place(spec) if spec else "",
        configured=spec is not None,
        last_outcome=known.last_outcome.value if known.last_outcome else None,
        last_note=known.last_note,
        last_fetch_at=known.last_fetch_at,
        last_papers_at=known.last_papers_at,
    )
