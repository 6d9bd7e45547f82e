"""Feedback keeps up: a subscriber's lift over a thousand papers in a tenth of a millisecond."""

import random
import time
from datetime import timedelta

import pytest

from digest.domain.feedback import Opinion, Vote
from digest.domain.papers import Paper
from digest.ranking.feedback import Tastes
from digest.ranking.statistics import Statistics
from tests.builders import NOON, a_paper


def a_vote(paper: Paper, rng: random.Random) -> Vote:
    return Vote(
        paper_id=paper.id,
        title=paper.title,
        abstract=paper.abstract,
        opinion=rng.choice(list(Opinion)),
        given_at=NOON - timedelta(days=rng.randrange(100)),
    )


@pytest.mark.bench
def test_a_thousand_papers_are_lifted_for_five_hundred_readers_of_twenty_votes() -> None:
    rng = random.Random(7)
    words = [f"word{n}" for n in range(20_000)]
    text = lambda size: " ".join(words[int(rng.paretovariate(0.4)) % 20_000] for _ in range(size))  # noqa: E731
    papers = [a_paper(text(10), number=n, abstract=text(180)) for n in range(2000)]
    statistics = Statistics.of((paper.title, paper.abstract) for paper in papers)

    began = time.process_time()
    tastes = Tastes(papers[:1000], statistics)
    indexed = time.process_time() - began
    readers = [[a_vote(paper, rng) for paper in rng.sample(papers, 20)] for _ in range(500)]
    began = time.process_time()
    tastes.learn(vote for votes in readers for vote in votes)
    learned = (time.process_time() - began) / 2000
    began = time.process_time()
    for votes in readers:
        tastes.lift(votes, NOON)
    each = (time.process_time() - began) / len(readers)

    print(f"\nindex 1,000 papers {indexed:.2f} s · a voted paper {learned * 1e3:.2f} ms"
          f" · a reader {each * 1e3:.3f} ms (CPU)")  # fmt: skip
    assert indexed < 2  # measured 0.2: bounds that only a fault breaks
    assert learned < 0.005  # 0.0003
    assert each < 0.001  # 0.0001
