"""Threats of OWASP ASVS 5.0 that apply to pages without accounts, each proved closed.

Beside these: size, method, origin and headers in `test_guards`, limits in `tests/services`, tokens
of each page in its own file.
"""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, select, text
from starlette.routing import Route

from digest.domain.interests import interest
from digest.domain.subscribers import Channel, Status, SuppressionReason
from digest.mail.tokens import Purpose
from digest.resources import folder
from digest.services import subscribe
from digest.services.signup import take_in
from digest.store.database import reading, transaction
from digest.store.merge import merge_batch
from digest.store.tables import DeliveryRow, metadata, table
from digest.web.desk import Desk
from digest.web.routes import ALL
from tests.builders import NOON, a_batch, a_listing
from tests.web.building import Browser

FORM = {
    "email": "ada@lab.example",
    "interests": "continual learning",
    "timezone": "UTC",
    "hour": "8",
    "frequency": "daily",
}
PLACES = ("title", "abstract", "authors")
# what the store holds in the end is the same on both: what engines differ in has its tests beside
ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@pytest.fixture
def browser(desk: Desk) -> Browser:
    return Browser(desk)


def _subscriber(desk: Desk, email: str, status: Status) -> int:
    """A subscriber of that address and status."""
    now = desk.clock() - timedelta(days=2)
    with transaction(desk.engine) as session:
        person = subscribe.subscribe(
            session, email, interests=[interest("continual learning")], channel=Channel.FORM,
            confirmed=status is not Status.PENDING, now=now, keys=desk.keys,
        )  # fmt: skip
        if status is Status.PAUSED:
            subscribe.pause(session, person.id, channel=Channel.LINK, now=now)
        elif status is Status.UNSUBSCRIBED:
            subscribe.unsubscribe(session, person.id, channel=Channel.LINK, now=now)
        elif status is Status.SUPPRESSED:
            subscribe.suppress(
                session, email, SuppressionReason.COMPLAINT,
                channel=Channel.MAIL, now=now, keys=desk.keys,
            )  # fmt: skip
    return person.id


