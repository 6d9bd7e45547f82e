import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from digest.domain.papers import Alias, Attention, Batch, Links, Outcome, Scheme
from digest.errors import SourceUnreadable, UsageError
from digest.sources.entries import split_authors
from digest.sources.formats import parse_bytes

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
SATURDAY = date(2026, 3, 14)


def read(fmt: str, body: bytes | str, *, day: date | None = None, url: str | None = None) -> Batch:
    data = body.encode() if isinstance(body, str) else body
    return parse_bytes(fmt, data, source="test", now=NOW, day=day, url=url)


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def rss(items: str, head: str = "") -> str:
    return f'<rss version="2.0"><channel><title>News</title>{head}{items}</channel></rss>'


# --- Hugging Face


def test_daily_paper_brings_all_it_has() -> None:
    batch = read("hf-json", fixture("hf.json"))
    paper = batch.listings[0]
    assert paper.title == "Tides in the Training Loss"
    assert paper.abstract == "The loss rises by >4% and falls like n² tides."
    assert paper.authors == ("Ada Lovelace", "André Weil")
    assert paper.aliases == (Alias(scheme=Scheme.ARXIV, value="2603.01234"),)
    assert paper.url == "https://arxiv.org/abs/2603.01234"
    assert paper.links == Links(
        code="https://github.com/example/tides",
        discussion="https://huggingface.co/papers/2603.01234",
    )
    assert paper.attention == Attention(upvotes=63, comments=4, stars=120)
    assert (paper.published_on, paper.listed_on) == (date(2026, 3, 5), date(2026, 3, 12))
    assert paper.tldr == "Losses have tides."


def test_daily_paper_needs_no_more_than_a_title() -> None:
    batch = read("huggingface", fixture("hf.json"))
    paper = batch.listings[1]
    assert paper.title == "Only a Title"
    assert paper.attention == Attention()
    assert paper.listed_on == date(2026, 3, 12)


def test_unusable_entries_are_named_and_stop_no_other() -> None:
    batch = read("hf-json", fixture("hf.json"))
    assert len(batch.listings) == 2
    assert [(r.where, r.reason) for r in batch.rejected] == [
        ("entry 3", "has no title"),
        ("entry 4", "is a Python repr where an object was expected"),
    ]
    assert batch.outcome is Outcome.PAPERS


def test_given_day_dates_every_listing() -> None:
    batch = read("hf-json", fixture("hf.json"), day=date(2026, 3, 1))
    assert {listing.listed_on for listing in batch.listings} == {date(2026, 3, 1)}
    assert batch.batch_on == date(2026, 3, 1)


def test_empty_reply_is_quiet_at_the_weekend_and_empty_else() -> None:
    assert read("hf-json", "[]", day=SATURDAY).outcome is Outcome.QUIET
    assert read("hf-json", "[]", day=date(2026, 3, 12)).outcome is Outcome.EMPTY


@pytest.mark.parametrize("fmt", ["hf-json", "biorxiv", "openreview"])
@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("<!DOCTYPE html><html><body>Log in</body></html>", "got an HTML page"),
        ('[{"paper": {"id": "2603.01234", "ti', "cut off"),
        ("", "empty"),
        ("[" * 200_000, "nested too deep"),
        ('"text"', "got str"),
        ('{"error": "rate \\u001b[31mlimited"}', "the source answers: rate limited"),
        ("\xff\xfe\x00", "expected JSON"),
        ("1" * 5_000, "expected JSON"),
    ],
)
def test_what_is_no_reply_of_an_api_is_broken(fmt: str, body: str, complaint: str) -> None:
    with pytest.raises(SourceUnreadable, match=complaint) as caught:
        read(fmt, body)
    assert "\n" not in str(caught.value)


def test_python_reprs_are_broken_and_said_so() -> None:
    with pytest.raises(
        SourceUnreadable, match="none of 2 entries can be used; entry 1: is a Python"
    ):
        read("hf-json", json.dumps(["{'paper': 1}", "{'paper': 2}"]))


@pytest.mark.parametrize(
    "value", ["9999-12-31T00:00:00Z", "0001-01-01", "soon", None, 7, "2026-02-30"]
)
def test_dates_that_cannot_be_are_ignored(value: object) -> None:
    body = json.dumps([{"paper": {"publishedAt": value}, "title": "A Title"}])
    assert read("hf-json", body).listings[0].published_on is None


