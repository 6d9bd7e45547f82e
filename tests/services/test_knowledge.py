"""What the store teaches the ranker: read once, used in every digest, on either engine."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session
from structlog.testing import capture_logs

from digest.app import App
from digest.daemon import Daemon
from digest.domain.digests import Digest, Where
from digest.domain.editions import Edition, EditionId
from digest.domain.interests import interest
from digest.domain.papers import PaperId
from digest.domain.subscribers import Status
from digest.domain.tiers import Tier
from digest.errors import UsageError, WeightsError
from digest.ranking.edition import THRESHOLD
from digest.services.collect import keep
from digest.services.compose import Composer, Policy, Who
from digest.services.knowledge import Knowledge
from digest.services.tiers import Equipment
from digest.settings import load
from digest.store.contents import paper_ids
from digest.store.database import reading, transaction
from digest.store.ledger_read import list_deliveries
from digest.store.papers import count_papers, papers_by_id, texts_before, texts_since
from digest.store.subscribers import NewSubscriber, add_many
from tests.builders import NOON, a_batch, a_listing, a_subscriber, some_interests
from tests.commands import Desk
from tests.ranking.topical import PHRASE, holders, relatives, strangers

FRESH, OLD = NOON - timedelta(hours=1), NOON - timedelta(days=30)
EDITION = Edition(id=EditionId(1), cutoff_at=NOON, lookback_days=7)
POLICY = Policy(
    lookback_days=7,
    threshold=THRESHOLD,
    domain="papers.example",
    secret="s" * 32,
    tier=Tier.AUTO,
)
MEANT = [
    ("Tools of a large language model (LLM)", "We watch them."),
    ("On large language models (LLMs)", "How a large language model (LLM) thinks."),
    ("Of large language models (LLMs) and tea", "Tea is drunk."),
]


@pytest.fixture
def no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the extra `semantic`."""
    monkeypatch.setattr("digest.services.embedders.find_spec", lambda _name: None)


def came(engine: Engine, texts: Sequence[tuple[str, str]], at: datetime = FRESH) -> None:
    listings = [a_listing(title, abstract=abstract) for title, abstract in texts]
    keep(engine, a_batch(*listings, fetched_at=at), at)


def picked(
    engine: Engine, *phrases: str, knowledge: Knowledge | None = None
) -> list[tuple[str, Where]]:
    """Title and place of each pick of a digest; none where nothing matched."""
    knows = knowledge or Knowledge(Tier.CORE)
    with reading(engine) as session:
        knows.learn(session, NOON)
        ranker = knows.ranker(session, EDITION, threshold=THRESHOLD, beyond=0)
    wanted = tuple(interest(p.removeprefix("-"), excluded=p.startswith("-")) for p in phrases)
    reader = a_subscriber("ada@example.com", interests=wanted)
    found = ranker.digest_for(reader, set(), NOON.date(), (), NOON)
    if not isinstance(found, Digest) or found.trending_only:
        return []
    with reading(engine) as session:
        papers = papers_by_id(session, [pick.paper_id for pick in found.picks])
    return [(papers[pick.paper_id].title, pick.reason.where) for pick in found.picks]


def titles(engine: Engine, *phrases: str) -> list[str]:
    return [title for title, _ in picked(engine, *phrases)]


def test_papers_are_read_once_and_new_ones_with_the_next_look(engine: Engine) -> None:
    knowledge = Knowledge(Tier.CORE)
    for texts, known in ((strangers(3), 3), ([], 3), (holders(2), 5)):
        if texts:
            came(engine, texts)
        with reading(engine) as session:
            knowledge.learn(session, NOON)
        assert knowledge._statistics.documents == known
    assert knowledge._statistics.stems["owl"] == 1


def learnt(engine: Engine, knowledge: Knowledge, at: datetime = NOON) -> tuple[object, ...]:
    with reading(engine) as session:
        knowledge.learn(session, at)
    known = knowledge._statistics
    return known.documents, dict(known.stems), knowledge._acronyms


def pruned(engine: Engine) -> None:
    with transaction(engine) as session:
        session.execute(text("DELETE FROM papers WHERE id = (SELECT min(id) FROM papers)"))


def merged_away(engine: Engine) -> None:
    keep(engine, a_batch(a_listing("First Title", arxiv="2603.00009", authors=())), NOON)


