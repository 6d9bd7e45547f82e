"""Reading papers: candidates, look-ups by any name, search, and the texts for the statistics."""

from dataclasses import replace
from datetime import timedelta

import pytest

from digest.domain.editions import Edition, EditionId
from digest.domain.papers import Alias, PaperId, Scheme
from digest.errors import InvalidInput, NotFound
from digest.store.merge import merge_batch
from digest.store.papers import (
    Reread,
    candidates,
    count_papers,
    paper,
    papers_by_id,
    recent_papers,
    search_papers,
    texts_since,
)
from digest.store.tables import PaperRow, table
from tests.builders import NOON, a_batch, a_listing


def bring(session, *listings, now=NOON):
    merge_batch(session, a_batch(*listings, fetched_at=now), now)


def titles(papers):
    return [item.title for item in papers]


def test_candidates_were_first_seen_after_opening_and_until_the_cutoff(session):
    edition = Edition(id=EditionId(1), cutoff_at=NOON, lookback_days=7)
    second = timedelta(microseconds=1)
    for title, at in (
        ("Too Old", edition.opens_at),
        ("Just Inside", edition.opens_at + second),
        ("At the Cut", NOON),
        ("Too Late", NOON + second),
    ):
        bring(session, a_listing(title), now=at)
    assert titles(candidates(session, edition)) == ["Just Inside", "At the Cut"]


def test_seen_again_within_the_window_is_not_first_seen(session):
    edition = Edition(id=EditionId(1), cutoff_at=NOON, lookback_days=7)
    bring(session, a_listing("Weekend Repeat"), now=NOON - timedelta(days=9))
    bring(session, a_listing("Weekend Repeat"), now=NOON)
    assert candidates(session, edition) == []


def test_papers_by_id_leaves_out_the_unknown(session):
    bring(session, a_listing("One"), a_listing("Two"))
    one, two = sorted(recent_papers(session), key=lambda item: item.id)
    found = papers_by_id(session, [two.id, PaperId(10**6), one.id])
    assert found == {two.id: two, one.id: one}
    assert papers_by_id(session, []) == {}


def test_more_ids_than_a_statement_can_hold(session):
    bring(session, a_listing("One"))
    assert len(papers_by_id(session, map(PaperId, range(40_000)))) == 1


def test_recent_papers_are_the_last_seen_and_limit_0_gives_all(session):
    for hour, title in enumerate(("One", "Two", "Three")):
        bring(session, a_listing(title), now=NOON + timedelta(hours=hour))
    assert titles(recent_papers(session, 2)) == ["Three", "Two"]
    assert titles(recent_papers(session, 0)) == ["Three", "Two", "One"]
    assert count_papers(session) == 3


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("WAIT", ["Learning to Wait"]),
        ("émilie", ["Letters of ÉMILIE"]),
        ("100%", ["At 100% Speed"]),
        ("a_b", ["On a_b Notation"]),
        ("\\", ["The \\ Sign"]),
        ("'; drop", []),
        ("%", ["At 100% Speed"]),
    ],
)
def test_search_finds_the_text_itself_in_any_case(session, wanted, found):
    for title in (
        "Learning to Wait",
        "Letters of ÉMILIE",
        "At 100% Speed",
        "On a_b Notation",
        "The \\ Sign",
    ):
        bring(session, a_listing(title, abstract="Nothing."))
    assert titles(search_papers(session, wanted)) == found


def test_search_reads_abstracts_too(session):
    bring(session, a_listing(abstract="We wait for Godot."))
    assert titles(search_papers(session, "godot")) == ["Learning to Wait"]


@pytest.mark.parametrize("wanted", ["", "  ", "x" * 201, "a\0b", "a\x1bb"])
def test_search_refuses_what_cannot_be_searched_for(session, wanted):
    with pytest.raises(InvalidInput, match="search"):
        search_papers(session, wanted)


