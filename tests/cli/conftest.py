"""The command line stands on services: on PostgreSQL the slow suite tries it."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE and item.get_closest_marker("postgres"):
            item.add_marker(pytest.mark.slow)
