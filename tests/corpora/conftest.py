"""The service that hostile words go through."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from digest.mail.sink import Sink
from digest.store.database import open_engine
from tests.commands import SECRETS, Desk
from tests.corpora.house import House
from tests.web.building import SITE, Clock, a_desk


@pytest.fixture
def house(
    bare_desk: Desk, sink: Sink, _sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    """A service over one SQLite store, which the command line and the pages share."""
    variables = {"SENDER__ADDRESS": "digest@papers.example", "SITE__URL": SITE, "WEB__PORT": "0"}
    for name, value in (SECRETS | {f"DIGEST_{k}": v for k, v in variables.items()}).items():
        monkeypatch.setenv(name, value)
    path = bare_desk.folder / "digest.sqlite3"
    shutil.copy(_sqlite_template, path)
    engine = open_engine(f"sqlite:///{path}")
    keys: dict[str, Any] = {
        "secret_keys": (SECRETS["DIGEST_SECRET_KEYS"],),
        "pepper": SECRETS["DIGEST_PEPPER"],
    }
    made = House(bare_desk, a_desk(engine, Clock(), bare_desk.folder, **keys), sink)
    made.know_harmless()
    yield made
    assert not made.seen.harm, "\n".join(map(ascii, made.seen.harm[:20]))
    engine.dispose()