def test_unknown_format_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'word' is unknown: use one of huggingface, arxiv-rss"):
        read("word", b"")


# --- arXiv


def test_announcements_lose_their_prefix_and_keep_their_day() -> None:
    new, replaced = read("arxiv-rss", fixture("arxiv_rss.xml")).listings
    assert new.abstract == "The loss rises and falls."
    assert new.authors == ("Ada Lovelace", "André Weil")
    assert new.categories == ("cs.AI", "cs.LG")
    assert new.url == "https://arxiv.org/abs/2603.01234"
    assert (new.published_on, new.listed_on) == (date(2026, 3, 12), date(2026, 3, 12))
    assert replaced.aliases == (
        Alias(scheme=Scheme.ARXIV, value="2401.00007"),
        Alias(scheme=Scheme.DOI, value="10.1000/quiet.7"),
    )
    assert replaced.venue == "J. Silence 4, 33 (2025)"
    assert replaced.categories == ("cs.RO",)
    assert (replaced.published_on, replaced.listed_on) == (None, date(2026, 3, 12))


def arxiv_day(day: str) -> str:
    skip = "<skipDays><day>Sunday</day><day>Saturday</day></skipDays>"
    return rss("", f"<pubDate>{day} 00:00:00 -0400</pubDate>{skip}")


def test_arxiv_without_entries_is_quiet_at_weekends_and_empty_on_holidays() -> None:
    assert read("arxiv-rss", arxiv_day("Sat, 14 Mar 2026")).outcome is Outcome.QUIET
    assert read("arxiv-rss", arxiv_day("Sun, 15 Mar 2026")).outcome is Outcome.QUIET
    assert read("arxiv-rss", arxiv_day("Thu, 12 Mar 2026")).outcome is Outcome.EMPTY


def test_bad_category_is_broken_though_it_is_a_valid_feed() -> None:
    body = rss("", "<description>no such category</description>").replace(
        "News", "Feed error for query: cs.XX"
    )
    with pytest.raises(
        SourceUnreadable, match=r"Feed error for query: cs\.XX.*check the categories"
    ):
        read("arxiv-rss", body)


def test_query_result_names_primary_category_first() -> None:
    (paper,) = read("arxiv-api", fixture("arxiv_api.xml")).listings
    assert paper.title == "Strings in Two Lines"
    assert paper.abstract == "We extend the Landauer-Büttiker formalism."
    assert paper.authors == ("Ada Lovelace", "Alan Turing")
    assert paper.categories == ("hep-th", "math.GT")
    assert paper.url == "https://arxiv.org/abs/hep-th/9901001"
    assert (paper.published_on, paper.listed_on) == (date(1999, 1, 1), date(2026, 3, 11))


def test_error_entry_of_the_api_is_broken() -> None:
    body = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title><entry>'
        "<id>http://arxiv.org/api/errors#incorrect_id_format_for_x</id><title>Error</title>"
        "<summary>incorrect id format for x</summary></entry></feed>"
    )
    with pytest.raises(SourceUnreadable, match="arXiv answers: incorrect id format for x"):
        read("arxiv-api", body)


# --- feeds


def test_feed_entry_becomes_a_listing() -> None:
    item = (
        "<item><title>Tides &amp;amp; &lt;b&gt;Loss&lt;/b&gt;</title><link>/papers/7</link>"
        "<guid>tag:7</guid><description>&lt;p&gt;Rising.&lt;/p&gt;&lt;p&gt;Falling.&lt;/p&gt;"
        "</description><author>ada@example.org (Ada Lovelace)</author><category>ml</category>"
        "<pubDate>Thu, 12 Mar 2026 10:00:00 GMT</pubDate>"
        '<enclosure url="https://x.org/7.pdf" type="application/pdf" length="1"/></item>'
    )
    (paper,) = read("feed", rss(item), url="https://x.org/feed").listings
    assert (paper.title, paper.abstract) == ("Tides & Loss", "Rising. Falling.")
    assert paper.authors == ("Ada Lovelace",)
    assert paper.url == "https://x.org/papers/7"
    assert paper.links.pdf == "https://x.org/7.pdf"
    assert paper.listed_on == date(2026, 3, 12)


