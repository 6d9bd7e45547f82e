"""The command line stands on services: on PostgreSQL the slow suite tries it."""

from pathlib import Path

import pytest

from tests.stores import slow_on_postgres


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow_on_postgres(items, Path(__file__).parent)
