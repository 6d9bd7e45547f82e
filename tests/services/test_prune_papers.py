"""Pruning papers, signals and what came back, on both engines."""

import pytest

from digest.domain.feedback import Opinion
from digest.domain.retention import Kind
from digest.domain.subscribers import Channel
from digest.errors import NotFound
from digest.services.prune import prune
from digest.store import feedback, papers, pruning
from digest.store.database import reading, transaction
from digest.store.merge import merge_batch
from digest.store.tables import AliasRow, BounceRow, PaperRow, SignalRow
from tests.builders import NOON, a_batch, a_listing, attention
from tests.services.grown import (
    DAY,
    FEW,
    a_bounce,
    a_paper,
    a_person,
    policy,
    readings,
    rows,
    there,
)


def test_an_old_paper_goes_and_its_names_stay(engine):
    with transaction(engine) as session:
        old = a_paper(session, 401, "An Old One", arxiv="2501.00001")
        young = a_paper(session, 399, "A Young One", arxiv="2501.00002")
    assert prune(engine, FEW, NOON).rows[Kind.PAPERS] == 1
    assert there(engine, old, young) == {young}
    named = rows(engine, AliasRow, "scheme", "value", "paper_id")
    assert ("arxiv", "2501.00001", None) in named
    with reading(engine) as session, pytest.raises(NotFound, match="has been pruned"):
        papers.paper(session, "arxiv:2501.00001")


@pytest.mark.parametrize(
    "again",
    [
        {"arxiv": "2501.00001"},
        {"title": "Renamed since", "arxiv": "2501.00001"},
        {"title": "AN OLD ONE"},
        {"title": "An old one", "authors": ()},
    ],
)
def test_a_late_listing_of_a_pruned_paper_does_not_make_it_new(engine, again):
    with transaction(engine) as session:
        a_paper(session, 401, "An Old One", arxiv="2501.00001")
        a_paper(session, 1, "Another", arxiv="2603.00001")
    prune(engine, FEW, NOON)
    with transaction(engine) as session:
        listing = a_listing(**{"title": "An Old One"} | again)
        merged = merge_batch(session, a_batch(listing), NOON)
    assert (merged.new, merged.rejected) == (0, ())
    assert rows(engine, PaperRow) == 1


def test_a_paper_that_a_source_still_lists_stays(engine):
    with transaction(engine) as session:
        old = a_paper(session, 500, "Evergreen")
        merge_batch(session, a_batch(a_listing("Evergreen"), fetched_at=NOON), NOON)
        a_paper(session, 1, "Another")
    prune(engine, FEW, NOON)
    assert there(engine, old) == {old}


def test_a_paper_stays_while_a_vote_on_it_weighs_and_then_goes_with_it(engine):
    with transaction(engine) as session:
        ada = a_person(session)
        loved, forgotten = a_paper(session, 800, "Loved"), a_paper(session, 800, "Forgotten")
        a_paper(session, 1, "Another")
        for paper, days in ((loved, 400), (forgotten, 451)):
            at = NOON - days * DAY
            feedback.record(session, ada.id, paper, Opinion.MORE, channel=Channel.LINK, at=at)
    prune(engine, FEW, NOON)
    assert there(engine, loved, forgotten) == {loved}
    with reading(engine) as session:
        (vote,) = feedback.votes_of(session, [ada.id])[ada.id]
    assert vote.title == "Loved"


def test_the_papers_seen_last_stay_however_old_they_are(engine):
    with transaction(engine) as session:
        ids = [a_paper(session, 900 - n, f"Paper {n} of all") for n in range(6)]
    prune(engine, policy(least_papers=4), NOON)
    assert there(engine, *ids) == set(ids[2:])
    prune(engine, policy(least_papers=6), NOON)
    assert there(engine, *ids) == set(ids[2:])


def test_no_run_takes_more_papers_than_the_rankers_figures_bear(engine, monkeypatch):
    monkeypatch.setattr("digest.services.prune.papers_at_once", lambda _total: 2)
    with transaction(engine) as session:
        for n in range(6):
            a_paper(session, 900 - n, f"Paper {n} of all")
    done = prune(engine, FEW, NOON)
    assert (done.rows[Kind.PAPERS], done.left) == (2, 3)
    assert prune(engine, FEW, NOON).left == 1


def test_the_paper_that_others_became_takes_their_traces_along(engine):
    with transaction(engine) as session:
        a_paper(session, 500, "One Work", arxiv="2501.00001")
        a_paper(session, 499, "One Work in Print", aliases=())
        alias = a_listing("One Work in Print", arxiv="2501.00001")
        merge_batch(session, a_batch(alias, fetched_at=NOON - 498 * DAY), NOON - 498 * DAY)
        a_paper(session, 1, "Another")
    prune(engine, FEW, NOON)
    assert rows(engine, PaperRow) == 1
    with transaction(engine) as session:
        assert merge_batch(session, a_batch(a_listing("One Work in Print")), NOON).new == 0


# signals


def test_old_signals_are_thinned_out_to_three_a_day_and_young_ones_are_not(engine):
    with transaction(engine) as session:
        readings(session, 31, range(1, 9))
        readings(session, 12, range(1, 9))
    assert prune(engine, FEW, NOON).rows[Kind.SIGNALS] == 5
    old, young = NOON.date() - 31 * DAY, NOON.date() - 12 * DAY
    counts = rows(engine, SignalRow, "listed_on", "upvotes")
    assert [number for day, number in counts if day == old] == [1, 4, 8]
    assert [number for day, number in counts if day == young] == list(range(1, 9))
    assert prune(engine, FEW, NOON).rows[Kind.SIGNALS] == 0


def test_a_reading_after_thinning_goes_on_with_the_last_run(engine):
    with transaction(engine) as session:
        readings(session, 31, range(1, 9))
    prune(engine, FEW, NOON)
    with transaction(engine) as session:
        day = NOON.date() - 31 * DAY
        same = a_listing("Read 31", listed_on=day, attention=attention(8))
        merge_batch(session, a_batch(same, fetched_at=NOON), NOON)
    assert len(rows(engine, SignalRow, "id")) == 3


def test_many_crowded_days_are_thinned_out_part_by_part(engine, monkeypatch):
    monkeypatch.setattr(pruning, "THINNED_AT_ONCE", 2)
    monkeypatch.setattr(pruning, "AT_ONCE", 3)
    with transaction(engine) as session:
        for days in range(40, 45):
            readings(session, days, range(1, 9))
    expected = prune(engine, FEW, NOON, dry_run=True).rows[Kind.SIGNALS]
    assert prune(engine, FEW, NOON).rows[Kind.SIGNALS] == expected == 25
    assert rows(engine, SignalRow) == 15


# what came back


def test_old_bounces_go_and_of_complaints_and_opt_outs_the_words_alone(engine):
    with transaction(engine) as session:
        ada = a_person(session)
        for kind in ("hard", "soft", "policy", "complaint", "unsubscribe"):
            a_bounce(session, ada, 401, kind)
        a_bounce(session, ada, 20)
    done = prune(engine, FEW, NOON)
    assert (done.rows[Kind.BOUNCES], done.rows[Kind.COMPLAINTS]) == (3, 2)
    assert rows(engine, BounceRow, "kind", "detail") == [
        ("complaint", ""),
        ("soft", "550 ada@example.com"),
        ("unsubscribe", ""),
    ]
    assert prune(engine, FEW, NOON).rows[Kind.COMPLAINTS] == 0
