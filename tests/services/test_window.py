"""The window on what trends now: previews, what they are made of, and how they stay fresh."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from digest.domain.digests import Digest, reason_sentence
from digest.domain.interests import interest
from digest.domain.subscribers import Status
from digest.domain.tiers import Tier
from digest.errors import InvalidInput
from digest.services import window as room
from digest.services.collect import keep
from digest.services.compose import Composer, Policy
from digest.services.window import Shown, Window
from digest.store.database import open_engine, transaction
from digest.store.subscribers import NewSubscriber, add_many
from tests.builders import NOON, a_batch, a_listing, attention, some_interests

POLICY = Policy(
    lookback_days=7, threshold=0.25, domain="papers.example", secret="s" * 32, tier=Tier.CORE
)
TITLES = ("Continual learning of robots", "Tea and its makers", "Notes on stone bridges")


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


def came(engine: Engine, *titles: str, at: datetime = NOON, **changes: Any) -> None:
    """Papers of these titles, the first with the most votes."""
    listings = [
        a_listing(title, attention=attention(upvotes=50 - 10 * n), **changes)
        for n, title in enumerate(titles)
    ]
    keep(engine, a_batch(*listings, fetched_at=at), at)


def a_window(engine: Engine, clock: Callable[[], datetime] = lambda: NOON) -> Window:
    window = Window(engine, POLICY, clock)
    window.refresh()
    return window


def titles(found: Shown) -> list[str]:
    return [paper.title for paper in found.papers]


def test_before_the_papers_are_read_there_is_nothing_and_nobody_waits(engine: Engine) -> None:
    came(engine, *TITLES)
    window = Window(engine, POLICY, Clock())
    assert not window.ready
    assert window.at is None
    assert window.preview(some_interests("tea")) == Shown()
    assert window.trending() == Shown()
    assert window.related("continual learning") == []


def test_keywords_find_papers_with_the_reasons_of_the_mail(engine: Engine) -> None:
    came(engine, *TITLES)
    found = a_window(engine).preview(some_interests("continual learning"))
    assert (found.matched, found.considered) == (True, 3)
    best = found.papers[0]
    assert best.title == TITLES[0]
    assert best.reasons == ("matches continual learning in the title",)
    assert (best.badge, best.day, best.page) == (
        "50 upvotes",
        NOON.date(),
        f"/papers/{best.id}",
    )
    assert best.authors == "Ada Lovelace and Alan Turing"
    assert 0 < best.trend <= 1


def test_a_preview_holds_what_composing_gives(engine: Engine) -> None:
    came(engine, *TITLES)
    reader = NewSubscriber(
        email="ada@example.com", status=Status.ACTIVE, interests=some_interests("tea", "bridges")
    )
    with transaction(engine) as session:
        add_many(session, [reader], now=NOON)
    composed = Composer(engine, POLICY).preview("ada@example.com", NOON, None).content
    assert isinstance(composed, Digest)
    shown = a_window(engine).preview(some_interests("tea", "bridges"))
    assert [pick.paper_id for pick in composed.picks] == [paper.id for paper in shown.papers]
    told = [f"{paper.reasons[0]} · {paper.badge}" for paper in shown.papers]
    assert told == [reason_sentence(pick.reason) for pick in composed.picks]


def test_where_nothing_matches_it_shows_what_trends_and_says_so(engine: Engine) -> None:
    came(engine, *TITLES)
    window = a_window(engine)
    found = window.preview(some_interests("quantum chemistry"))
    assert not found.matched
    assert titles(found) == list(TITLES) == titles(window.trending())
    assert all(not paper.reasons for paper in found.papers)


def test_an_empty_store_is_ready_and_shows_nothing(engine: Engine) -> None:
    window = a_window(engine)
    assert window.ready
    assert window.preview(some_interests("tea")) == Shown()


def test_exclusions_authors_categories_and_weights_count_as_in_a_digest(engine: Engine) -> None:
    came(engine, TITLES[0], authors=("Grace Hopper",), categories=("cs.RO",))
    came(engine, *TITLES[1:])
    window = a_window(engine)

    def of(*typed: str) -> list[str]:
        return titles(window.preview(tuple(interest(one) for one in typed)))

    assert of("author:Grace Hopper") == of("cat:cs.RO") == [TITLES[0]]
    assert TITLES[1] not in of("-tea")
    assert of("tea", "bridges", "-tea") == [TITLES[2]]
    assert of("tea^9", "bridges^0.1")[0] == TITLES[1]
    assert of("tea^0.1", "bridges^9")[0] == TITLES[2]


def test_only_so_many_papers_come_as_are_asked_for(engine: Engine) -> None:
    came(engine, *TITLES)
    window = a_window(engine)
    assert titles(window.trending(2)) == list(TITLES[:2])
    assert titles(window.preview((), max_papers=1)) == [TITLES[0]]
    with pytest.raises(InvalidInput, match="max_papers 0"):
        window.preview((), max_papers=0)


def test_papers_from_before_the_window_are_not_shown(engine: Engine) -> None:
    came(engine, TITLES[0], at=NOON - timedelta(days=8))
    came(engine, TITLES[1])
    assert titles(a_window(engine).trending()) == [TITLES[1]]


def test_it_is_read_anew_when_a_batch_changed_something_and_once_that_has_settled(
    engine: Engine,
) -> None:
    clock = Clock()
    came(engine, TITLES[0], at=NOON - timedelta(minutes=10))
    window = a_window(engine, clock)
    assert not window.refresh()
    clock.now += timedelta(minutes=5)
    came(engine, TITLES[1], at=clock.now)
    assert window.refresh()
    assert set(titles(window.trending())) == set(TITLES[:2])
    assert not window.refresh()
    clock.now += timedelta(minutes=3)
    assert window.refresh()
    assert not window.refresh()


def test_it_is_read_anew_every_hour(engine: Engine) -> None:
    clock = Clock()
    came(engine, *TITLES)
    window = a_window(engine, clock)
    clock.now += timedelta(minutes=5)
    window.refresh()
    clock.now += timedelta(minutes=59)
    assert not window.refresh()
    clock.now += timedelta(minutes=1)
    assert window.refresh()
    assert window.at == clock.now


def test_a_thread_of_its_own_follows_the_store(engine: Engine) -> None:
    came(engine, *TITLES)
    window = Window(engine, POLICY, Clock())
    window.start()
    try:
        assert window.wait(30)
        assert titles(window.trending()) == list(TITLES)
    finally:
        window.stop()


def test_a_store_that_fails_is_logged_and_ends_nothing(tmp_path: Any) -> None:
    broken = open_engine(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    asked = ThreadPoolExecutor(1)
    window = Window(broken, POLICY, Clock())
    with capture_logs() as logs:
        window.start()
        asked.submit(window.stop, 30).result()
    asked.shutdown()
    broken.dispose()
    assert not window.ready
    assert {entry["event"] for entry in logs} <= {"window not refreshed"}


def test_what_is_kept_of_others_wishes_is_bounded_and_changes_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_ASKED", 2)
    came(engine, *TITLES)
    window = a_window(engine)
    wishes = [some_interests(word) for word in ("tea", "bridges", "robots", "-tea", "makers")]
    first = [window.preview(one) for one in wishes]
    assert [window.preview(one) for one in wishes] == first
    assert len(window._asked) <= 2


def test_many_may_ask_at_once_while_it_is_read_anew(engine: Engine) -> None:
    clock = Clock()
    came(engine, *TITLES)
    window = a_window(engine, clock)
    words = ["tea", "bridges", "robots", "continual learning", "stone"] * 8
    alone = {word: window.preview(some_interests(word)) for word in words}
    fresh = a_window(engine, clock)
    with ThreadPoolExecutor(8) as threads:
        clock.now += timedelta(hours=2)
        again = threads.submit(fresh.refresh)
        found = list(threads.map(lambda word: fresh.preview(some_interests(word)), words))
        assert again.result()
    assert [titles(one) for one in found] == [titles(alone[word]) for word in words]


def test_related_phrases_come_from_the_papers(engine: Engine) -> None:
    said = "It suffers from catastrophic forgetting."
    came(engine, "Continual learning", "Continual learning of robots", abstract=said)
    came(engine, *(f"Notes on {one}" for one in ("tea", "birds", "clouds", "roads") * 4))
    window = a_window(engine)
    assert window.related("Continual  learning", 1) == ["catastrophic forgetting"]
    assert window.related("the of and") == []
    assert window.related("") == []


def test_hostile_words_are_words(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    came(engine, "<script>alert(1)</script> \u202eevil", abstract="<b>bold\ud7ff")
    (paper,) = a_window(engine).trending().papers
    assert "<script>alert(1)</script>" in paper.title
    assert "\u202e" not in paper.title
    engine.dispose()
