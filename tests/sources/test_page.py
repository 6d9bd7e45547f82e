from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from digest.domain.text import normalised_title
from digest.errors import SourceUnreadable
from digest.sources import page
from digest.sources.entries import Parsed
from digest.sources.masthead import day_in

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
HEAD = "new\n\nGet trending papers in your email inbox!\n\nSubscribe\n\nbyEve\n\nMar 12\n\n"
ABSTRACT = "We study waiting. It helps in most of the cases that we tried, though not in all. " * 5


def parse(text: str) -> Parsed:
    return page.parse(text.encode(), NOW)


def titles(text: str) -> list[str]:
    return [listing.title for listing in parse(text).listings]


def test_button_glued_to_the_first_title_is_taken_off() -> None:
    found = page.parse((FIXTURES / "page_glued.txt").read_bytes(), NOW)
    assert [listing.title[:40] for listing in found.listings] == [
        "Lantern: Reading Slow Signals with Small",
        "byT5 and Friends: What n² Characters Say",
        "How Long Is a Title? A Study of Titles t",
    ]
    assert found.listings[1].abstract.endswith("in each of the nine languages that we tried.")
    assert "AP_BEV" in found.listings[1].abstract
    assert found.listings[2].abstract == "We measure titles."
    assert not found.rejected
    assert found.listings[0].listed_on is None


def test_spaced_layout_gives_its_day_and_names_the_title_without_abstract() -> None:
    found = page.parse((FIXTURES / "page_spaced.txt").read_bytes(), NOW)
    assert [listing.title for listing in found.listings] == [
        "Tides in the Training Loss",
        "Maps of Quiet Rooms",
    ]
    assert {listing.listed_on for listing in found.listings} == {date(2026, 3, 12)}
    assert [(r.where, "Lost its" in r.reason) for r in found.rejected] == [("line 17", True)]


@pytest.mark.parametrize(
    ("line", "day"),
    [
        ("Mar 12", date(2026, 3, 12)),
        ("Mar 20", date(2026, 3, 20)),
        ("Mar 21", date(2025, 3, 21)),
        ("December 31", date(2025, 12, 31)),
        ("Feb 29", date(2024, 2, 29)),
        ("Thursday, March 12th, 2026", date(2026, 3, 12)),
        ("12 Mar 2024", date(2024, 3, 12)),
        ("2026-03-12", date(2026, 3, 12)),
        ("Feb 30", None),
        ("March of the Models", None),
    ],
)
def test_day_without_a_year_is_the_latest_not_in_the_future(line: str, day: date | None) -> None:
    assert day_in(line, NOW) == day


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", "\n\n", "\n \t\n"])
def test_line_ends_and_blank_lines_make_no_difference(ending: str) -> None:
    lines = [
        "Get trending papers in your email inbox!",
        "SubscribeTitle One",
        ABSTRACT,
        "Title Two",
        ABSTRACT,
    ]
    assert titles(ending.join(lines) + ending) == ["Title One", "Title Two"]


def test_title_that_begins_with_the_buttons_word_stays_whole() -> None:
    glued = "Get trending papers in your email inbox!\nSubscribeSubscriber Loss\n" + ABSTRACT
    spaced = HEAD + "Subscriber Loss\n\n" + ABSTRACT
    assert titles(glued) == titles(spaced) == ["Subscriber Loss"]


@pytest.mark.parametrize(
    "curator", ["byAK and the research community", "by Bob", "by_x and 3 others"]
)
def test_curator_of_any_name_is_no_paper(curator: str) -> None:
    assert titles(HEAD.replace("byEve", curator) + f"Title\n\n{ABSTRACT}") == ["Title"]


def test_counters_and_footers_are_no_papers() -> None:
    body = (
        f"Title One\n42\n{ABSTRACT}\n▲ 7\n12 authors\nTitle Two\n{ABSTRACT}\nPrevious\nTOS\nPrivacy"
    )
    found = parse(HEAD + body)
    assert [listing.title for listing in found.listings] == ["Title One", "Title Two"]
    assert not found.rejected


def test_abstract_broken_in_two_is_kept_whole() -> None:
    found = parse(HEAD + f"Title One\n\n{ABSTRACT}\n\n{ABSTRACT}END.\n\nTitle Two\n\n{ABSTRACT}")
    assert [listing.title for listing in found.listings] == ["Title One", "Title Two"]
    assert found.listings[0].abstract.endswith("END.")


def test_title_at_the_end_without_abstract_is_rejected_with_its_line() -> None:
    found = parse(HEAD + f"Title One\n\n{ABSTRACT}\n\nLonely Title")
    assert [listing.title for listing in found.listings] == ["Title One"]
    assert [(r.where, r.reason[:14]) for r in found.rejected] == [("line 15", "'Lonely Title'")]


def test_two_pages_in_one_file_are_both_read() -> None:
    other = HEAD.replace("Mar 12", "Mar 13")
    found = parse(HEAD + f"Title One\n\n{ABSTRACT}\n\n" + other + f"Title Two\n\n{ABSTRACT}\n")
    assert [(p.title, p.listed_on) for p in found.listings] == [
        ("Title One", date(2026, 3, 12)),
        ("Title Two", date(2026, 3, 13)),
    ]
    assert not found.rejected


def test_page_without_papers_is_empty() -> None:
    found = parse(HEAD)
    assert (found.listings, found.rejected) == ((), ())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the text is empty"),
        ("Dear all,\nthe meeting is at ten.\n", "line 1 is 'Dear all,'"),
        ("<!doctype html><html><body>Daily Papers</body></html>", "got HTML"),
        ("a,b,c\n1,2,3\n\x1b[31m", "line 1 is 'a,b,c'"),
        ("PK\x03\x04\0\0\0", "binary"),
    ],
)
def test_unknown_layout_says_what_was_expected(text: str, complaint: str) -> None:
    with pytest.raises(SourceUnreadable, match="expected the text of a listing page.*" + complaint):
        parse(text)


def test_every_real_page_is_read_whole(shared: Path) -> None:
    distinct: set[str] = set()
    entries = 0
    for file in sorted((shared / "batches").glob("*.txt")):
        found = page.parse(file.read_bytes(), NOW)
        assert not found.rejected
        assert min(len(p.abstract) for p in found.listings) > 400
        assert not any(p.title.startswith(("Subscribe", "Get trending")) for p in found.listings)
        long_lines = [line for line in file.read_text().splitlines() if len(line) > 200]
        assert [p.abstract[:12] for p in found.listings] == [line[:12] for line in long_lines]
        entries += len(found.listings)
        distinct |= {normalised_title(p.title) for p in found.listings}
    assert (entries, len(distinct)) == (748, 704)


def test_first_titles_of_real_pages_are_whole(shared: Path) -> None:
    body = (shared / "batches/000_a8f14de670830ddb.txt").read_bytes()
    first = page.parse(body, NOW).listings[0]
    assert first.title.startswith("Power Scheduler: A Batch Size and Token Number Agnostic")
    assert first.abstract.startswith("Finding the optimal learning rate")
