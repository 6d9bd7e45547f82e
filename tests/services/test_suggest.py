"""Suggestions out of the store, the latest papers alone, on both engines."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from digest.errors import InvalidInput
from digest.services import suggest as service
from digest.services.collect import keep
from digest.services.suggest import suggest
from digest.store.database import reading
from tests.builders import NOON, a_batch, a_listing

OTHERS = [f"Notes on {topic}" for topic in ("tea", "bridges", "birds", "clouds", "roads") * 4]


def _papers(engine: Engine, *titles: str, abstract: str = "", hours: int = 0) -> None:
    at = NOON + timedelta(hours=hours)
    listings = [
        a_listing(f"{title}, part {n}", abstract=abstract) for n, title in enumerate(titles)
    ]
    keep(engine, a_batch(*listings, fetched_at=at), at)


def test_phrases_of_the_store_come_with_their_counts(engine: Engine) -> None:
    text = "It suffers from catastrophic forgetting."
    _papers(engine, "Continual learning", "Continual learning of robots", abstract=text)
    _papers(engine, *OTHERS)
    with reading(engine) as session:
        found = suggest(session, "continual learning", 5)
    assert (found.papers, found.holders) == (22, 2)
    best = found.suggestions[0]
    assert (best.phrase, best.papers, best.together) == ("catastrophic forgetting", 2, 2)


def test_only_the_latest_papers_are_read(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    _papers(engine, "Forgotten lore")
    _papers(engine, "Continual learning", "Stone bridges", hours=1)
    monkeypatch.setattr(service, "MOST_PAPERS", 2)
    with reading(engine) as session:
        assert suggest(session, "lore", 5).holders == 0
        assert suggest(session, "continual learning", 5).holders == 1


def test_empty_store_gives_nothing(session: Session) -> None:
    found = suggest(session, "continual learning", 5)
    assert (found.papers, found.suggestions) == (0, ())


def test_phrase_longer_than_an_interest_is_refused(session: Session) -> None:
    with pytest.raises(InvalidInput, match="65 characters"):
        suggest(session, "a" * 65, 5)
