"""Hostile words of papers: from every form of source to every exit."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from digest.domain.papers import Listing
from tests.corpora import harm
from tests.corpora.doors import DOORS, came_in
from tests.corpora.house import NOW, House
from tests.corpora.strings import OWN, is_plain, strings
from tests.reliability import record


def tried(house: House, said: Sequence[str], every: int) -> int:
    """Put the strings in by every door, and look at every exit; how many papers came of them."""
    distinct: dict[object, Listing] = {}
    for door in DOORS:
        came = list(came_in(door, said))
        assert came, door
        for listing in came:
            _look_at_listing(listing, door)
            distinct.setdefault((listing.title, listing.abstract, listing.url), listing)
        record("hostile strings", f"papers: {door}", strings=len(said), came=len(came), broke=0)
    house.take(list(distinct.values()))
    readers = house.through_mail()
    house.through_pages(every)
    titles = house.titles()
    for person in readers:
        for number, title in house.own_feeds(person).items():
            assert title == titles[int(number)] or len(title) <= 300, title
    house.through_terminal(
        ("papers", "list", "--limit", "0", *NOW),
        ("papers", "search", said[0], *NOW),
        ("deliveries", "list", "--limit", "0"),
        ("stats",),
    )
    return len(titles)


def _look_at_listing(listing: Listing, door: str) -> None:
    words = (*listing.authors, *listing.categories, listing.venue or "", listing.tldr or "")
    for text in (listing.title, listing.abstract, *words):
        assert not harm.in_text(text), (door, text[:80])
    ways = (listing.url, listing.links.pdf, listing.links.code, listing.links.project)
    for url in ways:
        assert url is None or url.startswith(("http://", "https://")), (door, url)


def told(house: House, strings: int) -> None:
    for exit_, looks in house.seen.looks.items():
        record("hostile strings", f"exit: {exit_}", strings=strings, looks=looks, escaped="all")


def test_our_own_hostile_words_of_papers_stay_words(house: House) -> None:
    assert tried(house, OWN[::2], every=9) > len(OWN)


@pytest.mark.slow
def test_all_hostile_words_of_papers_stay_words(house: House, shared: Path) -> None:
    said = strings(shared)
    tried(house, said, every=8)
    told(house, len(said))


def test_words_that_need_no_cleaning_come_in_as_they_are(shared: Path) -> None:
    said = [one for one in strings(shared) if is_plain(one)]
    assert len(said) > 200
    came = {listing.title for listing in came_in("JSON lines", said)}
    lost = [one for n, one in enumerate(said) if " ".join(f"{n} {one}".split()) not in came]
    assert not lost, lost[:5]
