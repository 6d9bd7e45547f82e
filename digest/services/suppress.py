"""Suppressions as the operator keeps them: list, add, lift, and a CSV file both ways.

Columns: `email,reason,created_at,address_hash`. Who was erased stands there as a keyed hash alone,
which means something only to a store with the same pepper.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.records import guarded, unguarded
from digest.domain.subscribers import Channel, Status, SuppressionReason, address, address_key
from digest.errors import InvalidInput, NotFound, Refused
from digest.services import subscribe as desk
from digest.services.rowfiles import ImportSummary, csv_line, read_cells
from digest.services.subscribe import Keys
from digest.store import subscribers, suppressions
from digest.store.database import patient, reading, transaction
from digest.store.papers import chunks
from digest.store.suppressions import Suppression

COLUMNS = ("email", "reason", "created_at", "address_hash")
CHUNK = 1_000
_HASH = re.compile(r"[0-9a-f]{64}")
# by the person's own word: an operator who lifts it must say so twice
_THEIR_WISH = (SuppressionReason.COMPLAINT, SuppressionReason.ERASED)


def listed(
    engine: Engine, *, reasons: Sequence[SuppressionReason] = (), limit: int = 50
) -> list[Suppression]:
    """The suppressions, latest first; `limit` 0 gives all."""
    with reading(engine) as session:
        return suppressions.listed(session, limit, reasons=reasons)


def add(
    engine: Engine,
    email: str,
    reason: SuppressionReason,
    *,
    now: datetime,
    keys: Keys,
    dry_run: bool = False,
) -> bool:
    """Never mail an address again, whoever it is; whether it was not suppressed yet.

    A subscriber's open deliveries are cancelled. Raises InvalidInput for a bad address.
    """
    with transaction(engine) as session:
        fresh = desk.suppress(session, email, reason, channel=Channel.CLI, now=now, keys=keys)
        if dry_run:
            session.rollback()
    return fresh


@dataclass(frozen=True, kw_only=True, slots=True)
class Lifted:
    """What was lifted, and whether the address is a subscriber's, who may now sign up anew."""

    reason: SuppressionReason | None
    subscriber: bool


def lift(
    engine: Engine, email: str, *, force: bool, now: datetime, keys: Keys, dry_run: bool = False
) -> Lifted:
    """Lift the suppression of an address.

    A suppressed subscriber becomes unsubscribed, not active: only they themselves can sign up
    again. Raises InvalidInput, NotFound where nothing is suppressed, and Refused for a complaint or
    an erasure without `force`.
    """
    email = address(email)
    with transaction(engine) as session:
        person = subscribers.find_by_email(session, email, lock=True)
        digest = keys.hash_of(email)
        reason = suppressions.reason_for(session, digest)
        is_suppressed = person is not None and person.status is Status.SUPPRESSED
        if reason is None and not is_suppressed:
            raise NotFound(f"{email} is not suppressed")
        if reason in _THEIR_WISH and not force:
            raise Refused(
                f"{email} is suppressed by its owner's wish ({reason}): --force lifts it anyway"
            )
        suppressions.remove(session, digest)
        if person and is_suppressed:
            subscribers.set_status(
                session, person.id, Status.UNSUBSCRIBED, next_digest_at=None, now=now
            )
        if dry_run:
            session.rollback()
    return Lifted(reason=reason, subscriber=person is not None)


def export(engine: Engine) -> Iterator[str]:
    """All suppressions as lines of CSV, oldest first; import gives the same bytes again."""
    yield csv_line(COLUMNS)
    with reading(engine) as session:
        patient(session.connection())  # who reads the lines may take their time
        for one in suppressions.all_of_them(session):
            at = one.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
            hidden = "" if one.email else one.address_hash
            yield csv_line([guarded(one.email or ""), one.reason.value, at, hidden])


