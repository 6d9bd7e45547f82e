"""Real days of papers: what a digest names as its reason really stands in the paper."""

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from digest.domain.digests import Digest, Where
from digest.domain.papers import Paper, PaperId
from digest.domain.text import plain_text, plain_title
from digest.ranking.edition import EditionRanker
from digest.ranking.statistics import Statistics
from tests.builders import a_subscriber

DAY = date(2026, 8, 21)
# an interest, and what a paper that matches it must hold somewhere
INTERESTS = {
    "language models": r"language[\s-]+model|models? \w+ language",
    "agents": r"\b(multi-?)?agent",
    "RAG": r"\bRAGs?\b",
    "reasoning": r"\breason",
    "world models": r"world[\s-]+model",
    "video generation": r"video",
    "3D Gaussian splatting": r"gaussian[\s-]+splatting",
    "reinforcement learning": r"reinforcement[\s-]+learning",
    "diffusion models": r"diffusion",
    "LoRA": r"\bLoRAs?\b",
    "code generation": r"\bcod(e|ing)",
    "few-shot": r"few[\s-]*shot",
}


@pytest.fixture(scope="module")
def papers(shared: Path) -> list[Paper]:
    entries: dict[str, dict[str, Any]] = {}
    for day in sorted((shared / "feeds" / "hf").glob("*.json")):
        for entry in json.loads(day.read_text()):
            entries[entry["paper"]["id"]] = entry["paper"]
    return [
        Paper(
            id=PaperId(number),
            title=plain_title(entry["title"]),
            abstract=plain_text(entry.get("summary") or ""),
            first_seen_at=datetime(2026, 8, 21, tzinfo=UTC),
        )
        for number, entry in enumerate(entries.values(), start=1)
    ]


@pytest.fixture(scope="module")
def ranker(papers: list[Paper]) -> EditionRanker:
    return EditionRanker(papers, Statistics.of((p.title, p.abstract) for p in papers), {})


@pytest.mark.slow
@pytest.mark.parametrize("text", INTERESTS)
def test_every_pick_holds_what_its_reason_names(
    text: str, papers: list[Paper], ranker: EditionRanker
) -> None:
    found = ranker.digest_for(a_subscriber("ada@example.com", text), set(), DAY)
    assert isinstance(found, Digest) and not found.trending_only
    by_id = {paper.id: paper for paper in papers}
    for pick in found.picks:
        paper, reason = by_id[pick.paper_id], pick.reason
        place = paper.title if reason.where is Where.TITLE else paper.abstract
        assert reason.words and reason.words[0] in place
        assert all(word in f"{paper.title} {paper.abstract}" for word in reason.words)
        assert re.search(INTERESTS[text], f"{paper.title} {paper.abstract}", re.IGNORECASE)


@pytest.mark.parametrize("text", ["medieval poetry", "honey bees", "AIDS", "of the", "ARG"])
def test_an_interest_that_no_paper_is_about_matches_none(text: str, ranker: EditionRanker) -> None:
    found = ranker.digest_for(a_subscriber("ada@example.com", text), set(), DAY)
    assert isinstance(found, Digest) and found.trending_only
