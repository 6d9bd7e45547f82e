"""Pruning and the ranker: what it knows of words drifts with the papers, and does not jump."""

import random
from datetime import timedelta

import pytest

from digest.domain import retention
from digest.domain.editions import Edition, EditionId
from digest.domain.retention import Keep, Kind, Policy
from digest.domain.tiers import Tier
from digest.services.knowledge import EARLIER, Knowledge
from digest.services.prune import prune
from digest.store.database import reading, transaction
from digest.store.merge import merge_batch
from digest.store.papers import count_papers
from tests.builders import NOON, a_batch, a_listing, a_subscriber

DAY = timedelta(days=1)
EDITION = Edition(id=EditionId(1), cutoff_at=NOON, lookback_days=7)
THEMES = ("graph networks", "diffusion models", "continual learning", "protein folding")


def filled(engine, *, old, young):
    """Papers of two years ago and of this week on the same themes, in equal shares."""
    dice = random.Random(5)
    with transaction(engine) as session:
        for number, at in [(old, NOON - 700 * DAY), (young, NOON - DAY)]:
            listings = [
                a_listing(
                    f"{dice.choice(THEMES)} number {n} of {at:%Y}",
                    abstract=f"We study {dice.choice(THEMES)} and {dice.choice(THEMES)}.",
                )
                for n in range(number)
            ]
            merge_batch(session, a_batch(*listings, fetched_at=at), at)


def scores(engine):
    """The best picks of one reader with their relevance."""
    knowledge = Knowledge(Tier.CORE)
    with reading(engine) as session:
        knowledge.learn(session, NOON)
        ranker = knowledge.ranker(session, EDITION, threshold=0.1, beyond=0)
    digest = ranker.digest_for(
        a_subscriber("a@x.example", *THEMES[:2]), set(), NOON.date(), (), NOON
    )
    return {pick.paper_id: pick.relevance for pick in digest.picks}


@pytest.mark.slow
def test_a_days_pruning_leaves_relevance_as_it_was(engine, monkeypatch):
    monkeypatch.setattr(retention, "LEAST_AT_ONCE", 10)
    filled(engine, old=1_500, young=60)
    before = scores(engine)
    done = prune(engine, Policy(keep=Keep(least_papers=1)), NOON)
    assert done.rows[Kind.PAPERS] == 1_560 // 50
    after = scores(engine)
    both = before.keys() & after.keys()
    assert len(both) >= len(before) - 1
    assert all(abs(after[paper] - before[paper]) < 0.01 for paper in both)


def test_a_small_store_keeps_all_that_the_ranker_learns_from(engine):
    filled(engine, old=300, young=5)
    assert not prune(engine, Policy(), NOON).anything
    with reading(engine) as session:
        assert count_papers(session) == 305


def test_the_papers_that_are_kept_in_any_case_suffice_to_learn_from():
    assert Keep().least_papers >= 4 * EARLIER