def test_doi_link_is_the_papers_identity() -> None:
    item = "<item><title>T one</title><link>https://doi.org/10.1038/X1</link></item>"
    (paper,) = read("feed", rss(item)).listings
    assert paper.aliases == (Alias(scheme=Scheme.DOI, value="10.1038/x1"),)
    assert paper.url == "https://doi.org/10.1038/x1"


def test_repeated_guid_is_one_entry() -> None:
    item = "<item><title>Title {}</title><guid>same</guid></item>"
    batch = read("feed", rss(item.format(1) + item.format(2)))
    assert [listing.title for listing in batch.listings] == ["Title 1"]


def test_bad_entries_of_a_feed_stop_no_other() -> None:
    items = (
        "<item><title> </title><guid>1</guid></item>"
        "<item><title>Good</title><link>javascript:alert(1)</link><guid>2</guid>"
        "<pubDate>Fri, 31 Dec 9999 10:00:00 GMT</pubDate></item>"
        "<item><title>&lt;script&gt;alert(1)&lt;/script&gt;Also\n&#27;[31m good</title></item>"
    )
    batch = read("feed", rss(items))
    assert [listing.title for listing in batch.listings] == ["Good", "Also good"]
    assert batch.listings[0].url is None
    assert batch.listings[0].published_on is None
    assert [r.where for r in batch.rejected] == ["entry 1"]


@pytest.mark.parametrize(
    ("declared", "encoded"),
    [("iso-8859-1", "iso-8859-1"), ("iso-8859-1", "utf-8"), ("windows-1251", "windows-1251"),
     ("utf-16", "utf-16"), ("utf-8", "utf-8-sig")],
)  # fmt: skip
def test_feed_is_decoded_as_it_is_written_whatever_it_declares(declared: str, encoded: str) -> None:
    title = "Цитата" if "1251" in declared else "Köln und Ñandú"
    text = f'<?xml version="1.0" encoding="{declared}"?>' + rss(
        f"<item><title>{title}</title></item>"
    )
    assert read("feed", text.encode(encoded)).listings[0].title == title


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("<!DOCTYPE html><html><head><title>Log in</title></head></html>", "got an HTML page"),
        ("", "the reply is empty"),
        ("hello", "found none"),
        ("/etc/passwd", "found none"),
        ('<!DOCTYPE r [<!ENTITY a "1"><!ENTITY b "&a;&a;">]><rss version="2.0"/>', "entities"),
        ('<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss version="2.0"/>', "entities"),
        (f'<!-- <a --><!DOCTYPE r [<!ENTITY a "{"x" * 99}">]><rss version="2.0"/>', "entities"),
        ("<rss>" + "<a>" * 400_000, "more than 300,000 tags"),
    ],
)  # fmt: skip
def test_what_is_no_feed_is_broken(body: str, complaint: str) -> None:
    with pytest.raises(SourceUnreadable, match=complaint):
        read("feed", body)


def test_post_that_shows_an_entity_in_its_text_is_fine() -> None:
    post = '<![CDATA[<!DOCTYPE x [<!ENTITY e SYSTEM "file:///x">]>]]>'
    item = f"<item><title>On XXE</title><description>{post}</description></item>"
    assert read("feed", rss(item)).listings[0].title == "On XXE"


def test_feed_without_entries_is_empty() -> None:
    batch = read("feed", rss(""))
    assert (batch.outcome, batch.note) == (Outcome.EMPTY, "a valid reply, but no papers in it")


@pytest.mark.parametrize(
    ("joined", "apart"),
    [
        ("Ada Lovelace, Alan Turing", ("Ada Lovelace", "Alan Turing")),
        ("Ada Lovelace (A, B (C)), Alan Turing", ("Ada Lovelace", "Alan Turing")),
        ("A. Lovelace; B. Turing", ("A. Lovelace", "B. Turing")),
        ("Ada Lovelace, Alan Turing, and Li Wei", ("Ada Lovelace", "Alan Turing", "Li Wei")),
        ("Lovelace, Ada", ("Lovelace, Ada",)),
        ("Andr\\'e Weil, {\\O}ystein Ore", ("André Weil", "Øystein Ore")),
        ("", ()),
    ],
)  # fmt: skip
def test_joined_authors_are_told_apart(joined: str, apart: tuple[str, ...]) -> None:
    assert split_authors(joined) == apart


