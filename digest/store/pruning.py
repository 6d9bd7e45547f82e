"""Delete what is no longer kept: a small part at a time, so that nobody waits for it.

Each step is one part in the caller's transaction, with at most AT_ONCE rows of its own table. On
PostgreSQL it takes rows that nobody holds at the moment and leaves the others to the next day, so
that senders never wait and two daemons may prune at once. A dry run walks the same way and deletes
nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlmodel import Session

from digest.domain.deliveries import State
from digest.domain.retention import VOTES_KEPT, Kind, Run, superfluous
from digest.domain.returns_policy import EventKind
from digest.store.merge import MERGE_LOCK
from digest.store.tables import (
    AddressChangeRow,
    AskedMailRow,
    BatchRow,
    BounceRow,
    DeliveryRow,
    EditionRow,
    FeedbackRow,
    InvitationRow,
    PaperRow,
    SignalRow,
    SignUpRow,
    VisitRow,
    table,
)

AT_ONCE = 1_000
PAPERS_AT_ONCE = 50  # with their names, signals and votes about as many rows as of the others
THINNED_AT_ONCE = 20

_deliveries = table(DeliveryRow)
_editions = table(EditionRow)
_bounces = table(BounceRow)
_sign_ups = table(SignUpRow)
_invitations = table(InvitationRow)
_changes = table(AddressChangeRow)
_asked = table(AskedMailRow)
_visits = table(VisitRow)
_batches = table(BatchRow)
_papers = table(PaperRow)
_signals = table(SignalRow)
_feedback = table(FeedbackRow)

# What has come to an end; all else waits, is in the air, or waits for the operator.
_ENDED = tuple(s.value for s in (State.SENT, State.FAILED, State.SKIPPED, State.CANCELLED))
# A report told again must not be acted upon again after a new sign-up, so its key stays.
_LASTING = (EventKind.COMPLAINT.value, EventKind.UNSUBSCRIBE.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What one step took: how many rows, and after which id the next step goes on; None where
    nothing is left.
    """

    rows: int
    after: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """What goes: rows from `before` the instant, as of `now`; a `dry_run` only counts them."""

    before: datetime
    now: datetime
    dry_run: bool = False


Which = Callable[[Cut], ColumnElement[bool]]


def _ended(cut: Cut) -> ColumnElement[bool]:
    day = _deliveries.c.digest_on
    past = or_(day.is_(None), day < cut.before.date())
    return and_(_deliveries.c.state.in_(_ENDED), _deliveries.c.queued_at < cut.before, past)


def _unused(cut: Cut) -> ColumnElement[bool]:
    """A dry run looks past the deliveries that would have gone before."""
    uses = _deliveries.c.edition_id == _editions.c.id
    used = exists().where(uses, ~_ended(cut)) if cut.dry_run else exists().where(uses)
    return and_(_editions.c.cutoff_at < cut.before, ~used)


def _returned(cut: Cut) -> ColumnElement[bool]:
    return and_(_bounces.c.happened_at < cut.before, _bounces.c.kind.not_in(_LASTING))


def _over(cut: Cut) -> ColumnElement[bool]:
    return or_(_invitations.c.expires_at < cut.before, _invitations.c.revoked_at < cut.before)


def _old_batch(cut: Cut) -> ColumnElement[bool]:
    """All but each source's latest, and the latest that changed anything."""
    latest = select(func.max(_batches.c.id)).group_by(_batches.c.source_id)
    changing = select(func.max(_batches.c.id)).where(text("(new > 0 OR changed_signals > 0)"))
    kept = _batches.c.id.not_in(latest.union_all(changing.having(func.max(_batches.c.id) > 0)))
    return and_(_batches.c.fetched_at < cut.before, kept)


# Kinds of which nothing but the age is asked: a table, and its rows that go.
_PLAIN: Mapping[Kind, tuple[Table, Which]] = {
    Kind.EDITIONS: (_editions, _unused),
    Kind.BOUNCES: (_bounces, _returned),
    Kind.SIGN_UPS: (_sign_ups, lambda cut: _sign_ups.c.received_at < cut.before),
    Kind.INVITATIONS: (_invitations, _over),
    Kind.ADDRESS_CHANGES: (_changes, lambda cut: _changes.c.asked_at < cut.before),
    Kind.ASKED_MAILS: (_asked, lambda cut: _asked.c.asked_at < cut.before),
    Kind.VISITS: (_visits, lambda cut: _visits.c.opens_at < int(cut.before.timestamp())),
    Kind.BATCHES: (_batches, _old_batch),
}


def plain(kind: Kind, session: Session, _after: int, cut: Cut) -> Part:
    """A part of a kind of which little more than the age is asked."""
    rows, which = _PLAIN[kind]
    condition = which(cut)
    if cut.dry_run:
        counted = session.scalar(select(func.count()).select_from(rows).where(condition))
        return Part(rows=int(counted or 0))
    keys = tuple(rows.primary_key.columns)
    picked = held(select(*keys).where(condition).limit(AT_ONCE))
    mine = tuple_(*keys).in_(select(*picked.c)) if len(keys) > 1 else keys[0].in_(select(*picked.c))
    number = _gone(session, rows, mine)
    return Part(rows=number, after=0 if number == AT_ONCE else None)


