"""Feedback: what subscribers say of papers, recorded, listed, forgotten, and handed to ranking."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.feedback import Opinion, Vote
from digest.domain.papers import Paper, PaperId
from digest.domain.subscribers import Channel, SubscriberId
from digest.errors import NotFound
from digest.store import feedback, subscribers
from digest.store import papers as shelf
from digest.store.database import reading, transaction
from digest.store.feedback import Given


def record(
    engine: Engine,
    subscriber_id: SubscriberId,
    paper_id: PaperId,
    opinion: Opinion,
    *,
    at: datetime,
    channel: Channel,
    dry_run: bool = False,
) -> bool:
    """Record a vote; whether it is now the subscriber's word on that paper.

    The last vote on a paper counts, but a click takes back no word. A paper that was merged into
    another stands for that one. Raises NotFound for an unknown or pruned paper or subscriber.
    """
    with transaction(engine) as session:
        subscribers.by_id(session, subscriber_id, lock=True)
        found = _present(session, paper_id)
        stands = feedback.record(session, subscriber_id, found, opinion, channel=channel, at=at)
        if dry_run:
            session.rollback()
    return stands


def votes_of(
    session: Session, subscriber_ids: Iterable[SubscriberId]
) -> Mapping[SubscriberId, Sequence[Vote]]:
    """The newest 200 votes of each subscriber; who gave none is left out."""
    return feedback.votes_of(session, subscriber_ids)


def listed(engine: Engine, subscriber_id: SubscriberId, limit: int = 50) -> list[Given]:
    """A subscriber's votes, latest first; `limit` 0 gives all."""
    with reading(engine) as session:
        return feedback.listed(session, subscriber_id, limit)


def withdraw(engine: Engine, subscriber_id: SubscriberId, paper_id: PaperId) -> bool:
    """Take back what a subscriber said of a paper; whether there was anything.

    Raises NotFound for an unknown or pruned paper.
    """
    with transaction(engine) as session:
        return feedback.forget(session, subscriber_id, _present(session, paper_id))


def paper_now(engine: Engine, paper_id: PaperId) -> Paper:
    """The paper of that id, or the one it was merged into. Raises NotFound."""
    with reading(engine) as session:
        found = shelf.papers_by_id(session, [paper_id]).get(paper_id)
    if found is None:
        raise _unknown(paper_id)
    return found


def reset(engine: Engine, subscriber_id: SubscriberId, *, dry_run: bool = False) -> int:
    """Forget all that a subscriber said of papers; how many votes there were."""
    with transaction(engine) as session:
        count = feedback.reset(session, subscriber_id)
        if dry_run:
            session.rollback()
    return count


def paper_named(engine: Engine, name: str) -> Paper:
    """The paper of that number, identifier or address. Raises NotFound."""
    with reading(engine) as session:
        return shelf.paper(session, name)


def _present(session: Session, paper_id: PaperId) -> PaperId:
    """The paper that id is now, kept until the transaction ends. Raises NotFound."""
    found = shelf.held(session, paper_id)
    if found is None:
        raise _unknown(paper_id)
    return found


def _unknown(paper_id: PaperId) -> NotFound:
    return NotFound(f"no paper has the id {paper_id}: it may have been pruned")
