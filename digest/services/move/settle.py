"""After a restore: what the backup would send a second time is held, or skipped."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.digests import Skip, SkipReason
from digest.domain.subscribers import SubscriberId
from digest.errors import StoreError
from digest.services.plans import Plan, due_plan
from digest.store import outbox, restored
from digest.store.checks import damage
from digest.store.database import transaction
from digest.store.due import due, set_next

CHUNK = 500


@dataclass(kw_only=True)
class Settled:
    """How many mails are held for the operator, and how many subscribers' dates were skipped."""

    held: int = 0
    skipped: int = 0


def settle(engine: Engine, until: datetime, *, dry_run: bool = False) -> Settled:
    """Let nothing go out that was due by `until`, as it may have gone out after the backup: mails
    that wait are held, and the dates of subscribers who were due are skipped as late.

    Senders must not run meanwhile. Done twice it does nothing more. Raises StoreError for an SQLite
    file that is damaged, as it is where the lost store's log was left beside the backup.
    """
    if damaged := damage(engine):
        raise StoreError(f"{damaged}; remove its -wal and -shm before you copy the backup there")
    done = Settled()
    with transaction(engine) as session:
        done.held = restored.hold_waiting(session, until)
        if dry_run:
            session.rollback()
    after = SubscriberId(0)
    while True:
        with transaction(engine) as session:
            chunk = due(session, until, after_id=after, limit=CHUNK)
            done.skipped += _skip(session, [due_plan(one, until) for one in chunk], until)
            if dry_run:
                session.rollback()
        if len(chunk) < CHUNK:
            return done
        after = chunk[-1].subscriber.id


def _skip(session: Session, plans: list[Plan], until: datetime) -> int:
    """Skip the dates of these plans, and go on with what follows them; how many had any."""
    outcomes = [
        outbox.Outcome(
            subscriber_id=plan.subscriber.id,
            content=Skip(digest_on=day, reason=SkipReason.LATE),
            edition_id=None,
        )
        for plan in plans
        for day in (plan.late_on, plan.digest_on)
        if day
    ]
    outbox.write_outcomes(session, outcomes, until)
    set_next(session, [(plan.subscriber.id, plan.next_at) for plan in plans])
    return len({outcome.subscriber_id for outcome in outcomes})
