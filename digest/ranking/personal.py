"""An edition in the order that its readers' votes make, each pick saying what moved it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digest.domain.digests import Digest, Pick, Skip, Taste
from digest.domain.feedback import Vote
from digest.domain.interests import Interest
from digest.domain.papers import Paper, PaperId
from digest.domain.subscribers import Subscriber, SubscriberId
from digest.ranking.edition import EditionRanker
from digest.ranking.feedback import Tastes
from digest.ranking.statistics import Statistics

TOLD_FROM = 0.05  # a lift nearer to 1 moves hardly anything: no reason to speak of it

Votes = Mapping[SubscriberId, Sequence[Vote]]
"""Who gave none may be left out."""


class PersonalRanker:
    """A ranker of one edition that heeds votes: who gave none costs and gets what they would there.

    What votes make of the edition's papers is worked out with the first vote, and kept.
    """

    def __init__(self, ranker: EditionRanker, statistics: Statistics) -> None:
        """`statistics` are those of all papers in the store, as `ranker` was given them."""
        self._ranker = ranker
        self._statistics = statistics
        self._numbers = {paper: number for number, paper in enumerate(ranker.papers)}
        self._kept: Tastes | None = None

    @property
    def papers(self) -> list[PaperId]:
        """The candidates, the latest first."""
        return self._ranker.papers

    @property
    def candidates(self) -> Sequence[Paper]:
        """The same with their texts, in the same order."""
        return self._ranker.candidates

    def forget(self) -> None:
        """Let go of the interests learnt so far, for whoever is asked for ever new ones."""
        self._ranker.forget()

    def learn(self, interests: Iterable[Interest]) -> None:
        """Match these interests now, so that `digests_for` need not: it is the slow part."""
        self._ranker.learn(interests)

    def learn_votes(self, votes: Votes) -> None:
        """Work out now what the papers of these votes are like, if there are any."""
        every = [vote for given in votes.values() for vote in given]
        if every and self._numbers:
            self._tastes.learn(every)

    def digests_for(
        self,
        subscribers: Sequence[Subscriber],
        sent: Mapping[SubscriberId, AbstractSet[PaperId]],
        days: Mapping[SubscriberId, date],
        votes: Votes,
        now: datetime,
    ) -> list[Digest | Skip]:
        """As `EditionRanker.digests_for`, lifted by the votes that were given by `now` (UTC)."""
        found: list[Digest | Skip] = []
        for group in self._groups(subscribers, votes):
            found += self._digests_for(group, sent, days, votes, now)
        return found

    def digest_for(
        self,
        subscriber: Subscriber,
        sent: AbstractSet[PaperId],
        digest_on: date,
        votes: Sequence[Vote],
        now: datetime,
    ) -> Digest | Skip:
        """One subscriber's digest, or why there is none: `digests_for` of one."""
        number = subscriber.id
        (found,) = self.digests_for(
            [subscriber], {number: sent}, {number: digest_on}, {number: votes}, now
        )
        return found

    def _groups(
        self, subscribers: Sequence[Subscriber], votes: Votes
    ) -> Iterator[Sequence[Subscriber]]:
        """The subscribers in groups whose votes are still known when it comes to the reasons."""
        start, voted = 0, set[PaperId]()
        for number, one in enumerate(subscribers):
            own = {vote.paper_id for vote in votes.get(one.id, ())} if self._numbers else set()
            if number > start and own and len(voted | own) > self._tastes.most:
                yield subscribers[start:number]
                start, voted = number, set()
            voted |= own
        yield subscribers[start:]

    def _digests_for(
        self,
        subscribers: Sequence[Subscriber],
        sent: Mapping[SubscriberId, AbstractSet[PaperId]],
        days: Mapping[SubscriberId, date],
        votes: Votes,
        now: datetime,
    ) -> list[Digest | Skip]:
        self.learn_votes({one.id: votes.get(one.id, ()) for one in subscribers})
        lifts = {
            one.id: self._tastes.lift(votes[one.id], now)
            for one in subscribers
            if self._numbers and votes.get(one.id)
        }
        found = self._ranker.digests_for(subscribers, sent, days, lifts)
        return [
            self._told(content, votes[one.id], lifts[one.id], now) if one.id in lifts else content
            for one, content in zip(subscribers, found, strict=True)
        ]

    @property
    def _tastes(self) -> Tastes:
        if self._kept is None:
            self._kept = Tastes(self._ranker.candidates, self._statistics)
        return self._kept

    def _told(
        self,
        content: Digest | Skip,
        votes: Sequence[Vote],
        lift: NDArray[np.floating[Any]],
        now: datetime,
    ) -> Digest | Skip:
        """The same, the reasons of the picks that votes moved saying so."""
        if isinstance(content, Skip):
            return content
        return replace(
            content, picks=tuple(self._with_taste(pick, votes, lift, now) for pick in content.picks)
        )

    def _with_taste(
        self, pick: Pick, votes: Sequence[Vote], lift: NDArray[np.floating[Any]], now: datetime
    ) -> Pick:
        number = self._numbers[pick.paper_id]
        factor = float(lift[number])
        # what came for its trend alone was moved by nothing
        if pick.reason.interest is None or abs(factor - 1) < TOLD_FROM:
            return pick
        words = self._tastes.why(votes, number, now)
        taste = Taste(words=words, raised=factor > 1) if words else None
        return pick._replace(reason=replace(pick.reason, taste=taste))
