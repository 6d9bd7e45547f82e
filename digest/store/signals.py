"""Signals: runs of equal readings of a paper's attention, by source and the source's day."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, bindparam, insert, select, update
from sqlmodel import Session

from digest.domain.papers import Attention, Batch, Listing, PaperId, Signal, SourceKind
from digest.store.papers import CHUNK, chunks
from digest.store.tables import SignalRow, SourceRow, table

_signals = table(SignalRow)
_sources = table(SourceRow)
_SOURCE_ID = select(_sources.c.id).where(_sources.c.name == bindparam("source"))
_READINGS: dict[str, Any] = {
    name: bindparam(name) for name in ("held_until", "upvotes", "comments", "stars")
}
_PROLONG = update(_signals).where(_signals.c.id == bindparam("run")).values(_READINGS)
_STOOD = (
    select(_signals.c.source_id, _signals.c.listed_on)
    .distinct()
    .where(_signals.c.paper_id.in_(bindparam("papers", expanding=True)))
)
_RUNS = (
    select(_signals)
    .where(
        _signals.c.source_id == bindparam("source"),
        _signals.c.paper_id.in_(bindparam("papers", expanding=True)),
        _signals.c.listed_on.between(bindparam("first"), bindparam("last")),
    )
    .order_by(_signals.c.read_at)
)

PaperDay = tuple[PaperId, date]


def listing_day(batch: Batch, listing: Listing) -> date:
    """The source's day of a listing (CONTRACT: "Batch date").

    The operator's day, else the source's own, else the day of publication, else the day of the
    fetch in UTC. A day that is yet to come anywhere on Earth is a mistake and counts as none.
    """
    fetched_on = batch.fetched_at.astimezone(UTC).date()
    if batch.batch_on:
        return batch.batch_on
    days = (listing.listed_on, listing.published_on)
    return next((d for d in days if d and d <= fetched_on + timedelta(days=1)), fetched_on)


def richer(one: Attention, other: Attention) -> Attention:
    """Of two readings at one instant, the higher counts: a paper may stand twice in one batch."""

    def most(a: int | None, b: int | None) -> int | None:
        return max((n for n in (a, b) if n is not None), default=None)

    return Attention(
        upvotes=most(one.upvotes, other.upvotes),
        comments=most(one.comments, other.comments),
        stars=most(one.stars, other.stars),
    )


def record_readings(
    session: Session, source_id: int, at: datetime, readings: Mapping[PaperDay, Attention]
) -> set[PaperId]:
    """Write what one source showed at `at`; gives the papers whose signals changed by it.

    The same counts as before prolong their run, other counts begin a new one. A reading older than
    the latest run is history: it is added where no run covers its instant.
    """
    runs = _runs(session, source_id, readings)
    begun, moved, changed = [], [], set()
    for (paper_id, day), attention in readings.items():
        run = _run_at(runs[paper_id, day], at)
        if run is None or (run.held_until <= at and run.ends_with(attention, at)):
            begun.append(_row(paper_id, source_id, day, at, attention))
            changed.add(paper_id)
        elif run.held_until <= at:
            seen = richer(run.attention, attention)  # more only at the very instant of the run
            moved.append({"run": run.id, "held_until": at} | asdict(seen))
            if seen != run.attention:
                changed.add(paper_id)
    _write(session, begun, moved)
    return changed


def signals_around(session: Session, paper_ids: Iterable[PaperId]) -> list[Signal]:
    """All signals of all papers in the source-days in which these papers stand.

    A rank within the day means something only beside all that stood there. Ordered by source, day,
    paper and time.
    """
    days: dict[int, set[date]] = defaultdict(set)
    for chunk in chunks(dict.fromkeys(paper_ids), CHUNK):
        for source_id, day in session.execute(_STOOD, {"papers": chunk}):
            days[source_id].add(day)
    names = source_names(session)
    return [
        signal_from(row, names[source_id])
        for source_id in sorted(days, key=lambda number: names[number])
        for chunk in chunks(sorted(days[source_id]), CHUNK)
        for row in session.execute(_of_days(source_id, chunk))
    ]


def signals_of(session: Session, paper_ids: Iterable[PaperId]) -> dict[PaperId, list[Signal]]:
    """Each paper's own signals, ordered by time."""
    names = source_names(session)
    found: dict[PaperId, list[Signal]] = defaultdict(list)
    for chunk in chunks(dict.fromkeys(paper_ids), CHUNK):
        query = select(_signals).where(_signals.c.paper_id.in_(chunk))
        for row in session.execute(query.order_by(_signals.c.read_at, _signals.c.id)):
            found[row.paper_id].append(signal_from(row, names[row.source_id]))
    return dict(found)


