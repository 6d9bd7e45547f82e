"""What the store remembers of sources and batches."""

from datetime import UTC, date, timedelta

import pytest

from digest.domain.papers import Outcome, Rejected, SourceKind
from digest.store.merge import merge_batch
from digest.store.sources import (
    last_change,
    list_batches,
    list_sources,
    remember_batch,
    source_memory,
)
from tests.builders import NOON, a_batch, a_listing, attention

HOUR = timedelta(hours=1)


def keep(session, *listings, at=NOON, **changes):
    batch = a_batch(*listings, **{"fetched_at": at} | changes)
    merged = merge_batch(session, batch, at)
    remember_batch(session, batch, merged)
    return merged


def test_a_source_never_asked_has_an_empty_memory(session):
    memory = source_memory(session, "huggingface")
    assert (memory.last_fetch_at, memory.etag, memory.last_outcome) == (None, None, None)
    assert list_sources(session) == []


def test_a_fetch_leaves_validators_and_outcome(session):
    keep(session, a_listing(), etag='"a"', last_modified="Thu, 12 Mar 2026 10:00:00 GMT")
    memory = source_memory(session, "huggingface")
    assert memory.kind is SourceKind.HUGGINGFACE
    assert memory.etag == '"a"'
    assert memory.last_modified == "Thu, 12 Mar 2026 10:00:00 GMT"
    assert memory.last_outcome is Outcome.PAPERS
    assert memory.last_fetch_at == memory.last_papers_at == NOON
    assert memory.last_fetch_at.tzinfo is UTC


@pytest.mark.parametrize("outcome", [Outcome.FAULT, Outcome.BROKEN, Outcome.UNCHANGED])
def test_a_reply_of_no_use_keeps_the_validators_and_the_day_of_the_last_papers(session, outcome):
    keep(session, a_listing(), etag='"a"')
    keep(session, at=NOON + HOUR, outcome=outcome, note="HTTP 500", etag='"b"')
    memory = source_memory(session, "huggingface")
    assert (memory.etag, memory.last_outcome, memory.last_note) == ('"a"', outcome, "HTTP 500")
    assert memory.last_papers_at == NOON
    assert memory.last_fetch_at == NOON + HOUR


def test_a_fetch_for_another_day_keeps_the_validators_of_today(session):
    keep(session, a_listing(), etag='"today"')
    keep(session, a_listing(), at=NOON + HOUR, etag='"then"', batch_on=date(2026, 1, 1))
    assert source_memory(session, "huggingface").etag == '"today"'


def test_sources_are_listed_by_name(session):
    keep(session, a_listing(), source="mirror", kind=SourceKind.FEED)
    keep(session, source="arxiv", kind=SourceKind.ARXIV_RSS, outcome=Outcome.QUIET, note="Sunday")
    assert [(m.name, m.kind, m.last_outcome) for m in list_sources(session)] == [
        ("arxiv", SourceKind.ARXIV_RSS, Outcome.QUIET),
        ("mirror", SourceKind.FEED, Outcome.PAPERS),
    ]


def test_batches_are_listed_with_their_counts_the_latest_first(session):
    keep(session, a_listing("One"), a_listing("Two"))
    rejected = (Rejected(where="entry 3", reason="no title"),)
    keep(session, a_listing("One"), a_listing("\0"), at=NOON + HOUR, rejected=rejected)
    second, first = list_batches(session)
    assert (first.listed, first.new, first.known, first.rejected) == (2, 2, 0, 0)
    assert (second.listed, second.new, second.known, second.rejected) == (2, 0, 1, 2)
    assert second.source == "huggingface"
    assert second.fetched_at == NOON + HOUR
    assert len(list_batches(session, limit=1)) == 1


def test_the_last_change_is_the_last_batch_with_new_papers_or_new_counts(session):
    assert last_change(session, NOON + 9 * HOUR) is None
    keep(session, a_listing())
    assert last_change(session, NOON + 9 * HOUR) == NOON
    keep(session, a_listing(), at=NOON + HOUR)
    keep(session, at=NOON + 2 * HOUR)
    assert last_change(session, NOON + 9 * HOUR) == NOON
    keep(session, a_listing(attention=attention(upvotes=1)), at=NOON + 3 * HOUR)
    assert last_change(session, NOON + 9 * HOUR) == NOON + 3 * HOUR
    assert last_change(session, NOON + 9 * HOUR).tzinfo is UTC