@pytest.mark.parametrize(
    "name",
    [
        "2603.00001",
        "arXiv:2603.00001v3",
        "https://arxiv.org/abs/2603.00001",
        "https://arxiv.org/pdf/2603.00001v2.pdf",
        "10.1000/ABC",
        "https://doi.org/10.1000/abc",
        " doi:10.1000/abc ",
        "https://openreview.net/forum?id=aBc-1dEf2",
        "openreview:aBc-1dEf2",
        "https://huggingface.co/papers/2603.00001",
        "doi:10.1000/abc",
        "https://www.biorxiv.org/content/10.1101/2026.03.01.123456v2",
        "10.1101/2026.03.01.123456",
        "biorxiv:10.1101/2026.03.01.123456",
    ],
)
def test_a_paper_is_found_by_each_of_its_names(session, name):
    aliases = (
        Alias(scheme=Scheme.ARXIV, value="2603.00001"),
        Alias(scheme=Scheme.DOI, value="10.1000/abc"),
        Alias(scheme=Scheme.OPENREVIEW, value="aBc-1dEf2"),
        Alias(scheme=Scheme.BIORXIV, value="10.1101/2026.03.01.123456"),
    )
    bring(session, a_listing("Mine", aliases=aliases), a_listing("Other", arxiv="2603.00002"))
    assert paper(session, name).title == "Mine"


def test_a_paper_is_found_by_its_number_and_its_address(session):
    bring(session, a_listing("Mine", url="https://blog.example/mine"))
    (mine,) = recent_papers(session)
    assert paper(session, str(mine.id)) == mine
    assert paper(session, "https://blog.example/mine") == mine


@pytest.mark.parametrize("name", ["7", "9" * 30, "²", "2603.99999", "nonsense", "", "\x1b[31m\0"])
def test_a_paper_that_is_not_there_is_said_so_without_control_characters(session, name):
    with pytest.raises(NotFound) as caught:
        paper(session, name)
    assert str(caught.value).isprintable()


def test_a_pruned_paper_is_said_to_be_pruned(session):
    bring(session, a_listing(arxiv="2603.00001"))
    session.execute(table(PaperRow).delete())
    with pytest.raises(NotFound, match="pruned"):
        paper(session, "2603.00001")


def test_texts_come_in_order_of_id_whatever_the_chunk(session):
    bring(session, *(a_listing(f"Paper {n}", abstract=f"Text {n}") for n in range(5)))
    every = list(texts_since(session, chunk=2))
    assert [(title, text) for _, title, text in every] == [
        (f"Paper {n}", f"Text {n}") for n in range(5)
    ]
    assert list(texts_since(session, every[2][0])) == every[3:]


def test_papers_read_again_are_the_same_objects_until_they_change(session):
    first = a_listing("Tides", arxiv="2603.00001", abstract="")
    second = a_listing("Winds", arxiv="2603.00002")
    merge_batch(session, a_batch(first, second), NOON)
    ids = [paper.id for paper in recent_papers(session)]
    again = Reread()
    before = again.papers(session, ids)
    assert before == papers_by_id(session, ids)
    later = NOON + timedelta(hours=1)
    merge_batch(session, a_batch(replace(first, abstract="On the tides.")), later)
    after = again.papers(session, ids)
    assert after == papers_by_id(session, ids) != before
    assert [after[number] is before[number] for number in sorted(ids)] == [False, True]
    assert again.papers(session, [*ids, PaperId(99)]).keys() == set(ids)


def test_papers_kept_are_bounded_and_one_that_was_merged_goes_by_both_ids(session):
    merge_batch(session, a_batch(a_listing("Tides", arxiv="2603.00001")), NOON)
    other = a_listing("Ebb", aliases=(Alias(scheme=Scheme.DOI, value="10.5555/1"),))
    merge_batch(session, a_batch(other), NOON)
    ids = [paper.id for paper in recent_papers(session)]
    again = Reread(most=1)
    assert again.papers(session, ids) == papers_by_id(session, ids)
    assert again.papers(session, ids[:1]) == papers_by_id(session, ids[:1])
    both = a_listing("Tides", arxiv="2603.00001")
    both = replace(both, aliases=(*both.aliases, *other.aliases))
    merge_batch(session, a_batch(both), NOON + timedelta(hours=1))
    assert again.papers(session, ids) == papers_by_id(session, ids)
    assert len({paper.id for paper in again.papers(session, ids).values()}) == 1
