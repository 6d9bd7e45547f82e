"""Invitations: links that let somebody in, a number of times and until an instant."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, and_, insert, select, update
from sqlmodel import Session

from digest.errors import NotFound
from digest.store.tables import InvitationRow, table

LARGEST_ID = 2**31 - 1  # PostgreSQL's integer

_invitations = table(InvitationRow)


@dataclass(frozen=True, kw_only=True, slots=True)
class Invitation:
    """One invitation: good for `uses` sign-ups, of which `used` have happened, before
    `expires_at`.
    """

    id: int
    note: str
    uses: int
    used: int
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def usable(self, now: datetime) -> bool:
        """Whether one more may sign up by it."""
        return self.revoked_at is None and self.used < self.uses and now < self.expires_at


def add(
    session: Session, *, note: str, uses: int, expires_at: datetime, now: datetime
) -> Invitation:
    """Add an invitation that nobody has used yet."""
    row = {"note": note, "uses": uses, "used": 0, "created_at": now, "expires_at": expires_at}
    made = insert(_invitations).values(row).returning(_invitations)
    return _invitation(session.execute(made).mappings().one())


def find(session: Session, invitation_id: int) -> Invitation | None:
    """The invitation of that id."""
    row = session.execute(select(_invitations).where(_mine(invitation_id))).mappings().first()
    return _invitation(row) if row else None


def use(session: Session, invitation_id: int, now: datetime) -> bool:
    """Count one use; whether there was one left, also among many who use it at once."""
    free = and_(
        _invitations.c.used < _invitations.c.uses,
        _invitations.c.expires_at > now,
        _invitations.c.revoked_at.is_(None),
    )
    counted = update(_invitations).where(_mine(invitation_id), free)
    done = counted.values(used=_invitations.c.used + 1).returning(_invitations.c.id)
    return session.scalars(done).first() is not None


def revoke(session: Session, invitation_id: int, now: datetime) -> Invitation:
    """End an invitation; one that is revoked already stays so. Raises NotFound."""
    live = update(_invitations).where(_mine(invitation_id), _invitations.c.revoked_at.is_(None))
    session.execute(live.values(revoked_at=now))
    if (found := find(session, invitation_id)) is None:
        raise NotFound(f"no invitation has the id {invitation_id}: see 'digest invitations list'")
    return found


def listed(session: Session, limit: int = 50) -> list[Invitation]:
    """The invitations, latest first; `limit` 0 gives all."""
    query = select(_invitations).order_by(_invitations.c.id.desc())
    rows = session.execute(query.limit(limit) if limit else query).mappings()
    return [_invitation(row) for row in rows]


def _mine(invitation_id: int) -> ColumnElement[bool]:
    known = invitation_id if 0 < invitation_id <= LARGEST_ID else 0
    return _invitations.c.id == known


def _invitation(row: RowMapping) -> Invitation:
    return Invitation(**row)
