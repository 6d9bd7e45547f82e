"""`digest fetch`, `sources` and `papers`: what comes in, and what is said of what does not."""

import json

import pytest

from tests.commands import Desk


def _jsonl(*titles: str) -> str:
    return "".join(
        json.dumps(
            {"id": f"p{n}", "title": title, "abstract": "About it.", "authors": ["A. Author"]}
        )
        + "\n"
        for n, title in enumerate(titles)
    )


def _fetch(desk: Desk, content: str) -> None:
    desk.ok("fetch", "--file", desk.write("p.jsonl", content), "--format", "jsonl")


def test_file_is_read_and_listed(desk: Desk) -> None:
    path = desk.write("p.jsonl", _jsonl("One paper", "Another paper"))
    assert "2 listed, 2 new" in desk.ok("fetch", "--file", path, "--format", "jsonl").out
    papers = desk.ok("papers", "list", "--json").json
    assert {p["title"] for p in papers} == {"One paper", "Another paper"}
    wanted = {
        "id", "title", "abstract", "authors", "categories", "url", "published_on",
        "first_seen_at", "trend", "signals",
    }  # fmt: skip
    assert wanted <= papers[0].keys()
    assert 0 <= papers[0]["trend"] <= 1


def test_dry_run_counts_and_keeps_nothing(desk: Desk) -> None:
    path = desk.write("p.jsonl", _jsonl("One paper"))
    assert "1 new" in desk.ok("fetch", "--file", path, "--format", "jsonl", "--dry-run").out
    assert desk.ok("papers", "list", "--json").json == []
    assert all(s["last_fetch_at"] is None for s in desk.ok("sources", "list", "--json").json)


def test_bad_lines_are_named_and_the_rest_goes_in(desk: Desk) -> None:
    path = desk.write("p.jsonl", _jsonl("One paper") + "{not json\n" + _jsonl("Another paper"))
    ended = desk.run("fetch", "--file", path, "--format", "jsonl")
    assert ended.code == 3
    assert "line 2" in ended.err
    assert len(desk.ok("papers", "list", "--json").json) == 2


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("page", "Nothing here looks like a listing page.\n"),
        ("hf-json", '[{"paper": {"id": "2603.00001", "ti'),
        ("hf-json", "<html><body>Please log in</body></html>"),
        ("feed", "<html><body>Please log in</body></html>"),
        ("feed", ""),
        ("arxiv-api", "\x00\x01\x02"),
        ("jsonl", "\x00\x01\x02"),
        ("biorxiv", "{}"),
        ("openreview", "[]"),
    ],
)
def test_unusable_file_is_one_clear_line_and_changes_nothing(
    desk: Desk, form: str, content: str
) -> None:
    ended = desk.run("fetch", "--file", desk.write("x", content), "--format", form)
    assert ended.code == 1
    assert "broken" in ended.err
    assert "Traceback" not in ended.err
    assert desk.ok("papers", "list", "--json").json == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("fetch", "nowhere"),
        ("fetch", "--file", "gone.txt", "--format", "page"),
        ("fetch", "--file", "gone.txt"),
        ("fetch", "--format", "page"),
        ("fetch", "--url", "ftp://example.org/x", "--format", "scroll"),
        ("fetch", "--date", "tomorrow"),
        ("sources", "check", "nowhere"),
    ],
)
def test_wrong_usage_is_exit_code_2(desk: Desk, arguments: tuple[str, ...]) -> None:
    ended = desk.run(*arguments)
    assert ended.code == 2
    assert "Traceback" not in ended.err


@pytest.mark.slow
def test_dead_live_source_is_a_fault_in_one_line(desk: Desk) -> None:
    ended = desk.run("fetch", "--url", "http://127.0.0.1:9/feed.xml", "--format", "feed")
    assert ended.code == 1
    assert "fault" in ended.err


def test_nothing_from_a_title_reaches_the_terminal_as_a_command(desk: Desk) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J Red \x1b[31mTitle\r\nInjected\u202e line\x00"
    _fetch(desk, _jsonl(hostile))
    for arguments in (("papers", "list"), ("papers", "show", "1"), ("papers", "list", "--json")):
        out = desk.ok(*arguments).out
        assert not [c for c in out if (ord(c) < 32 and c not in "\n\t") or c in "\x7f\u202e"]


def test_search_finds_text_and_takes_no_patterns(desk: Desk) -> None:
    desk.ok(
        "fetch",
        "--file",
        desk.write("p.jsonl", _jsonl("100% sure", "1000 sure")),
        "--format",
        "jsonl",
    )
    found = desk.ok("papers", "search", "100% s", "--json").json
    assert [p["title"] for p in found] == ["100% sure"]
    assert desk.run("papers", "show", "999").code == 1


def test_limit_bounds_and_zero_gives_all(desk: Desk) -> None:
    titles = [f"Paper number {n}" for n in range(60)]
    _fetch(desk, _jsonl(*titles))
    assert len(desk.ok("papers", "list", "--json").json) == 50
    assert len(desk.ok("papers", "list", "--json", "--limit", "7").json) == 7
    assert len(desk.ok("papers", "list", "--json", "--limit", "0").json) == 60


def test_ten_megabyte_abstract_is_cut_and_the_rest_goes_on(desk: Desk) -> None:
    big = json.dumps({"id": "big", "title": "A long one", "abstract": "word " * 1_900_000})
    desk.ok(
        "fetch", "--file", desk.write("p.jsonl", big + "\n" + _jsonl("Next")), "--format", "jsonl"
    )
    papers = desk.ok("papers", "list", "--json").json
    assert {p["title"] for p in papers} == {"A long one", "Next"}
    assert max(len(p["abstract"]) for p in papers) < 100_000
