"""A whole life with the digest in Chromium, over a real port and a real SMTP server.

Subscribe, confirm, set, read, vote, leave, come back, be forgotten: with the mouse with and without
JavaScript, and by the keyboard alone. DIGEST_TEST_SHOTS names a folder for pictures of the way.
"""

import email
import email.policy
import os
import re
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from digest.app import App
from digest.domain.subscribers import Status, Subscriber
from digest.mail.sink import Sink
from digest.services.roster import listed
from digest.services.signup import take_in
from digest.settings import Loaded, Settings
from digest.web.desk import Desk, desk_over
from digest.web.routes import ALL
from digest.web.server import Server, guarded
from tests.browser.visiting import SENDER, TITLES
from tests.builders import NOON
from tests.web.building import PEPPER, SECRET, Clock
from tests.web.people import some_papers

pytestmark = pytest.mark.browser

ADA = "ada@lab.example"
SHOTS = os.environ.get("DIGEST_TEST_SHOTS")
MOST_TABS = 80  # of one page: what cannot be reached by so many cannot be reached


@dataclass
class House:
    """The service as it runs: pages at `url`, mails to `sink`, by a clock that a test sets."""

    app: App
    desk: Desk
    clock: Clock
    sink: Sink
    url: str

    def post(self) -> None:
        """Take in what forms brought, compose what is due, and send it."""
        take_in(self.app.engine, self.app.keys, self.clock())
        self.app.compose()
        with ThreadPoolExecutor(1) as other:  # playwright has a loop of its own in this thread
            other.submit(self.app.deliver).result()

    def link(self, kind: str, end: str = "") -> str:
        """The first link of that kind in the newest mail."""
        mail = email.message_from_bytes(self.sink.received[-1].content, policy=email.policy.default)
        body = mail.get_body(("plain",))
        assert body is not None
        found = re.search(rf"{re.escape(self.url)}/{kind}/[^\s>]+{end}", body.get_content())
        assert found, body.get_content()
        return found[0]

    @property
    def people(self) -> list[Subscriber]:
        return listed(self.app.engine)


@pytest.fixture
def house(_sqlite_template: Path, tmp_path: Path) -> Iterator[House]:
    shutil.copy(_sqlite_template, tmp_path / "digest.sqlite")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Sink() as sink:
        url = f"http://127.0.0.1:{port}"
        values: dict[str, Any] = {
            "secret_keys": (SECRET,),
            "pepper": PEPPER,
            "store": {"url": f"sqlite:///{tmp_path / 'digest.sqlite'}"},
            "sender": SENDER,
            "site": {"url": url},
            "smtp": {"host": sink.host, "port": sink.port, "security": "none"},
        }
        clock = Clock(NOON)
        app = App(Loaded(settings=Settings(**values), base=tmp_path, config_file=None), clock)
        desk = desk_over(app)
        some_papers(desk, *TITLES[:5])
        desk.window.refresh()
        server = Server(guarded(desk, ALL), "127.0.0.1", port)
        server.start()
        try:
            yield House(app, desk, clock, sink, url)
        finally:
            server.stop()
            app.engine.dispose()


class Visitor:
    """Somebody at the pages: what they do they do by mouse, or by `keys` alone."""

    def __init__(self, tab: Any, name: str, *, keys: bool = False) -> None:
        self.tab = tab
        self._name = name
        self._keys = keys
        self._seen = 0

    def opens(self, url: str) -> None:
        self.tab.goto(url)
        self.sees("")

    def sees(self, heading: str, words: str = "") -> None:
        """Such words on the page; where a folder is named, it keeps a picture."""
        assert heading in self.tab.locator("h1").inner_text()
        assert words in " ".join(self.tab.locator("main").inner_text().split())
        if SHOTS:
            self._seen += 1
            path = Path(SHOTS) / f"walk-{self._name}-{self._seen:02d}.png"
            self.tab.screenshot(path=path, full_page=True)

    def types(self, label: str, text: str) -> None:
        field = self.tab.get_by_label(label, exact=True)
        if not self._keys:
            field.fill(text)
            return
        self._reach(field)
        self.tab.keyboard.press("ControlOrMeta+A")
        self.tab.keyboard.insert_text(text)

    def chooses(self, label: str, text: str) -> None:
        field = self.tab.get_by_label(label, exact=True)
        if not self._keys:
            field.select_option(text)
            return
        self._reach(field)
        self.tab.keyboard.type(text)

    def presses(self, name: str, role: str = "button") -> None:
        button = self.tab.get_by_role(role, name=name, exact=True)
        with self.tab.expect_navigation():
            if self._keys:
                self._reach(button)
                self.tab.keyboard.press("Enter")
            else:
                button.click()

    def _reach(self, target: Any) -> None:
        """Go to it by the Tab key, which shows where it stands."""
        for _ in range(MOST_TABS):
            if target.evaluate("e => e === document.activeElement"):
                assert target.evaluate("e => e.matches(':focus-visible')")
                return
            self.tab.keyboard.press("Tab")
        raise AssertionError(f"the Tab key never reaches {target}")


