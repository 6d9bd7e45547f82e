"""Backtest: what the last days would have brought a subscriber. Nothing is written.

Each day is composed as it stood: the papers first seen in the window before the subscriber's hour,
trends as of then. What an earlier day of the backtest would have sent counts as sent, whatever the
ledger holds. Feedback counts from the instant it was given; a word that was taken back since is
gone from all days. What the whole store teaches is that of today, papers of later days included:
how common each word is (the statistics), and what each acronym stands for. So are the interests.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.digests import Digest, Reason, Skip, SkipReason, Where
from digest.domain.editions import Edition, EditionId
from digest.domain.feedback import Vote
from digest.domain.interests import Interest, InterestKind
from digest.domain.papers import Paper, PaperId
from digest.domain.schedule import Schedule, instant_on, is_chosen, local_date
from digest.domain.subscribers import EmptyDay, Subscriber
from digest.domain.tiers import Tier
from digest.errors import InvalidInput
from digest.ranking.personal import PersonalRanker
from digest.services.knowledge import Knowledge
from digest.store import feedback, subscribers
from digest.store.database import patient, reading
from digest.store.papers import papers_by_id

MOST_DAYS = 366
_FIRST_YEAR = 1900

_NO_EDITION = EditionId(0)
_PLACES = {
    InterestKind.AUTHOR: Where.AUTHOR,
    InterestKind.CATEGORY: Where.CATEGORY,
    InterestKind.VENUE: Where.VENUE,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """How digests are composed: as `Policy`; `max_papers` replaces what the subscriber chose."""

    lookback_days: int
    threshold: float
    beyond: int = 0
    tier: Tier = Tier.CORE
    max_papers: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BacktestDay:
    """One local date: the digest as of `at` (UTC) from `considered` papers, and the interests that
    some of them matched, whether sent before or not.
    """

    digest_on: date
    at: datetime
    considered: int
    content: Digest | Skip
    matched: tuple[Interest, ...]

    @property
    def picks(self) -> int:
        """How many papers the mail would have held."""
        return len(self.content.picks) if isinstance(self.content, Digest) else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Backtest:
    """The days, oldest first, and the papers that they picked."""

    subscriber: Subscriber
    days: tuple[BacktestDay, ...]
    papers: dict[PaperId, Paper]

    @property
    def silent(self) -> tuple[Interest, ...]:
        """The interests that matched nothing on any day."""
        heard = {interest for day in self.days for interest in day.matched}
        return tuple(i for i in wanted(self.subscriber) if i not in heard)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pool:
    """An edition's ranker, its cut-off and how many papers it holds."""

    at: datetime
    ranker: PersonalRanker
    size: int


def wanted(subscriber: Subscriber) -> tuple[Interest, ...]:
    """The interests that are no exclusions."""
    return tuple(i for i in subscriber.interests if not i.excluded)


def brought(interest: Interest, reason: Reason) -> bool:
    """Whether a pick with this reason is there for the interest: an author and a phrase may be
    spelled alike.
    """
    if reason.interest != interest.label:
        return False
    if interest.kind is InterestKind.ALL:
        return True
    place = _PLACES.get(interest.kind)
    return reason.where is place if place else reason.where not in _PLACES.values()


def backtest(
    engine: Engine,
    email: str,
    days: int,
    now: datetime,
    terms: Terms,
    *,
    each: Callable[[BacktestDay], None] = lambda _day: None,
) -> Backtest:
    """The chosen days among the subscriber's last `days` (1 to 366) local dates, up to the last
    whose hour has come by `now`; `each` is called with one as soon as it is done.

    The status does not matter. Raises NotFound for an unknown address.
    """
    if not 1 <= days <= MOST_DAYS:
        raise InvalidInput(f"{days} days: give 1 to {MOST_DAYS}")
    with reading(engine) as session:
        subscriber = _with(subscribers.by_email(session, email), terms)
        votes = [given.vote for given in feedback.listed(session, subscriber.id, 0)]
        knowledge = Knowledge(terms.tier)
        knowledge.learn(session, now)
    sent: set[PaperId] = set()
    done: list[BacktestDay] = []
    for day, at in _chosen(subscriber.preferences.schedule, days, now):
        with reading(engine) as session:
            pool = _pool_at(session, at, knowledge, terms)
        given = [vote for vote in votes if vote.given_at <= at]
        one = _composed(pool, subscriber, sent, day, given)
        done.append(one)
        if isinstance(one.content, Digest):
            sent |= {pick.paper_id for pick in one.content.picks}
        each(one)
    with reading(engine) as session:
        papers = papers_by_id(session, sent)
    return Backtest(subscriber=subscriber, days=tuple(done), papers=papers)


def _with(subscriber: Subscriber, terms: Terms) -> Subscriber:
    if terms.max_papers is None:
        return subscriber
    preferences = replace(subscriber.preferences, max_papers=terms.max_papers)
    return replace(subscriber, preferences=preferences)


def _chosen(schedule: Schedule, days: int, now: datetime) -> list[tuple[date, datetime]]:
    """The chosen dates with their instants, oldest first, none of them after `now`."""
    if now.year < _FIRST_YEAR:
        raise InvalidInput(f"{now:%Y-%m-%d} lies before there were papers to test with")
    last = local_date(schedule, now)
    due = instant_on(schedule, last)
    if due is None or due > now:
        last -= timedelta(days=1)
    dates = [last - timedelta(days=back) for back in range(days - 1, -1, -1)]
    instants = [(day, instant_on(schedule, day)) for day in dates if is_chosen(schedule, day)]
    return [(day, at) for day, at in instants if at is not None]


def _pool_at(session: Session, at: datetime, knowledge: Knowledge, terms: Terms) -> _Pool:
    """The edition as it stood at `at`, ranked as it is for composing."""
    patient(session.connection())  # between two statements there is much to think
    edition = Edition(id=_NO_EDITION, cutoff_at=at, lookback_days=terms.lookback_days)
    ranker = knowledge.ranker(session, edition, threshold=terms.threshold, beyond=terms.beyond)
    return _Pool(at=at, ranker=ranker, size=len(ranker.papers))


def _composed(
    pool: _Pool, subscriber: Subscriber, sent: set[PaperId], day: date, votes: Sequence[Vote]
) -> BacktestDay:
    content: Digest | Skip = Skip(digest_on=day, reason=SkipReason.NO_PAPERS)
    matched: list[Interest] = []
    if pool.size:
        content = pool.ranker.digest_for(subscriber, sent, day, votes, pool.at)
        matched = _matched(pool, subscriber, day)
    return BacktestDay(
        digest_on=day,
        at=pool.at,
        considered=pool.size,
        content=content,
        matched=tuple(matched),
    )


def _matched(pool: _Pool, subscriber: Subscriber, day: date) -> list[Interest]:
    """The interests of which at least one paper would come, were each the only one."""
    preferences = replace(subscriber.preferences, min_matches=1, empty_day=EmptyDay.SKIP)
    never = tuple(i for i in subscriber.interests if i.excluded)
    alone = (
        (one, replace(subscriber, interests=(one, *never), preferences=preferences))
        for one in wanted(subscriber)
    )
    # votes let in nothing and bar nothing, so none are asked
    return [
        one
        for one, reader in alone
        if isinstance(pool.ranker.digest_for(reader, set(), day, (), pool.at), Digest)
    ]
