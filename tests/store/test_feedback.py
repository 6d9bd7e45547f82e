"""Votes as rows: the last word stands, a click takes back none, and papers that unite keep them."""

from datetime import timedelta

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from digest.domain.feedback import MOST_VOTES, Opinion
from digest.domain.papers import PaperId
from digest.domain.subscribers import Channel, Status, SubscriberId
from digest.store import feedback, schema, subscribers
from digest.store.database import reading, transaction
from digest.store.merge import merge_batch
from digest.store.papers import recent_papers
from digest.store.subscribers import NewSubscriber
from tests.builders import NOON, a_batch, a_listing

MORE, LESS, CLICK = Opinion.MORE, Opinion.LESS, Opinion.CLICK
LATER = NOON + timedelta(hours=1)


def a_reader(session, email: str = "ada@example.com") -> SubscriberId:
    new = NewSubscriber(email=email, status=Status.ACTIVE)
    return subscribers.add(session, new, NOON).id


def merge(session, *listings) -> None:
    merge_batch(session, a_batch(*listings), NOON)


def some_papers(session, count: int = 2) -> list[PaperId]:
    merge(session, *(a_listing(f"Paper {n}", arxiv=f"2603.{n:05d}") for n in range(1, count + 1)))
    return sorted(paper.id for paper in recent_papers(session, 0))


def vote(session, reader, paper, opinion, at=NOON, channel=Channel.LINK) -> bool:
    return feedback.record(session, reader, paper, opinion, channel=channel, at=at)


def said(session, reader) -> list[tuple[PaperId, Opinion]]:
    votes = feedback.votes_of(session, [reader]).get(reader, ())
    return [(one.paper_id, one.opinion) for one in votes]


def test_votes_come_latest_first_with_the_papers_text(session):
    ada, (one, two) = a_reader(session), some_papers(session)
    vote(session, ada, one, MORE)
    vote(session, ada, two, LESS, at=LATER)
    latest, first = feedback.votes_of(session, [ada])[ada]
    assert (latest.paper_id, latest.opinion, latest.given_at) == (two, LESS, LATER)
    assert (first.title, first.abstract) == ("Paper 1", "We study paper 1 and find it works.")
    assert [given.vote for given in feedback.listed(session, ada)] == [latest, first]
    assert [given.vote for given in feedback.listed(session, ada, 1)] == [latest]
    assert feedback.listed(session, ada)[0].channel is Channel.LINK


@pytest.mark.parametrize(
    ("first", "then", "stands"),
    [
        ((MORE, NOON), (LESS, LATER), LESS),
        ((MORE, NOON), (MORE, NOON), MORE),
        ((MORE, NOON), (LESS, NOON), LESS),
        ((LESS, LATER), (MORE, NOON), LESS),  # an older vote that arrives late
        ((LESS, NOON), (CLICK, LATER), LESS),  # a click takes back no word
        ((CLICK, LATER), (LESS, NOON), LESS),
        ((CLICK, NOON), (CLICK, LATER), CLICK),
    ],
)
def test_one_vote_a_paper_stands(session, first, then, stands):
    ada, (paper, _) = a_reader(session), some_papers(session)
    assert vote(session, ada, paper, *first)
    replaced = vote(session, ada, paper, *then)
    assert said(session, ada) == [(paper, stands)]
    assert replaced == (then[0] is stands)


def test_a_later_click_renews_an_earlier_one(session):
    ada, (paper, _) = a_reader(session), some_papers(session)
    vote(session, ada, paper, CLICK)
    vote(session, ada, paper, CLICK, at=LATER)
    assert feedback.votes_of(session, [ada])[ada][0].given_at == LATER


def test_votes_of_many_take_three_statements_and_leave_out_who_gave_none(session):
    ada, bob, eve = (a_reader(session, f"{name}@example.com") for name in ("ada", "bob", "eve"))
    one, two = some_papers(session)
    for reader, paper in ((ada, one), (ada, two), (bob, two)):
        vote(session, reader, paper, MORE)
    statements = []
    engine = session.get_bind().engine
    listen = lambda *given: statements.append(given[2])  # noqa: E731
    event.listen(engine, "before_cursor_execute", listen)
    found = feedback.votes_of(session, [ada, bob, eve])
    event.remove(engine, "before_cursor_execute", listen)
    assert {reader: len(votes) for reader, votes in found.items()} == {ada: 2, bob: 1}
    assert len(statements) == 3
    assert feedback.votes_of(session, []) == {}


