"""Merge a batch into the papers: one row per work, whatever source, version or spelling.

`identities` decides what is what; this module brings it the stored papers that a batch can mean,
and writes what it decided. Look-ups and writes go by chunks, never by listing.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlmodel import Session

from digest.domain.papers import Alias, Attention, Batch, Listing, PaperId, Rejected, Scheme
from digest.errors import InvalidInput
from digest.store import feedback
from digest.store.identities import Identities, Name, TitleKey, Work, identifiers_of, title_key
from digest.store.papers import IS_IDENTIFIER, IS_TITLE, chunks, paper_from, row_of, surviving
from digest.store.signals import PaperDay, listing_day, record_readings, richer, source_id
from digest.store.tables import AliasRow, MergedPaperRow, PaperRow, SignalRow, table

CHUNK = 500
HIGHEST_COUNT = 2**31 - 1

MERGE_LOCK = 4_919_202_602  # any number that nothing else on the server uses

_papers = table(PaperRow)
_aliases = table(AliasRow)
_merged = table(MergedPaperRow)
_signals = table(SignalRow)
_NAMED = select(_aliases).where(
    _aliases.c.scheme == bindparam("of"),
    _aliases.c.value.in_(bindparam("named", expanding=True)),
)
_TITLES, _IDENTIFIERS = _NAMED.where(IS_TITLE), _NAMED.where(IS_IDENTIFIER)
_NAMES_OF = select(_aliases).where(_aliases.c.paper_id.in_(bindparam("papers", expanding=True)))
_PAPERS = select(_papers).where(_papers.c.id.in_(bindparam("papers", expanding=True)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """What merging a batch did, at the instant `at`.

    Of the `listed` entries `new` made a paper, `known` met one (in the store or earlier in the
    batch), and the rest is `rejected`: what the store refused, beyond what the parser had.
    `changed_signals` counts known papers whose attention changed.
    """

    at: datetime
    listed: int = 0
    new: int = 0
    known: int = 0
    rejected: tuple[Rejected, ...] = ()
    changed_signals: int = 0


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int  # in the batch, from 1
    listing: Listing


@dataclass(frozen=True, slots=True)
class _Placed:
    """A listing and its paper; None for a paper pruned long ago, of which nothing is kept."""

    entry: _Entry
    paper_id: PaperId | None


class _Outcome:
    """What came of the entries so far."""

    def __init__(self) -> None:
        self.placed: list[_Placed] = []
        self.created: set[PaperId] = set()
        self.rejected: list[tuple[int, Rejected]] = []


def merge_batch(session: Session, batch: Batch, now: datetime) -> Merged:
    """Merge the batch within the caller's transaction; papers it brings are first seen at `now`.

    A listing that the store refuses is named in `rejected` and stops no other. On PostgreSQL one
    batch is merged at a time, so that two sources cannot both make a row of the same new paper.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(MERGE_LOCK)))
    outcome = _Outcome()
    entries = [_Entry(number, listing) for number, listing in enumerate(batch.listings, start=1)]
    for chunk in chunks(entries, CHUNK):
        _merge_apart(session, chunk, now, outcome)
    # a later chunk may have united papers that an earlier one placed
    current = surviving(session, (p.paper_id for p in outcome.placed if p.paper_id is not None))
    created = {number for number in outcome.created if current[number] == number}
    changed = _record(session, batch, outcome.placed, current)
    return Merged(
        at=now,
        listed=len(entries),
        new=len(created),
        known=len(outcome.placed) - len(created),
        rejected=tuple(item for _, item in sorted(outcome.rejected, key=lambda pair: pair[0])),
        changed_signals=len(changed - created),
    )


