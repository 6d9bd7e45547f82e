"""All hostile words at once in a real browser, without the protection of its content policy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from digest.mail.excerpts import plain, shortened
from digest.services.archive import PAGE
from digest.web.routes import ALL
from digest.web.server import Server, guarded
from tests.browser.conftest import chromium  # noqa: F401  # a fixture
from tests.corpora import harm
from tests.corpora.doors import came_in
from tests.corpora.house import House
from tests.corpora.strings import strings
from tests.reliability import record

pytestmark = [pytest.mark.slow, pytest.mark.browser]

_ELEMENTS = """() => [...document.querySelectorAll('*')].flatMap(one => [
  one.localName, ...[...one.attributes].map(a => one.localName + ' ' + a.name)])"""
_HEADINGS = "() => [...document.querySelectorAll('h2, h3')].map(one => one.textContent)"


class Visit:
    """A tab that notes each dialog, each script that runs and each request that leaves."""

    def __init__(self, browser: Any, home: str) -> None:
        self.context = browser.new_context(bypass_csp=True)
        self.context.add_init_script("window.alert = w => { window.harmed = String(w) }")
        self.tab = self.context.new_page()
        self.odd: list[str] = []
        self.home = home
        self.tab.on("dialog", lambda one: (self.odd.append(f"dialog {one.message}"), one.dismiss()))
        self.tab.on("popup", lambda one: self.odd.append(f"popup {one.url}"))
        self.tab.on("pageerror", lambda one: self.odd.append(f"script {one}"))
        self.tab.on("request", lambda one: self._note(one.url))

    def _note(self, url: str) -> None:
        if not url.startswith((self.home, "about:blank")):
            self.odd.append(f"request {url[:80]}")

    def look(self) -> tuple[set[str], list[str]]:
        """Move over and focus everything, as handlers wait for; elements and headings."""
        self.tab.evaluate(
            "() => document.querySelectorAll('body *').forEach(one => {"
            " for (const kind of ['mouseover', 'focus', 'error', 'load', 'toggle', 'animationend'])"
            " one.dispatchEvent(new Event(kind)) })"
        )
        assert self.tab.evaluate("() => window.harmed") is None
        elements = {" ".join(one.split()) for one in self.tab.evaluate(_ELEMENTS)}
        return elements, [" ".join(one.split()) for one in self.tab.evaluate(_HEADINGS)]


@pytest.fixture
def visit(house: House, chromium: Any) -> Iterator[Visit]:  # noqa: F811
    server = Server(guarded(house.web, ALL), "127.0.0.1", 0)
    server.start()
    made = Visit(chromium, f"http://127.0.0.1:{server.port}")
    yield made
    made.context.close()
    server.stop()


def test_no_word_acts_in_a_browser(house: House, visit: Visit, shared: Path) -> None:
    said = strings(shared)
    home = visit.home
    visit.tab.goto(f"{home}/archive/2026-03-12")
    ours, _ = visit.look()
    house.take(list(came_in("JSON lines", said)))
    house.through_mail()
    house.web.window.refresh()
    titles = {shortened(plain(title), 300) for title in house.titles().values()}
    shown: set[str] = set()
    for number in range(1, 2 + len(titles) // PAGE):
        visit.tab.goto(f"{home}/archive/2026-03-12?page={number}")
        elements, headings = visit.look()
        assert elements - ours <= {"a rel", "ol start"}, elements - ours
        shown |= set(headings)
    # to a browser a line separator and its like are space, too
    assert {"".join(one.split()) for one in titles} <= {"".join(one.split()) for one in shown}
    mails = 0
    for mail in house.sink.received[::3]:
        html = harm.fields_of(mail.content).get_body(("html",))
        assert html is not None
        visit.tab.set_content(html.get_content())
        _, headings = visit.look()
        assert len(headings) > 1
        mails += 1
    assert visit.odd == []
    record(
        "hostile strings", "exit: Chromium without its content policy", strings=len(said),
        looks=len(shown) + mails, escaped="all",
    )  # fmt: skip


def test_a_browser_would_tell_of_a_script_and_of_a_request(visit: Visit) -> None:
    visit.tab.goto("about:blank")
    visit.tab.set_content("<p onmouseover=alert(1)>x<img src=http://127.0.0.1:1/x.png>")
    with pytest.raises(AssertionError):
        visit.look()
    assert any("request" in one for one in visit.odd)
