"""The library: papers with their trend and signals, for listings and pages."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.papers import Alias, Paper, PaperId, Signal
from digest.domain.trends import Trend, trends
from digest.store import papers as shelf
from digest.store.database import reading
from digest.store.signals import signals_around, signals_of


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedPaper:
    """A paper with its trend at the instant of asking and the signals it is made of."""

    paper: Paper
    trend: Trend
    signals: tuple[Signal, ...]
    aliases: tuple[Alias, ...]


class Library:
    """Looks papers up; `now` is the instant of their trend."""

    def __init__(self, engine: Engine, now: datetime) -> None:
        self._engine = engine
        self._now = now

    def recent(self, limit: int) -> list[ListedPaper]:
        """The papers last seen first; `limit` 0 gives all."""
        return self._listed(lambda session: shelf.recent_papers(session, limit))

    def search(self, text: str, limit: int) -> list[ListedPaper]:
        """The papers that contain `text`, latest first. Raises InvalidInput for an empty one."""
        return self._listed(lambda session: shelf.search_papers(session, text, limit))

    def one(self, name: str) -> ListedPaper:
        """The paper of that number, identifier or address. Raises NotFound."""
        return self._listed(lambda session: [shelf.paper(session, name)])[0]

    def _listed(self, find: Callable[[Session], list[Paper]]) -> list[ListedPaper]:
        with reading(self._engine) as session:
            found = find(session)
            ids = [paper.id for paper in found]
            scores = trends(signals_around(session, ids), self._now)
            signals = signals_of(session, ids)
            aliases = shelf.aliases_for(session, ids)
        return [
            ListedPaper(
                paper=paper,
                trend=scores.get(paper.id, Trend()),
                signals=tuple(signals.get(paper.id, ())),
                aliases=aliases.get(paper.id, ()),
            )
            for paper in found
        ]


def trends_of(session: Session, ids: list[PaperId], now: datetime) -> dict[PaperId, Trend]:
    """The trend of each of these papers at `now`, compared within the days they were listed."""
    scores = trends(signals_around(session, ids), now)
    return {number: scores.get(number, Trend()) for number in ids}
