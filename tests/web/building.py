"""The web over a store, asked in this process: the desk of a real app, and a client for it.

The clock stands at noon of 2026-03-12 UTC until a test moves it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from digest.app import App
from digest.mail.tokens import Purpose
from digest.settings import Loaded, Settings
from digest.store.database import open_engine
from digest.web.desk import Desk, desk_over
from digest.web.server import guarded
from tests.builders import NOON

SITE = "https://digest.example"
SECRET, PEPPER = "a secret key for the tests alone", "a pepper for the tests alone"


@dataclass
class Clock:
    """A clock that a test sets."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


def a_desk(engine: Engine, clock: Clock, folder: Path, **settings: object) -> Desk:
    """The desk of an app over the engine; `settings` are sections such as `web={"per_hour": 1}`."""
    values: dict[str, object] = {
        "secret_keys": (SECRET,),
        "pepper": PEPPER,
        "store": {"url": engine.url.render_as_string(hide_password=False)},
        "sender": {"address": "papers@digest.example", "name": "Trending papers"},
        "site": {"url": SITE},
    }
    loaded = Loaded(settings=Settings(**values | settings), base=folder, config_file=None)
    return desk_over(App(loaded, clock))


class Browser:
    """Sends requests as a browser does that is on one of our pages."""

    def __init__(self, desk: Desk, *parts: ModuleType) -> None:
        """`parts` are the modules whose routes there are; none: all of them."""
        if parts:
            routes = [route for part in parts for route in part.routes]
        else:
            from digest.web.routes import ALL

            routes = ALL
        self.desk = desk
        self.client = TestClient(guarded(desk, routes), base_url=SITE, follow_redirects=False)

    def get(self, path: str, **kwargs):
        return self.client.get(path, **kwargs)

    def post(self, path: str, form: dict[str, object] | None = None, **kwargs):
        """A form sent from our own page; lists are fields that come more than once."""
        headers = {"origin": SITE, "sec-fetch-site": "same-origin"} | kwargs.pop("headers", {})
        return self.client.post(path, data=form or {}, headers=headers, **kwargs)

    def token(self, purpose: Purpose, payload: object) -> str:
        """A token signed now."""
        return self.desk.tokens.sign(purpose, str(payload), self.desk.clock())


@pytest.fixture(name="engine")
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    """For tests of what pages say: what they ask the store is tried on both engines elsewhere."""
    opened = open_engine(sqlite_url)
    yield opened
    opened.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(engine: Engine, clock: Clock, tmp_path: Path) -> Iterator[Desk]:
    """A desk over an empty store, on SQLite and on PostgreSQL."""
    yield a_desk(engine, clock, tmp_path)
