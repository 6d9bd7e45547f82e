"""One row per work: the rules of identity, better fields, and what happens to rows that unite."""

import json
from datetime import UTC, date, timedelta

import pytest
from sqlalchemy import select, text

from digest.domain.papers import Alias, Links, Scheme
from digest.store.merge import _IDENTIFIERS, _TITLES, merge_batch
from digest.store.papers import aliases_for, papers_by_id, recent_papers, surviving
from digest.store.tables import FeedbackRow, MergedPaperRow, PaperRow, SubscriberRow, table
from tests.builders import NOON, a_batch, a_listing, an_arxiv_alias, attention

LATER = NOON + timedelta(hours=6)


def merge(session, *listings, now=NOON, **changes):
    changes = {"fetched_at": now} | changes
    return merge_batch(session, a_batch(*listings, **changes), now)


def doi(value):
    return Alias(scheme=Scheme.DOI, value=value)


def openreview(value):
    return Alias(scheme=Scheme.OPENREVIEW, value=value)


def nameless(title="Learning to Wait", **changes):
    """As a listing page has it: no author, no identifier."""
    return a_listing(title, authors=(), **changes)


def titles(session):
    return [paper.title for paper in recent_papers(session, limit=0)]


def only_paper(session):
    (paper,) = recent_papers(session, limit=0)
    return paper


def test_a_new_listing_becomes_a_paper_first_seen_now(session):
    merged = merge(session, a_listing(arxiv="2603.00001"), now=LATER)
    assert (merged.listed, merged.new, merged.known, merged.rejected) == (1, 1, 0, ())
    assert merged.changed_signals == 0
    paper = only_paper(session)
    assert paper.title == "Learning to Wait"
    assert paper.authors == ("Ada Lovelace", "Alan Turing")
    assert paper.url == "https://arxiv.org/abs/2603.00001"
    assert paper.first_seen_at == LATER
    assert paper.first_seen_at.tzinfo is UTC
    assert aliases_for(session, [paper.id]) == {paper.id: (an_arxiv_alias("2603.00001"),)}


def test_reading_the_same_batch_again_adds_and_changes_nothing(session):
    batch = (a_listing(arxiv="2603.00001"), a_listing("Other Things", arxiv="2603.00002"))
    merge(session, *batch)
    before = _dump(session)
    again = merge(session, *batch)
    assert (again.new, again.known, again.changed_signals) == (0, 2, 0)
    assert _dump(session) == before


def _dump(session):
    names = ("papers", "aliases", "signals", "merged_papers", "sources")
    return [session.execute(text(f"SELECT * FROM {name} ORDER BY 1")).all() for name in names]


def test_same_paper_in_two_feeds_appears_once(session):
    merge(session, a_listing(arxiv="2603.00001"), source="huggingface")
    merged = merge(session, a_listing(arxiv="2603.00001"), source="arxiv")
    assert (merged.new, merged.known) == (0, 1)
    assert len(titles(session)) == 1


def test_same_paper_twice_in_one_batch_appears_once(session):
    merged = merge(session, a_listing(arxiv="2603.00001"), nameless("LEARNING TO WAIT"))
    assert (merged.listed, merged.new, merged.known) == (2, 1, 1)


def test_a_retitled_version_with_the_same_identifier_is_the_same_paper(session):
    merge(session, a_listing(arxiv="2603.00001"))
    merge(session, a_listing("Learning to Wait, Revisited", arxiv="2603.00001"))
    assert merge(session, nameless("Learning to Wait, revisited")).known == 1
    assert titles(session) == ["Learning to Wait"]


def test_a_title_spelt_otherwise_is_the_same_paper(session):
    merge(session, a_listing("Few-Shot Learning of Cafés"))
    assert merge(session, a_listing("few‑shot  learning of CAFÉS")).known == 1


def test_a_later_author_and_identifier_do_not_make_a_nameless_paper_new(session):
    merge(session, nameless())
    merged = merge(session, a_listing(arxiv="2603.00001"))
    assert merged.new == 0
    paper = only_paper(session)
    assert paper.authors == ("Ada Lovelace", "Alan Turing")
    assert paper.url == "https://arxiv.org/abs/2603.00001"