def _all_rows(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    with reading(engine) as session:
        return {
            one.name: sorted((tuple(row) for row in session.execute(select(one))), key=repr)
            for one in metadata.sorted_tables
        }


def _mails(engine: Engine) -> list[str]:
    kind = table(DeliveryRow).c.kind
    with reading(engine) as session:
        return [row for row in session.scalars(select(kind)) if row != "digest"]


@pytest.mark.parametrize("status", [None, *Status])
def test_a_thousand_forms_for_one_address_send_one_mail_a_day(
    browser: Browser, desk: Desk, status: Status | None
) -> None:
    """ASVS V2.4 (anti-automation): nobody's inbox can be filled by the form."""
    if status:
        _subscriber(desk, "ada@lab.example", status)
    before = len(_mails(desk.engine))
    for number in range(40):
        spelt = "Ada@LAB.example" if number % 2 else "ada@lab.example"
        assert browser.post("/subscribe", FORM | {"email": spelt}).status_code == 200
        if number % 10 == 0:
            take_in(desk.engine, desk.keys, NOON + timedelta(minutes=number))
    assert browser.post("/access", {"email": "ada@lab.example"}).status_code == 200
    take_in(desk.engine, desk.keys, NOON + timedelta(hours=23))
    sent = len(_mails(desk.engine)) - before
    # who is suppressed gets nothing, and who is pending has a confirmation on its way already
    assert sent == (0 if status in (Status.SUPPRESSED, Status.PENDING) else 1)


def test_nothing_tells_who_is_known_here(browser: Browser, desk: Desk) -> None:
    """ASVS V6.3.8: same status, same words, and the same statements to the store."""
    answers = []
    for status in (None, *Status):
        email = f"{status or 'nobody'}@lab.example"
        if status:
            _subscriber(desk, email, status)
    for status in (None, *Status):
        email = f"{status or 'nobody'}@lab.example"
        asked: list[str] = []

        def note(_c: object, _u: object, statement: str, *_: object, into=asked) -> None:
            into.append(statement)

        event.listen(desk.engine, "before_cursor_execute", note)
        try:
            reply = browser.post("/subscribe", FORM | {"email": email})
            link = browser.post("/access", {"email": email})
        finally:
            event.remove(desk.engine, "before_cursor_execute", note)
        headers = {k: v for k, v in reply.headers.items() if k != "date"}
        body = reply.text.replace(email, "EMAIL"), link.text.replace(email, "EMAIL")
        lengths = headers.pop("content-length"), len(email)
        answers.append((reply.status_code, headers, body, link.status_code, tuple(asked)))
        assert lengths
    assert all(answer == answers[0] for answer in answers)


_TOKENS = {
    Purpose.CONFIRM: "/confirm/{}",
    Purpose.UNSUBSCRIBE: "/unsubscribe/{}",
    Purpose.PREFERENCES: "/preferences/{}",
    Purpose.FEEDBACK: "/feedback/{}/1/more",
    Purpose.UNDO: "/undo/{}",
    Purpose.CHANGE_ADDRESS: "/change-address/{}",
    Purpose.READING: "/digests/{}",
    Purpose.FEED: "/feeds/{}.atom",
}


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("purpose", list(_TOKENS))
def test_a_token_changed_in_any_character_opens_nothing(
    browser: Browser, desk: Desk, purpose: Purpose, every: int
) -> None:
    person = _subscriber(desk, "ada@lab.example", Status.ACTIVE)
    path = _TOKENS[purpose]
    token = browser.token(purpose, person)
    before = _all_rows(desk.engine)
    for place in {*range(0, len(token), every), len(token) - 1}:
        other = "A" if token[place] != "A" else "B"
        forged = token[:place] + other + token[place + 1 :]
        assert browser.get(path.format(forged)).status_code in (400, 404, 405), forged
        assert browser.post(path.format(forged)).status_code in (400, 404, 405), forged
    for forged in (token[:-1], token + "A", token + "=", token.upper(), "", ".", "..", "0" * 5000):
        assert browser.post(path.format(forged)).status_code in (400, 404, 405, 307, 414), forged
    assert _all_rows(desk.engine) == before


@pytest.mark.parametrize("purpose", list(_TOKENS))
def test_a_token_is_good_for_its_own_purpose_alone(
    browser: Browser, desk: Desk, purpose: Purpose
) -> None:
    person = _subscriber(desk, "ada@lab.example", Status.ACTIVE)
    before = _all_rows(desk.engine)
    for other in set(Purpose) - {purpose}:
        for payload in (person, f"{person}:20260312T120000000000Z"):
            path = _TOKENS[purpose].format(browser.token(other, payload))
            assert browser.get(path).status_code in (400, 405), other
            assert browser.post(path).status_code in (400, 405), other
    assert _all_rows(desk.engine) == before


@pytest.mark.slow
def test_opening_any_address_changes_nothing(browser: Browser, desk: Desk) -> None:
    """Scanners open every link, with JavaScript too: GET, HEAD and OPTIONS are safe everywhere."""
    person = _subscriber(desk, "ada@lab.example", Status.ACTIVE)
    _subscriber(desk, "new@lab.example", Status.PENDING)
    _some_papers(desk, "Learning to Wait")
    before = _all_rows(desk.engine)
    for route in ALL:
        assert isinstance(route, Route)
        for path in _filled(browser, route.path, person):
            for method in ("GET", "HEAD", "OPTIONS"):
                assert browser.client.request(method, path).status_code < 500, (method, path)
    assert _all_rows(desk.engine) == before


def _filled(browser: Browser, path: str, person: int) -> Iterator[str]:
    """The address with a token of each purpose in it, so that the right one is among them."""
    values = {"name": "site.css", "paper_id": "1", "opinion": "more", "day": "2026-03-12"}
    for purpose in Purpose:
        token = browser.token(purpose, person)
        yield re.sub(r"\{(\w+)(?::\w+)?\}", lambda m, token=token: values.get(m[1], token), path)


@pytest.mark.slow
@ON_SQLITE
def test_nothing_sends_a_visitor_elsewhere(browser: Browser, desk: Desk) -> None:
    """ASVS V1.2, open redirect: the web answers every request itself."""
    person = _subscriber(desk, "ada@lab.example", Status.ACTIVE)
    evil = "next=https://evil.example&url=//evil.example&redirect=https://evil.example"
    for route in ALL:
        assert isinstance(route, Route)
        for path in _filled(browser, route.path, person):
            for reply in (browser.get(f"{path}?{evil}"), browser.get(f"//evil.example{path}")):
                assert "evil.example" not in reply.headers.get("location", "")


def _some_papers(desk: Desk, *titles: str, **changes: object) -> None:
    listings = [a_listing(title, **changes) for title in titles]
    with transaction(desk.engine) as session:
        merge_batch(session, a_batch(*listings), NOON)
    desk.window.refresh()


# Attributes that make no element do anything; templates write them by conditions and macros
_HARMLESS = re.compile(r"aria-\w+|data-\w+|class|id|checked|selected|hidden|value|lang")


class _Elements(HTMLParser):
    """The elements and attributes of a page, which is all that a browser acts upon."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()
        self.links: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs if not _HARMLESS.fullmatch(name)}
        self.found |= {(tag, name) for name in names} | {(tag, "")}
        self.links |= {value or "" for name, value in attrs if name in ("href", "src", "action")}


def _vocabulary() -> set[tuple[str, str]]:
    """All elements with their attributes that the templates themselves write."""
    jinja = re.compile(r"\{[{%#].*?[#%}]\}", re.DOTALL)
    sources = [path.read_text("utf-8") for path in (folder("templates") / "web").glob("*.html")]
    return set().union(*(_Elements(jinja.sub(" ", source)).found for source in sources))


def _assert_ours(page: str, path: str) -> None:
    """Nothing in the page that a browser acts upon but what our templates write."""
    elements = _Elements(page)
    assert elements.found <= _VOCABULARY, (path, elements.found - _VOCABULARY)
    schemes = ("javascript:", "data:", "vbscript:", "//")
    assert not [link for link in elements.links if link.strip().lower().startswith(schemes)], path


_VOCABULARY = _vocabulary()


def _hostile(shared: Path) -> list[str]:
    payloads = json.loads((shared / "hostile/dompurify/payloads.json").read_text("utf-8"))
    strings = json.loads((shared / "hostile/blns/blns.json").read_text("utf-8"))
    found = [one["payload"] if isinstance(one, dict) else one for one in payloads] + strings
    return [one for one in found if one.strip()]


@pytest.mark.parametrize("place", ["title", "abstract", "authors"])
def test_hostile_words_of_a_paper_stay_words_on_every_page(
    browser: Browser, desk: Desk, shared: Path, place: str
) -> None:
    """ASVS V1.2.1: stored cross-site scripting."""
    words = _hostile(shared)
    plain = ["Plain learning"] * len(words)
    _come(desk, **{name: words if name == place else plain for name in PLACES})
    _assert_all_ours(browser, desk, every=41)


@pytest.mark.slow
@ON_SQLITE
def test_all_hostile_words_of_papers_stay_words_wherever_they_stand(
    browser: Browser, desk: Desk, shared: Path
) -> None:
    """Each word is in each place of some paper, with others beside it."""
    words = _hostile(shared)
    _come(desk, title=words, abstract=words[1:] + words[:1], authors=words[2:] + words[:2])
    _assert_all_ours(browser, desk, every=1)


def _come(desk: Desk, *, title: list[str], abstract: list[str], authors: list[str]) -> None:
    """A paper for each three of them."""
    _some_papers(desk, "Plain words about continual learning")
    listings = [
        a_listing(f"{one} learning {number}", abstract=two, authors=(three,))
        for number, (one, two, three) in enumerate(zip(title, abstract, authors, strict=True))
    ]
    for start in range(0, len(listings), 40):
        with transaction(desk.engine) as session:
            merge_batch(session, a_batch(*listings[start : start + 40]), NOON)
    desk.window.refresh()


def _assert_all_ours(browser: Browser, desk: Desk, every: int) -> None:
    paths = ["/", "/archive", "/archive/2026-03-12", "/papers/1", "/preview?interests=learning"]
    with reading(desk.engine) as session:
        papers = session.scalars(text("SELECT id FROM papers")).all()
    for path in [*paths, *(f"/papers/{number}" for number in papers[::every])]:
        reply = browser.get(path)
        assert reply.status_code == 200, path
        _assert_ours(reply.text, path)


def test_hostile_words_of_a_visitor_stay_words(browser: Browser, desk: Desk, shared: Path) -> None:
    _assert_words(browser, desk, _hostile(shared)[::29])


@pytest.mark.slow
@ON_SQLITE
def test_more_hostile_words_of_a_visitor_stay_words(
    browser: Browser, desk: Desk, shared: Path
) -> None:
    _assert_words(browser, desk, _hostile(shared)[::4])


def _assert_words(browser: Browser, desk: Desk, words: list[str]) -> None:
    person = _subscriber(desk, "ada@lab.example", Status.ACTIVE)
    mine = "/preferences/" + browser.token(Purpose.PREFERENCES, person)
    for word in words:
        typed = FORM | {"email": word, "interests": word, "timezone": word, "hour": word}
        for reply in (
            browser.post("/subscribe", typed),
            browser.get("/", params={"interests": word, "invitation": word}),
            browser.get("/preview", params={"interests": word}),
            browser.get("/archive", params={"q": word}),
            browser.post("/access", {"email": word}),
        ):
            assert reply.status_code in (200, 400, 404, 414, 422), (word, reply.status_code)
            _assert_ours(reply.text, word)
        changed = {"interests": word, "authors": word, "categories": word, "timezone": word}
        reply = browser.post(mine, changed)
        assert reply.status_code in (200, 422)
        _assert_ours(reply.text, word)
        _assert_ours(browser.get(mine).text, word)


def test_the_vocabulary_would_show_a_foreign_element() -> None:
    for foreign in (
        "<p onclick=x>",
        "<h2 onclick=x>",
        "<iframe>",
        "<p style=x>",
        "<svg onload=x>",
        "<object>",
    ):
        assert not _Elements(foreign).found <= _VOCABULARY, foreign


def test_search_takes_metacharacters_as_letters(browser: Browser, desk: Desk) -> None:
    """ASVS V1.2.4: SQL, LIKE and full-text metacharacters find what has them, and nothing else."""
    _some_papers(desk, "Gains of 100% in recall", "A_B testing", "Plain words")
    assert "Gains of 100%" in browser.get("/archive", params={"q": "100%"}).text
    for query in ("%", "%%", "_lain", "Pla%rds", "' OR '1'='1", "words' --", 'NEAR("a" "b")', "*"):
        found = browser.get("/archive", params={"q": query})
        assert found.status_code == 200, query
        assert "Plain words" not in found.text, query


def test_a_store_that_is_gone_is_never_told_as_a_success(
    browser: Browser, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        from sqlalchemy.exc import OperationalError

        raise OperationalError("SELECT 1", {}, OSError("gone"))

    desk.engine.dispose()
    event.listen(desk.engine, "do_connect", refuse)
    event.listen(desk.engine, "before_cursor_execute", refuse)
    try:
        for reply in (
            browser.post("/subscribe", FORM),
            browser.post("/access", {"email": "ada@lab.example"}),
            browser.get("/archive/2026-03-12"),
            browser.post("/unsubscribe/" + browser.token(Purpose.UNSUBSCRIBE, 1)),
            browser.get("/readyz"),
        ):
            assert reply.status_code == 503, reply.text
    finally:
        event.remove(desk.engine, "do_connect", refuse)
        event.remove(desk.engine, "before_cursor_execute", refuse)
    assert browser.get("/healthz").status_code == 200
