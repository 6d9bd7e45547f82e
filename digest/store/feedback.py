"""Feedback: one vote of a subscriber on a paper, the last word, moved along when papers unite."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import FromClause, Row, Select, Tuple, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from digest.domain.feedback import MOST_VOTES, Opinion, Vote
from digest.domain.papers import PaperId
from digest.domain.subscribers import Channel, SubscriberId
from digest.store.papers import chunks
from digest.store.prepared import among, prepared
from digest.store.tables import FeedbackRow, PaperRow, table

CHUNK = 5_000

_feedback = table(FeedbackRow)
_papers = table(PaperRow)

_VALUES = {Opinion.MORE: 1, Opinion.LESS: -1, Opinion.CLICK: 0}
_OPINIONS = {value: opinion for opinion, value in _VALUES.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """A vote and the way it came."""

    vote: Vote
    channel: Channel


def record(
    session: Session,
    subscriber_id: SubscriberId,
    paper_id: PaperId,
    opinion: Opinion,
    *,
    channel: Channel,
    at: datetime,
) -> bool:
    """Write a vote in place of an earlier one on the same paper; whether it stands now.

    It does not where the vote in the store is later, or says more than a click.
    """
    dialect = session.get_bind().dialect.name
    made = (postgresql if dialect == "postgresql" else sqlite).insert(_feedback)
    row = {"value": _VALUES[opinion], "channel": channel.value, "given_at": at}
    new = tuple_(func.abs(made.excluded.value), made.excluded.given_at)
    written = made.values(row | {"subscriber_id": subscriber_id, "paper_id": paper_id})
    written = written.on_conflict_do_update(
        index_elements=["subscriber_id", "paper_id"],
        set_={name: made.excluded[name] for name in row},
        where=new >= _rank(_feedback),
    )
    return session.scalars(written.returning(_feedback.c.id)).first() is not None


def votes_of(
    session: Session, subscriber_ids: Iterable[SubscriberId]
) -> dict[SubscriberId, tuple[Vote, ...]]:
    """The newest 200 votes of each subscriber, latest first; who gave none is left out.

    Three statements for 5,000 subscribers; a paper's text is read and held once for all its votes.
    """
    found: dict[SubscriberId, tuple[Vote, ...]] = {}
    for chunk in chunks(subscriber_ids, CHUNK):
        voters = [row[0] for row in _voters(session).rows(session, {"ids": chunk})]
        if not voters:
            continue
        rows = session.execute(_newest(voters)).all()
        texts = _texts(session, {row.paper_id for row in rows})
        votes: dict[SubscriberId, list[Vote]] = defaultdict(list)
        for row in rows:
            if row.paper_id in texts:  # else it was merged between the two statements
                votes[row.subscriber_id].append(_vote(row, *texts[row.paper_id]))
        found |= {owner: tuple(given) for owner, given in votes.items()}
    return found


@prepared
def _voters(dialect: str) -> Select[Any]:
    voted = select(_feedback.c.subscriber_id).distinct()
    return voted.where(among(dialect, _feedback.c.subscriber_id, "ids"))


def listed(session: Session, subscriber_id: SubscriberId, limit: int = 50) -> list[Given]:
    """A subscriber's votes, latest first; `limit` 0 gives all."""
    query = select(_feedback, _papers.c.title, _papers.c.abstract).join_from(
        _feedback, _papers, _feedback.c.paper_id == _papers.c.id
    )
    query = query.where(_feedback.c.subscriber_id == subscriber_id)
    query = query.order_by(_feedback.c.given_at.desc(), _feedback.c.id.desc())
    return [
        Given(vote=_vote(row, row.title, row.abstract), channel=Channel(row.channel))
        for row in session.execute(query.limit(limit) if limit else query)
    ]


def forget(session: Session, subscriber_id: SubscriberId, paper_id: PaperId) -> bool:
    """Forget a subscriber's vote on one paper; whether there was one."""
    which = _feedback.c.subscriber_id == subscriber_id, _feedback.c.paper_id == paper_id
    gone = delete(_feedback).where(*which).returning(_feedback.c.id)
    return session.scalars(gone).first() is not None


def reset(session: Session, subscriber_id: SubscriberId) -> int:
    """Forget all of a subscriber's votes; how many there were."""
    mine = delete(_feedback).where(_feedback.c.subscriber_id == subscriber_id)
    return len(session.scalars(mine.returning(_feedback.c.id)).all())


def unite(session: Session, old: PaperId, new: PaperId) -> None:
    """Move the votes on the paper `old` to `new`; of two by one subscriber the weightier stays."""
    twin = _feedback.alias()
    mine = twin.c.subscriber_id == _feedback.c.subscriber_id
    weightier = select(twin.c.id).where(
        mine, twin.c.paper_id == old, _rank(twin) > _rank(_feedback)
    )
    session.execute(delete(_feedback).where(_feedback.c.paper_id == new, weightier.exists()))
    kept = select(twin.c.id).where(mine, twin.c.paper_id == new)
    session.execute(delete(_feedback).where(_feedback.c.paper_id == old, kept.exists()))
    session.execute(update(_feedback).where(_feedback.c.paper_id == old).values(paper_id=new))


def _rank(votes: FromClause) -> Tuple:
    """What makes one of two votes on a paper the one that stands: a word before a click, and the
    later before the earlier.
    """
    return tuple_(func.abs(votes.c.value), votes.c.given_at)


def _newest(subscriber_ids: list[SubscriberId]) -> Select[Any]:
    """The newest votes of each subscriber, latest first."""
    order = _feedback.c.given_at.desc(), _feedback.c.id.desc()
    place = func.row_number().over(partition_by=_feedback.c.subscriber_id, order_by=order)
    ranked = (
        select(_feedback, place.label("place"))
        .where(_feedback.c.subscriber_id.in_(subscriber_ids))
        .subquery()
    )
    newest = select(ranked).where(ranked.c.place <= MOST_VOTES)
    return newest.order_by(ranked.c.subscriber_id, ranked.c.place)


def _texts(session: Session, ids: Iterable[PaperId]) -> dict[PaperId, tuple[str, str]]:
    """Title and abstract of each paper."""
    columns = select(_papers.c.id, _papers.c.title, _papers.c.abstract)
    return {
        PaperId(number): (title, abstract)
        for chunk in chunks(sorted(ids), CHUNK)
        for number, title, abstract in session.execute(columns.where(_papers.c.id.in_(chunk)))
    }


def _vote(row: Row[Any], title: str, abstract: str) -> Vote:
    return Vote(
        paper_id=PaperId(row.paper_id),
        title=title,
        abstract=abstract,
        opinion=_OPINIONS[row.value],
        given_at=row.given_at,
    )
