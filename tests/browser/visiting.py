"""The web pages behind a real port, with people and papers in the store, and a browser to visit."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from digest.domain.papers import Attention, Links
from digest.domain.subscribers import Status
from digest.mail.tokens import Purpose
from digest.store.database import open_engine
from digest.web.desk import Desk
from digest.web.server import Server, guarded
from tests.web.building import Clock, a_desk
from tests.web.people import DAY, a_digest, a_person, some_papers

QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
TITLES = (
    "Continual Learning of Tides",
    "Moss and Memory in Continual Learning",
    "Gradients that Wait",
    "An Atlas of Forgetting for Continual Learning",
    "Continual Learning on a Raft",
    "Supercalifragilisticexpialidocious" * 3 + " under Continual Learning",
)
RICH: dict[str, Any] = {
    "authors": tuple(f"Theodora Longlastname-Number{n}" for n in range(30)),
    "categories": ("cs.LG", "cs.AI", "cs.CL"),
    "venue": "Proceedings of the Tidal Conference on Everything That Waits 2026",
    "published_on": DAY,
    "attention": Attention(upvotes=163, comments=12, stars=4200),
    "links": Links(
        pdf="https://arxiv.example/pdf/2603.01234",
        code="https://git.example/some-organisation/a-repository-with-a-long-name",
        project="https://some-organisation.example/a-project-with-a-long-name",
        discussion="https://talk.example/papers/2603.01234",
    ),
}
NODE = Path(os.environ.get("DIGEST_TEST_NODE", Path(__file__).parents[2] / ".venv" / "node"))


@dataclass(frozen=True, kw_only=True)
class Stand:
    """The pages at `url`, and people who hold links to them."""

    desk: Desk
    url: str
    pending: int
    active: int
    left: int
    paper: int

    def link(self, kind: str, purpose: Purpose, payload: object, rest: str = "") -> str:
        """The path of a page with a token that was signed now."""
        return f"/{kind}/{self.desk.tokens.sign(purpose, str(payload), self.desk.clock())}{rest}"


Path_ = Callable[[Stand], str]

PAGES: dict[str, Path_] = {
    "home": lambda stand: "/",
    "preview": lambda stand: "/preview?interests=continual+learning,+moss",
    "preview-many": lambda stand: "/preview?interests=lichen",
    "preview-nothing": lambda stand: "/preview?interests=volcanoes",
    "preview-mistake": lambda stand: "/preview?interests=%22never+closed",
    "nowhere": lambda stand: "/nowhere",
    "bad-link": lambda stand: "/confirm/nonsense",
    "confirm": lambda stand: stand.link("confirm", Purpose.CONFIRM, f"{stand.pending}:x"),
    "confirmed": lambda stand: stand.link("confirm", Purpose.CONFIRM, f"{stand.active}:x"),
    "used-up": lambda stand: stand.link("confirm", Purpose.CONFIRM, f"{stand.left}:x"),
    "access": lambda stand: "/access",
    "preferences": lambda stand: stand.link("preferences", Purpose.PREFERENCES, stand.active),
    "erase": lambda stand: stand.link("preferences", Purpose.PREFERENCES, stand.active, "/erase"),
    "unsubscribe": lambda stand: stand.link("unsubscribe", Purpose.UNSUBSCRIBE, stand.active),
    "undo": lambda stand: stand.link("undo", Purpose.UNDO, stand.left),
    "feedback": lambda stand: stand.link(
        "feedback", Purpose.FEEDBACK, stand.active, f"/{stand.paper}/more"
    ),
    "digests": lambda stand: stand.link("digests", Purpose.READING, stand.active),
    "archive": lambda stand: "/archive",
    "archive-day": lambda stand: "/archive/2026-03-12",
    "archive-search": lambda stand: "/archive?q=moss",
    "paper": lambda stand: f"/papers/{stand.paper}",
}


def a_stand(engine: Engine, folder: Path, url: str) -> Stand:
    """People and papers in an empty store."""
    desk = a_desk(engine, Clock(), folder, sender=SENDER)
    papers = some_papers(desk, *TITLES)
    for n in range(20):
        words = " ".join(f"stone{n}by{i}" for i in range(80))
        some_papers(desk, f"Lichen on {words}"[:120], abstract=f"Lichen and {words}.", **RICH)
    active = a_person(desk, "ada@lab.example", "continual learning", "-survey")
    a_digest(desk, active, *papers[:3], day=DAY)
    stand = Stand(
        desk=desk,
        url=url,
        pending=a_person(desk, "new@lab.example", status=Status.PENDING),
        active=active,
        left=a_person(desk, "gone@lab.example", status=Status.UNSUBSCRIBED),
        paper=papers[0],
    )
    desk.window.refresh()
    return stand


SENDER = {
    "address": "papers@digest.example",
    "name": "Trending papers",
    "tagline": "What a community reads, for one reader",
    "imprint": "Example Lab, 1 Main Street, Springfield",
}


@pytest.fixture(scope="module")
def stand(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """The pages, served on loopback."""
    from digest.web.routes import ALL

    folder = tmp_path_factory.mktemp("stand")
    shutil.copy(_sqlite_template, folder / "digest.sqlite")
    engine = open_engine(f"sqlite:///{folder / 'digest.sqlite'}")
    made = a_stand(engine, folder, "")
    server = Server(guarded(made.desk, ALL), "127.0.0.1", 0)
    server.start()
    try:
        yield Stand(**vars(made) | {"url": f"http://127.0.0.1:{server.port}"})
    finally:
        server.stop()
        engine.dispose()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium; skips where it or playwright is absent."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is absent")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("chromium is absent")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=QUIET.split())
        yield browser
        browser.close()
