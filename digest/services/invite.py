"""Invitations: who holds such a link may sign up where registration is by invitation."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session

from digest.errors import InvalidInput
from digest.mail.tokens import Purpose, Tokens
from digest.store import invitations
from digest.store.database import reading
from digest.store.invitations import Invitation

USES_MOST = 1_000_000
DAYS_MOST = 3_650
NOTE_MOST = 200


def invite(session: Session, *, note: str, uses: int, days: int, now: datetime) -> Invitation:
    """Make an invitation that lets in `uses` people within `days` days.

    Raises InvalidInput for a number out of range, or a note of more than 200 characters.
    """
    if not 1 <= uses <= USES_MOST:
        raise InvalidInput(f"uses {uses}: give 1 to {USES_MOST}")
    if not 1 <= days <= DAYS_MOST:
        raise InvalidInput(f"days {days}: give 1 to {DAYS_MOST}")
    if len(note) > NOTE_MOST or not note.isprintable():
        raise InvalidInput(f"note: give one line of at most {NOTE_MOST} characters")
    expires_at = now + timedelta(days=days)
    return invitations.add(session, note=note, uses=uses, expires_at=expires_at, now=now)


def usable(session: Session, invitation_id: int, now: datetime) -> bool:
    """Whether one more may sign up by it."""
    found = invitations.find(session, invitation_id)
    return found is not None and found.usable(now)


def use(session: Session, invitation_id: int, now: datetime) -> bool:
    """Count one sign-up by it; whether it was still good for one."""
    return invitations.use(session, invitation_id, now)


def revoke(session: Session, invitation_id: int, now: datetime) -> Invitation:
    """End an invitation. Raises NotFound."""
    return invitations.revoke(session, invitation_id, now)


def listed(engine: Engine, limit: int = 50) -> Sequence[Invitation]:
    """The invitations, latest first; `limit` 0 gives all."""
    with reading(engine) as session:
        return invitations.listed(session, limit)


def token_of(invitation: Invitation, tokens: Tokens) -> str:
    """The token of its link, the same whenever it is asked for under the same key."""
    return tokens.sign(Purpose.INVITATION, str(invitation.id), invitation.created_at)


def invitation_of(token: str, tokens: Tokens, now: datetime) -> int:
    """The invitation that a link's token names. Raises BadToken.

    How long it is good for stands in the store alone.
    """
    return int(tokens.read(Purpose.INVITATION, token, now))
