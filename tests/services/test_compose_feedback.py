"""What readers say of papers moves their next digest, tells so, and costs nobody else anything."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from digest.domain.digests import Digest, Pick, Taste, reason_sentence
from digest.domain.feedback import Opinion
from digest.domain.papers import PaperId
from digest.domain.schedule import Schedule
from digest.domain.subscribers import Channel, Preferences, Status, SubscriberId
from digest.errors import StoreError
from digest.ranking import personal
from digest.ranking.feedback import Tastes
from digest.services import feedback
from digest.services.collect import keep
from digest.services.compose import Composer, Policy, Who
from digest.store import subscribers
from digest.store.contents import content_from_json
from digest.store.database import open_engine, reading, transaction
from digest.store.ledger_read import list_deliveries
from digest.store.papers import recent_papers
from digest.store.subscribers import NewSubscriber, add_many
from tests.builders import NOON, a_batch, a_listing, some_interests

POLICY = Policy(lookback_days=7, threshold=0.25, domain="papers.example", secret="s" * 32)
ADA = "ada@example.com"
MONTH = timedelta(days=30)
MORE, LESS = Opinion.MORE, Opinion.LESS

ROBOTS = tuple(f"World models for robots that {verb}" for verb in ("walk", "fold", "swim"))
VIDEO = tuple(f"World models by video diffusion of {noun}" for noun in ("rain", "crowds", "tea"))
SEEN = tuple(f"Video diffusion of {noun}" for noun in ("faces", "hands", "streets", "waves", "fog"))


@pytest.fixture
def lite(sqlite_url: str) -> Any:
    """A store on SQLite alone, for what does not differ by engine."""
    opened = open_engine(sqlite_url)
    yield opened
    opened.dispose()


def fetch(engine: Engine, *titles: str, at: Any = NOON - timedelta(hours=1)) -> None:
    listings = (a_listing(title, abstract="") for title in titles)
    keep(engine, a_batch(*listings, fetched_at=at), at)


def stock(engine: Engine) -> None:
    """Papers of a month ago to be voted on, and today's: robots seen first, so video comes first
    where nothing tells them apart.
    """
    fetch(engine, *SEEN, "Honey bees and their dances", at=NOON - MONTH)
    fetch(engine, *VIDEO, at=NOON - timedelta(hours=2))
    fetch(engine, *ROBOTS)


def join(engine: Engine, *emails: str) -> None:
    new = [
        NewSubscriber(
            email=email,
            status=Status.ACTIVE,
            interests=some_interests("world models"),
            preferences=Preferences(schedule=Schedule(hour=8)),
            next_digest_at=NOON - timedelta(hours=4),
        )
        for email in emails
    ]
    with transaction(engine) as session:
        add_many(session, new, NOON)


def who(engine: Engine, email: str = ADA) -> SubscriberId:
    with reading(engine) as session:
        return subscribers.by_email(session, email).id


def vote(engine: Engine, *titles: str, opinion: Opinion = MORE, email: str = ADA) -> None:
    numbers = titles_of(engine)
    for title in titles:
        (paper,) = (number for number, known in numbers.items() if known == title)
        said = {"at": NOON - timedelta(days=1), "channel": Channel.CLI}
        assert feedback.record(engine, who(engine, email), paper, opinion, **said)


def titles_of(engine: Engine) -> dict[PaperId, str]:
    with reading(engine) as session:
        return {paper.id: paper.title for paper in recent_papers(session, 0)}


def previewed(engine: Engine, email: str = ADA) -> tuple[Pick, ...]:
    content = Composer(engine, POLICY).preview(email, NOON, None).content
    assert isinstance(content, Digest)
    return content.picks


def composed(engine: Engine, email: str = ADA) -> tuple[Pick, ...]:
    """What the ledger holds for them after composing for all who are due."""
    Composer(engine, POLICY).compose(Who(), NOON)
    with reading(engine) as session:
        (row,) = [row for row in list_deliveries(session, limit=0) if row.email == email]
    assert row.digest_on is not None
    return content_from_json(row.picks, row.digest_on).picks


def order(engine: Engine, picks: tuple[Pick, ...]) -> list[str]:
    titles = titles_of(engine)
    return [titles[pick.paper_id] for pick in picks]


def test_five_votes_for_more_change_the_order_and_a_reset_restores_it(engine: Engine) -> None:
    stock(engine)
    join(engine, ADA)
    before = previewed(engine)
    assert set(order(engine, before)[:3]) == set(ROBOTS)
    vote(engine, *SEEN)
    after = previewed(engine)
    assert set(order(engine, after)[:3]) == set(VIDEO)
    assert {pick.paper_id for pick in after} == {pick.paper_id for pick in before}
    feedback.reset(engine, who(engine))
    assert previewed(engine) == before
    vote(engine, *SEEN)
    assert composed(engine) == after


def test_a_pick_that_votes_raised_says_so_and_the_rest_keep_their_reasons(engine: Engine) -> None:
    stock(engine)
    join(engine, ADA, "bob@example.com")
    vote(engine, *SEEN)
    picks = composed(engine)
    tastes = {pick.reason.taste for pick in picks[:3]}
    assert tastes == {Taste(words=("diffusion", "Video"), raised=True)}
    assert reason_sentence(picks[0].reason) == (
        "matches world models in the title · more like papers you liked: diffusion, Video"
    )
    assert [pick.reason.taste for pick in picks[3:]] == [None] * 3
    theirs = composed(engine, "bob@example.com")
    assert {pick.reason.taste for pick in theirs} == {None}
    assert set(order(engine, theirs)[:3]) == set(ROBOTS)


def test_less_on_a_near_copy_lowers_a_paper_but_does_not_bar_it(engine: Engine) -> None:
    stock(engine)
    fetch(engine, f"{ROBOTS[2]}: a revision", at=NOON - MONTH)
    join(engine, ADA)
    first = previewed(engine)
    assert order(engine, first)[0] == ROBOTS[2]
    vote(engine, f"{ROBOTS[2]}: a revision", opinion=LESS)
    picks = composed(engine)
    assert len(picks) == len(first)
    (lowered,) = [p for p in picks if p.paper_id == first[0].paper_id]
    assert lowered.score < first[0].score and lowered.relevance == first[0].relevance
    assert lowered.reason.taste is not None and not lowered.reason.taste.raised
    assert " · like papers you want fewer of: " in reason_sentence(lowered.reason)


def test_votes_given_after_now_do_not_count_yet(engine: Engine) -> None:
    stock(engine)
    join(engine, ADA)
    before = previewed(engine)
    paper = next(number for number, title in titles_of(engine).items() if title == SEEN[0])
    said = {"at": NOON + timedelta(minutes=1), "channel": Channel.CLI}
    feedback.record(engine, who(engine), paper, MORE, **said)
    assert previewed(engine) == before


def test_a_vote_counts_at_once_while_an_edition_lasts(lite: Engine) -> None:
    stock(lite)
    join(lite, ADA, "bob@example.com")
    composer = Composer(lite, POLICY)
    composer.compose(Who(only=("bob@example.com",)), NOON)
    vote(lite, *SEEN)
    found: list[Any] = []
    composer.compose(Who(only=(ADA,)), NOON + timedelta(minutes=1), each=found.append)
    assert set(order(lite, found[0].content.picks)[:3]) == set(VIDEO)


@pytest.mark.parametrize("titles", [(), ("Nothing of the kind",)])
def test_votes_where_nothing_matches_change_nothing(lite: Engine, titles: tuple[str, ...]) -> None:
    fetch(lite, *SEEN, at=NOON - MONTH)
    if titles:
        fetch(lite, *titles)
    join(lite, ADA)
    before = Composer(lite, POLICY).preview(ADA, NOON, None).content
    vote(lite, *SEEN)
    assert Composer(lite, POLICY).preview(ADA, NOON, None).content == before


def test_500_readers_without_votes_ask_for_no_tastes(
    lite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Tastes:
        raise AssertionError("tastes were asked for")

    monkeypatch.setattr(personal, "Tastes", never)
    stock(lite)
    join(lite, *(f"reader{n}@example.com" for n in range(500)))
    done = Composer(lite, POLICY).compose(Who(), NOON)
    assert (done.composed, done.failed) == (500, [])
    join(lite, ADA)
    vote(lite, *SEEN)
    assert Composer(lite, POLICY).compose(Who(), NOON).failed == [
        (ADA, "AssertionError: tastes were asked for")
    ]


def test_one_readers_votes_that_fail_stop_nobody_else(
    lite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(lite)
    join(lite, ADA, "bad@example.com", "eve@example.com")
    vote(lite, *SEEN)
    vote(lite, SEEN[0], email="bad@example.com", opinion=LESS)
    honest = Tastes.lift

    def faulty(self: Tastes, votes: Any, now: Any) -> Any:
        if any(one.opinion is LESS for one in votes):
            raise ZeroDivisionError("planted")
        return honest(self, votes, now)

    monkeypatch.setattr(Tastes, "lift", faulty)
    done = Composer(lite, POLICY).compose(Who(), NOON)
    assert (done.composed, done.failed) == (2, [("bad@example.com", "ZeroDivisionError: planted")])
    assert set(order(lite, composed(lite))[:3]) == set(VIDEO)


def test_unreadable_votes_are_named_with_the_mend_and_stop_nobody_else(lite: Engine) -> None:
    stock(lite)
    join(lite, ADA, "bad@example.com")
    vote(lite, *SEEN)
    vote(lite, SEEN[0], email="bad@example.com")
    with transaction(lite) as session:
        bad = {"bad": who(lite, "bad@example.com")}
        spoil = text("UPDATE feedback SET given_at = 'someday' WHERE subscriber_id = :bad")
        session.execute(spoil, bad)
    done = Composer(lite, POLICY).compose(Who(), NOON)
    ((email, fault),) = done.failed
    assert (done.composed, email) == (1, "bad@example.com")
    assert "`digest feedback reset`" in fault
    with pytest.raises(StoreError, match=r"bad@example\.com: unreadable feedback"):
        Composer(lite, POLICY).preview("bad@example.com", NOON, None)
    feedback.reset(lite, bad["bad"])
    assert Composer(lite, POLICY).compose(Who(), NOON).failed == []
