"""The window on what trends now: the present papers in memory, to be asked at once.

A thread of its own reads them when something changed; who asks meanwhile gets the papers from
before, and waits for nothing but others who ask.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Event, Lock, Thread

import structlog
from sqlalchemy import Engine

from digest.domain.digests import Digest, Skip
from digest.domain.editions import Edition, EditionId
from digest.domain.interests import Interest, interest
from digest.domain.papers import Paper, PaperId
from digest.domain.subscribers import (
    MOST_PAPERS,
    EmptyDay,
    Preferences,
    Status,
    Subscriber,
    SubscriberId,
)
from digest.errors import DigestError, InvalidInput
from digest.ranking.personal import PersonalRanker
from digest.ranking.suggest import PhraseBook
from digest.services.compose import Policy
from digest.services.knowledge import Knowledge
from digest.services.shown import Shown, ShownPaper, page_of, shown
from digest.store.archive import first_days
from digest.store.database import patient, reading
from digest.store.editions import SETTLING
from digest.store.papers import latest_texts
from digest.store.sources import last_change

__all__ = ["Shown", "ShownPaper", "Window", "page_of", "shown"]

log = structlog.get_logger("digest.window")

POLL_S = 20.0
HOURLY = timedelta(hours=1)
BOOK_LASTS = timedelta(hours=6)  # new papers change little of what goes along with what
BOOK_PAPERS, BOOK_READ = 3_000, 30  # so that related phrases cost no more than a preview
MOST_ASKED = 5_000  # distinct interests whose matches are kept, some 20 MB
MOST_RELATED = 500  # phrases whose relatives are kept
_RELATED = 24  # of one phrase


@dataclass(frozen=True, kw_only=True, slots=True)
class _View:
    """The papers of one instant, ready to be asked."""

    edition: Edition
    ranker: PersonalRanker
    papers: Mapping[PaperId, Paper]
    days: Mapping[PaperId, date]
    changed_at: datetime | None


class Window:
    """The papers first seen within the last days of the policy's window; for many threads.

    Until `ready` there are none. `start` begins to follow the store, `refresh` looks once.
    """

    def __init__(self, engine: Engine, policy: Policy, clock: Callable[[], datetime]) -> None:
        """`clock` gives the present UTC instant."""
        self._engine = engine
        self._policy = policy
        self._clock = clock
        self._knowledge = Knowledge(policy.tier)
        self._view: _View | None = None
        self._asked: set[tuple[str, str, bool]] = set()
        self._asking = Lock()  # the ranker keeps what it learns, and is not for several at once
        self._refreshing = Lock()
        self._book: PhraseBook | None = None
        self._book_at: datetime | None = None
        self._kept: OrderedDict[str, list[str]] = OrderedDict()
        self._relating = Lock()
        self._showing = Event()
        self._stopping = Event()
        self._thread: Thread | None = None

    @property
    def ready(self) -> bool:
        """Whether there is anything to ask."""
        return self._view is not None

    @property
    def at(self) -> datetime | None:
        """The instant of the papers shown; None before there are any."""
        view = self._view
        return view.edition.cutoff_at if view else None

    def start(self) -> None:
        """Follow the store from now on, in a thread of its own."""
        self._thread = Thread(target=self._follow, name="window", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Follow it no longer. What is being read is not waited for longer than that."""
        self._stopping.set()
        if self._thread:
            self._thread.join(timeout_s)

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is something to ask; whether there is."""
        return self._showing.wait(timeout_s)

    def preview(
        self,
        interests: Sequence[Interest],
        *,
        max_papers: int = 10,
        threshold: float | None = None,
    ) -> Shown:
        """What a mail of today would hold for these interests; where nothing matches, what trends.

        `max_papers` is 1 to 50. Raises InvalidInput for other numbers.
        """
        view = self._view
        if view is None:
            return Shown()
        chosen = Preferences(
            max_papers=max_papers, threshold=threshold, empty_day=EmptyDay.TRENDING
        )
        with self._asking:
            self._make_room(view, interests)
            content = _ask(view, interests, chosen)
        considered = len(view.papers)
        if not isinstance(content, Digest):
            return Shown(considered=considered)
        return Shown(
            papers=tuple(
                shown(
                    view.papers[pick.paper_id],
                    pick.reason,
                    trend=pick.trend,
                    day=view.days.get(pick.paper_id),
                )
                for pick in content.picks
            ),
            considered=considered,
            matched=any(not one.excluded for one in interests) and not content.trending_only,
        )

    def trending(self, limit: int = 10) -> Shown:
        """What trends now, whatever it is about; at most 50."""
        return self.preview((), max_papers=min(limit, MOST_PAPERS))

    def related(self, phrase: str, limit: int = 8) -> list[str]:
        """Phrases that stand in the same papers, the closest first; none where there are none."""
        book = self._book
        if book is None:
            return []
        key = " ".join(phrase.casefold().split())
        with self._relating:
            if key not in self._kept:
                with suppress(InvalidInput):
                    found = book.related(key, _RELATED).suggestions
                    self._kept[key] = [one.phrase for one in found]
            while len(self._kept) > MOST_RELATED:
                self._kept.popitem(last=False)
            return self._kept.get(key, [])[:limit]

    def refresh(self) -> bool:
        """Read the papers anew if something changed or an hour has passed; whether it was so.

        Raises StoreError where the store cannot be read.
        """
        with self._refreshing:
            now = self._clock()
            is_stale = self._is_stale(now)
            if is_stale:
                self._show(self._seen(now))
            if is_stale and (self._book_at is None or now - self._book_at >= BOOK_LASTS):
                self._write_book(now)
            return is_stale

    def _follow(self) -> None:
        while not self._stopping.is_set():
            try:
                self.refresh()
            except Exception as exc:  # the papers from before stay, and the next look may do better
                known = isinstance(exc, DigestError)
                log.warning("window not refreshed", error=str(exc), exc_info=not known)
            self._stopping.wait(POLL_S)

    def _is_stale(self, now: datetime) -> bool:
        view = self._view
        if view is None or abs(now - view.edition.cutoff_at) >= HOURLY:
            return True
        with reading(self._engine) as session:
            changed = last_change(session, now)
        if changed is None or changed != view.changed_at:
            return changed != view.changed_at
        # a batch is dated when its merge begins and seen when it commits: once more after that
        return view.edition.cutoff_at < changed + SETTLING <= now

    def _seen(self, now: datetime) -> _View:
        edition = Edition(id=EditionId(0), cutoff_at=now, lookback_days=self._policy.lookback_days)
        with reading(self._engine) as session:
            changed_at = last_change(session, now)
            self._knowledge.learn(session, now)
            ranker = self._knowledge.ranker(
                session, edition, threshold=self._policy.threshold, beyond=self._policy.beyond
            )
            days = first_days(session, ranker.papers)
        return _View(
            edition=edition,
            ranker=ranker,
            papers={paper.id: paper for paper in ranker.candidates},
            days=days,
            changed_at=changed_at,
        )

    def _show(self, view: _View) -> None:
        # first: what whoever comes first would wait for, such as compiling
        _ask(view, (interest("papers"), interest("-nothing")), Preferences())
        with self._asking:
            self._view, self._asked = view, set()
        self._showing.set()

    def _write_book(self, now: datetime) -> None:
        with reading(self._engine) as session:
            patient(session.connection())
            texts = latest_texts(session, BOOK_PAPERS)
            book = PhraseBook(texts, read_most=BOOK_READ)
        with self._relating:
            self._book, self._book_at = book, now
            self._kept.clear()

    def _make_room(self, view: _View, wanted: Sequence[Interest]) -> None:
        """Forget what others asked for before it grows without end."""
        self._asked.update((one.kind.value, one.text, one.excluded) for one in wanted)
        if len(self._asked) > MOST_ASKED:
            view.ranker.forget()
            self._asked = set()


def _ask(view: _View, interests: Sequence[Interest], chosen: Preferences) -> Digest | Skip:
    """What a reader would get who was sent nothing before."""
    reader = Subscriber(
        id=SubscriberId(0),
        email="",
        status=Status.PENDING,
        interests=tuple(interests),
        preferences=chosen,
    )
    view.ranker.learn(reader.interests)  # all at once takes less time than one by one
    at = view.edition.cutoff_at
    return view.ranker.digest_for(reader, frozenset(), at.date(), (), at)
