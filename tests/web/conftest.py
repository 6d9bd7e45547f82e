"""The fixtures of the web."""

import pytest

from tests.web.building import clock, desk

__all__ = ["clock", "desk"]


@pytest.fixture(
    params=["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow])]
)
def store_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty store: pages stand on services that the quick suite tries on both engines,
    so that on PostgreSQL they are tried in the slow one.
    """
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
