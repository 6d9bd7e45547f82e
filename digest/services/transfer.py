"""Import and export of subscribers as CSV or JSONL (CONTRACT §4).

An import goes by chunks, each one transaction: the good rows of a file go in, the bad ones are
listed with line and reason, and the same file a second time changes nothing.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import BinaryIO

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from digest.domain import records
from digest.domain.deliveries import Cancelled, MailKind
from digest.domain.records import Record
from digest.domain.schedule import first_due
from digest.domain.subscribers import (
    Channel,
    ConsentEvent,
    Preferences,
    Status,
    Subscriber,
    SubscriberId,
    SuppressionReason,
    address_key,
)
from digest.errors import InvalidInput, Refused
from digest.services.plans import first_instants
from digest.services.rowfiles import Format, ImportSummary, Row, csv_line, read_rows
from digest.services.subscribe import Keys, queue_mail
from digest.store import outbox, subscribers, suppressions
from digest.store.database import patient, reading, transaction
from digest.store.papers import chunks
from digest.store.subscribers import NewSubscriber

CHUNK = 500
TRIES = 3

_OPTED_OUT = (Status.UNSUBSCRIBED, Status.SUPPRESSED)


@dataclass(kw_only=True)
class _Plan:
    """What one chunk changes."""

    added: list[NewSubscriber] = field(default_factory=list)
    changed: list[tuple[Subscriber, Subscriber]] = field(default_factory=list)  # before, after
    unchanged: int = 0
    rejected: list[tuple[int, str]] = field(default_factory=list)


def import_subscribers(
    engine: Engine,
    stream: BinaryIO,
    file_format: Format,
    *,
    defaults: Preferences,
    now: datetime,
    keys: Keys,
    dry_run: bool = False,
    each: Callable[[int], None] = lambda _rows: None,
) -> ImportSummary:
    """Bring the rows of a file (UTF-8, a byte order mark is passed over) into the store.

    `defaults` fill what a new subscriber's row does not say. A new row without a status is pending
    and gets a confirmation. `each` is called with the rows done so far. Raises InvalidInput for a
    file that cannot be read at all, such as one with an unknown column.
    """
    summary = ImportSummary()
    rows = read_rows(stream, file_format, summary.rejected)
    for chunk in chunks(_first_of_each(rows, summary.rejected), CHUNK):
        plan = _done(engine, chunk, defaults, now, keys, dry_run=dry_run)
        summary.added += len(plan.added)
        summary.changed += len(plan.changed)
        summary.unchanged += plan.unchanged
        summary.rejected += plan.rejected
        each(len(chunk))
    summary.rejected.sort()
    return summary


def export_subscribers(session: Session, file_format: Format) -> Iterator[str]:
    """All subscribers as lines of a file, in order of id, read in chunks."""
    patient(session.connection())  # who reads the lines may take their time
    if file_format is Format.CSV:
        yield csv_line(records.COLUMNS)
    for one in subscribers.everyone(session):
        if file_format is Format.CSV:
            yield csv_line(records.to_cells(one))
        else:
            yield json.dumps(records.to_object(one), ensure_ascii=False) + "\n"


def _done(
    engine: Engine,
    rows: Sequence[Row],
    defaults: Preferences,
    now: datetime,
    keys: Keys,
    *,
    dry_run: bool,
) -> _Plan:
    if dry_run:
        with reading(engine) as session:
            return _planned(session, rows, defaults, now, keys, lock=False)
    for _ in range(TRIES - 1):
        # on PostgreSQL an address may be added by somebody else just now: then it is there to see
        with suppress(IntegrityError):
            return _kept(engine, rows, defaults, now, keys)
    return _kept(engine, rows, defaults, now, keys)


def _kept(
    engine: Engine, rows: Sequence[Row], defaults: Preferences, now: datetime, keys: Keys
) -> _Plan:
    with transaction(engine) as session:
        plan = _planned(session, rows, defaults, now, keys, lock=True)
        _apply(session, plan, now, keys)
        return plan


def _planned(
    session: Session,
    rows: Sequence[Row],
    defaults: Preferences,
    now: datetime,
    keys: Keys,
    *,
    lock: bool,
) -> _Plan:
    """Decide every row of a chunk from what the store holds, in a constant number of queries."""
    known = subscribers.by_keys(session, [address_key(r.record.email) for r in rows], lock=lock)
    hashes = {row.line: keys.hash_of(row.record.email) for row in rows}
    barred = suppressions.reasons_for(session, hashes.values())
    plan = _Plan()
    for row in rows:
        before = known.get(address_key(row.record.email))
        try:
            _decide(plan, row.record, before, barred.get(hashes[row.line]), defaults)
        except (Refused, InvalidInput) as exc:
            plan.rejected.append((row.line, str(exc)))
    _date(session, plan, now)
    return plan


def _decide(
    plan: _Plan,
    record: Record,
    before: Subscriber | None,
    barred: SuppressionReason | None,
    defaults: Preferences,
) -> None:
    status = _status(record, before, barred)
    if before is None:
        new = NewSubscriber(
            email=record.email,
            status=status,
            interests=record.interests(),
            preferences=record.preferences(defaults),
        )
        plan.added.append(new)
        return
    after = replace(
        before,
        status=status,
        interests=record.interests(before.interests),
        preferences=record.preferences(before.preferences),
    )
    ordered = replace(before, interests=Record(email=before.email).interests(before.interests))
    if after == ordered:
        plan.unchanged += 1
    else:
        plan.changed.append((before, after))


def _status(record: Record, before: Subscriber | None, barred: SuppressionReason | None) -> Status:
    """The status that a row gives. Raises Refused where it would bring back who opted out."""
    wanted = record.status
    opts_out = wanted in _OPTED_OUT
    if barred is SuppressionReason.ERASED:
        raise Refused(f"{record.email} was erased at its owner's wish")
    if before is None:
        if barred and not opts_out:
            raise Refused(f"{record.email} is suppressed ({barred})")
        return wanted or Status.PENDING
    if not opts_out and (barred or before.status in _OPTED_OUT):
        unsubscribed = before.status is Status.UNSUBSCRIBED and not barred
        why = "has unsubscribed" if unsubscribed else "is suppressed"
        raise Refused(f"{record.email} {why}: a file cannot take that back")
    # a consent that was given is not undone by a file from before, nor is a suppression
    if wanted is None or wanted is Status.PENDING or before.status is Status.SUPPRESSED:
        return before.status
    return wanted


def _date(session: Session, plan: _Plan, now: datetime) -> None:
    """Give those who become active, or change schedule, the instant of their next digest."""
    for index, new in enumerate(plan.added):
        if new.status is Status.ACTIVE:
            instant = first_due(new.preferences.schedule, now, has_row_today=False)
            plan.added[index] = replace(new, next_digest_at=instant)
    anew = [
        (after.id, after.preferences.schedule)
        for before, after in plan.changed
        if after.status is Status.ACTIVE
        and (
            before.status is not Status.ACTIVE
            or after.preferences.schedule != before.preferences.schedule
        )
    ]
    instants = first_instants(session, anew, now)
    for index, (before, after) in enumerate(plan.changed):
        if after.status is not Status.ACTIVE:
            plan.changed[index] = (before, replace(after, next_digest_at=None))
        elif after.id in instants:
            plan.changed[index] = (before, replace(after, next_digest_at=instants[after.id]))


def _apply(session: Session, plan: _Plan, now: datetime, keys: Keys) -> None:
    added = subscribers.add_many(session, plan.added, now)
    subscribers.save_many(session, [after for _, after in plan.changed], now)
    for status in Status:
        fresh = [one.id for one in added if one.status is status]
        turned = [
            before for before, after in plan.changed if before.status is not after.status is status
        ]
        _tell(session, fresh, _EVIDENCE_OF_NEW[status], now)
        for one in turned:
            _tell(session, [one.id], [_turn(one.status, status)], now)
            _cancel(session, one.id, status)
    for one in added:
        if one.status is Status.PENDING:
            queue_mail(session, MailKind.CONFIRM, one.id, now, keys)


_EVIDENCE_OF_NEW = {
    Status.PENDING: (ConsentEvent.SUBSCRIBED,),
    Status.ACTIVE: (ConsentEvent.SUBSCRIBED, ConsentEvent.CONFIRMED),
    Status.PAUSED: (ConsentEvent.SUBSCRIBED, ConsentEvent.CONFIRMED, ConsentEvent.PAUSED),
    Status.UNSUBSCRIBED: (ConsentEvent.UNSUBSCRIBED,),
    Status.SUPPRESSED: (ConsentEvent.SUPPRESSED,),
}


def _turn(before: Status, after: Status) -> ConsentEvent:
    if after is Status.ACTIVE:
        return ConsentEvent.RESUMED if before is Status.PAUSED else ConsentEvent.CONFIRMED
    return ConsentEvent(after.value)


def _tell(
    session: Session, ids: Sequence[SubscriberId], events: Iterable[ConsentEvent], now: datetime
) -> None:
    for event in events:
        subscribers.record_consent(session, ids, event, Channel.IMPORT, now=now)


def _cancel(session: Session, subscriber_id: SubscriberId, status: Status) -> None:
    if status is Status.ACTIVE:
        outbox.cancel_open(session, subscriber_id, Cancelled.CONFIRMED, [MailKind.CONFIRM])
    else:
        outbox.cancel_open(session, subscriber_id, Cancelled(status.value))


def _first_of_each(rows: Iterable[Row], rejected: list[tuple[int, str]]) -> Iterator[Row]:
    """The rows without those whose address stood in the file before."""
    lines: dict[str, int] = {}
    for row in rows:
        first = lines.setdefault(address_key(row.record.email), row.line)
        if first == row.line:
            yield row
        else:
            rejected.append((row.line, f"{row.record.email} stands in line {first} already"))
