"""What the ranker knows of the whole store: how common words are, which of them are acronyms, and
what papers talked of lately. Kept between editions, so that as a rule only new papers are
read.
"""

from datetime import datetime, timedelta
from itertools import islice
from threading import Lock

from sqlmodel import Session

from digest.domain.editions import Edition
from digest.domain.papers import PaperId
from digest.domain.tiers import Tier
from digest.ranking.acronyms import Acronyms
from digest.ranking.edition import EditionRanker
from digest.ranking.match import Background
from digest.ranking.personal import PersonalRanker
from digest.ranking.statistics import Statistics
from digest.services.library import trends_of
from digest.services.tiers import Equipment, equip
from digest.store.database import patient
from digest.store.papers import State, candidates, state_up_to, texts_before, texts_since

EARLIER = 5_000  # papers that teach what an interest is about
_BATCH = 10_000
_DAY = timedelta(days=1)


class Knowledge:
    """What the papers of a store teach the ranker of a tier."""

    def __init__(self, tier: Tier) -> None:
        self._tier = tier
        self._equipment: Equipment | None = None
        self._equipping = Lock()
        self._forget()

    def _forget(self) -> None:
        self._statistics = Statistics.of(())
        self._acronyms = Acronyms.of(())
        self._read_up_to, self._read = PaperId(0), 0
        self._state = State()
        self._begun_at: datetime | None = None

    @property
    def note(self) -> str | None:
        """What is missing for a better ranking."""
        return self._equipped().note

    def learn(self, session: Session, at: datetime) -> None:
        """Read the papers that came since the last time, for an edition of the instant `at`.

        All are read anew where one of those read has changed or gone since, and after a day in any
        case: what a daemon knows must be what a fresh process would learn.
        """
        patient(session.connection())  # between two statements there is much to think
        if self._begun_at is None or abs(at - self._begun_at) >= _DAY or self._is_stale(session):
            self._forget()
            self._begun_at = at
        # first: what changes while this reads is taken as changed the next time
        self._state = state_up_to(session)
        fresh = texts_since(session, self._read_up_to)
        while rows := list(islice(fresh, _BATCH)):
            texts = [(title, abstract) for _, title, abstract in rows]
            self._statistics = self._statistics + Statistics.of(texts)
            self._acronyms = self._acronyms + Acronyms.of(texts)
            self._read_up_to = rows[-1][0]
            self._read += len(rows)

    def _is_stale(self, session: Session) -> bool:
        """Whether a paper that was read has been pruned, merged away or changed since."""
        now = state_up_to(session, self._read_up_to)
        known = self._state.updated_at
        is_newer = now.updated_at is not None and (known is None or now.updated_at > known)
        return now.papers != self._read or is_newer

    def ranker(
        self, session: Session, edition: Edition, *, threshold: float, beyond: int
    ) -> PersonalRanker:
        """The ranker of an edition, after what was learnt so far."""
        papers = candidates(session, edition)
        ranker = EditionRanker(
            papers,
            self._statistics,
            trends_of(session, [paper.id for paper in papers], edition.cutoff_at),
            threshold=threshold,
            beyond=beyond,
            cutoff_at=edition.cutoff_at,
            background=Background(
                earlier=texts_before(session, edition.opens_at, EARLIER),
                understanding=self._equipped().understanding(self._statistics),
                synonyms=self._acronyms.as_mapping,
            ),
        )
        return PersonalRanker(ranker, self._statistics)

    def _equipped(self) -> Equipment:
        """What the tier works with, loaded when it is first needed."""
        with self._equipping:  # several threads may ask, and loading takes time and memory
            if self._equipment is None:
                self._equipment = equip(self._tier)
            return self._equipment
