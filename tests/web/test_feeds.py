"""The feeds: what they hold, that whatever they hold is well-formed, and how they are kept."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
import pytest
from sqlalchemy import Engine, delete

from digest.domain.interests import interest
from digest.domain.subscribers import Status
from digest.mail.tokens import Purpose, Tokens
from digest.services.collect import keep
from digest.services.compose import Composer, Policy, Who
from digest.store.database import transaction
from digest.store.subscribers import NewSubscriber, add_many, by_email
from digest.store.tables import SubscriberRow, table
from digest.web import feeds
from digest.web.desk import Desk
from digest.web.feeds import Shelf, Written
from tests.builders import NOON, a_batch, a_listing, attention
from tests.web import hostile
from tests.web.building import SITE, Browser, Clock, a_desk, sqlite_engine

__all__ = ["sqlite_engine"]

ATOM = "{http://www.w3.org/2005/Atom}"
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
TITLES = ("Continual learning of robots", "Tea and its makers", "Stone bridges")


@pytest.fixture
def browser(desk: Desk) -> Browser:
    return Browser(desk, feeds)


def came(desk: Desk, *titles: str) -> None:
    at = desk.clock()
    listings = [
        a_listing(title, arxiv=f"2603.{at:%H%M}{n}", attention=attention(upvotes=90 - n))
        for n, title in enumerate(titles)
    ]
    keep(desk.engine, a_batch(*listings, fetched_at=at), at)
    desk.window.refresh()


def a_reader(desk: Desk, *phrases: str) -> int:
    """A subscriber who has today's digest in the ledger."""
    reader = NewSubscriber(
        email="ada@example.com",
        status=Status.ACTIVE,
        interests=tuple(map(interest, phrases)),
        next_digest_at=NOON,
    )
    with transaction(desk.engine) as session:
        add_many(session, [reader], now=NOON)
        number = by_email(session, "ada@example.com").id
    policy = Policy(lookback_days=7, threshold=0.25, domain="digest.example", secret="s" * 32)
    done = Composer(desk.engine, policy).compose(Who(only=("ada@example.com",)), desk.clock())
    assert done.composed == 1
    return int(number)


def parsed(body: bytes) -> Any:
    found = feedparser.parse(body)
    assert not found.bozo, found.get("bozo_exception")
    assert found.version == "atom10"
    return found


def check_atom(body: bytes) -> ET.Element:
    """Hold the feed against the rules of RFC 4287 §4.1 and §4.2."""
    root = ET.fromstring(body)
    assert root.tag == f"{ATOM}feed"
    for element in (root, *root.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            (one,) = element.findall(f"{ATOM}{name}")
            assert one.text
        assert STAMP.fullmatch(element.findtext(f"{ATOM}updated") or "")
        assert (element.findtext(f"{ATOM}id") or "").startswith("tag:digest.example,2026:")
        alternates = [
            link for link in element.findall(f"{ATOM}link") if link.get("rel") == "alternate"
        ]
        assert len(alternates) == 1
        for link in element.findall(f"{ATOM}link"):
            assert re.match(r"https?://[^\s<>\"]+$", link.get("href") or "")
    assert root.findall(f"{ATOM}author/{ATOM}name")
    assert [link.get("rel") for link in root.findall(f"{ATOM}link")] == ["self", "alternate"]
    ids = [entry.findtext(f"{ATOM}id") for entry in root.findall(f"{ATOM}entry")]
    assert len(set(ids)) == len(ids)
    return root


def check_json(body: bytes) -> dict[str, Any]:
    """Hold the feed against what jsonfeed.org/version/1.1 asks for."""
    feed: dict[str, Any] = json.loads(body)
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["title"]
    assert feed["feed_url"].startswith(SITE)
    for item in feed["items"]:
        assert item["id"].startswith("tag:digest.example,2026:papers/")
        assert item["url"].startswith("http")
        assert item["content_html"]
        assert datetime.fromisoformat(item["date_published"]).tzinfo
    return feed


def test_without_keywords_a_feed_holds_what_trends(browser: Browser) -> None:
    came(browser.desk, *TITLES)
    reply = browser.get("/feed.atom")
    assert reply.headers["content-type"] == "application/atom+xml; charset=utf-8"
    check_atom(reply.content)
    found = parsed(reply.content)
    assert {entry.title for entry in found.entries} == set(TITLES)
    assert found.feed.title == "Trending papers"
    assert found.entries[0].link.startswith("https://arxiv.org/abs/2603.")
    assert found.entries[0].published_parsed[:5] == NOON.timetuple()[:5]


def test_a_feed_of_keywords_holds_what_matches_and_why(browser: Browser) -> None:
    came(browser.desk, *TITLES)
    reply = browser.get("/feed.atom", params={"interests": "tea, -bridges"})
    root = check_atom(reply.content)
    (entry,) = parsed(reply.content).entries
    assert entry.title == TITLES[1]
    assert "matches tea in the title" in entry.content[0].value
    self_url = root.find(f"{ATOM}link[@rel='self']").get("href")  # type: ignore[union-attr]
    assert browser.get(self_url).content == reply.content


def test_a_feed_of_keywords_is_not_filled_with_other_things(browser: Browser) -> None:
    came(browser.desk, *TITLES)
    reply = browser.get("/feed.atom?interests=quantum+chemistry")
    check_atom(reply.content)
    assert parsed(reply.content).entries == []


def test_json_says_the_same(browser: Browser) -> None:
    came(browser.desk, *TITLES)
    reply = browser.get("/feed.json?interests=tea")
    assert reply.headers["content-type"] == "application/feed+json; charset=utf-8"
    feed = check_json(reply.content)
    assert [item["title"] for item in feed["items"]] == [TITLES[1]]
    atom = parsed(browser.get("/feed.atom?interests=tea").content)
    assert [item["id"] for item in feed["items"]] == [entry.id for entry in atom.entries]


def test_keywords_that_cannot_be_read_are_refused(browser: Browser) -> None:
    came(browser.desk, *TITLES)
    assert browser.get("/feed.atom", params={"interests": '"tea'}).status_code == 422
    assert browser.get("/feed.json", params={"interests": "x" * 65}).status_code == 422


def test_before_the_papers_are_read_a_reader_is_asked_to_come_again(browser: Browser) -> None:
    reply = browser.get("/feed.atom")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "60")


