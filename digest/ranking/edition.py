"""One edition, ready to be turned into digests: `digests_for` gives subscribers theirs."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np

from digest.domain.digests import Digest, Pick, Reason, Skip, SkipReason, Where
from digest.domain.interests import Interest
from digest.domain.papers import Paper, PaperId
from digest.domain.subscribers import EmptyDay, Subscriber, SubscriberId
from digest.domain.trends import Trend
from digest.ranking import explain
from digest.ranking.copies import Copies
from digest.ranking.crowd import Lifts, Request, columns
from digest.ranking.flat import Floats, Picks
from digest.ranking.match import Background, Matcher
from digest.ranking.select import pool_of, select, trending
from digest.ranking.statistics import Statistics

THRESHOLD = 0.25
HOT_MOST = 3
HOT_LEAST = 0.5
JITTER = timedelta(hours=1)  # an edition may be that much older than the digest made of it

_NO_TREND = Trend()
_CHUNK = 2_000
_REASONS = 40_000  # kept at most, some 20 MB
_DAY = timedelta(days=1)


class EditionRanker:
    """Ranks the candidates of one edition for any number of subscribers.

    Each distinct interest is matched when it first comes up and kept, so the cost grows with
    distinct interests and with subscribers, not with their product. What is kept goes with the
    edition; memory beyond it is bounded by a chunk of subscribers.
    """

    def __init__(
        self,
        papers: Iterable[Paper],
        statistics: Statistics,
        trends: Mapping[PaperId, Trend],
        *,
        threshold: float = THRESHOLD,
        beyond: int = 0,
        cutoff_at: datetime | None = None,
        background: Background | None = None,
    ) -> None:
        """`statistics` are those of all papers in the store; a paper without trend has none.

        `threshold` is for subscribers who chose none; `beyond` papers at most come for their trend
        alone behind those that match. From the edition's `cutoff_at` (UTC) it is reckoned for how
        many days a paper has been carried over; without it none is. With a `background` a phrase
        also finds what is meant by it.
        """
        latest_first = sorted(papers, key=lambda p: (p.first_seen_at, p.id), reverse=True)
        self._papers = latest_first
        self._ids = [paper.id for paper in latest_first]
        self._numbers = {paper: number for number, paper in enumerate(self._ids)}
        self._trends = [trends.get(paper.id, _NO_TREND) for paper in latest_first]
        scores = np.array([trend.score for trend in self._trends], np.float64)
        self._trend = np.clip(np.nan_to_num(scores, nan=0.0), 0.0, 1.0)
        # in columns, with one more behind them for the -1 of `Picks`
        self._numbered = np.array([*self._ids, 0], np.int64)
        self._worth = np.append(self._trend, 0.0)
        self._by_trend = np.argsort(-self._trend, kind="stable").tolist()
        self._matcher = Matcher(latest_first, statistics, background=background)
        self._forget_reasons()
        self._copies = Copies.of([frozenset(w.form for w in p.title) for p in self._matcher.pages])
        self._threshold = threshold
        self._beyond = beyond
        self._cutoff_at = cutoff_at
        self._hot = [n for n in self._by_trend[:HOT_MOST] if _is_hot(self._trends[n])]
        self._alone: dict[int, Pick] = {}  # picks for their trend alone are the same for everybody
        self._reaching: dict[int, Pick] = {}

    @property
    def papers(self) -> list[PaperId]:
        """The candidates, the latest first."""
        return list(self._ids)

    @property
    def candidates(self) -> Sequence[Paper]:
        """The same with their texts, in the same order: that of the factors in `lifts`."""
        return self._papers

    def learn(self, interests: Iterable[Interest]) -> None:
        """Match these interests now, so that `digests_for` need not: it is the slow part."""
        known = list(interests)
        self._matcher.learn(one for one in known if not one.excluded)
        for interest in known:
            if interest.excluded:
                self._matcher.barred(interest)

    def forget(self) -> None:
        """Let go of the interests learnt so far, for whoever is asked for ever new ones."""
        self._matcher.forget()
        self._forget_reasons()

    def digest_for(
        self, subscriber: Subscriber, sent: AbstractSet[PaperId], digest_on: date
    ) -> Digest | Skip:
        """One subscriber's digest, or why there is none: `digests_for` of one."""
        (found,) = self.digests_for([subscriber], {subscriber.id: sent}, {subscriber.id: digest_on})
        return found

    def digests_for(
        self,
        subscribers: Sequence[Subscriber],
        sent: Mapping[SubscriberId, AbstractSet[PaperId]],
        days: Mapping[SubscriberId, date],
        lifts: Lifts | None = None,
    ) -> list[Digest | Skip]:
        """Each subscriber's digest for their date, or why there is none, in the same order.

        Nothing of `sent` comes again. Without interests it is the trending list; with too few
        matches too (`trending_only`), unless the subscriber wants no mail then. Exclusions hold
        everywhere. `lifts` are factors of feedback, (papers,) in the order of `papers`; where they
        lie outside 0.5 to 1.5 they count as the nearer bound.
        """
        found: list[Digest | Skip] = []
        for first in range(0, len(subscribers), _CHUNK):
            chunk = [
                self._request(one, sent.get(one.id, frozenset()), days[one.id])
                for one in subscribers[first : first + _CHUNK]
            ]
            found += self._composed(chunk, lifts or {})
        return found

    def _request(
        self, subscriber: Subscriber, sent: AbstractSet[PaperId], digest_on: date
    ) -> Request:
        known = frozenset(self._numbers[paper] for paper in sent if paper in self._numbers)
        return Request.of(subscriber, digest_on, known, self._matcher)

    def _composed(self, requests: Sequence[Request], lifts: Lifts) -> list[Digest | Skip]:
        flat = columns(
            requests, self._matcher, lifts, threshold=self._threshold, beyond=self._beyond
        )
        carried = np.array([self._carried(gap) for gap in flat.gaps])
        pool = pool_of(self._trend, carried, self._copies, self._hot)
        picks = select(pool, flat.interests, flat.readers)
        return [
            self._content(request, chosen.matches, self._matched(request, chosen))
            for request, chosen in zip(requests, self._by_reader(picks), strict=True)
        ]

    def _content(self, request: Request, matches: int, matched: tuple[Pick, ...]) -> Digest | Skip:
        """The digest of what matches, or what the reader gets where too little does."""
        chosen, day = request.subscriber.preferences, request.digest_on
        if len(request.sent) == len(self._papers):
            return Skip(digest_on=day, reason=SkipReason.NO_PAPERS)
        if request.wanted:
            if matched and matches >= chosen.min_matches:
                return Digest(digest_on=day, picks=matched)
            if chosen.empty_day is EmptyDay.SKIP:
                return Skip(digest_on=day, reason=SkipReason.NO_MATCHES)
        numbers = trending(self._by_trend, request.barred, chosen.max_papers, self._copies)
        if not numbers:
            return Skip(digest_on=day, reason=SkipReason.NO_MATCHES)
        return Digest(
            digest_on=day,
            picks=tuple(self._trending(number) for number in numbers),
            trending_only=bool(request.wanted),
        )

    def _matched(self, request: Request, chosen: "_Chosen") -> tuple[Pick, ...]:
        """The picks that match, and those beyond behind them."""
        size, papers, wanted, reason = chosen.size, chosen.papers, request.wanted, self._reason
        said = [self._reasons[one.kind, one.text] for one in wanted]
        reasons = [
            said[wish].get(number) or reason(wanted[wish], number)
            # of the columns as much as there is of papers that match
            for number, wish in zip(papers[:size], chosen.wishes, strict=False)
        ]
        columns = zip(chosen.ids, chosen.scores, chosen.relevance, chosen.trends, reasons)  # noqa: B905
        matched = map(_pick, columns)
        return (*matched, *map(self._beyond_matches, papers[size : size + chosen.beyond]))

    def _reason(self, interest: Interest, number: int) -> Reason:
        """Why a paper comes, kept: many readers have the same interests."""
        known = self._reasons[interest.kind, interest.text].get(number)
        if known is None:
            if self._told >= _REASONS:  # what is kept must not grow with the readers
                self._forget_reasons()
            self._told += 1
            known = explain.matched(self._matcher, interest, number, self._trends[number])
            self._reasons[interest.kind, interest.text][number] = known
        return known

    def _forget_reasons(self) -> None:
        self._reasons: dict[tuple[str, str], dict[int, Reason]] = defaultdict(dict)
        self._told = 0

    def _trending(self, number: int) -> Pick:
        if number not in self._alone:
            self._alone[number] = Pick(
                paper_id=self._papers[number].id,
                score=float(self._trend[number]),
                relevance=0.0,
                trend=float(self._trend[number]),
                reason=explain.trends_alone(self._trends[number]),
            )
        return self._alone[number]

    def _beyond_matches(self, number: int) -> Pick:
        """A pick that matches nothing: by the formula its score is 0, so it comes last."""
        if number not in self._reaching:
            alone = self._trending(number)
            reason = replace(alone.reason, where=Where.BEYOND)
            self._reaching[number] = alone._replace(score=0.0, reason=reason)
        return self._reaching[number]

    def _by_reader(self, picks: Picks) -> Iterable["_Chosen"]:
        columns = (
            *(picks.matches, picks.sizes, picks.beyond),
            *(picks.papers, picks.wishes, picks.scores, picks.relevance),
            *(self._numbered[picks.papers], self._worth[picks.papers]),
        )
        return map(_Chosen, *(column.tolist() for column in columns))

    def _carried(self, gap: int) -> Floats:
        """For how many days each paper has been in earlier digests' reach, for a reader with `gap`
        days between two of them, (papers,).
        """
        cutoff = self._cutoff_at
        if cutoff is None:
            return np.zeros(len(self._papers))
        ages = [(cutoff - JITTER - paper.first_seen_at) // _DAY for paper in self._papers]
        return np.maximum(np.array(ages, np.float64) - gap + 1, 0.0)


class _Chosen(NamedTuple):
    """One reader's part of `Picks`, with what is known of its papers, as lists, of which Python
    reads an item faster.
    """

    matches: int
    size: int
    beyond: int
    papers: list[int]
    wishes: list[int]
    scores: list[float]
    relevance: list[float]
    ids: list[PaperId]
    trends: list[float]


# what the class does when it is called, without going through Python for each of ten picks
_pick = cast("Callable[[tuple[Any, ...]], Pick]", partial(tuple.__new__, Pick))


def _is_hot(trend: Trend) -> bool:
    """Whether a paper of the edition's top trends so much that it is worth a place by that alone:
    a score of a half is that of a paper in the upper half of a well-filled fresh day.
    """
    return trend.score >= HOT_LEAST and bool(trend.upvotes)
