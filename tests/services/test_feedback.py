"""Feedback through the service: unknown ids are named, merged ones followed, erased ones gone."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from digest.domain.feedback import Opinion
from digest.domain.papers import PaperId
from digest.domain.subscribers import Channel, Status, SubscriberId
from digest.errors import NotFound
from digest.ranking.feedback import Tastes
from digest.ranking.statistics import Statistics
from digest.services import feedback as votes
from digest.services import subscribe
from digest.store import subscribers
from digest.store.database import reading, transaction
from digest.store.merge import merge_batch
from digest.store.papers import recent_papers
from digest.store.subscribers import NewSubscriber
from tests.builders import NOON, a_batch, a_listing

KEYS = subscribe.Keys(secret="k" * 32, pepper="p" * 32, domain="papers.example")
LINK = {"at": NOON, "channel": Channel.LINK}


def merge(engine, *listings) -> list[PaperId]:
    with transaction(engine) as session:
        merge_batch(session, a_batch(*listings), NOON)
        return sorted(paper.id for paper in recent_papers(session, 0))


@pytest.fixture
def ada(engine) -> SubscriberId:
    with transaction(engine) as session:
        new = NewSubscriber(email="ada@example.com", status=Status.ACTIVE)
        return subscribers.add(session, new, NOON).id


@pytest.fixture
def papers(engine) -> list[PaperId]:
    return merge(
        engine,
        a_listing("Video diffusion", arxiv="2603.00001"),
        a_listing("Long video diffusion", arxiv="2603.00002"),
        a_listing("Honey bees", arxiv="2603.00003"),
    )


def test_a_vote_moves_the_ranking_and_a_reset_takes_it_back(engine, ada, papers):
    with reading(engine) as session:
        edition = recent_papers(session)
    tastes = Tastes(edition, Statistics.of((p.title, p.abstract) for p in edition))
    numbers = {paper.id: number for number, paper in enumerate(edition)}

    def lifts() -> list[float]:
        with reading(engine) as session:
            found = votes.votes_of(session, [ada]).get(ada, ())
        lifted = tastes.lift(found, NOON)
        return [float(lifted[numbers[paper]]) for paper in papers]

    assert lifts() == [1, 1, 1]
    assert votes.record(engine, ada, papers[0], Opinion.MORE, **LINK)
    raised = lifts()
    assert raised[0] > raised[1] > raised[2] >= 1
    assert votes.reset(engine, ada) == 1
    assert lifts() == [1, 1, 1]


def test_the_same_vote_twice_is_one(engine, ada, papers):
    for _ in range(2):
        assert votes.record(engine, ada, papers[0], Opinion.MORE, **LINK)
    assert len(votes.listed(engine, ada)) == 1


def test_a_dry_run_changes_nothing(engine, ada, papers):
    assert votes.record(engine, ada, papers[0], Opinion.MORE, dry_run=True, **LINK)
    assert votes.listed(engine, ada) == []
    votes.record(engine, ada, papers[0], Opinion.MORE, **LINK)
    assert votes.reset(engine, ada, dry_run=True) == 1
    assert len(votes.listed(engine, ada)) == 1


def test_unknown_papers_and_subscribers_are_named(engine, ada, papers):
    with pytest.raises(NotFound, match="no paper has the id 999"):
        votes.record(engine, ada, PaperId(999), Opinion.MORE, **LINK)
    with pytest.raises(NotFound, match="no subscriber has the id 999"):
        votes.record(engine, SubscriberId(999), papers[0], Opinion.MORE, **LINK)


def test_a_vote_by_an_old_link_counts_for_the_paper_that_stayed(engine, ada):
    merge(engine, a_listing("First Title", authors=()))
    old = merge(engine, a_listing("Second Title", arxiv="2603.00009", authors=()))
    (left,) = merge(engine, a_listing("First Title", arxiv="2603.00009", authors=()))
    (gone,) = set(old) - {left}
    votes.record(engine, ada, gone, Opinion.LESS, **LINK)
    votes.record(engine, ada, left, Opinion.MORE, at=NOON + timedelta(1), channel=Channel.LINK)
    (given,) = votes.listed(engine, ada)
    assert (given.vote.paper_id, given.vote.opinion) == (left, Opinion.MORE)


def test_an_erased_subscribers_votes_are_gone(engine, ada, papers):
    votes.record(engine, ada, papers[0], Opinion.MORE, **LINK)
    with transaction(engine) as session:
        subscribe.erase(session, ada, now=NOON, keys=KEYS)
    with reading(engine) as session:
        assert session.execute(text("SELECT count(*) FROM feedback")).scalar_one() == 0