def test_a_nameless_listing_meets_the_one_paper_of_its_title(session):
    merge(session, a_listing(arxiv="2603.00001"))
    assert merge(session, nameless()).known == 1


def test_two_arxiv_ids_under_one_title_are_two_papers(session):
    first = a_listing("Introduction", arxiv="2603.00001")
    second = a_listing("Introduction", arxiv="2603.00002")
    assert merge(session, first, second).new == 2
    assert merge(session, second, first).known == 2
    assert len(titles(session)) == 2


def test_two_authors_under_one_title_are_two_papers(session):
    merge(session, a_listing("Introduction", authors=("Ada Lovelace",)))
    assert merge(session, a_listing("Introduction", authors=("Alan Turing",))).new == 1


def test_a_nameless_listing_that_could_be_two_papers_is_a_third_and_stays_it(session):
    merge(
        session,
        a_listing("Introduction", arxiv="2603.00001"),
        a_listing("Introduction", arxiv="2603.00002", authors=("Alan Turing",)),
    )
    assert merge(session, nameless("Introduction")).new == 1
    assert merge(session, nameless("Introduction")).known == 1
    assert merge(session, a_listing("Introduction", arxiv="2603.00001")).known == 1
    assert len(titles(session)) == 3


def test_a_listing_without_identifier_that_could_be_two_papers_is_a_third(session):
    merge(
        session,
        a_listing("Introduction", arxiv="2603.00001"),
        a_listing("Introduction", arxiv="2603.00002"),
    )
    assert merge(session, a_listing("Introduction")).new == 1
    assert merge(session, a_listing("Introduction")).known == 1


def test_other_schemes_join_by_title_and_author(session):
    merge(session, a_listing(arxiv="2603.00001"))
    merge(session, a_listing(aliases=(openreview("aBc1"),)))
    assert (
        merge(session, a_listing("Quite Another Title", aliases=(openreview("aBc1"),))).known == 1
    )
    assert len(titles(session)) == 1


def test_a_title_of_signs_alone_is_a_name_too(session):
    assert merge(session, nameless("?!")).new == 1
    assert merge(session, nameless("?!"), nameless("!?")).new == 1


def test_a_title_longer_than_any_index_entry_is_kept_whole_and_known_again(session):
    long = "On the Long Way Home " * 500
    assert merge(session, nameless(long)).new == 1
    assert merge(session, nameless(long)).known == 1
    assert only_paper(session).title == long


def test_better_fields_win_and_worse_ones_do_not_come_back(session):
    bare = nameless(abstract="", categories=("cs.LG",), links=Links(pdf="https://a.example/p"))
    full = a_listing(
        arxiv="2603.00001",
        categories=("cs.CL", "cs.LG"),
        links=Links(code="https://a.example/c"),
        venue="ICLR",
        published_on=date(2026, 3, 1),
    )
    merge(session, bare)
    merge(session, full, now=LATER)
    merge(session, bare, now=LATER + timedelta(hours=1))
    paper = only_paper(session)
    assert paper.abstract == full.abstract
    assert paper.authors == full.authors
    assert paper.categories == ("cs.LG", "cs.CL")
    assert paper.links == Links(pdf="https://a.example/p", code="https://a.example/c")
    assert paper.venue == "ICLR"
    assert paper.published_on == date(2026, 3, 1)
    assert paper.first_seen_at == NOON
    assert _updated_at(session) == LATER


def _updated_at(session):
    return session.execute(select(table(PaperRow).c.updated_at)).scalar_one()


def test_the_abs_page_wins_over_a_doi_and_stays(session):
    merge(session, a_listing(url="https://doi.org/10.1000/x", aliases=(doi("10.1000/x"),)))
    merge(session, a_listing(arxiv="2603.00001"))
    merge(session, a_listing(url="https://doi.org/10.1000/x", aliases=(doi("10.1000/x"),)))
    assert only_paper(session).url == "https://arxiv.org/abs/2603.00001"


