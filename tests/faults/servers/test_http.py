"""Fetching from servers that go wrong: each costs its own source one error, and no other one."""

import time
import tracemalloc
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from digest.domain.papers import Outcome, SourceKind
from digest.services.collect import PlannedSource, collect, source_states
from digest.sources.http import HttpClient
from digest.sources.reader import SourceSpec
from digest.store.database import open_engine
from tests.faults.servers.httpfaults import CASES
from tests.faults.servers.web import GOOD, Site, ok, site
from tests.reliability import record
from tests.sources.webserver import START

MEMORY_MOST = 45_000_000  # a body of 10 MB, whole and in pieces
DEADLINE_S = 1.0


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Engine]:
    """SQLite: what goes wrong here does so on the wire."""
    made = open_engine(sqlite_url)
    yield made
    made.dispose()


@pytest.fixture
def bad() -> Iterator[Site]:
    with site() as made:
        yield made


@pytest.fixture
def good() -> Iterator[Site]:
    """Another host in the client's eyes, by its name."""
    with site() as made:
        made.url = made.url.replace("127.0.0.1", "localhost")
        made.pages["/good"] = ok(GOOD)
        yield made


@pytest.fixture
def http() -> Iterator[HttpClient]:
    """Time passes as it does, but for pauses, which nobody waits for."""
    client = HttpClient(deadline_s=DEADLINE_S, sleep=lambda _: None, wall=lambda: START)
    with client:
        yield client


def the_sources(bad: Site, good: Site, kind: SourceKind) -> list[PlannedSource]:
    return [
        PlannedSource(spec=SourceSpec(name="bad", kind=kind, url=bad.url + "/bad")),
        PlannedSource(spec=SourceSpec(name="good", kind=SourceKind.FEED, url=good.url + "/good")),
    ]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if CASES[name].is_quick else pytest.mark.slow) for name in CASES],
)
def test_a_server_that_goes_wrong_costs_its_own_source_alone(
    store: Engine, bad: Site, good: Site, http: HttpClient, name: str
) -> None:
    case = CASES[name]
    bad.pages["/bad"] = case.answer
    if case.kind is SourceKind.HUGGINGFACE:
        bad.pages["/bad?limit=100"] = case.answer
    planned = the_sources(bad, good, case.kind)
    with site() as secret:
        bad.secret = secret.url + "/secret"
        if case.is_large:
            tracemalloc.start(1)
        began = time.perf_counter()
        found = collect(store, [one.spec for one in planned], http, lambda: START)
        took = time.perf_counter() - began
        peak = tracemalloc.get_traced_memory()[1] if case.is_large else 0
        tracemalloc.stop()
        assert secret.asked == []
    mine, others = found
    assert (others.outcome, others.listed) == (Outcome.PAPERS, 1)
    assert mine.outcome is case.ends, mine.note
    assert bool(mine.note) is (case.ends is not Outcome.PAPERS)
    assert case.says in mine.note
    assert not [c for c in mine.note if unicodedata.category(c)[0] == "C"]
    assert len(mine.note) < 500
    assert len(bad.asked) <= case.most_asked
    assert took < 10
    assert peak < MEMORY_MOST
    states = {state.name: state for state in source_states(store, planned)}
    assert (states["bad"].last_outcome, states["bad"].last_note) == (case.ends.value, mine.note)
    record(
        "HTTP faults",
        name,
        tried=1,
        ends=case.ends.value,
        other_sources_hurt=0,
        asked=len(bad.asked),
        seconds_at_most=took,
    )


def test_a_host_that_asks_for_rest_is_left_alone_until_it_is_over(bad: Site, good: Site) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    bad.pages["/bad"] = CASES["429, a day in seconds"].answer
    with HttpClient(clock=lambda: now[0], sleep=sleep, wall=lambda: datetime.now(UTC)) as http:
        notes = []
        for hours in (0, 1, 22, 2):
            now[0] += timedelta(hours=hours).total_seconds()
            with pytest.raises(Exception, match=r"429|left alone for another") as caught:
                http.get(bad.url + "/bad")
            notes.append("left alone" in str(caught.value))
    assert notes == [False, True, True, False]
    assert len(bad.asked) == 2