WAYS = {
    "script": {"viewport": {"width": 1280, "height": 900}},
    "plain": {"viewport": {"width": 375, "height": 800}, "java_script_enabled": False},
    "keys": {"viewport": {"width": 1280, "height": 900}},
}


@pytest.fixture(params=list(WAYS))
def visitor(request: pytest.FixtureRequest, chromium: Any) -> Iterator[Visitor]:
    """With the mouse and JavaScript; narrow and without it; by keys alone."""
    context = chromium.new_context(**WAYS[request.param])
    said: list[str] = []
    tab = context.new_page()
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    yield Visitor(tab, request.param, keys=request.param == "keys")
    cookies = context.cookies()
    context.close()
    assert said == []
    assert cookies == []


def test_a_whole_life_with_the_digest(house: House, visitor: Visitor) -> None:
    _joins(house, visitor)
    _sets(house, visitor)
    _reads_and_votes(house, visitor)
    _leaves_and_comes_back(house, visitor)
    _is_forgotten(house, visitor)


def _joins(house: House, visitor: Visitor) -> None:
    visitor.opens(f"{house.url}/")
    visitor.types("What do you want to read about?", "continual learning")
    visitor.types("Your address", ADA)
    visitor.presses("Subscribe")
    house.post()
    assert [mail.recipient for mail in house.sink.received] == [ADA]
    visitor.opens(house.link("confirm"))
    assert [one.status for one in house.people] == [Status.PENDING]
    visitor.presses("Yes, send me the digest")
    assert [one.status for one in house.people] == [Status.ACTIVE]


def _sets(house: House, visitor: Visitor) -> None:
    house.post()
    visitor.opens(house.link("preferences"))
    visitor.types("Keywords", "continual learning^2\nrafts")
    visitor.types("Never show me", "moss")
    visitor.chooses("Hour", "06:00")
    visitor.presses("Try it out first")
    visitor.sees("Your settings", "Nothing is saved yet")
    assert "Moss" not in visitor.tab.locator("#effect").inner_text()
    assert "Continual Learning of Tides" in visitor.tab.locator("#effect").inner_text()
    assert [one.text for one in house.people[0].interests] == ["continual learning"]
    visitor.presses("Save")
    visitor.sees("Your settings", "every day at 06:00")
    assert len(house.people[0].interests) == 3


def _reads_and_votes(house: House, visitor: Visitor) -> None:
    day = f"{house.clock.now:%Y-%m-%d}"  # today's hour had passed, so the first came at once
    reading = house.link("digests")
    assert reading.endswith(day)
    visitor.tab.goto(reading)
    assert "Continual Learning of Tides" in visitor.tab.inner_text("body")
    visitor.opens(reading.removesuffix(f"/{day}"))
    visitor.sees("Your digests", "Thursday 12 March 2026 4 papers")
    visitor.opens(house.link("feedback", "/more"))
    visitor.presses("Yes, more like this")
    visitor.sees("Noted: more like this")
    visitor.presses("Undo")
    visitor.presses("Less like this")
    visitor.sees("Noted: less like this")


def _leaves_and_comes_back(house: House, visitor: Visitor) -> None:
    visitor.opens(house.link("unsubscribe"))
    assert house.people[0].status is Status.ACTIVE
    visitor.presses("Unsubscribe")
    visitor.sees("You are unsubscribed", ADA)
    assert house.people[0].status is Status.UNSUBSCRIBED
    visitor.presses("That was a mistake: undo")
    visitor.sees("Welcome back")
    assert house.people[0].status is Status.ACTIVE


def _is_forgotten(house: House, visitor: Visitor) -> None:
    visitor.presses("Change my settings", role="link")
    visitor.presses("Delete everything", role="link")
    visitor.sees("Delete everything?", ADA)
    visitor.presses("Delete everything now")
    visitor.sees("Everything is deleted")
    assert house.people == []
    house.clock.now += timedelta(days=2)
    before = len(house.sink.received)
    house.post()
    assert len(house.sink.received) == before