def test_only_the_newest_votes_of_each_subscriber_are_read(session):
    ada, bob = a_reader(session), a_reader(session, "bob@example.com")
    papers = some_papers(session, MOST_VOTES + 5)
    for minutes, paper in enumerate(papers):
        vote(session, ada, paper, MORE, at=NOON + timedelta(minutes=minutes))
    vote(session, bob, papers[0], LESS)
    found = feedback.votes_of(session, [ada, bob])
    assert [one.paper_id for one in found[ada]] == papers[: -MOST_VOTES - 1 : -1]
    assert [one.paper_id for one in found[bob]] == papers[:1]
    assert len(feedback.listed(session, ada, 0)) == MOST_VOTES + 5


def test_reset_forgets_one_subscribers_votes_alone(session):
    ada, bob = a_reader(session), a_reader(session, "bob@example.com")
    for reader in (ada, bob):
        for paper in some_papers(session):
            vote(session, reader, paper, MORE)
    assert feedback.reset(session, ada) == 2
    assert feedback.reset(session, ada) == 0
    assert said(session, ada) == [] and len(said(session, bob)) == 2


@pytest.mark.parametrize(
    ("kept", "gone", "stands"),
    [
        (None, (LESS, NOON), LESS),
        ((MORE, NOON), None, MORE),
        ((MORE, NOON), (LESS, LATER), LESS),
        ((MORE, LATER), (LESS, NOON), MORE),
        ((MORE, NOON), (LESS, NOON), MORE),
        ((CLICK, LATER), (LESS, NOON), LESS),
        ((LESS, NOON), (CLICK, LATER), LESS),
    ],
)
def test_votes_follow_the_paper_that_stays_and_the_weightier_wins(session, kept, gone, stands):
    ada, bob = a_reader(session), a_reader(session, "bob@example.com")
    merge(session, a_listing("First Title", authors=()))
    merge(session, a_listing("Second Title", arxiv="2603.00001", authors=()))
    first, second = sorted(paper.id for paper in recent_papers(session))
    for paper, given in ((first, kept), (second, gone)):
        if given:
            vote(session, ada, paper, *given)
    vote(session, bob, second, MORE)
    merge(session, a_listing("First Title", arxiv="2603.00001", authors=()))
    (left,) = recent_papers(session)
    assert said(session, ada) == [(left.id, stands)]
    assert said(session, bob) == [(left.id, MORE)]


def test_a_pruned_paper_takes_its_votes_along(session):
    ada, (paper, other) = a_reader(session), some_papers(session)
    vote(session, ada, paper, MORE)
    vote(session, ada, other, LESS)
    session.execute(text("DELETE FROM papers WHERE id = :id"), {"id": paper})
    assert said(session, ada) == [(other, LESS)]


def test_a_vote_outside_the_known_ones_is_refused(session):
    ada, (paper, _) = a_reader(session), some_papers(session)
    with pytest.raises(IntegrityError, match=r"(?i)check"):
        session.execute(
            text(
                "INSERT INTO feedback (subscriber_id, paper_id, value, given_at, channel)"
                " VALUES (:ada, :paper, 2, :now, 'link')"
            ),
            {"ada": ada, "paper": paper, "now": str(NOON)},
        )


def test_the_migration_keeps_votes_both_ways(engine):
    with transaction(engine) as session:
        ada, (one, two) = a_reader(session), some_papers(session)
        vote(session, ada, one, LESS)
        vote(session, ada, two, CLICK)
    schema.downgrade(engine, "0002")
    with reading(engine) as session:
        rows = session.execute(text("SELECT paper_id, value FROM feedback")).all()
    assert rows == [(one, -1)]  # the older program knows no clicks
    schema.upgrade(engine)
    assert schema.check(engine) == []
    with reading(engine) as session:
        assert said(session, ada) == [(one, LESS)]
        assert feedback.listed(session, ada)[0].channel is Channel.LINK