def _two_papers_and_the_listing_that_unites_them():
    by_arxiv = a_listing("Old Title", arxiv="2603.00001", abstract="Short.")
    by_doi = a_listing("New Title", aliases=(doi("10.1000/x"),), abstract="Quite a bit longer.")
    both = a_listing("New Title", aliases=(an_arxiv_alias("2603.00001"), doi("10.1000/x")))
    return by_arxiv, by_doi, both


def test_two_rows_found_to_be_one_unite_under_the_first_seen(session):
    by_arxiv, by_doi, both = _two_papers_and_the_listing_that_unites_them()
    merge(session, by_doi, now=NOON)
    merge(session, by_arxiv, now=LATER)
    old, kept = (paper.id for paper in recent_papers(session))
    merged = merge(session, both, now=LATER + timedelta(hours=1))
    assert (merged.new, merged.known) == (0, 1)
    paper = only_paper(session)
    assert (paper.id, paper.title, paper.first_seen_at) == (kept, "New Title", NOON)
    assert surviving(session, [old, kept]) == {old: kept, kept: kept}
    assert papers_by_id(session, [old])[old] == paper
    assert set(aliases_for(session, [kept])[kept]) == {*both.aliases}
    for known in (by_arxiv, by_doi, both, nameless("Old Title")):
        assert merge(session, known, now=LATER).known == 1


def test_a_common_title_unites_rows_that_had_different_ones(session):
    merge(session, a_listing("Old Title", arxiv="2603.00001"))
    merge(session, nameless("New Title"))
    assert len(titles(session)) == 2
    merge(session, a_listing("New Title", arxiv="2603.00001"))
    assert titles(session) == ["Old Title"]


def test_identifiers_that_conflict_keep_rows_apart_whatever_a_listing_claims(session):
    merge(session, a_listing("One", aliases=(an_arxiv_alias("2603.00001"),)))
    other = a_listing("Two", aliases=(an_arxiv_alias("2603.00002"), doi("10.1000/x")))
    merge(session, other)
    liar = a_listing("One", aliases=(an_arxiv_alias("2603.00001"), doi("10.1000/x")))
    assert merge(session, liar).known == 1
    assert sorted(titles(session)) == ["One", "Two"]


def test_uniting_moves_signals_feedback_and_earlier_unions(session):
    reader = _a_subscriber(session)
    first = nameless("First Title", attention=attention(upvotes=3))
    second = a_listing("Second Title", arxiv="2603.00001", attention=attention(upvotes=5))
    third = a_listing("Third Title", aliases=(doi("10.1000/x"),))
    for hours, listing in enumerate((first, second, third)):
        merge(session, listing, now=NOON + timedelta(hours=hours))
    a, b, c = sorted(paper.id for paper in recent_papers(session))
    for number, value in ((a, 1), (b, -1), (c, -1)):
        _feedback(session, reader, number, value)
    # c into b, then b into a: what was sent as c is now a
    merge(session, a_listing("Second Title", aliases=(*second.aliases, *third.aliases)), now=LATER)
    merge(session, a_listing("First Title", arxiv="2603.00001"), now=LATER)
    assert surviving(session, [a, b, c]) == {a: a, b: a, c: a}
    assert only_paper(session).id == a
    feedback = session.execute(select(table(FeedbackRow))).mappings().all()
    assert [(row["paper_id"], row["value"]) for row in feedback] == [(a, 1)]
    counts = session.execute(text("SELECT upvotes FROM signals WHERE paper_id = :a"), {"a": a})
    assert {3, 5} <= {count for (count,) in counts}


def _a_subscriber(session):
    row = SubscriberRow(
        email="a@b.example", email_key="a@b.example", created_at=NOON, updated_at=NOON
    )
    session.add(row)
    session.flush()
    return row.id


def _feedback(session, subscriber_id, paper_id, value):
    session.add(
        FeedbackRow(subscriber_id=subscriber_id, paper_id=paper_id, value=value, given_at=NOON)
    )
    session.flush()


def test_rows_of_one_batch_unite_too_before_they_are_stored(session):
    by_arxiv, by_doi, both = _two_papers_and_the_listing_that_unites_them()
    merged = merge(session, by_arxiv, by_doi, both)
    assert (merged.new, merged.known) == (1, 2)
    assert only_paper(session).abstract == both.abstract
    assert session.execute(select(table(MergedPaperRow))).all() == []
    assert merge(session, by_arxiv, by_doi, both).new == 0


