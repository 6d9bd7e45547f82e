"""The public archive: papers by the day on which they were first listed, search, and each paper."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from threading import BoundedSemaphore

from sqlalchemy import Engine

from digest.domain.papers import Paper, PaperId, Signal
from digest.domain.trends import Trend, trends
from digest.errors import NotFound, StoreError
from digest.mail.excerpts import plain
from digest.ranking.explain import trends_alone
from digest.services.library import trends_of
from digest.services.shown import ShownPaper, shown
from digest.store.archive import (
    day_beside,
    days_with_papers,
    first_days,
    first_listed_on,
    signals_on,
)
from digest.store.database import reading
from digest.store.papers import aliases_for, papers_by_id, search_papers
from digest.store.signals import signals_of

PAGE = 20
SEARCH_PAGES = 10  # nobody reads on beyond 200: the search should be narrower
MOST_ID = 2**31 - 1
SEARCH_WAIT_S = 3.0

_DAY = timedelta(days=1)
# A search reads every text of the store: one at a time, or a few could keep all others waiting.
_searching = BoundedSemaphore(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveDay:
    """One page of the papers of a day, best first; `total` are all of them.

    `start` numbers the first of the page. `before` and `after` are the nearest days with papers.
    """

    day: date
    papers: tuple[ShownPaper, ...]
    total: int
    page: int
    pages: int
    before: date | None
    after: date | None

    @property
    def start(self) -> int:
        """The number of the page's first paper, from 1."""
        return (self.page - 1) * PAGE + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Month:
    """A month by its first day, and those of its days that have papers."""

    first: date
    days: tuple[date, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One page of what a search found, the latest first; `more` says whether another follows."""

    papers: tuple[ShownPaper, ...]
    page: int
    more: bool

    @property
    def start(self) -> int:
        """The number of the page's first paper, from 1."""
        return (self.page - 1) * PAGE + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class PaperPage:
    """All that is known of one paper, in plain text; `names` are its identifiers with their scheme
    (`arxiv`, `2603.00001`).
    """

    shown: ShownPaper
    abstract: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    venue: str
    published_on: date | None
    first_seen_on: date
    names: tuple[tuple[str, str], ...]
    trend: Trend


def latest_day(engine: Engine, now: datetime) -> date | None:
    """The latest day up to today that has papers; None while there are none."""
    with reading(engine) as session:
        return day_beside(session, _today(now) + _DAY, later=False)


def day_of(engine: Engine, day: date, now: datetime, *, page: int = 1) -> ArchiveDay:
    """A page of the papers of that day, by their trend at its end, those of today by that of now.

    A page beyond the last is the last. A day to come has none.
    """
    today = _today(now)
    with reading(engine) as session:
        ids = first_listed_on(session, day) if day <= today else set()
        order, scores = _by_trend(ids, signals_on(session, day) if ids else (), day, now)
        pages = max(1, -(-len(order) // PAGE))
        page = min(max(page, 1), pages)
        chosen = order[(page - 1) * PAGE : page * PAGE]
        papers = papers_by_id(session, chosen)
        before = day_beside(session, min(day, today + _DAY), later=False)
        after = day_beside(session, day, later=True) if day < today else None
    return ArchiveDay(
        day=day,
        papers=tuple(_shown(papers[n], scores[n], day) for n in chosen if n in papers),
        total=len(order),
        page=page,
        pages=pages,
        before=before,
        after=after if after and after <= today else None,
    )


def calendar(engine: Engine, last: date, months: int = 3) -> list[Month]:
    """The days with papers up to `last`, by month, the latest first; months without any too."""
    firsts = [last.replace(day=1)]
    while len(firsts) < months and firsts[-1] > date.min:
        firsts.append((firsts[-1] - _DAY).replace(day=1))
    days = [last - n * _DAY for n in range((last - firsts[-1]).days + 1)][::-1]
    with reading(engine) as session:
        found = days_with_papers(session, days)
    return [
        Month(first=first, days=tuple(day for day in found if day.replace(day=1) == first))
        for first in firsts
    ]


def search(engine: Engine, text: str, *, page: int = 1) -> Found:
    """The papers whose title or abstract holds `text`, letter for letter but for case.

    Raises InvalidInput where it is empty or too long, StoreError while others search.
    """
    page = min(max(page, 1), SEARCH_PAGES)
    if not _searching.acquire(timeout=SEARCH_WAIT_S):
        raise StoreError("others are searching just now")
    try:
        with reading(engine) as session:
            found = search_papers(session, text, page * PAGE + 1)
    finally:
        _searching.release()
    chosen = found[(page - 1) * PAGE : page * PAGE]
    with reading(engine) as session:
        ids = [paper.id for paper in chosen]
        days, own = first_days(session, ids), signals_of(session, ids)
    return Found(
        papers=tuple(
            shown(paper, trends_alone(_last_counts(own.get(paper.id, ()))), day=days.get(paper.id))
            for paper in chosen
        ),
        page=page,
        more=len(found) > page * PAGE and page < SEARCH_PAGES,
    )


def paper_page(engine: Engine, number: int, now: datetime) -> PaperPage:
    """The page of a paper; the number of one that was merged gives what it became.

    Raises NotFound.
    """
    asked = PaperId(number)
    with reading(engine) as session:
        paper = papers_by_id(session, [asked] if 0 < number <= MOST_ID else []).get(asked)
        if paper is None:
            raise NotFound(f"no paper has the number {number}")
        trend = trends_of(session, [paper.id], now)[paper.id]
        names = aliases_for(session, [paper.id]).get(paper.id, ())
        day = first_days(session, [paper.id]).get(paper.id)
    return PaperPage(
        shown=_shown(paper, trend, day),
        abstract=plain(paper.abstract),
        authors=tuple(name for name in map(plain, paper.authors) if name),
        categories=tuple(name for name in map(plain, paper.categories) if name),
        venue=plain(paper.venue or ""),
        published_on=paper.published_on,
        first_seen_on=paper.first_seen_at.astimezone(UTC).date(),
        names=tuple((alias.scheme.value, plain(alias.value)) for alias in names),
        trend=trend,
    )


def _by_trend(
    ids: Iterable[PaperId], signals: Sequence[Signal], day: date, now: datetime
) -> tuple[list[PaperId], dict[PaperId, Trend]]:
    """The papers by their trend at the end of the day, or now where that is earlier."""
    at = min(datetime.combine(day, time.max, UTC), now.astimezone(UTC))
    found = trends(_as_of(signals, at), at)
    scores = {number: found.get(number, Trend()) for number in ids}
    return sorted(scores, key=lambda number: (-scores[number].score, number)), scores


def _as_of(signals: Sequence[Signal], at: datetime) -> list[Signal]:
    """The signals as they stood; what was read only later counts as it was read first, or days that
    were fetched afterwards would have no order at all.
    """
    runs: dict[tuple[str, PaperId], list[Signal]] = defaultdict(list)
    for signal in signals:
        runs[signal.source, signal.paper_id].append(signal)
    kept: list[Signal] = []
    for readings in runs.values():
        known = [signal for signal in readings if signal.read_at <= at]
        first = min(readings, key=lambda signal: signal.read_at)
        kept += known or [replace(first, read_at=at, held_until=at)]
    return kept


def _last_counts(signals: Sequence[Signal]) -> Trend:
    """The votes that sources showed last, of a paper whose rank among others is not asked for."""
    last = {signal.source: signal for signal in sorted(signals, key=lambda one: one.read_at)}
    counts = [n for one in last.values() if (n := one.attention.upvotes) is not None]
    return Trend(upvotes=max(counts, default=None))


def _shown(paper: Paper, trend: Trend, day: date | None) -> ShownPaper:
    return shown(paper, trends_alone(trend), trend=trend.score, day=day)


def _today(now: datetime) -> date:
    return now.astimezone(UTC).date()