def _merge_apart(session: Session, entries: list[_Entry], now: datetime, outcome: _Outcome) -> None:
    """Merge the entries; where the store refuses one, halve until it stands alone."""
    try:
        with session.begin_nested():
            placed, created = _merge(session, entries, now)
    except (StatementError, InvalidInput, ValueError, OverflowError) as exc:
        if isinstance(exc, DBAPIError) and not isinstance(exc, (DataError, IntegrityError)):
            raise  # the engine itself failed
        if len(entries) == 1:
            outcome.rejected.append((entries[0].number, _refused(entries[0], exc)))
            return
        half = len(entries) // 2
        _merge_apart(session, entries[:half], now, outcome)
        _merge_apart(session, entries[half:], now, outcome)
    else:
        outcome.placed += placed
        outcome.created |= created


def _refused(entry: _Entry, exc: Exception) -> Rejected:
    """Why, without the rows that an engine quotes after its first line."""
    cause = str(getattr(exc, "orig", None) or exc).partition("\n")[0][:200]
    title = entry.listing.title
    shown = title if len(title) <= 60 else title[:60] + "…"
    said = "".join(c if c.isprintable() else "�" for c in cause)
    return Rejected(
        where=f"entry {entry.number}", reason=f"{shown!r}: the store refused it: {said}"
    )


def _merge(
    session: Session, entries: list[_Entry], now: datetime
) -> tuple[list[_Placed], set[PaperId]]:
    for entry in entries:
        _require_storable(entry.listing)
    identities = _known(session, [entry.listing for entry in entries])
    taken = [(entry, identities.take(entry.listing, now)) for entry in entries]
    works = [work for work in identities.works if work.into is None]
    created = _insert_papers(session, [work for work in works if work.is_new], now)
    for work in works:
        for old in work.absorbed:
            _absorb(session, old, work.paper.id)
    _update_papers(session, [w for w in works if w.changed and w.paper.id not in created], now)
    _insert_names(session, works)
    return [_placed(entry, work) for entry, work in taken], created


def _placed(entry: _Entry, work: Work | None) -> _Placed:
    return _Placed(entry, work.survivor().paper.id if work else None)


def _require_storable(listing: Listing) -> None:
    """Raise InvalidInput for what one engine takes and the other does not."""
    if not listing.title.strip():
        raise InvalidInput("it has no title")
    texts = (listing.title, listing.abstract, *listing.authors, *listing.categories)
    try:
        is_plain = b"\0" not in "".join(texts).encode()
    except UnicodeEncodeError:
        is_plain = False
    if not is_plain:
        raise InvalidInput("its text holds a NUL or half of a surrogate pair")
    counts = (listing.attention.upvotes, listing.attention.comments, listing.attention.stars)
    for count in counts:
        if count is not None and not 0 <= count <= HIGHEST_COUNT:
            raise InvalidInput(f"a count of {count:.6g} is none: 0 to {HIGHEST_COUNT}")


def _known(session: Session, listings: Sequence[Listing]) -> Identities:
    """The stored papers that these listings can mean, each with all its names."""
    identities = Identities()
    owners: set[PaperId] = set()
    for name, owner in _owners(session, listings):
        if owner is None:
            identities.add_pruned(name)
        else:
            owners.add(owner)
    names: dict[PaperId, list[Name]] = defaultdict(list)
    for chunk in chunks(sorted(owners), CHUNK):
        for row in session.execute(_NAMES_OF, {"papers": chunk}):
            names[row.paper_id].append(_name(row))
    for chunk in chunks(sorted(owners), CHUNK):
        for paper in session.execute(_PAPERS, {"papers": chunk}).mappings():
            identities.add_stored(paper_from(paper), names[paper["id"]])
    return identities


def _owners(session: Session, listings: Sequence[Listing]) -> Iterator[tuple[Name, PaperId | None]]:
    """Every stored name that equals one of the listings', titles without regard to the author."""
    values: dict[Scheme, set[str]] = defaultdict(set)
    for listing in listings:
        for alias in identifiers_of(listing):
            values[alias.scheme].add(alias.value)
        values[Scheme.TITLE] |= {key.title for key in title_key(listing)}
    for scheme, wanted in values.items():
        for chunk in chunks(sorted(wanted), CHUNK):
            asked = _TITLES if scheme is Scheme.TITLE else _IDENTIFIERS
            found = session.execute(asked, {"of": scheme.value, "named": chunk})
            yield from ((_name(row), row.paper_id) for row in found)


