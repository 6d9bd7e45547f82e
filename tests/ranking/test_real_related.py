"""Real days with the papers of the months before: what is related, and what reasons say of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from digest.domain.digests import Digest, Pick, Where
from digest.domain.papers import Paper
from digest.domain.tiers import Tier
from digest.ranking.acronyms import Acronyms
from digest.ranking.edition import THRESHOLD, EditionRanker
from digest.ranking.match import Background
from digest.ranking.statistics import Statistics, Text
from digest.services.tiers import equip
from tests.builders import a_paper, a_subscriber

pytestmark = pytest.mark.slow

DAY = date(2026, 8, 21)
INTERESTS = (
    "tokenization",
    "agents",
    "world models",
    "speculative decoding",
    "RAG",
    "continual learning",
    "LLM unlearning",
    "speech recognition",
    "protein design",
    "mixture of experts",
    "LoRA",
    "3D Gaussian splatting",
    "AI safety",
    "audio generation",
    "knowledge distillation",
)
EARLIER, POOL_DAYS = 5_000, 5


@dataclass(frozen=True, kw_only=True)
class Days:
    """Five days of papers, and a ranker that knows what came before."""

    papers: list[Paper]
    ranker: EditionRanker

    def picks(self, text: str) -> Iterator[tuple[Paper, Pick]]:
        found = self.ranker.digest_for(a_subscriber("ada@example.com", text), set(), DAY)
        if isinstance(found, Digest) and not found.trending_only:
            for pick in found.picks:
                yield self.papers[pick.paper_id - 1], pick


def text_of(entry: dict[str, Any]) -> Text:
    return entry["title"], entry["abstract"]


@cache
def entries(path: Path) -> list[dict[str, Any]]:
    return sorted(map(json.loads, path.read_text().splitlines()), key=lambda one: one["date"])


@pytest.fixture(scope="module", params=[0, 1_500], ids=["latest", "months before"])
def days(shared: Path, request: pytest.FixtureRequest) -> Days:
    every = entries(shared / "ranking" / "hf_daily" / "papers.jsonl")
    known = every[: len(every) - request.param]
    since = sorted({one["date"] for one in known})[-POOL_DAYS]
    pool = [one for one in known if one["date"] >= since]
    earlier = [text_of(one) for one in known if one["date"] < since][-EARLIER:]
    texts = [*map(text_of, pool), *earlier]
    statistics = Statistics.of(texts)
    papers = [
        a_paper(one["title"], number=n, abstract=one["abstract"]) for n, one in enumerate(pool, 1)
    ]
    background = Background(
        earlier=earlier,
        understanding=equip(Tier.SEMANTIC).understanding(statistics),
        synonyms=Acronyms.of(texts).as_mapping,
    )
    return Days(papers=papers, ranker=EditionRanker(papers, statistics, {}, background=background))


@pytest.mark.slow
@pytest.mark.parametrize("text", INTERESTS)
def test_the_words_of_every_reason_stand_in_the_paper(text: str, days: Days) -> None:
    related = 0
    for paper, pick in days.picks(text):
        reason, place = pick.reason, f"{paper.title}\n{paper.abstract}"
        flat = " ".join(place.split())
        assert reason.words and all(word in place or word in flat for word in reason.words)
        assert THRESHOLD <= pick.relevance < 1
        if reason.where is Where.RELATED:
            related += 1
            assert pick.relevance <= 0.45
            assert text.casefold() not in flat.casefold()
    assert related <= 3


def test_some_interest_has_related_papers(days: Days) -> None:
    places = [pick.reason.where for text in INTERESTS for _, pick in days.picks(text)]
    assert Where.RELATED in places and Where.TITLE in places


def test_tokens_alone_are_hardly_ever_tokenization(days: Days) -> None:
    bare = [
        paper.title
        for paper, pick in days.picks("tokenization")
        if pick.reason.where is not Where.RELATED
        and not any("tokeniz" in word.casefold() for word in pick.reason.words)
    ]
    assert len(bare) <= 2
