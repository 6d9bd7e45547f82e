"""Addresses that must never be mailed again, by their keyed hash."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from digest.domain.subscribers import SuppressionReason
from digest.store.papers import chunks
from digest.store.tables import SuppressionRow, table

CHUNK = 5_000

_suppressions = table(SuppressionRow)


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
    dialect = session.get_bind().dialect.name
    made = (postgresql if dialect == "postgresql" else sqlite).insert(_suppressions)
    row = {"address_hash": address_hash, "email": email, "reason": reason.value, "created_at": now}
    written = session.scalars(
        made.values(row).on_conflict_do_nothing().returning(_suppressions.c.id)
    ).first()
    if written is None:
        known = update(_suppressions).where(_suppressions.c.address_hash == address_hash)
        weaker = known.where(_suppressions.c.reason.in_(_gives_way_to(reason)))
        session.execute(weaker.values(reason=reason.value, email=email))
    return written is not None


def _gives_way_to(reason: SuppressionReason) -> list[str]:
    match reason:
        case SuppressionReason.ERASED:
            return []
        case SuppressionReason.COMPLAINT:
            return [other.value for other in SuppressionReason if other is not reason]
        case _:
            return [SuppressionReason.ERASED.value]


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
        query = select(_suppressions.c.address_hash, _suppressions.c.reason)
        query = query.where(_suppressions.c.address_hash.in_(chunk))
        found |= {digest: SuppressionReason(reason) for digest, reason in session.execute(query)}
    return found


def listed(session: Session, limit: int = 50) -> list[Suppression]:
    """The suppressions, latest first; `limit` 0 gives all."""
    query = select(_suppressions).order_by(_suppressions.c.id.desc())
    return [
        Suppression(
            address_hash=row["address_hash"],
            email=row["email"],
            reason=SuppressionReason(row["reason"]),
            created_at=row["created_at"],
        )
        for row in session.execute(query.limit(limit) if limit else query).mappings()
    ]
