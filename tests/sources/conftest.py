from collections.abc import Iterator

import pytest

from digest.sources.http import HttpClient
from tests.sources.webserver import Clock, Web, a_client, serving


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def http(clock: Clock) -> Iterator[HttpClient]:
    with a_client(clock) as client:
        yield client