def import_suppressions(
    engine: Engine,
    stream: BinaryIO,
    *,
    now: datetime,
    keys: Keys,
    dry_run: bool = False,
    each: Callable[[int], None] = lambda _count: None,
) -> ImportSummary:
    """Suppress the addresses of a CSV file; the same file twice changes nothing.

    A row without a reason is a `request`, one without a date is of `now`. An earlier reason stays,
    but where the row's weighs more. Raises InvalidInput for a file without a usable header.
    """
    done = ImportSummary()
    for chunk in chunks(_rows(stream, done.rejected, now, keys), CHUNK):
        with transaction(engine) as session:
            _take(session, chunk, done, now)
            if dry_run:
                session.rollback()
        each(len(chunk))
    return done


def _take(
    session: Session, rows: Sequence[Suppression], done: ImportSummary, now: datetime
) -> None:
    """Suppress the rows of one chunk, and the subscribers among them."""
    emails = {address_key(row.email) for row in rows if row.email}
    people = subscribers.by_keys(session, emails, lock=True)
    before = suppressions.reasons_for(session, [row.address_hash for row in rows])
    suppressions.add_many(session, [row for row in rows if row.address_hash not in before])
    for row in rows:
        old = before.get(row.address_hash)
        if old is None:
            before[row.address_hash] = row.reason
            done.added += 1
        elif suppressions.outweighs(row.reason, old):
            suppressions.add(session, row.address_hash, row.reason, now, email=row.email)
            before[row.address_hash] = row.reason
            done.changed += 1
        else:
            done.unchanged += 1
    for person in people.values():
        desk.stop_suppressed(session, person, channel=Channel.IMPORT, now=now)


def _rows(
    stream: BinaryIO, rejected: list[tuple[int, str]], now: datetime, keys: Keys
) -> Iterator[Suppression]:
    columns: tuple[str, ...] = ()
    for number, cells in read_cells(stream):
        if not columns:
            columns = _header(number, cells)
            continue
        try:
            row = _row(columns, cells, now, keys)
        except InvalidInput as exc:
            rejected.append((number, str(exc)))
        else:
            yield row
    if not columns:
        raise InvalidInput("the file is empty: a header line with 'email' is needed")


def _header(number: int, cells: list[str] | str) -> tuple[str, ...]:
    columns = () if isinstance(cells, str) else tuple(cell.strip() for cell in cells)
    fault = ""
    if isinstance(cells, str):
        fault = cells
    elif unknown := [repr(name[:60]) for name in columns if name not in COLUMNS][:20]:
        fault = f"unknown column {', '.join(unknown)}: there are {', '.join(COLUMNS)}"
    elif double := next((name for name in columns if columns.count(name) > 1), None):
        fault = f"column {double!r} stands twice"
    elif not {"email", "address_hash"} & set(columns):
        fault = "there is neither a column 'email' nor 'address_hash'"
    if fault:
        raise InvalidInput(f"line {number}, the header: {fault}")
    return columns


def _row(columns: Sequence[str], cells: list[str] | str, now: datetime, keys: Keys) -> Suppression:
    if isinstance(cells, str):
        raise InvalidInput(cells)
    if len(cells) != len(columns):
        raise InvalidInput(f"{len(cells)} cells, but the header has {len(columns)} columns")
    said = {name: unguarded(cell.strip(" ")) for name, cell in zip(columns, cells, strict=True)}
    email = address(said["email"]) if said.get("email") else None
    digest = keys.hash_of(email) if email else said.get("address_hash", "").lower()
    if not _HASH.fullmatch(digest):
        raise InvalidInput("the row has neither an address nor a hash of 64 hexadecimal digits")
    reason = _reason(said.get("reason") or SuppressionReason.REQUEST)
    if email and reason is SuppressionReason.ERASED:
        raise InvalidInput("reason 'erased' belongs to hashes: use 'digest subscribers erase'")
    created_at = _instant(said["created_at"]) if said.get("created_at") else now
    return Suppression(address_hash=digest, email=email, reason=reason, created_at=created_at)


def _reason(said: str) -> SuppressionReason:
    try:
        return SuppressionReason(said.lower())
    except ValueError as exc:
        known = ", ".join(reason.value for reason in SuppressionReason)
        raise InvalidInput(f"reason {said[:60]!r}: give one of {known}") from exc


def _instant(said: str) -> datetime:
    try:
        at = datetime.fromisoformat(said)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise InvalidInput(f"created_at {said[:60]!r}: write 2026-03-12T08:00:00Z") from exc
