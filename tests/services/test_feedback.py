"""Feedback through the service: unknown ids are named, merged ones followed, erased ones gone."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import monotonic

import pytest
from sqlalchemy import Engine, text

from digest.domain.feedback import Opinion
from digest.domain.papers import PaperId
from digest.domain.subscribers import Channel, Status, SubscriberId
from digest.errors import NotFound
from digest.ranking.feedback import Tastes
from digest.ranking.statistics import Statistics
from digest.services import feedback as votes
from digest.services import subscribe
from digest.store import feedback as stored
from digest.store import subscribers
from digest.store.database import open_engine, reading, transaction
from digest.store.merge import merge_batch
from digest.store.papers import held, recent_papers
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
    return a_reader(engine)


def a_reader(engine) -> SubscriberId:
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


def one_work_twice(engine) -> list[PaperId]:
    merge(engine, a_listing("First Title", authors=()))
    return merge(engine, a_listing("Second Title", arxiv="2603.00009", authors=()))


UNITING = a_batch(a_listing("First Title", arxiv="2603.00009", authors=()))


def given(engine, ada) -> list[tuple[PaperId, Opinion]]:
    return [(one.vote.paper_id, one.vote.opinion) for one in votes.listed(engine, ada)]


def test_a_vote_that_meets_a_merge_under_way_is_for_the_paper_that_stays(postgres_url, now_waits):
    engine = open_engine(postgres_url)
    ada, old = a_reader(engine), one_work_twice(engine)
    with ThreadPoolExecutor(1) as pool:
        with transaction(engine) as session:
            merge_batch(session, UNITING, NOON)
            (left,) = (paper.id for paper in recent_papers(session, 0))
            (gone,) = set(old) - {left}
            voting = pool.submit(votes.record, engine, ada, gone, Opinion.LESS, **LINK)
            now_waits(engine)
        assert voting.result(timeout=10)
    assert given(engine, ada) == [(left, Opinion.LESS)]
    engine.dispose()


def test_a_merge_that_meets_a_vote_under_way_takes_it_along(postgres_url, now_waits):
    engine = open_engine(postgres_url)
    ada, old = a_reader(engine), one_work_twice(engine)

    def unite() -> PaperId:
        with transaction(engine) as session:
            merge_batch(session, UNITING, NOON)
            return recent_papers(session, 0)[0].id

    with ThreadPoolExecutor(1) as pool:
        with transaction(engine) as session:
            for paper in old:  # on both, as it is the merge that decides which one stays
                assert held(session, paper) == paper
            uniting = pool.submit(unite)
            now_waits(engine)
            for paper in old:
                stored.record(session, ada, paper, Opinion.LESS, **LINK)
        left = uniting.result(timeout=10)
    assert given(engine, ada) == [(left, Opinion.LESS)]
    engine.dispose()


def test_a_paper_that_was_pruned_is_not_voted_on(engine, ada, papers):
    with transaction(engine) as session:
        session.execute(text("DELETE FROM papers WHERE id = :id"), {"id": papers[0]})
    with pytest.raises(NotFound, match="pruned"):
        votes.record(engine, ada, papers[0], Opinion.MORE, **LINK)


@pytest.fixture
def now_waits() -> Callable[[Engine], None]:
    """Returns once a statement on that server's database waits for another's lock."""

    def wait(engine: Engine) -> None:
        end = monotonic() + 10
        waiting = text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        while monotonic() < end:
            with engine.connect() as connection:
                if connection.execute(waiting).scalar_one():
                    return
        raise AssertionError("nothing waited")

    return wait


def test_an_erased_subscribers_votes_are_gone(engine, ada, papers):
    votes.record(engine, ada, papers[0], Opinion.MORE, **LINK)
    with transaction(engine) as session:
        subscribe.erase(session, ada, now=NOON, keys=KEYS)
    with reading(engine) as session:
        assert session.execute(text("SELECT count(*) FROM feedback")).scalar_one() == 0