def source_id(session: Session, name: str, kind: SourceKind) -> int:
    """The source's row id; the row is made where there is none."""
    found = session.execute(_SOURCE_ID, {"source": name}).scalar()
    if found is not None:
        return int(found)
    made = insert(_sources).values(name=name, kind=kind, last_note="").returning(_sources.c.id)
    return int(session.execute(made).scalar_one())


def source_names(session: Session) -> dict[int, str]:
    """The sources' names by their row ids."""
    found = session.execute(select(_sources.c.id, _sources.c.name))
    return {row.id: row.name for row in found}


@dataclass(frozen=True, slots=True)
class _Run:
    id: int
    read_at: datetime
    held_until: datetime
    attention: Attention

    def ends_with(self, attention: Attention, at: datetime) -> bool:
        """Whether this reading begins another run; two of one instant are one reading."""
        return self.attention != attention and self.read_at < at


def _runs(
    session: Session, source_id: int, wanted: Iterable[PaperDay]
) -> dict[PaperDay, list[_Run]]:
    """The source's runs for these papers and days, in order of time."""
    runs: dict[PaperDay, list[_Run]] = defaultdict(list)
    papers = sorted({paper_id for paper_id, _ in wanted})
    days = sorted({day for _, day in wanted})
    for chunk in chunks(papers, CHUNK):
        asked = {"source": source_id, "papers": chunk, "first": days[0], "last": days[-1]}
        for row in session.execute(_RUNS, asked):
            run = _Run(row.id, row.read_at, row.held_until, _attention(row))
            runs[row.paper_id, row.listed_on].append(run)
    return runs


def _run_at(runs: list[_Run], at: datetime) -> _Run | None:
    """The last run that began at or before this instant."""
    return next((run for run in reversed(runs) if run.read_at <= at), None)


def _row(
    paper_id: PaperId, source_id: int, day: date, at: datetime, attention: Attention
) -> dict[str, object]:
    times = {"listed_on": day, "read_at": at, "held_until": at}
    return {"paper_id": paper_id, "source_id": source_id} | times | asdict(attention)


def _write(
    session: Session, begun: list[dict[str, object]], moved: list[dict[str, object]]
) -> None:
    connection = session.connection()
    if moved:
        connection.execute(_PROLONG, moved)
    if begun:
        connection.execute(insert(_signals), begun)


def _of_days(source_id: int, days: list[date]) -> Select[Any]:
    stood = _signals.c.source_id == source_id, _signals.c.listed_on.in_(days)
    order = _signals.c.listed_on, _signals.c.paper_id, _signals.c.read_at
    return select(_signals).where(*stood).order_by(*order)


def _attention(row: Row[Any]) -> Attention:
    return Attention(upvotes=row.upvotes, comments=row.comments, stars=row.stars)


def signal_from(row: Row[Any], source: str) -> Signal:
    """The signal of a row of the table, by the source's name."""
    return Signal(
        paper_id=PaperId(row.paper_id),
        source=source,
        listed_on=row.listed_on,
        read_at=row.read_at,
        held_until=row.held_until,
        attention=_attention(row),
    )
