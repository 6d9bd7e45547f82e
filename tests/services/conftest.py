"""Which of the services' tests the quick suite tries on PostgreSQL, too."""

from pathlib import Path

import pytest

from tests.stores import slow_on_postgres

# where engines differ most: locks, claims, several hosts; the others' SQL is tried in tests/store
ON_BOTH = {"collect", "compose", "deliver", "run_ends", "signup"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow_on_postgres(items, Path(__file__).parent, but=ON_BOTH)
