import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from digest.domain.papers import Batch, Outcome, SourceKind
from digest.sources.addresses import first_url
from digest.sources.http import HttpClient
from digest.sources.reader import SourceSpec, read
from tests.sources.webserver import Reply, Web

NOW = datetime(2026, 3, 12, 12, tzinfo=UTC)
FIXTURES = Path(__file__).parent / "fixtures"


def live(
    web: Web,
    http: HttpClient,
    kind: SourceKind,
    path: str = "/",
    *,
    day: date | None = None,
    etag: str | None = None,
) -> Batch:
    spec = SourceSpec(name="test", kind=kind, url=web.url + path)
    return read(spec, http, now=NOW, day=day, etag=etag)


def local(path: Path, http: HttpClient, kind: SourceKind = SourceKind.PAGE) -> Batch:
    return read(SourceSpec(name="test", kind=kind, path=path), http, now=NOW)


def test_papers_come_with_the_validators_for_next_time(web: Web, http: HttpClient) -> None:
    body = (FIXTURES / "hf.json").read_bytes()
    web.answers["/"] = [Reply(body=body, headers={"ETag": '"v1"'}), Reply(304)]
    batch = live(web, http, SourceKind.HUGGINGFACE)
    assert (batch.outcome, len(batch.listings), batch.etag) == (Outcome.PAPERS, 2, '"v1"')
    again = live(web, http, SourceKind.HUGGINGFACE, etag=batch.etag)
    assert (again.outcome, again.etag, again.listings) == (Outcome.UNCHANGED, '"v1"', ())


def test_four_ways_to_bring_nothing_are_told_apart(web: Web, http: HttpClient) -> None:
    web.answers["/empty"] = [Reply(body=b"[]")]
    web.answers["/broken"] = [Reply(body=b"<!doctype html><html>Log in</html>")]
    saturday = date(2026, 3, 14)
    outcomes = {
        "empty": live(web, http, SourceKind.HUGGINGFACE, "/empty"),
        "quiet": live(web, http, SourceKind.HUGGINGFACE, "/empty", day=saturday),
        "broken": live(web, http, SourceKind.HUGGINGFACE, "/broken"),
        "fault": live(web, http, SourceKind.HUGGINGFACE, "/missing"),
    }
    assert {name: batch.outcome.value for name, batch in outcomes.items()} == {
        name: name for name in outcomes
    }
    assert all(batch.note and "\n" not in batch.note for batch in outcomes.values())


def test_daily_papers_are_asked_for_the_given_day(web: Web, http: HttpClient) -> None:
    web.answers["/api"] = [Reply(body=b"[]")]
    live(web, http, SourceKind.HUGGINGFACE, "/api?week=2026-W10&x=1", day=date(2026, 3, 10))
    assert web.asked[0].path == "/api?x=1&date=2026-03-10&limit=100"


def test_week_of_daily_papers_is_read_page_by_page(web: Web, http: HttpClient) -> None:
    def page(first: int, last: int) -> bytes:
        return json.dumps([{"title": f"Title {n}"} for n in range(first, last)]).encode()

    web.answers["/api"] = [Reply(body=page(0, 2)), Reply(body=page(2, 3))]
    batch = live(web, http, SourceKind.HUGGINGFACE, "/api?week=2026-W10&limit=2&sort=trending")
    assert len(batch.listings) == 3
    assert [asked.path.rpartition("&")[2] for asked in web.asked] == ["sort=trending", "p=1"]


def preprints(first: int, last: int, total: int) -> bytes:
    rows = [{"doi": f"10.1101/{n:06d}", "title": f"Title {n}"} for n in range(first, last)]
    return json.dumps({"messages": [{"status": "ok", "total": total}], "collection": rows}).encode()


def test_preprints_advance_by_the_rows_received(web: Web, http: HttpClient) -> None:
    base = "/details/biorxiv/2026-03-10/2026-03-12"
    web.answers[f"{base}/0/json"] = [Reply(body=preprints(0, 30, 45))]
    web.answers[f"{base}/30/json"] = [Reply(body=preprints(30, 45, 45))]
    batch = live(web, http, SourceKind.BIORXIV, "/details/biorxiv")
    assert [asked.path for asked in web.asked] == [f"{base}/0/json", f"{base}/30/json"]
    assert len(batch.listings) == 45


def test_page_that_fails_later_is_named_and_keeps_the_others(web: Web, http: HttpClient) -> None:
    base = "/details/medrxiv/2026-03-12/2026-03-12"
    web.answers[f"{base}/0/json"] = [Reply(body=preprints(0, 30, 45), headers={"ETag": '"a"'})]
    batch = live(web, http, SourceKind.BIORXIV, "/details/medrxiv", day=date(2026, 3, 12))
    assert (batch.outcome, len(batch.listings), batch.etag) == (Outcome.PAPERS, 30, None)
    assert [r.where for r in batch.rejected] == ["page 2"]


