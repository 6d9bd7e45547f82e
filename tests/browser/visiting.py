"""The web pages behind a real port, with people and papers in the store, and a browser to visit."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from digest.domain.papers import Attention, Links
from digest.domain.subscribers import Preferences, Status
from digest.mail.tokens import Purpose
from digest.store.database import open_engine, transaction
from digest.store.visits import VisitLimits, visit
from digest.web.desk import Desk
from digest.web.server import Server, guarded
from tests.web.building import Clock, a_desk
from tests.web.people import DAY, a_digest, a_person, some_papers

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
WRITTEN = (
    "التعلم المستمر في الشبكات العصبية العميقة",
    "למידה מתמשכת והזיכרון של רשתות",
    "持续学习中的遗忘与记忆:一项研究",
    "Непрерывное обучение и забывание",
    "निरंतर अधिगम और स्मृति",
)
NAMES = ("محمد الخوارزمي", "שרה לוי", "王小明", "Софья Ковалевская", "रामानुजन")
MANY = (*(f"keyword number {n}" for n in range(48)), "y" * 64, "التعلم المستمر")
DOMAINS = tuple(f"department-{n}.university.example" for n in range(5))
NODE = Path(os.environ.get("DIGEST_TEST_NODE", Path(__file__).parents[2] / ".venv" / "node"))

_NUMBERS = count()


@dataclass(frozen=True, kw_only=True)
class Stand:
    """The pages at `url`, and people who hold links to them."""

    desk: Desk
    url: str
    pending: int
    active: int
    left: int
    plain: int
    paper: int
    rich: int

    def somebody(self, *phrases: str, **changes: Any) -> int:
        """One more subscriber, whom what a test does next concerns alone."""
        return a_person(self.desk, f"reader{next(_NUMBERS)}@lab.example", *phrases, **changes)

    def link(self, kind: str, purpose: Purpose, payload: object, rest: str = "") -> str:
        """The path of a page with a token that was signed now."""
        return f"/{kind}/{self.desk.tokens.sign(purpose, str(payload), self.desk.clock())}{rest}"


def a_stand(desk: Desk) -> Stand:
    """People and papers in an empty store."""
    papers = some_papers(desk, *TITLES)
    for n in range(20):
        words = " ".join(f"stone{n}by{i}" for i in range(80))
        some_papers(desk, f"Lichen on {words}"[:120], abstract=f"Lichen and {words}.", **RICH)
    some_papers(desk, *WRITTEN, authors=NAMES)
    active = a_person(desk, "ada@lab.example", "continual learning", "-survey")
    a_digest(desk, active, *papers[:3], day=DAY)
    plain = a_person(desk, "plain@lab.example", preferences=Preferences(text_only=True))
    a_digest(desk, plain, *papers[:3], day=DAY)
    desk.window.refresh()
    return Stand(
        desk=desk,
        url="",
        pending=a_person(desk, "new@lab.example", status=Status.PENDING),
        active=active,
        left=a_person(desk, "gone@lab.example", status=Status.UNSUBSCRIBED),
        plain=plain,
        paper=papers[0],
        rich=a_person(desk, f"{'long' * 15}@{'sub.' * 30}lab.example", *MANY),
    )


def an_empty_stand(desk: Desk) -> Stand:
    """Neither people nor papers."""
    return Stand(desk=desk, url="", pending=0, active=0, left=0, plain=0, paper=0, rich=0)


def an_early_stand(desk: Desk) -> Stand:
    """The papers are not read yet, and as many forms as may come in this hour have come."""
    with transaction(desk.engine) as session:
        visit(session, "", VisitLimits(per_hour=1), desk.clock())
    return an_empty_stand(desk)


def a_bare_stand(desk: Desk) -> Stand:
    """No paper has ever come."""
    desk.window.refresh()
    return an_empty_stand(desk)


SENDER = {
    "address": "papers@digest.example",
    "name": "Trending papers",
    "tagline": "What a community reads, for one reader",
    "imprint": "Example Lab, 1 Main Street, Springfield",
}


HOUSES: dict[str, tuple[Callable[[Desk], Stand], dict[str, object]]] = {
    "open": (a_stand, {}),
    "invited": (a_bare_stand, {"registration": "invite"}),
    "domains": (
        an_early_stand,
        {
            "registration": "domains",
            "web": {"registration_domains": DOMAINS, "per_hour": 1},
            "sender": {"name": "Papers" * 4},
            "site": {},
        },
    ),
}


@pytest.fixture(scope="module")
def stands(
    _sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Stand]]:
    """The pages of several houses, served on loopback."""
    from digest.web.routes import ALL

    with ExitStack() as ends:
        found = {}
        for name, (furnished, settings) in HOUSES.items():
            folder = tmp_path_factory.mktemp(name)
            shutil.copy(_sqlite_template, folder / "digest.sqlite")
            engine = open_engine(f"sqlite:///{folder / 'digest.sqlite'}")
            ends.callback(engine.dispose)
            made = furnished(a_desk(engine, Clock(), folder, **{"sender": SENDER} | settings))
            server = Server(guarded(made.desk, ALL), "127.0.0.1", 0)
            server.start()
            ends.callback(server.stop)
            found[name] = replace(made, url=f"http://127.0.0.1:{server.port}")
        yield found


@pytest.fixture(scope="module")
def stand(stands: dict[str, Stand]) -> Stand:
    """The house with everything in it."""
    return stands["open"]
