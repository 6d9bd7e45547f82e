"""Collecting: every source gets its turn, whatever becomes of the others."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from digest.domain.papers import Outcome, SourceKind
from digest.services.alone import alone
from digest.services.collect import (
    Collected,
    PlannedSource,
    collect,
    collect_due,
    collect_file,
    due_sources,
    keep,
    source_states,
)
from digest.sources.http import HttpClient
from digest.sources.reader import SourceSpec
from digest.store import leases
from digest.store.database import reading, transaction
from digest.store.papers import count_papers, recent_papers
from tests.builders import NOON, a_batch, a_listing, attention

LINES = '{"id": "1", "title": "On tea"}\n{"id": "2", "title": "On more tea"}\n'


def _spec(path: Path, name: str = "papers") -> SourceSpec:
    return SourceSpec(name=name, kind=SourceKind.JSONL, url=None, path=path)


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    path = tmp_path / "papers.jsonl"
    path.write_text(LINES)
    return path


def test_one_dead_source_stops_no_other_and_is_named(
    engine: Engine, papers: Path, tmp_path: Path
) -> None:
    specs = [_spec(tmp_path / "gone", "gone"), _spec(papers)]
    with HttpClient() as http:
        gone, good = collect(engine, specs, http, lambda: NOON)
    assert (gone.source, gone.outcome, gone.went_wrong) == ("gone", Outcome.FAULT, True)
    assert "gone" in gone.note
    assert (good.outcome, good.new) == (Outcome.PAPERS, 2)
    states = {state.name: state.last_outcome for state in source_states(engine, [])}
    assert states == {"gone": "fault", "papers": "papers"}


def test_collecting_again_adds_nothing(engine: Engine, papers: Path) -> None:
    with HttpClient() as http:
        for new in (2, 0):
            (done,) = collect(engine, [_spec(papers)], http, lambda: NOON)
            assert (done.listed, done.new) == (2, new)


def test_dry_run_counts_and_keeps_nothing(engine: Engine, papers: Path) -> None:
    with HttpClient() as http:
        (done,) = collect(engine, [_spec(papers)], http, lambda: NOON, dry_run=True)
    assert done.new == 2
    with reading(engine) as session:
        assert count_papers(session) == 0
    assert source_states(engine, []) == []


def test_changed_counts_are_told_apart_from_new_papers(engine: Engine) -> None:
    for hour, upvotes, expected in ((0, 5, (1, 0)), (1, 5, (0, 0)), (2, 9, (0, 1))):
        at = NOON + timedelta(hours=hour)
        batch = a_batch(a_listing("On tea", attention=attention(upvotes=upvotes)), fetched_at=at)
        done = keep(engine, batch, at)
        assert (done.new, done.changed_signals) == expected


def test_file_that_is_no_listing_is_broken_with_what_was_expected(
    engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "odd.txt"
    path.write_text("<html>Please log in</html>")
    done = collect_file(engine, path, "page", NOON)
    assert done.failed
    assert "expected" in done.note
    with reading(engine) as session:
        assert recent_papers(session) == []


def test_source_is_asked_at_its_rhythm_and_sooner_after_a_fault(
    engine: Engine, papers: Path, tmp_path: Path
) -> None:
    good, gone = _spec(papers), _spec(tmp_path / "gone", "gone")
    planned = [PlannedSource(spec=spec, every=timedelta(hours=3)) for spec in (good, gone)]
    assert due_sources(engine, planned, NOON) == [good, gone]
    with HttpClient() as http:
        collect(engine, [good, gone], http, lambda: NOON)
    assert due_sources(engine, planned, NOON + timedelta(minutes=14)) == []
    assert due_sources(engine, planned, NOON + timedelta(minutes=15)) == [gone]
    assert due_sources(engine, planned, NOON + timedelta(hours=3)) == [good, gone]


def test_source_that_fails_again_and_again_is_asked_less_and_less(
    engine: Engine, tmp_path: Path
) -> None:
    planned = [PlannedSource(spec=_spec(tmp_path / "gone", "gone"))]
    at = NOON
    with HttpClient() as http:
        for minutes in (15, 30, 60, 120, 180, 180):  # a feed's own rhythm is three hours
            collect(engine, [planned[0].spec], http, lambda now=at: now)  # type: ignore[misc]
            just_before = at + timedelta(minutes=minutes, seconds=-1)
            assert due_sources(engine, planned, just_before) == []
            at += timedelta(minutes=minutes)
            assert due_sources(engine, planned, at) == [planned[0].spec]


def test_while_another_process_collects_a_source_is_not_asked(
    engine: Engine, papers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = [PlannedSource(spec=_spec(papers))]
    waited: list[float] = []
    monkeypatch.setattr("digest.services.collect.time.sleep", waited.append)
    with HttpClient() as http:

        def once(owner: str) -> list[Collected]:
            return collect_due(
                engine, planned, http, lambda: NOON, owner=owner, wall=lambda: NOON,
                stop=lambda: len(waited) > 2,
            )  # fmt: skip

        with alone(engine, "collect", "the other", lambda: NOON) as ours:
            assert ours
            assert once("this one") == []
        assert len(waited) == 3
        waited.clear()
        assert [done.new for done in once("this one")] == [2]
        assert once("the other") == []


def test_lease_of_a_host_that_died_passes_on_when_it_has_run_out(engine: Engine) -> None:
    with transaction(engine) as session:
        assert leases.take(session, "collect", "dead", NOON, timedelta(seconds=60))
    for seconds, expected in ((59, False), (61, True)):
        at = NOON + timedelta(seconds=seconds)
        with alone(engine, "collect", "alive", lambda at=at: at) as ours:  # type: ignore[misc]
            assert ours is expected
