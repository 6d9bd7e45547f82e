"""One edition, ready to be turned into digests: `digest_for` gives a subscriber theirs."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date

import numpy as np
from numpy.typing import NDArray

from digest.domain.digests import Digest, Pick, Skip, SkipReason
from digest.domain.interests import Interest
from digest.domain.papers import Paper, PaperId
from digest.domain.subscribers import EmptyDay, Subscriber
from digest.domain.trends import Trend
from digest.ranking.explain import Explainer, trends_alone
from digest.ranking.match import Matcher
from digest.ranking.select import Wish, select, trending
from digest.ranking.statistics import Statistics

THRESHOLD = 0.25
ALIKE = 0.8  # shared part of two titles' words (Jaccard) from which they are near-copies

_NO_TREND = Trend()


class EditionRanker:
    """Ranks the candidates of one edition for any number of subscribers.

    Each distinct interest is matched when it first comes up and kept, so the cost grows with
    distinct interests and with subscribers, not with their product.
    """

    def __init__(
        self,
        papers: Iterable[Paper],
        statistics: Statistics,
        trends: Mapping[PaperId, Trend],
        *,
        interests: Iterable[Interest] = (),
        threshold: float = THRESHOLD,
    ) -> None:
        """`statistics` are those of all papers in the store; a paper without trend has none.

        `threshold` is for subscribers who chose none; `interests` may name those that will come.
        """
        latest_first = sorted(papers, key=lambda p: (p.first_seen_at, p.id), reverse=True)
        self._papers = latest_first
        self._numbers = {paper.id: number for number, paper in enumerate(latest_first)}
        self._trends = [trends.get(paper.id, _NO_TREND) for paper in latest_first]
        self._trend = np.array([trend.score for trend in self._trends], np.float64)
        self._by_trend = np.argsort(-self._trend, kind="stable").tolist()
        self._matcher = Matcher(latest_first, statistics, interests)
        self._explainer = Explainer(self._matcher)
        self._titles = [frozenset(w.form for w in page.title) for page in self._matcher.pages]
        self._threshold = threshold

    @property
    def papers(self) -> list[PaperId]:
        """The candidates, the latest first."""
        return list(self._numbers)

    def learn(self, interests: Iterable[Interest]) -> None:
        """Match these interests now, so that `digest_for` need not: it is the slow part."""
        for interest in interests:
            if interest.excluded:
                self._matcher.barred(interest)
            else:
                self._matcher.row(interest)

    def digest_for(
        self, subscriber: Subscriber, sent: AbstractSet[PaperId], digest_on: date
    ) -> Digest | Skip:
        """The subscriber's digest, or why there is none; nothing of `sent` comes again.

        Without interests it is the trending list; with too few matches too (`trending_only`),
        unless the subscriber wants no mail then. Exclusions hold everywhere.
        """
        barred = self._sent(sent)
        if barred.all():
            return Skip(digest_on=digest_on, reason=SkipReason.NO_PAPERS)
        self._exclude(subscriber.interests, barred)
        wanted = [interest for interest in subscriber.interests if not interest.excluded]
        chosen = subscriber.preferences
        if wanted:
            matched = self._matched(wanted, barred, subscriber)
            if matched:
                return Digest(digest_on=digest_on, picks=matched)
            if chosen.empty_day is EmptyDay.SKIP:
                return Skip(digest_on=digest_on, reason=SkipReason.NO_MATCHES)
        picks = self._trending(barred, chosen.max_papers)
        if not picks:
            return Skip(digest_on=digest_on, reason=SkipReason.NO_MATCHES)
        return Digest(digest_on=digest_on, picks=picks, trending_only=bool(wanted))

    def _matched(
        self, wanted: Sequence[Interest], barred: NDArray[np.bool_], subscriber: Subscriber
    ) -> tuple[Pick, ...]:
        """The picks that match, none where there are fewer matches than asked for."""
        chosen = subscriber.preferences
        found = select(
            [Wish(row=self._matcher.row(i), weight=i.weight) for i in wanted],
            barred,
            self._trend,
            threshold=self._threshold if chosen.threshold is None else chosen.threshold,
            max_papers=chosen.max_papers,
            alike=self._alike,
        )
        if found.matches < chosen.min_matches:
            return ()
        return tuple(
            Pick(
                paper_id=self._papers[choice.paper].id,
                score=choice.score,
                relevance=choice.relevance,
                trend=self._trends[choice.paper].score,
                reason=self._explainer.matched(
                    wanted[choice.wish], choice.paper, self._trends[choice.paper]
                ),
            )
            for choice in found.choices
        )

    def _trending(self, barred: NDArray[np.bool_], max_papers: int) -> tuple[Pick, ...]:
        numbers = trending(self._by_trend, barred, max_papers, self._alike)
        return tuple(
            Pick(
                paper_id=self._papers[number].id,
                score=self._trends[number].score,
                relevance=0.0,
                trend=self._trends[number].score,
                reason=trends_alone(self._trends[number]),
            )
            for number in numbers
        )

    def _sent(self, sent: AbstractSet[PaperId]) -> NDArray[np.bool_]:
        barred = np.zeros(len(self._papers), np.bool_)
        barred[[self._numbers[paper] for paper in sent if paper in self._numbers]] = True
        return barred

    def _exclude(self, interests: Iterable[Interest], barred: NDArray[np.bool_]) -> None:
        for interest in interests:
            if interest.excluded:
                barred[self._matcher.barred(interest)] = True

    def _alike(self, one: int, other: int) -> bool:
        a, b = self._titles[one], self._titles[other]
        size, other_size = len(a), len(b)
        if min(size, other_size) < ALIKE * max(size, other_size) or not size:
            return False
        shared = len(a & b)
        return shared >= ALIKE * (size + other_size - shared)