# --- bioRxiv and OpenReview


def test_preprint_in_two_versions_is_listed_once_as_the_latest() -> None:
    row = {
        "doi": "10.1101/2026.03.01.123456", "title": "Cells", "authors": "Curie, M.; Pauling, L.",
        "abstract": "<jats:p>They divide.</jats:p>", "date": "2026-03-01",
        "category": "cell biology", "version": "1", "server": "bioRxiv", "published": "NA",
    }  # fmt: skip
    later = row | {"title": "Cells, Revised", "version": "2", "date": "2026-03-10"}
    reply = {"messages": [{"status": "ok", "total": "240"}], "collection": [later, row, {"doi": 3}]}
    batch = read("biorxiv", json.dumps(reply))
    (paper,) = batch.listings
    assert paper.title == "Cells, Revised"
    assert paper.abstract == "They divide."
    assert paper.authors == ("M. Curie", "L. Pauling")
    assert paper.aliases == (Alias(scheme=Scheme.BIORXIV, value="10.1101/2026.03.01.123456"),)
    assert paper.url == "https://doi.org/10.1101/2026.03.01.123456"
    assert paper.links.pdf == "https://www.biorxiv.org/content/10.1101/2026.03.01.123456v2.full.pdf"
    assert paper.listed_on == date(2026, 3, 10)
    assert len(batch.rejected) == 1


def test_no_posts_found_is_empty() -> None:
    reply = '{"messages": [{"status": "no posts found"}], "collection": []}'
    assert read("biorxiv", reply).outcome is Outcome.EMPTY


def test_notes_of_both_api_versions_are_read_and_reviews_are_not_papers() -> None:
    second = {
        "id": "abcDEF123", "forum": "abcDEF123", "cdate": 1773273600000, "content": {
            "title": {"value": "Maps of Quiet Rooms"}, "abstract": {"value": "Silence."},
            "authors": {"value": ["Grace Hopper"]}, "pdf": {"value": "/pdf/x.pdf"},
            "TLDR": {"value": "Shh."}, "venue": {"value": "TMLR"}},
    }  # fmt: skip
    first = {"id": "oldOLD1", "forum": "oldOLD1", "content": {"title": "Old", "authors": ["A B"]}}
    review = {"id": "r1r1r1", "forum": "abcDEF123", "content": {"title": {"value": "Review"}}}
    batch = read("openreview", json.dumps({"notes": [second, first, review, {"id": "x"}]}))
    paper, old = batch.listings
    assert paper.title == "Maps of Quiet Rooms"
    assert paper.url == "https://openreview.net/forum?id=abcDEF123"
    assert paper.links.pdf == "https://openreview.net/pdf/x.pdf"
    assert (paper.authors, paper.tldr, paper.venue) == (("Grace Hopper",), "Shh.", "TMLR")
    assert paper.listed_on == date(2026, 3, 12)
    assert old.title == "Old"
    assert [r.where for r in batch.rejected] == ["entry 4"]


# --- JSON lines


def test_lines_are_papers_and_bad_lines_are_named() -> None:
    lines = [
        '{"id": 7, "title": "Tides", "abstract": "A.", "authors": ["Ada"], "categories": ["cs.LG"],'
        ' "date": "December, 1958", "upvotes": 3, "arxiv": "2603.01234v2", "unknown": 1}',
        "",
        "not json",
        '{"abstract": "no title"}',
        '["list"]',
        '{"title": "NaN", "upvotes": NaN, "stars": 1e400, "comments": 2.0, "date": "2026-03-12"}',
        '{"title": "Cut',
    ]
    batch = read("jsonl", "\ufeff" + "\r\n".join(lines))
    tides, nan = batch.listings
    assert tides.aliases == (Alias(scheme=Scheme.ARXIV, value="2603.01234"),)
    assert (tides.published_on, tides.attention) == (None, Attention(upvotes=3))
    assert nan.attention == Attention(comments=2)
    assert nan.listed_on == date(2026, 3, 12)
    assert [r.where for r in batch.rejected] == ["line 3", "line 4", "line 5", "line 7"]
