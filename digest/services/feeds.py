"""What a feed reader is given: papers as entries, each with the instant at which it came."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Engine

from digest.domain.digests import Pick
from digest.domain.subscribers import SubscriberId
from digest.services.shown import ShownPaper, shown
from digest.store.archive import SentDigest, digests_since, first_days
from digest.store.contents import content_from_json
from digest.store.database import reading
from digest.store.papers import papers_by_id
from digest.store.subscribers import by_id

OWN_DAYS = timedelta(days=30)
MOST_ENTRIES = 100

_Given = tuple[datetime, date, Pick]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One paper of a feed; `at` is the UTC instant from which it belonged there, `digest_on` the
    date of the reader's digest that brought it, if one did.
    """

    paper: ShownPaper
    at: datetime
    digest_on: date | None = None


def own_entries(engine: Engine, subscriber_id: SubscriberId, now: datetime) -> list[Entry]:
    """The papers of a subscriber's digests of the last 30 days, the latest digest's first; at most
    100. One entry a paper: a reader marks, keeps and opens papers, not days.

    Raises NotFound for a subscriber who is erased, StoreError for a row that cannot be read.
    """
    with reading(engine) as session:
        by_id(session, subscriber_id)
        digests = digests_since(session, subscriber_id, now - OWN_DAYS, MOST_ENTRIES)
        given = _picks(digests)
        papers = papers_by_id(session, [pick.paper_id for _, _, pick in given])
        days = first_days(session, {paper.id for paper in papers.values()})
    entries: dict[int, Entry] = {}
    for at, day, pick in given:
        if paper := papers.get(pick.paper_id):
            told = shown(paper, pick.reason, trend=pick.trend, day=days.get(paper.id))
            entries.setdefault(paper.id, Entry(paper=told, at=at, digest_on=day))
    return list(entries.values())


def _picks(digests: list[SentDigest]) -> list[_Given]:
    found = [
        (one.queued_at, one.digest_on, pick)
        for one in digests
        for pick in content_from_json(one.picks, one.digest_on).picks
    ]
    return found[:MOST_ENTRIES]
