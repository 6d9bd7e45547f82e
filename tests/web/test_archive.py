"""The archive's pages: days, search, papers; and hostile strings, which are text on all of them."""

from datetime import timedelta
from pathlib import Path

import pytest

from digest.services.archive import day_of, search
from digest.store.database import transaction
from digest.store.merge import merge_batch
from digest.web import archive
from digest.web.desk import Desk
from tests.builders import NOON, a_batch, a_listing, attention
from tests.web import hostile
from tests.web.building import Browser, Clock, sqlite_engine
from tests.web.hostile import Seen

__all__ = ["sqlite_engine"]

DAY = "2026-03-12"


@pytest.fixture
def browser(desk: Desk) -> Browser:
    return Browser(desk, archive)


def came(desk: Desk, *titles: str, days: int = 0) -> None:
    at = NOON + timedelta(days=days)
    listings = [
        a_listing(title, listed_on=at.date(), attention=attention(upvotes=90 - n))
        for n, title in enumerate(titles)
    ]
    with transaction(desk.engine) as session:
        merge_batch(session, a_batch(*listings, fetched_at=at), at)


def test_the_front_shows_the_latest_day_and_leads_to_all_others(
    browser: Browser, clock: Clock
) -> None:
    came(browser.desk, "Tea", "Bridges")
    came(browser.desk, "Clouds", days=1)
    clock.now += timedelta(days=2)
    reply = browser.get("/archive")
    seen = Seen(reply.text)
    assert (reply.status_code, seen.titles[1:]) == (200, ["Clouds"])
    assert f"/archive/{DAY}" in seen.addresses
    assert "/feed.atom" in seen.addresses


def test_a_day_shows_its_papers_best_first_and_the_days_beside(
    browser: Browser, clock: Clock
) -> None:
    for n, title in enumerate(("Tea", "Bridges", "Clouds")):
        came(browser.desk, title, f"{title} too", days=n)
    clock.now += timedelta(days=3)
    reply = browser.get("/archive/2026-03-13")
    seen = Seen(reply.text)
    assert seen.titles == ["Friday 13 March 2026", "Bridges", "Bridges too"]
    assert {f"/archive/{DAY}", "/archive/2026-03-14"} <= set(seen.addresses)
    assert 'aria-current="page"' in reply.text


def test_a_long_day_is_paged_and_every_page_is_small(browser: Browser) -> None:
    came(browser.desk, *(f"Paper number {n:02}" for n in range(45)))
    pages = [browser.get(f"/archive/{DAY}?page={n}") for n in (1, 2, 3)]
    titles = [title for page in pages for title in Seen(page.text).titles[1:]]
    assert titles == [f"Paper number {n:02}" for n in range(45)]
    assert 'start="21"' in pages[1].text
    assert all(len(page.content) < 60_000 for page in pages)


@pytest.mark.parametrize(
    "path",
    ["/archive/2026-03-01", "/archive/2026-13-01", "/archive/20260312", "/archive/2026-W11-4",
     "/archive/yesterday", "/archive/2999-01-01", "/archive/0001-01-01", "/archive/9999-12-31",
     "/papers/0", "/papers/4711", "/papers/99999999999999999999", "/papers/1.5", "/papers/x"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(browser: Browser, path: str) -> None:
    came(browser.desk, "Tea")
    reply = browser.get(path)
    assert reply.status_code == 404
    assert 'href="/' in reply.text


@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 30, "²", ""])
def test_any_number_of_a_page_gives_one(browser: Browser, page: str) -> None:
    came(browser.desk, "Tea")
    assert browser.get(f"/archive/{DAY}", params={"page": page}).status_code == 200
    assert browser.get("/archive", params={"q": "tea", "page": page}).status_code == 200


def test_an_empty_archive_says_so(browser: Browser) -> None:
    reply = browser.get("/archive")
    assert reply.status_code == 200
    assert "No papers have come in yet." in reply.text


def test_a_search_finds_words_in_all_papers(browser: Browser) -> None:
    came(browser.desk, "Tea at 100% heat", "Bridges")
    assert Seen(browser.get("/archive", params={"q": "100%"}).text).titles[1:] == [
        "Tea at 100% heat"
    ]
    nothing = browser.get("/archive", params={"q": "_"})
    assert (nothing.status_code, Seen(nothing.text).titles[1:]) == (200, [])
    assert "Nothing has" in nothing.text


def test_a_search_that_is_too_long_is_told_so(browser: Browser) -> None:
    reply = browser.get("/archive", params={"q": "x" * 201})
    assert reply.status_code == 422
    assert 'aria-invalid="true"' in reply.text
    assert "Give 1 to 200 plain characters" in reply.text


def test_a_paper_has_a_page_with_all_of_it(browser: Browser) -> None:
    came(browser.desk, "Tea")
    (paper,) = day_of(browser.desk.engine, NOON.date(), NOON).papers
    reply = browser.get(paper.page)
    assert reply.status_code == 200
    for told in (
        '<h1 class="break" dir="auto">Tea</h1>',
        "Ada Lovelace, Alan Turing",
        "cs.LG",
        "90 upvotes",
    ):
        assert told in reply.text
    assert f"/archive/{DAY}" in Seen(reply.text).addresses


def _harmless(browser: Browser, strings: list[str], every: int) -> None:
    hostile.came(browser.desk, strings)
    total = day_of(browser.desk.engine, NOON.date(), NOON).total
    assert total > len(strings) * 0.8
    titles: list[str] = []
    for page in range(1, total // 20 + 2):
        shown = day_of(browser.desk.engine, NOON.date(), NOON, page=page)
        seen = Seen(browser.get(f"/archive/{DAY}?page={page}").text)
        assert seen.is_harmless
        assert seen.titles[1:] == [paper.title for paper in shown.papers]
        titles += seen.titles[1:]
        for paper in shown.papers[::every]:
            alone = Seen(browser.get(paper.page).text)
            assert alone.is_harmless
            assert alone.titles == [paper.title]
    assert len(titles) == total


def test_hostile_papers_are_text(browser: Browser) -> None:
    _harmless(browser, list(hostile.OWN), every=1)


def test_real_hostile_papers_are_text(browser: Browser, shared: Path) -> None:
    _harmless(browser, hostile.strings(shared)[::20], every=6)


@pytest.mark.slow
def test_all_real_hostile_papers_are_text(browser: Browser, shared: Path) -> None:
    _harmless(browser, hostile.strings(shared), every=6)


def test_hostile_searches_are_text(browser: Browser) -> None:
    hostile.came(browser.desk, list(hostile.OWN))
    for said in hostile.OWN:
        seen = Seen(browser.get("/archive", params={"q": said}).text)
        assert seen.is_harmless


def test_a_search_finds_hostile_words_as_they_are(browser: Browser) -> None:
    came(browser.desk, "<script>alert(1)</script> of '; DROP TABLE papers; --", "Tea")
    found = search(browser.desk.engine, "'; DROP TABLE papers; --")
    assert len(found.papers) == 1
