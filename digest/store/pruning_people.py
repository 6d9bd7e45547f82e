"""Forget people who were asked to confirm and never did: nothing of them stays, no hash either.

They agreed to nothing, and somebody else may have typed their address. Who was a reader before, or
opted out, stays: that the evidence says so keeps an import from bringing them back.
"""

from sqlalchemy import ColumnElement, and_, delete, exists, select, update
from sqlmodel import Session

from digest.domain.deliveries import State
from digest.domain.subscribers import ConsentEvent, Status
from digest.store.pruning import Cut, Part
from digest.store.tables import (
    BounceRow,
    ConsentEventRow,
    DeliveryRow,
    InterestRow,
    SubscriberInterestRow,
    SubscriberRow,
    TryRow,
    table,
)

AT_ONCE = 50  # with interests, evidence and mails some ten rows each

_subscribers = table(SubscriberRow)
_events = table(ConsentEventRow)
_deliveries = table(DeliveryRow)
_bounces = table(BounceRow)
_tries = table(TryRow)
_held = table(SubscriberInterestRow)
_interests = table(InterestRow)

_OPEN = tuple(state.value for state in (State.QUEUED, State.DEFERRED, State.SENDING, State.HELD))
_UNSAID = (State.SKIPPED.value, State.CANCELLED.value)  # their reasons are words of ours


def pending(session: Session, after: int, cut: Cut) -> Part:
    """Forget a part of those who are pending since before the cut and have no mail on its way.

    A change of theirs, as a new sign-up by form, counts as a new beginning.
    """
    query = select(_subscribers.c.id).where(_subscribers.c.id > after, _unconfirmed(cut))
    query = query.order_by(_subscribers.c.id).limit(AT_ONCE)
    if not cut.dry_run:
        query = query.with_for_update(skip_locked=True)
    found = list(session.scalars(query))
    if found and not cut.dry_run:
        _forget(session, found)
    return Part(rows=len(found), after=found[-1] if len(found) == AT_ONCE else None)


def _unconfirmed(cut: Cut) -> ColumnElement[bool]:
    mine = _events.c.subscriber_id == _subscribers.c.id
    asked = _events.c.event == ConsentEvent.SUBSCRIBED.value
    lately = exists().where(mine, _events.c.happened_at >= cut.before)
    more = exists().where(mine, ~asked)
    waits = exists().where(
        _deliveries.c.subscriber_id == _subscribers.c.id, _deliveries.c.state.in_(_OPEN)
    )
    old = _subscribers.c.updated_at < cut.before
    return and_(_subscribers.c.status == Status.PENDING.value, old, ~lately, ~more, ~waits)


def _forget(session: Session, ids: list[int]) -> None:
    """As an erase does, for many at once and in the same order: the person, then their mails."""
    written = select(_deliveries.c.id).where(_deliveries.c.subscriber_id.in_(ids))
    session.execute(delete(_tries).where(_tries.c.delivery_id.in_(written)))
    mails = update(_deliveries).where(_deliveries.c.subscriber_id.in_(ids))
    session.execute(mails.values(smtp_reply=""))
    session.execute(mails.where(_deliveries.c.state.not_in(_UNSAID)).values(reason=""))
    session.execute(update(_bounces).where(_bounces.c.subscriber_id.in_(ids)).values(detail=""))
    theirs = select(_held.c.interest_id).where(_held.c.subscriber_id.in_(ids)).distinct()
    interests = list(session.scalars(theirs))
    session.execute(delete(_held).where(_held.c.subscriber_id.in_(ids)))
    used = exists().where(_held.c.interest_id == _interests.c.id)
    session.execute(delete(_interests).where(_interests.c.id.in_(interests), ~used))
    session.execute(delete(_subscribers).where(_subscribers.c.id.in_(ids)))