def _name(row: Row[Any]) -> Name:
    if row.scheme == Scheme.TITLE:
        return TitleKey(row.value, row.surname)
    return Alias(scheme=Scheme(row.scheme), value=row.value)


def _insert_papers(session: Session, works: list[Work], now: datetime) -> set[PaperId]:
    """Give the new works their rows and ids, in their order."""
    if not works:
        return set()
    rows = [row_of(work.paper) | {"updated_at": now} for work in works]
    query = insert(_papers).returning(_papers.c.id, sort_by_parameter_order=True)
    ids = [PaperId(number) for number in session.connection().execute(query, rows).scalars()]
    for work, number in zip(works, ids, strict=True):
        work.paper = replace(work.paper, id=number)
    return set(ids)


def _update_papers(session: Session, works: list[Work], now: datetime) -> None:
    if not works:
        return
    rows = [row_of(work.paper) | {"updated_at": now, "row": work.paper.id} for work in works]
    columns = [name for name in rows[0] if name != "row"]
    query = update(_papers).where(_papers.c.id == bindparam("row"))
    session.connection().execute(query.values({n: bindparam(n) for n in columns}), rows)


def _insert_names(session: Session, works: list[Work]) -> None:
    rows = [_alias_row(work, name) for work in works for name in sorted(work.fresh, key=str)]
    if rows:
        session.connection().execute(insert(_aliases), rows)


def _alias_row(work: Work, name: Name) -> dict[str, object]:
    if isinstance(name, TitleKey):
        named = {"scheme": Scheme.TITLE.value, "value": name.title, "surname": name.surname}
    else:
        named = {"scheme": name.scheme.value, "value": name.value, "surname": ""}
    return {"paper_id": work.paper.id, **named}


def _absorb(session: Session, old: PaperId, new: PaperId) -> None:
    """Move all that hangs on the paper `old` to `new`, and remember what became of it.

    Where both have the same title or reading, the kept paper's stays. Both are locked
    first: a vote that another transaction is writing on either is waited for, and whoever votes
    after that waits and finds the survivor (`papers.held`). SQLite has one writer anyhow.
    """
    both = select(_papers.c.id).where(_papers.c.id.in_((old, new))).order_by(_papers.c.id)
    session.execute(both.with_for_update())
    for rows, same in (
        (_aliases, ("scheme", "value", "surname")),
        (_signals, ("source_id", "listed_on", "read_at")),
    ):
        other = rows.alias()
        twin = select(other.c.id).where(
            other.c.paper_id == new, *(other.c[name] == rows.c[name] for name in same)
        )
        session.execute(delete(rows).where(rows.c.paper_id == old, twin.exists()))
        session.execute(update(rows).where(rows.c.paper_id == old).values(paper_id=new))
    feedback.unite(session, old, new)
    session.execute(update(_merged).where(_merged.c.paper_id == old).values(paper_id=new))
    session.execute(insert(_merged).values(old_id=old, paper_id=new))
    session.execute(delete(_papers).where(_papers.c.id == old))


def _record(
    session: Session, batch: Batch, placed: list[_Placed], current: dict[PaperId, PaperId]
) -> set[PaperId]:
    """Write the batch's readings: one for each paper and day, however often it is listed."""
    readings: dict[PaperDay, Attention] = {}
    for item in placed:
        if item.paper_id is not None:
            where = current[item.paper_id], listing_day(batch, item.entry.listing)
            reading = item.entry.listing.attention
            readings[where] = richer(readings.get(where, reading), reading)
    source = source_id(session, batch.source, batch.kind)
    return record_readings(session, source, batch.fetched_at, readings)