def test_a_union_that_spans_chunks_counts_its_paper_once(session, monkeypatch):
    monkeypatch.setattr("digest.store.merge.CHUNK", 1)
    merged = merge(session, *_two_papers_and_the_listing_that_unites_them())
    assert (merged.new, merged.known, merged.changed_signals) == (1, 2, 0)
    signals = session.execute(text("SELECT DISTINCT paper_id FROM signals")).all()
    assert signals == [(only_paper(session).id,)]


@pytest.mark.parametrize(
    "bad",
    [
        a_listing(""),
        a_listing("Address", url="https://a.example/\ud800"),
        a_listing("Count", attention=attention(upvotes=10**30)),
        a_listing("Count", attention=attention(upvotes=-1)),
        a_listing("Zero\0", arxiv="2603.00009"),
        a_listing("Half \ud800", arxiv="2603.00009"),
        a_listing("Author", authors=("A\0",)),
    ],
    ids=["no title", "address", "too high", "negative", "NUL", "surrogate", "NUL in author"],
)
def test_a_listing_that_the_store_refuses_is_named_and_stops_no_other(session, bad):
    good = [a_listing(f"Good {n}", arxiv=f"2603.1000{n}") for n in range(5)]
    merged = merge(session, *good[:3], bad, *good[3:])
    assert (merged.listed, merged.new, merged.known) == (6, 5, 0)
    (rejected,) = merged.rejected
    assert rejected.where == "entry 4"
    assert rejected.reason.isprintable()
    assert sorted(titles(session)) == [f"Good {n}" for n in range(5)]


def test_a_pruned_paper_is_known_for_ever_and_does_not_come_back(session):
    merge(session, a_listing(arxiv="2603.00001"), nameless("From a Page"))
    session.execute(table(PaperRow).delete())
    again = (a_listing("Retitled", arxiv="2603.00001"), nameless(), nameless("From a page"))
    merged = merge(session, *again, a_listing("From a Page", arxiv="2603.00007"))
    assert (merged.new, merged.known, merged.rejected) == (0, 4, ())
    assert titles(session) == []


def test_an_identifier_too_long_for_any_index_is_left_out(session):
    assert merge(session, a_listing(aliases=(doi("10.1000/" + "x" * 5_000),))).new == 1
    assert merge(session, a_listing(aliases=(doi("10.1000/" + "x" * 5_000),))).known == 1


def test_stored_lists_are_readable_json(session):
    merge(session, a_listing(authors=("Émilie du Châtelet",)))
    raw = session.execute(select(table(PaperRow).c.authors)).scalar_one()
    assert json.loads(raw) == ["Émilie du Châtelet"]
    assert "É" in raw


def test_an_id_is_never_given_twice(session):
    merge(session, a_listing(arxiv="2603.00001"))
    gone = only_paper(session).id
    session.execute(table(PaperRow).delete())
    merge(session, a_listing("Something Else", arxiv="2603.00002"))
    assert only_paper(session).id > gone


def test_two_processes_that_bring_the_same_paper_make_one_row(engine):
    from threading import Thread

    from digest.store.database import transaction

    def bring(source):
        with transaction(engine) as session:
            merge(session, a_listing(arxiv="2603.00001"), source=source)

    threads = [Thread(target=bring, args=(f"source {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with transaction(engine) as session:
        assert len(titles(session)) == 1
        assert session.execute(text("SELECT count(*) FROM signals")).scalar_one() == 4


@pytest.mark.parametrize("scheme", [Scheme.TITLE, Scheme.ARXIV])
def test_names_are_found_through_an_index(session, scheme):
    engine = session.get_bind()
    asked = _TITLES if scheme is Scheme.TITLE else _IDENTIFIERS
    if engine.dialect.name != "sqlite":
        session.execute(text("SET LOCAL enable_seqscan = off"))
    named = asked.params(of=scheme.value, named=["a", "b"])
    query = named.compile(engine, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    plan = str(session.execute(text(f"{explain} {query}")).all())
    assert "uq_aliases_title" in plan or "uq_aliases_identifier" in plan
