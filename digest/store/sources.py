"""Sources and batches: HTTP validators for the next fetch, and how each fetch fared."""

from dataclasses import dataclass, fields
from datetime import datetime
from itertools import takewhile

from sqlalchemy import RowMapping, bindparam, insert, select, text, update
from sqlmodel import Session

from digest.domain.papers import Batch, Outcome, SourceKind
from digest.store.merge import Merged
from digest.store.signals import source_id
from digest.store.tables import BatchRow, SourceRow, table

_sources = table(SourceRow)
_batches = table(BatchRow)

# In the very words of the partial index ix_batches_changing, or SQLite does not take it.
_CHANGING = text("(new > 0 OR changed_signals > 0)")
_LAST_CHANGE = (
    select(_batches.c.merged_at)
    .where(_CHANGING, _batches.c.merged_at <= bindparam("until"))
    .order_by(_batches.c.merged_at.desc())
    .limit(1)
)
_ALL = select(_sources).order_by(_sources.c.name)
_BY_ID = select(_sources).where(_sources.c.id == bindparam("number"))
_BY_NAME = select(_sources).where(_sources.c.name == bindparam("source"))
_ADDED = insert(_batches).returning(_batches.c.id)
_USABLE = (Outcome.PAPERS, Outcome.EMPTY, Outcome.QUIET)
# What a source that lives says; one that is empty for days on which it could bring papers is dead.
_GOOD = (Outcome.PAPERS, Outcome.UNCHANGED, Outcome.QUIET)


FAILURES = (Outcome.BROKEN, Outcome.FAULT)
_FAILURES_MOST = 10  # more make no difference


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceMemory:
    """What the store remembers of a source; all None where it was never asked.

    `last_papers_at` is the last fetch that brought papers, `last_success_at` the last that brought
    some or had good reason to bring none.
    """

    name: str
    kind: SourceKind | None = None
    etag: str | None = None
    last_modified: str | None = None
    last_outcome: Outcome | None = None
    last_note: str = ""
    last_fetch_at: datetime | None = None
    last_papers_at: datetime | None = None
    last_success_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchEntry:
    """One fetch as listings show it; the counts are those of `Merged`."""

    id: int
    source: str
    outcome: Outcome
    note: str
    fetched_at: datetime
    merged_at: datetime
    listed: int
    new: int
    known: int
    rejected: int
    changed_signals: int


def remember_batch(session: Session, batch: Batch, merged: Merged) -> int:
    """Write down the fetch and how its source fared; gives the batch's row id.

    The validators are taken over only from a reply that could be used, and not from one for a day
    that the operator asked for: its address is another.
    """
    number = source_id(session, batch.source, batch.kind)
    before = session.execute(_BY_ID, {"number": number}).mappings().one()
    values = _fared(batch, before["last_fetch_at"]) | _validators(batch)
    session.execute(update(_sources).where(_sources.c.id == number).values(values))
    row = {
        "source_id": number,
        "outcome": batch.outcome,
        "note": batch.note,
        "fetched_at": batch.fetched_at,
        "merged_at": merged.at,
        "url": batch.url,
        "listed": merged.listed,
        "new": merged.new,
        "known": merged.known,
        "rejected": len(batch.rejected) + len(merged.rejected),
        "changed_signals": merged.changed_signals,
    }
    return int(session.execute(_ADDED, row).scalar_one())


def source_memory(session: Session, name: str) -> SourceMemory:
    """What the store remembers of the source; an empty memory where it was never asked."""
    found = session.execute(_BY_NAME, {"source": name}).mappings().first()
    return _memory(found) if found else SourceMemory(name=name)


def failures_in_row(session: Session, name: str) -> int:
    """How many of the source's last fetches failed one after the other; counts to 10."""
    latest = (
        select(_batches.c.outcome)
        .join_from(_batches, _sources, _batches.c.source_id == _sources.c.id)
        .where(_sources.c.name == name)
        .order_by(_batches.c.id.desc())
        .limit(_FAILURES_MOST)
    )
    outcomes = session.scalars(latest)
    return sum(1 for _ in takewhile(lambda outcome: outcome in FAILURES, outcomes))


def list_sources(session: Session) -> list[SourceMemory]:
    """Every source that was ever asked, by name."""
    found = session.execute(_ALL).mappings()
    return [_memory(row) for row in found]


def list_batches(session: Session, limit: int = 50) -> list[BatchEntry]:
    """The batches, the latest first; `limit` 0 gives all."""
    columns = [_batches.c[field.name] for field in fields(BatchEntry) if field.name != "source"]
    query = select(_sources.c.name.label("source"), *columns).join_from(
        _batches, _sources, _batches.c.source_id == _sources.c.id
    )
    query = query.order_by(_batches.c.fetched_at.desc(), _batches.c.id.desc())
    found = session.execute(query.limit(limit) if limit else query).mappings()
    return [BatchEntry(**dict(row) | {"outcome": Outcome(row["outcome"])}) for row in found]


def last_change(session: Session, until: datetime) -> datetime | None:
    """When, up to `until`, a batch last brought new papers or changed signals; None for never.

    What a clock that was ahead wrote into the future does not count.
    """
    return session.execute(_LAST_CHANGE, {"until": until}).scalar()


def _fared(batch: Batch, last_fetch_at: datetime | None) -> dict[str, object]:
    fetched_at = max(batch.fetched_at, last_fetch_at or batch.fetched_at)
    fared: dict[str, object] = {
        "kind": batch.kind,
        "last_outcome": batch.outcome,
        "last_note": batch.note,
        "last_fetch_at": fetched_at,
    }
    if batch.outcome is Outcome.PAPERS:
        fared["last_papers_at"] = fetched_at
    if batch.outcome in _GOOD:
        fared["last_success_at"] = fetched_at
    return fared


def _validators(batch: Batch) -> dict[str, object]:
    if batch.batch_on is not None or batch.outcome not in _USABLE:
        return {}
    return {"etag": batch.etag, "last_modified": batch.last_modified}


def _memory(row: RowMapping) -> SourceMemory:
    return SourceMemory(
        name=row["name"],
        kind=SourceKind(row["kind"]),
        etag=row["etag"],
        last_modified=row["last_modified"],
        last_outcome=Outcome(row["last_outcome"]) if row["last_outcome"] else None,
        last_note=row["last_note"],
        last_fetch_at=row["last_fetch_at"],
        last_papers_at=row["last_papers_at"],
        last_success_at=row["last_success_at"],
    )
