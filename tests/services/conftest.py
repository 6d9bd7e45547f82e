"""Which of the services' tests the quick suite tries on PostgreSQL, too."""

from pathlib import Path

import pytest

# where engines differ most: locks, claims, several hosts; the others' SQL is tried in tests/store
ON_BOTH = {"collect", "compose", "deliver", "run_ends", "signup"}
HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        name = item.path.stem.removeprefix("test_")
        if item.path.parent == HERE and name not in ON_BOTH and item.get_closest_marker("postgres"):
            item.add_marker(pytest.mark.slow)