def test_source_that_always_promises_more_is_left_after_some_pages(
    web: Web, http: HttpClient
) -> None:
    web.answers["/notes"] = [
        Reply(body=json.dumps({"count": 10**6, "notes": [{"content": {"title": "A"}}]}).encode())
    ]
    live(web, http, SourceKind.OPENREVIEW, "/notes?invitation=X")
    assert len(web.asked) == 20


def slice_of(total: int, ids: range) -> bytes:
    entries = "".join(
        f"<entry><id>http://arxiv.org/abs/2603.{n:05d}v1</id><title>Title {n}</title></entry>"
        for n in ids
    )
    space = "http://a9.com/-/spec/opensearch/1.1/"
    return (
        f'<feed xmlns="http://www.w3.org/2005/Atom" xmlns:o="{space}"><title>q</title>'
        f"<o:totalResults>{total}</o:totalResults>{entries}</feed>"
    ).encode()


def test_query_goes_on_slice_by_slice(web: Web, http: HttpClient) -> None:
    web.answers["/q"] = [Reply(body=slice_of(5, range(3))), Reply(body=slice_of(5, range(3, 5)))]
    batch = live(web, http, SourceKind.ARXIV_API, "/q?search_query=cat:cs.AI")
    assert len(batch.listings) == 5
    assert [asked.path.split("start=")[1] for asked in web.asked] == [
        "0&max_results=200",
        "3&max_results=200",
    ]


def test_slice_without_entries_that_the_total_contradicts_is_broken(
    web: Web, http: HttpClient
) -> None:
    web.answers["/q"] = [Reply(body=slice_of(500, range(0)))]
    batch = live(web, http, SourceKind.ARXIV_API, "/q?search_query=cat:cs.AI")
    assert batch.outcome is Outcome.BROKEN
    assert "the source counts 500" in batch.note


def test_arxivs_own_word_on_a_bad_query_is_passed_on(web: Web, http: HttpClient) -> None:
    feed = '<rss version="2.0"><channel><title>Feed error for query: cs.XX</title></channel></rss>'
    web.answers["/rss"] = [Reply(400, body=feed.encode())]
    batch = live(web, http, SourceKind.ARXIV_RSS, "/rss")
    assert batch.outcome is Outcome.BROKEN
    assert "cs.XX" in batch.note


def test_query_of_a_day_is_narrowed_to_it() -> None:
    url = "https://export.arxiv.org/api/query?search_query=cat:cs.AI+OR+cat:cs.CL&max_results=50"
    asked = first_url(SourceKind.ARXIV_API, url, NOW, date(2026, 3, 10))
    wanted = "submittedDate:%5B202603100000+TO+202603102359%5D&max_results=50"
    assert asked.endswith(wanted)
    assert "%28cat:cs.AI+OR+cat:cs.CL%29+AND+" in asked


def test_notes_are_asked_for_from_the_given_day_on() -> None:
    url = "https://api2.openreview.net/notes?invitation=TMLR/-/Submission"
    asked = first_url(SourceKind.OPENREVIEW, url, NOW, date(2026, 3, 10))
    assert "invitation=TMLR/-/Submission" in asked
    assert "mintcdate=1773100800000" in asked


def test_secret_in_the_address_stays_out_of_the_note(web: Web, http: HttpClient) -> None:
    batch = live(web, http, SourceKind.FEED, "/feed?key=SECRET")
    assert batch.outcome is Outcome.FAULT
    assert "SECRET" not in batch.note


def test_file_is_read_as_a_source(http: HttpClient) -> None:
    batch = local(FIXTURES / "page_glued.txt", http)
    assert (batch.outcome, len(batch.listings)) == (Outcome.PAPERS, 3)


def test_folder_is_read_in_order_and_a_bad_file_stops_no_other(
    http: HttpClient, tmp_path: Path
) -> None:
    for name, source in (("2.txt", "page_spaced.txt"), ("1.txt", "page_glued.txt")):
        (tmp_path / name).write_bytes((FIXTURES / source).read_bytes())
    (tmp_path / "3.txt").write_text("no listing page")
    (tmp_path / ".hidden").write_text("x")
    batch = local(tmp_path, http)
    assert [listing.title[:5] for listing in batch.listings][2:] == ["How L", "Tides", "Maps "]
    assert [r.where for r in batch.rejected] == ["2.txt line 17", "3.txt"]


def test_missing_file_and_huge_file_are_faults(http: HttpClient, tmp_path: Path) -> None:
    missing = local(tmp_path / "none.txt", http)
    assert missing.outcome is Outcome.FAULT
    assert "No such file" in missing.note
    huge = tmp_path / "huge.jsonl"
    with huge.open("wb") as file:
        file.truncate(256_000_001)
    assert local(huge, http, SourceKind.JSONL).note.endswith("larger than 256,000,000 bytes")


@pytest.mark.parametrize("kind", [SourceKind.PAGE, SourceKind.FEED, SourceKind.JSONL])
def test_source_without_a_place_is_a_fault(http: HttpClient, kind: SourceKind) -> None:
    batch = read(SourceSpec(name="test", kind=kind), http, now=NOW)
    assert batch.outcome is Outcome.FAULT
    assert "needs a url or a path" in batch.note