def complaints(session: Session, after: int, cut: Cut) -> Part:
    """Take the words out of old complaints and opt-outs by mail; that there was one stays."""
    spoken = and_(
        _bounces.c.id > after,
        _bounces.c.happened_at < cut.before,
        _bounces.c.kind.in_(_LASTING),
        _bounces.c.detail != "",
    )
    ids = session.scalars(
        select(_bounces.c.id).where(spoken).order_by(_bounces.c.id).limit(AT_ONCE)
    )
    found = ids.all()
    if found and not cut.dry_run:
        picked = held(select(_bounces.c.id).where(_bounces.c.id.in_(found)))
        mine = update(_bounces).where(_bounces.c.id.in_(select(picked.c.id)))
        session.execute(mine.values(detail=""))
    return Part(rows=len(found), after=found[-1] if len(found) == AT_ONCE else None)


def deliveries(session: Session, after: int, cut: Cut) -> Part:
    """Rows of the ledger that ended: sent, failed, skipped, cancelled, of dates gone by.

    The ledger grows at its end, so it is walked by id up to where its rows are young: no index is
    needed, and none is read beside it. What a clock that was ahead wrote does not end the walk.
    """
    queued_at, ended = _deliveries.c.queued_at, _ended(cut)
    young = and_(queued_at >= cut.before, queued_at <= cut.now)
    walked = select(_deliveries.c.id, ended, young).where(_deliveries.c.id > after)
    rows = session.execute(walked.order_by(_deliveries.c.id).limit(AT_ONCE)).all()
    ids = [number for number, has_ended, _ in rows if has_ended]
    number = len(ids)
    if ids and not cut.dry_run:
        picked = held(select(_deliveries.c.id).where(_deliveries.c.id.in_(ids), ended))
        number = _gone(session, _deliveries, _deliveries.c.id.in_(select(picked.c.id)))
    is_over = len(rows) < AT_ONCE or (not ids and any(is_young for *_, is_young in rows))
    return Part(rows=number, after=None if is_over else rows[-1][0])


def signals(session: Session, after: int, cut: Cut) -> Part:
    """Thin out the signals of days gone by: of each paper, source and day three runs stay."""
    last_day = cut.before.date()
    run = (_signals.c.paper_id, _signals.c.source_id, _signals.c.listed_on)
    crowded = select(_signals.c.paper_id).where(
        _signals.c.paper_id > after, _signals.c.listed_on < last_day
    )
    crowded = crowded.group_by(*run).having(func.count() > 3)
    query = select(crowded.subquery().c.paper_id).distinct().order_by("paper_id")
    papers = session.scalars(query.limit(THINNED_AT_ONCE)).all()
    if not papers:
        return Part(rows=0)
    ids = _superfluous(session, papers, last_day)
    if cut.dry_run:
        return Part(rows=len(ids), after=papers[-1])
    picked = held(select(_signals.c.id).where(_signals.c.id.in_(ids[:AT_ONCE])))
    number = _gone(session, _signals, _signals.c.id.in_(select(picked.c.id)))
    unfinished = len(ids) > AT_ONCE and number > 0
    return Part(rows=number, after=papers[0] - 1 if unfinished else papers[-1])


def _superfluous(session: Session, papers: Sequence[int], last_day: date) -> list[int]:
    columns = (_signals.c[name] for name in ("id", "paper_id", "source_id", "listed_on", "read_at"))
    chosen = select(*columns).where(
        _signals.c.paper_id.in_(papers), _signals.c.listed_on < last_day
    )
    runs: dict[tuple[int, int, date], list[Run]] = defaultdict(list)
    for number, paper, source, day, read_at in session.execute(chosen):
        runs[paper, source, day].append(Run(number, read_at))
    return [
        number for (*_, day), found in sorted(runs.items()) for number in superfluous(day, found)
    ]


def papers_before(session: Session, before: datetime, least: int) -> datetime | None:
    """The instant before which papers go: an earlier one where fewer than `least` would be left,
    None where there are no more than those.
    """
    seen = _papers.c.first_seen_at
    newest = session.scalar(select(seen).order_by(seen.desc()).offset(least - 1).limit(1))
    return min(before, newest) if newest else None


def papers(session: Session, after: int, cut: Cut, *, most: int) -> Part:
    """Papers long gone, with their signals and votes; their names stay, and name no paper any more.

    One that a source still lists stays, and so does one with a vote that still weighs. At most
    `most`; none while a batch is merged, which may be about to meet one of them.
    """
    if session.get_bind().dialect.name == "postgresql" and not cut.dry_run:
        lock = select(func.pg_try_advisory_xact_lock(MERGE_LOCK))
        if not session.scalar(lock):
            return Part(rows=0)
    listed = exists().where(
        _signals.c.paper_id == _papers.c.id, _signals.c.held_until >= cut.before
    )
    voted = exists().where(
        _feedback.c.paper_id == _papers.c.id, _feedback.c.given_at >= cut.now - VOTES_KEPT
    )
    gone = and_(_papers.c.id > after, _papers.c.first_seen_at < cut.before, ~listed, ~voted)
    most = most if cut.dry_run else min(most, PAPERS_AT_ONCE)
    query = select(_papers.c.id).where(gone).order_by(_papers.c.id).limit(most)
    if cut.dry_run:
        found = list(session.scalars(query))
    else:
        found = list(session.scalars(query.with_for_update(skip_locked=True)))
        _gone(session, _papers, _papers.c.id.in_(found))
    return Part(rows=len(found), after=found[-1] if found and len(found) == most else None)


def held(query: Select[Any]) -> CTE:
    """The query's rows, held by this transaction; on PostgreSQL but for those another holds."""
    return query.with_for_update(skip_locked=True).cte("picked")


def _gone(session: Session, rows: Table, which: ColumnElement[bool]) -> int:
    """Delete rows; how many."""
    key = next(iter(rows.primary_key.columns))
    return len(session.scalars(delete(rows).where(which).returning(key)).all())
