"""Which of the services' tests the quick suite tries on PostgreSQL, too, and a store for others."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from digest.store.database import open_engine
from tests.stores import slow_on_postgres

# where engines differ most: locks, claims, several hosts; the others' SQL is tried in tests/store
ON_BOTH = {"collect", "compose", "deliver", "run_ends", "signup", "signup_limits"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow_on_postgres(items, Path(__file__).parent, but=ON_BOTH)


@pytest.fixture
def quick(sqlite_url: str) -> Iterator[Engine]:
    """SQLite alone, for what depends on rules and not on the store."""
    opened = open_engine(sqlite_url)
    yield opened
    opened.dispose()