@pytest.mark.parametrize("path", ["/feed.atom", "/feed.json?interests=tea"])
def test_who_has_it_already_is_told_so(browser: Browser, path: str) -> None:
    came(browser.desk, *TITLES)
    first = browser.get(path)
    tag, changed = first.headers["etag"], first.headers["last-modified"]
    for known in (
        {"if-none-match": tag},
        {"if-none-match": f'"other", W/{tag}'},
        {"if-none-match": "*"},
        {"if-modified-since": changed},
        {"if-none-match": tag, "if-modified-since": "Thu, 01 Jan 1970 00:00:00 GMT"},
    ):
        reply = browser.get(path, headers=known)
        assert (reply.status_code, reply.content, reply.headers["etag"]) == (304, b"", tag)
    for stale in (
        {"if-none-match": '"other"'},
        {"if-none-match": '"other"', "if-modified-since": changed},
        {"if-modified-since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"if-modified-since": "nonsense"},
    ):
        assert browser.get(path, headers=stale).content == first.content


def test_new_papers_change_what_is_sent(browser: Browser, clock: Clock) -> None:
    came(browser.desk, *TITLES)
    tag = browser.get("/feed.atom").headers["etag"]
    clock.now += timedelta(minutes=10)
    came(browser.desk, "Clouds")
    reply = browser.get("/feed.atom", headers={"if-none-match": tag})
    assert reply.status_code == 200
    assert parsed(reply.content).entries[0].title == "Clouds"


def test_heads_are_answered_without_a_body(browser: Browser) -> None:
    came(browser.desk, *TITLES)
    reply = browser.client.head("/feed.atom")
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["etag"] == browser.get("/feed.atom").headers["etag"]


def test_without_a_site_addresses_begin_as_the_reader_called_us(
    engine: Engine, clock: Clock, tmp_path: Path
) -> None:
    desk = a_desk(engine, clock, tmp_path, site={"url": ""})
    browser = Browser(desk, feeds)
    came(desk, *TITLES)
    mine = browser.get("/feed.json", headers={"host": "papers.lan:8080"}).json()
    assert mine["feed_url"] == "https://papers.lan:8080/feed.json"
    assert mine["items"][0]["id"].startswith("tag:papers.lan,2026:papers/")
    other = browser.get("/feed.json", headers={"host": 'x"><script>.example'}).json()
    assert "<script" not in json.dumps(other)
    assert browser.get("/feed.json", headers={"host": "papers.lan:8080"}).json() == mine


def test_ones_own_feed_holds_the_papers_of_ones_digests(browser: Browser) -> None:
    desk = browser.desk
    came(desk, *TITLES)
    token = browser.token(Purpose.FEED, a_reader(desk, "tea", "bridges"))
    reply = browser.get(f"/feeds/{token}.atom")
    check_atom(reply.content)
    found = parsed(reply.content)
    assert {entry.title for entry in found.entries} == set(TITLES[1:])
    assert all("matches" in entry.content[0].value for entry in found.entries)
    feed = check_json(browser.get(f"/feeds/{token}.json").content)
    assert [item["id"] for item in feed["items"]] == [entry.id for entry in found.entries]
    assert reply.headers["cache-control"].startswith("private")
    assert reply.headers["x-robots-tag"] == "noindex"


def test_ones_own_feed_forgets_after_thirty_days(browser: Browser, clock: Clock) -> None:
    came(browser.desk, *TITLES)
    token = browser.token(Purpose.FEED, a_reader(browser.desk, "tea"))
    clock.now += timedelta(days=29)
    assert len(parsed(browser.get(f"/feeds/{token}.atom").content).entries) == 1
    clock.now += timedelta(days=2)
    reply = browser.get(f"/feeds/{token}.atom")
    check_atom(reply.content)
    assert parsed(reply.content).entries == []


def test_nobody_else_reads_along(browser: Browser, clock: Clock) -> None:
    desk = browser.desk
    came(desk, *TITLES)
    number = a_reader(desk, "tea")
    token = browser.token(Purpose.FEED, number)
    forged = Tokens(["another key"]).sign(Purpose.FEED, str(number), NOON)
    for bad in (
        forged,
        token[:-1],
        browser.token(Purpose.READING, number),
        browser.token(Purpose.FEED, "x"),
        browser.token(Purpose.FEED, "9" * 12),
    ):
        assert browser.get(f"/feeds/{bad}.atom").status_code == 400
    assert browser.get(f"/feeds/{browser.token(Purpose.FEED, 4711)}.json").status_code == 404
    assert browser.get(f"/feeds/{token}.atom").status_code == 200
    with transaction(desk.engine) as session:
        session.execute(delete(table(SubscriberRow)))
    clock.now += timedelta(minutes=6)
    assert browser.get(f"/feeds/{token}.atom").status_code == 404


def _well_formed(browser: Browser, strings: list[str]) -> None:
    for first in range(0, len(strings), 30):
        hostile.came(browser.desk, strings[first : first + 30])
    browser.desk.window.close()
    browser.desk.window.refresh()
    for query in ("", "?interests=script", "?interests=-tea", "?interests=alert"):
        root = check_atom(browser.get(f"/feed.atom{query}").content)
        parsed(browser.get(f"/feed.atom{query}").content)
        feed = check_json(browser.get(f"/feed.json{query}").content)
        assert [item["title"] for item in feed["items"]] == [
            entry.findtext(f"{ATOM}title") for entry in root.findall(f"{ATOM}entry")
        ]
        for item in feed["items"]:
            assert hostile.Seen(item["content_html"]).is_harmless


def test_hostile_papers_make_well_formed_feeds(browser: Browser) -> None:
    _well_formed(browser, list(hostile.OWN))
    assert parsed(browser.get("/feed.atom").content).entries


def test_real_hostile_papers_make_well_formed_feeds(browser: Browser, shared: Path) -> None:
    _well_formed(browser, hostile.strings(shared))


@pytest.mark.parametrize("said", hostile.OWN)
def test_hostile_keywords_make_well_formed_feeds(browser: Browser, said: str) -> None:
    came(browser.desk, *TITLES)
    reply = browser.get("/feed.atom", params={"interests": said})
    if reply.status_code != 422:
        check_atom(reply.content)
        parsed(reply.content)


def test_feeds_are_made_once_for_many_who_ask_and_no_more_are_kept_than_fit() -> None:
    shelf, made = Shelf(), 0

    def make() -> Written:
        nonlocal made
        made += 1
        return Written(body=b"", kind="", etag="", changed_at=NOON, made_at=NOON)

    for at in (NOON, NOON + timedelta(minutes=4)):
        shelf.get("one", at, make)
    assert made == 1
    shelf.get("one", NOON + timedelta(minutes=5), make)
    assert made == 2
    for n in range(feeds.MOST_KEPT):
        shelf.get(n, NOON.astimezone(UTC), make)
    shelf.get("one", NOON, make)
    assert made == 3 + feeds.MOST_KEPT