def written_anew(engine: Engine) -> None:
    longer = "Now we talk of zebras at great length, and of the newts that they meet. " * 9
    keep(engine, a_batch(a_listing("Owl Tales", arxiv="2603.00008", abstract=longer)), NOON)


@pytest.mark.parametrize("change", [pruned, merged_away, written_anew])
def test_a_daemon_knows_what_a_fresh_process_would_learn(
    change: Callable[[Engine], None], engine: Engine
) -> None:
    came(engine, [*MEANT, *holders(3)])
    two = a_listing("First Title", authors=()), a_listing("Owl Tales", arxiv="2603.00008")
    keep(engine, a_batch(*two, a_listing("Second", arxiv="2603.00009", authors=())), FRESH)
    knowledge = Knowledge(Tier.CORE)
    before = learnt(engine, knowledge)
    change(engine)
    came(engine, strangers(2), NOON + timedelta(minutes=1))
    after = learnt(engine, knowledge)
    assert after == learnt(engine, Knowledge(Tier.CORE)) != before
    with reading(engine) as session:
        assert after[0] == count_papers(session)


def test_what_only_grew_is_read_anew_after_a_day(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def noted(session: Session, after_id: int = 0) -> Iterator[tuple[PaperId, str, str]]:
        begun.append(after_id)
        return texts_since(session, after_id)

    monkeypatch.setattr("digest.services.knowledge.texts_since", noted)
    came(engine, strangers(3))
    knowledge = Knowledge(Tier.CORE)
    for hours in (0, 0, 23, 24, 47, 48):
        learnt(engine, knowledge, NOON + timedelta(hours=hours))
    assert begun == [0, 3, 3, 0, 3, 0]


def test_many_papers_are_read_in_batches_to_the_same_end(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    came(engine, [*MEANT, *strangers(9)])
    monkeypatch.setattr("digest.services.knowledge._BATCH", 5)
    batched, whole = Knowledge(Tier.CORE), Knowledge(Tier.CORE)
    with reading(engine) as session:
        batched.learn(session, NOON)
        monkeypatch.undo()
        whole.learn(session, NOON)
    assert batched._statistics.documents == 12
    assert batched._statistics.stems == whole._statistics.stems
    assert batched._acronyms == whole._acronyms


def test_an_acronym_of_the_store_works_both_ways(engine: Engine) -> None:
    came(engine, MEANT, OLD)
    came(engine, [("Owls and LLMs", "No."), ("Owls ask large language models", "No.")])
    both = {"Owls and LLMs", "Owls ask large language models"}
    assert set(titles(engine, "LLM")) == set(titles(engine, "large language models")) == both


def test_until_the_store_defines_an_acronym_it_stands_for_itself(engine: Engine) -> None:
    came(engine, [("Owls and LLMs", "No."), ("Owls ask large language models", "No.")])
    knowledge = Knowledge(Tier.CORE)
    assert picked(engine, "LLM", knowledge=knowledge) == [("Owls and LLMs", Where.TITLE)]
    came(engine, MEANT, OLD)
    assert len(picked(engine, "LLM", knowledge=knowledge)) == 2


def test_an_excluded_acronym_bars_what_it_stands_for(engine: Engine) -> None:
    came(engine, [("Owls ask a large language model", "No."), ("Owls sleep", "Yes.")])
    assert len(titles(engine, "owls", "-LLM")) == 2
    came(engine, MEANT, OLD)
    assert titles(engine, "owls", "-LLM") == ["Owls sleep"]
    assert titles(engine, "owls", "-large language models") == ["Owls sleep"]


def test_earlier_papers_teach_but_are_never_picked(engine: Engine) -> None:
    came(engine, [*relatives(1), *strangers(12)])
    assert picked(engine, PHRASE) == []
    came(engine, holders(8), OLD)
    assert picked(engine, PHRASE) == [(relatives(1)[0][0], Where.RELATED)]


def test_what_is_newer_than_the_edition_is_neither_picked_nor_earlier(engine: Engine) -> None:
    came(engine, holders(8), NOON + timedelta(minutes=1))
    came(engine, [*relatives(1), *strangers(12)])
    assert picked(engine, PHRASE) == []


def test_earlier_papers_are_those_up_to_the_window_the_latest_first(engine: Engine) -> None:
    edge = EDITION.opens_at
    came(engine, [("Oldest", "")], OLD)
    came(engine, [("At the edge", "")], edge)
    came(engine, [("Inside", "")], edge + timedelta(seconds=1))
    with reading(engine) as session:
        found = texts_before(session, edge, 10)
        assert [title for title, _ in found] == ["At the edge", "Oldest"]
        assert texts_before(session, edge, 1) == found[:1]
        assert texts_before(session, OLD - timedelta(days=1), 10) == []


@pytest.mark.parametrize("tier", [Tier.CORE, Tier.AUTO])
def test_an_empty_store_matches_nothing_and_is_no_harm(tier: Tier, engine: Engine) -> None:
    assert picked(engine, PHRASE, "the", knowledge=Knowledge(tier)) == []


def test_without_vectors_of_words_it_composes_and_has_a_note(
    engine: Engine, no_words: None
) -> None:
    came(engine, [*holders(5), *relatives(1)])
    with transaction(engine) as session:
        due = NOON - timedelta(hours=1)
        wanted = some_interests(PHRASE)
        add_many(
            session,
            [
                NewSubscriber(
                    email="ada@example.com",
                    status=Status.ACTIVE,
                    interests=wanted,
                    next_digest_at=due,
                )
            ],
            NOON,
        )
    composer = Composer(engine, POLICY)
    assert composer.note is not None and "pip install" in composer.note
    done = composer.compose(Who(), NOON)
    assert (done.composed, done.failed) == (1, [])
    with reading(engine) as session:
        (row,) = list_deliveries(session, limit=0)
    assert len(paper_ids(row.picks)) >= 5


def test_a_tier_asked_for_by_name_that_is_not_there_is_wrong_usage(
    engine: Engine, no_words: None
) -> None:
    with pytest.raises(UsageError, match="semantic"):
        picked(engine, PHRASE, knowledge=Knowledge(Tier.SEMANTIC))


@pytest.fixture
def signals() -> Iterator[None]:
    """Gives the signals of this process back to whom they belonged."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("tier", "notes"), [("auto", 1), ("core", 0)])
def test_a_daemon_says_once_what_is_missing(
    tier: str,
    notes: int,
    desk: Desk,
    no_words: None,
    signals: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIGEST_RANKING__TIER", tier)
    desk.write("config.toml", '[[sources]]\nname = "p"\nkind = "jsonl"\npath = "p.jsonl"\n')
    desk.write("p.jsonl", "")
    daemon = Daemon(App(load(), lambda: datetime.now(UTC)))
    with capture_logs() as logs:
        daemon.tick()
        daemon.stop()
        daemon.run()
        daemon.tick()
    told = [entry for entry in logs if "pip install" in entry["event"]]
    assert [entry["log_level"] for entry in told] == ["warning"] * notes


def test_threads_that_ask_at_once_are_given_the_same_equipment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = threading.Barrier(2)
    loaded = iter(("first", "second"))

    def equip(_tier: Tier) -> Equipment:
        with suppress(threading.BrokenBarrierError):
            both.wait(0.2)  # passed only where another thread loads at the same time
        return Equipment(note=next(loaded))

    monkeypatch.setattr("digest.services.knowledge.equip", equip)
    knowledge = Knowledge(Tier.AUTO)
    with ThreadPoolExecutor(2) as pool:
        notes = list(pool.map(lambda _n: knowledge.note, range(2)))
    assert notes == ["first", "first"]


def _refusal(desk: Desk) -> str:
    """What `digest run` says where it refuses to start."""
    desk.write("config.toml", '[[sources]]\nname = "p"\nkind = "jsonl"\npath = "p.jsonl"\n')
    desk.write("p.jsonl", "")
    ended = desk.run("run")
    assert ended.code == 2
    assert "started" not in ended.err
    assert not [one.name for one in threading.enumerate() if "APScheduler" in one.name]
    return ended.err


def test_a_daemon_without_its_tier_refuses_before_anything_runs(
    desk: Desk, no_words: None, signals: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_RANKING__TIER", "semantic")
    assert _refusal(desk).startswith("error: tier semantic: the package wordllama is not installed")


def test_a_daemon_with_damaged_weights_refuses_before_anything_runs(
    desk: Desk, signals: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged() -> None:
        raise WeightsError("weights are damaged: install the package wordllama again")

    monkeypatch.setattr("digest.services.tiers.static_embedder", damaged)
    told = _refusal(desk)
    assert told == "error: weights are damaged: install the package wordllama again\n"
