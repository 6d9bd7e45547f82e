"""Addresses that must never be mailed again, by their keyed hash."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import RowMapping, Select, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from digest.domain.subscribers import SuppressionReason
from digest.store.papers import chunks
from digest.store.prepared import among, prepared
from digest.store.tables import SuppressionRow, table

CHUNK = 5_000

_suppressions = table(SuppressionRow)
_REASONS = select(_suppressions.c.address_hash, _suppressions.c.reason).where(
    _suppressions.c.address_hash.in_(bindparam("hashes", expanding=True))
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Suppression:
    """One suppressed address; `email` is None once erased."""

    address_hash: str
    email: str | None
    reason: SuppressionReason
    created_at: datetime


def add(
    session: Session,
    address_hash: str,
    reason: SuppressionReason,
    now: datetime,
    *,
    email: str | None,
) -> bool:
    """Suppress an address; whether it was not yet. An earlier reason stays, but `erased` gives
    way to any other, and any to `complaint`, which holds for good.
    """
    row = {"address_hash": address_hash, "email": email, "reason": reason.value, "created_at": now}
    written = session.scalars(
        _insert(session).values(row).on_conflict_do_nothing().returning(_suppressions.c.id)
    ).first()
    if written is None:
        known = update(_suppressions).where(_suppressions.c.address_hash == address_hash)
        less = [other.value for other in SuppressionReason if outweighs(reason, other)]
        changed = {"reason": reason.value} | ({"email": email} if email else {})
        session.execute(known.where(_suppressions.c.reason.in_(less)).values(changed))
    return written is not None


def add_many(session: Session, rows: Sequence[Suppression]) -> None:
    """Suppress many addresses; of two rows for one address the first stands, as does what was
    there.
    """
    if rows:
        values = [asdict(row) | {"reason": row.reason.value} for row in rows]
        session.execute(_insert(session).on_conflict_do_nothing(), values)


def outweighs(reason: SuppressionReason, other: SuppressionReason) -> bool:
    """Whether a reason takes the place of another: `complaint` of any, any of `erased`."""
    if reason is other or reason is SuppressionReason.ERASED:
        return False
    return reason is SuppressionReason.COMPLAINT or other is SuppressionReason.ERASED


def remove(session: Session, address_hash: str) -> bool:
    """Lift a suppression; whether there was one."""
    gone = delete(_suppressions).where(_suppressions.c.address_hash == address_hash)
    return session.scalars(gone.returning(_suppressions.c.id)).first() is not None


def forget_address(session: Session, address_hash: str) -> None:
    """Keep the hash and the reason, but not the address."""
    known = update(_suppressions).where(_suppressions.c.address_hash == address_hash)
    session.execute(known.values(email=None))


def reason_for(session: Session, address_hash: str) -> SuppressionReason | None:
    """Why the address is suppressed, None where it is not."""
    return reasons_for(session, [address_hash]).get(address_hash)


def reasons_for(session: Session, hashes: Iterable[str]) -> dict[str, SuppressionReason]:
    """Why addresses are suppressed; who is not is left out."""
    found: dict[str, SuppressionReason] = {}
    for chunk in chunks(hashes, CHUNK):
        rows = session.execute(_REASONS, {"hashes": chunk})
        found |= {digest: SuppressionReason(reason) for digest, reason in rows}
    return found


def suppressed(session: Session, hashes: Sequence[str]) -> set[str]:
    """Which of these few are suppressed: what is asked before every message."""
    if not hashes:
        return set()
    return {row[0] for row in _known(session).rows(session, {"hashes": hashes})}


@prepared
def _known(dialect: str) -> Select[tuple[str]]:
    asked = _suppressions.c.address_hash
    return select(asked).where(among(dialect, asked, "hashes"))


def by_hashes(session: Session, hashes: Iterable[str]) -> dict[str, Suppression]:
    """The suppressions of addresses; who has none is left out."""
    found: dict[str, Suppression] = {}
    for chunk in chunks(hashes, CHUNK):
        query = select(_suppressions).where(_suppressions.c.address_hash.in_(chunk))
        found |= {
            row["address_hash"]: _suppression(row) for row in session.execute(query).mappings()
        }
    return found


def listed(
    session: Session, limit: int = 50, *, reasons: Sequence[SuppressionReason] = ()
) -> list[Suppression]:
    """The suppressions, latest first; `limit` 0 gives all."""
    query = select(_suppressions).order_by(_suppressions.c.id.desc())
    if reasons:
        query = query.where(_suppressions.c.reason.in_([reason.value for reason in reasons]))
    rows = session.execute(query.limit(limit) if limit else query).mappings()
    return [_suppression(row) for row in rows]


def all_of_them(session: Session) -> Iterator[Suppression]:
    """All suppressions in the order in which they were made, read in chunks."""
    after = 0
    while True:
        query = select(_suppressions).where(_suppressions.c.id > after)
        rows = session.execute(query.order_by(_suppressions.c.id).limit(CHUNK)).mappings().all()
        if not rows:
            return
        yield from map(_suppression, rows)
        after = rows[-1]["id"]


def _insert(session: Session) -> postgresql.Insert | sqlite.Insert:
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(_suppressions)
    return sqlite.insert(_suppressions)


def _suppression(row: RowMapping) -> Suppression:
    return Suppression(
        address_hash=row["address_hash"],
        email=row["email"],
        reason=SuppressionReason(row["reason"]),
        created_at=row["created_at"],
    )
