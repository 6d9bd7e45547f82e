"""Collecting: every source gets its turn, whatever becomes of the others."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from digest.domain.papers import Outcome, SourceKind
from digest.services.collect import (
    PlannedSource,
    collect,
    collect_file,
    due_sources,
    keep,
    source_states,
)
from digest.sources.http import HttpClient
from digest.sources.reader import SourceSpec
from digest.store.database import reading
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
