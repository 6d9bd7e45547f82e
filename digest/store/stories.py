"""All that the store knows of one delivery, for its story."""

from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session

from digest.domain.deliveries import Delivery, DeliveryId, State
from digest.domain.editions import Edition, EditionId
from digest.domain.feedback import Opinion
from digest.domain.papers import PaperId
from digest.domain.story import Known, Returned, Tried, Voted, Wished
from digest.domain.subscribers import Channel, ConsentEvent
from digest.errors import NotFound
from digest.store import bounces, editions, tries
from digest.store.papers import papers_by_id
from digest.store.relay import relay_state
from digest.store.tables import (
    ConsentEventRow,
    DeliveryRow,
    FeedbackRow,
    SubscriberRow,
    table,
)

_deliveries = table(DeliveryRow)
_events = table(ConsentEventRow)
_feedback = table(FeedbackRow)
_subscribers = table(SubscriberRow)

_OPINIONS = {1: Opinion.MORE, -1: Opinion.LESS, 0: Opinion.CLICK}
_DEPARTURES = (ConsentEvent.UNSUBSCRIBED, ConsentEvent.PAUSED, ConsentEvent.SUPPRESSED)


def known(
    session: Session, found: Delivery, paper_ids: tuple[PaperId, ...], now: datetime
) -> Known:
    """What there is to tell of this delivery, whose picks are these papers."""
    columns = (_deliveries.c.owner, _deliveries.c.lease_until, _deliveries.c.smtp_reply)
    query = select(*columns).where(_deliveries.c.id == found.id)
    owner, lease_until, reply = session.execute(query).one()
    state = relay_state(session)
    return Known(
        delivery=found,
        papers=len(paper_ids),
        edition=_edition(session, found),
        owner=owner,
        lease_until=lease_until,
        reply=reply,
        tries=[
            Tried(at=one.tried_at, outcome=one.outcome, code=one.smtp_code, reply=one.reply)
            for one in tries.of(session, found.id)
        ],
        returned=_returned(session, found.id),
        votes=_votes(session, found, paper_ids),
        wishes=_wishes(session, found),
        next_digest_at=_next_digest(session, found),
        relay_rests_until=state.pause(now),
    )


def _edition(session: Session, found: Delivery) -> Edition | None:
    if found.edition_id is None:
        return None
    try:
        return editions.by_id(session, EditionId(found.edition_id))
    except NotFound:  # pruned
        return None


def _returned(session: Session, number: DeliveryId) -> list[Returned]:
    return [
        Returned(at=one.happened_at, kind=one.kind, acted=one.acted, detail=one.detail)
        for one in bounces.listed(session, delivery_id=number, limit=0)
    ]


def _votes(session: Session, found: Delivery, paper_ids: tuple[PaperId, ...]) -> list[Voted]:
    """The reader's words on its papers since it was queued; the last one on each is kept."""
    if found.subscriber_id is None or not paper_ids:
        return []
    papers = papers_by_id(session, paper_ids)
    ids = {*paper_ids, *(paper.id for paper in papers.values())}
    query = select(_feedback).where(
        _feedback.c.subscriber_id == found.subscriber_id,
        _feedback.c.paper_id.in_(ids),
        _feedback.c.given_at >= found.queued_at,
    )
    titles = {paper.id: paper.title for paper in papers.values()}
    return [
        Voted(
            at=row["given_at"],
            opinion=_OPINIONS[row["value"]],
            channel=Channel(row["channel"]),
            paper=titles.get(PaperId(row["paper_id"]), f"paper {row['paper_id']}"),
        )
        for row in session.execute(query.order_by(_feedback.c.given_at)).mappings()
    ]


def _wishes(session: Session, found: Delivery) -> list[Wished]:
    """Departures after it was sent and before the next mail was: the links of all mails of one
    reader lead to the same place, and nothing tells them apart.
    """
    if found.subscriber_id is None or found.sent_at is None:
        return []
    later = select(_deliveries.c.sent_at).where(
        _deliveries.c.subscriber_id == found.subscriber_id,
        _deliveries.c.state == State.SENT.value,
        _deliveries.c.sent_at > found.sent_at,
    )
    until = session.scalars(later.order_by(_deliveries.c.sent_at).limit(1)).first()
    query = select(_events).where(
        _events.c.subscriber_id == found.subscriber_id,
        _events.c.event.in_([event.value for event in _DEPARTURES]),
        _events.c.happened_at >= found.sent_at,
    )
    if until:
        query = query.where(_events.c.happened_at < until)
    return [
        Wished(
            at=row["happened_at"],
            event=ConsentEvent(row["event"]),
            channel=Channel(row["channel"]),
        )
        for row in session.execute(query.order_by(_events.c.happened_at)).mappings()
    ]


def _next_digest(session: Session, found: Delivery) -> datetime | None:
    query = select(_subscribers.c.next_digest_at).where(_subscribers.c.id == found.subscriber_id)
    return session.scalar(query)
