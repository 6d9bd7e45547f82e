"""The service that hostile words go through."""

from collections.abc import Iterator
from typing import Any

import pytest

from digest.mail.sink import Sink
from digest.store.database import open_engine
from tests.commands import SECRETS, Desk
from tests.corpora.house import House
from tests.web.building import Clock, a_desk


@pytest.fixture
def house(desk: Desk, sink: Sink) -> Iterator[House]:
    """A service over one SQLite store, which the command line and the pages share."""
    engine = open_engine(f"sqlite:///{desk.folder / 'digest.sqlite3'}")
    keys: dict[str, Any] = {
        "secret_keys": (SECRETS["DIGEST_SECRET_KEYS"],), "pepper": SECRETS["DIGEST_PEPPER"]
    }  # fmt: skip
    made = House(desk, a_desk(engine, Clock(), desk.folder, **keys), sink)
    made.know_harmless()
    yield made
    assert not made.seen.harm, "\n".join(map(ascii, made.seen.harm[:20]))
    engine.dispose()
