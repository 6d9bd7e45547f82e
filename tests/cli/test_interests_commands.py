"""`digest interests suggest` and `digest backtest`."""

import json
from datetime import datetime, timedelta

from tests.commands import Desk

TEXT = "It suffers from catastrophic forgetting."


def _fetched(desk: Desk, *rows: tuple[str, str]) -> None:
    lines = [
        json.dumps({"id": f"2603.{n:05d}", "title": title, "abstract": abstract})
        for n, (title, abstract) in enumerate(rows)
    ]
    path = desk.write("papers.jsonl", "\n".join(lines))
    desk.ok("fetch", "--file", path, "--format", "jsonl")


def _some(desk: Desk) -> None:
    learning = [(f"Continual learning {n}", TEXT) for n in range(4)]
    _fetched(desk, *learning, *((f"Notes on tea {n}", "Leaves.") for n in range(20)))


def test_suggestions_are_listed_with_both_counts(desk: Desk) -> None:
    _some(desk)
    ended = desk.ok("interests", "suggest", "continual learning")
    assert ended.lines[0] == "phrase\tpapers\ttogether"
    assert "catastrophic forgetting\t4\t4" in ended.lines
    assert ended.err == "'continual learning' stands in 4 of 24 papers\n"


def test_suggestions_as_json_are_one_array(desk: Desk) -> None:
    _some(desk)
    ended = desk.ok("interests", "suggest", "continual learning", "--json", "--limit", "1")
    (one,) = ended.json
    assert (one["phrase"], one["papers"], one["together"]) == ("catastrophic forgetting", 4, 4)
    assert one["score"] > 0


def test_empty_store_says_so_in_one_line(desk: Desk) -> None:
    ended = desk.ok("interests", "suggest", "continual learning")
    assert ended.out == ""
    assert ended.err == "no papers in the store yet: run digest fetch first\n"
    assert desk.ok("interests", "suggest", "tea", "--json").json == []


def test_unknown_phrase_gets_the_nearest_or_is_said_to_be_unknown(desk: Desk) -> None:
    _some(desk)
    near = desk.ok("interests", "suggest", "catastrophic weather")
    assert "catastrophic forgetting\t4\t0" in near.lines
    assert "in none of 24 papers; these share words with it" in near.err
    nothing = desk.ok("interests", "suggest", "zzqx")
    assert nothing.out == ""
    assert "nor does any word of it" in nothing.err


def test_stop_words_alone_are_wrong_usage_in_one_line(desk: Desk) -> None:
    ended = desk.run("interests", "suggest", "of the")
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "error: 'of the' has no word that tells papers apart: give a topic"
    ]


def test_nothing_of_a_phrase_or_paper_moves_the_cursor(desk: Desk) -> None:
    _fetched(desk, *((f"Evil\x1b[2J tea {n}", "A tea \x1b]0;x\x07ceremony.") for n in range(4)))
    for phrase in ("tea", "te\x1b[2Ja", "tea\r\n"):
        ended = desk.run("interests", "suggest", phrase)
        assert "\x1b" not in ended.out + ended.err
        assert "\r" not in ended.out + ended.err


def _reader(desk: Desk, *options: str) -> None:
    desk.ok("subscribers", "add", "ada@example.com", "--confirmed", *options)


def _backtest(desk: Desk, *options: str) -> list[str]:
    return desk.ok("backtest", "ada@example.com", *options).lines


def test_backtest_tells_each_day_with_reasons_and_a_summary(desk: Desk) -> None:
    _some(desk)
    _reader(desk, "-i", "continual learning", "-i", "robots", "--max-papers", "2", "--hour", "0")
    lines = _backtest(desk, "--days", "3", "--now", "2100-01-01T00:00Z")
    assert lines[0] == "Wed 2099-12-30 to Fri 2100-01-01  no mail: no papers"
    assert "3 days, 0 papers (0.0 a day), 3 days without mail" in lines
    assert "  robots: never matched" in lines
    lines = _backtest(desk, "--days", "2", "--now", _tomorrow(desk))
    assert any(line.endswith("  2 of 24 papers") for line in lines)
    assert any("matches continual learning in the title" in line for line in lines)
    assert "  continual learning: 2 papers, matched on 1 day" in lines
    assert all(len(line) <= 80 for line in lines)


def test_backtest_counts_exact_words_and_tells_them_from_what_is_spelled_alike(desk: Desk) -> None:
    by = {"Notes on tea": "Ada Lovelace", "On robots": "Alan Turing", "A tale": "Max Robots"}
    rows = (
        {"id": title, "title": title, "abstract": "Leaves.", "authors": [author]}
        for title, author in by.items()
    )
    desk.write("papers.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    desk.ok("fetch", "--file", "papers.jsonl", "--format", "jsonl")
    _reader(desk, "-i", '"notes on"', "-i", "author:robots", "-i", "robots", "--hour", "0")
    lines = _backtest(desk, "--days", "1", "--now", _tomorrow(desk))
    assert [line for line in lines if ", matched on" in line] == [
        '  "notes on": 1 paper, matched on 1 day',
        "  author:robots: 1 paper, matched on 1 day",
        "  robots: 1 paper, matched on 1 day",
    ]


def _tomorrow(desk: Desk) -> str:
    """The midnight after the papers came."""
    seen = desk.ok("papers", "list", "--json", "--limit", "1").json[0]["first_seen_at"]
    return f"{datetime.fromisoformat(seen).date() + timedelta(days=1)}T00:30Z"


def test_backtest_as_json_is_one_object_a_day(desk: Desk) -> None:
    _some(desk)
    _reader(desk, "-i", "continual learning", "--hour", "0")
    ended = desk.ok(
        "backtest", "ada@example.com", "--days", "2", "--json", "--max-papers", "1",
        "--now", _tomorrow(desk),
    )  # fmt: skip
    first, second = ended.json
    assert (first["skipped"], first["papers"], first["matched"]) == ("no_papers", [], [])
    assert second["considered"] == 24
    assert second["matched"] == ["continual learning"]
    (pick,) = second["papers"]
    assert pick["title"].startswith("Continual learning")
    assert pick["interest"] == "continual learning"
    assert "in the title" in pick["reason"]


def test_backtest_before_the_first_fetch_says_why_it_is_empty(desk: Desk) -> None:
    _reader(desk, "-i", "tea")
    ended = desk.ok("backtest", "ada@example.com")
    assert "before the store's first fetch" in ended.err
    assert "7 days, 0 papers" in ended.out


def test_backtest_of_a_stranger_or_of_too_many_days_is_one_line(desk: Desk) -> None:
    stranger = desk.run("backtest", "nobody@example.com")
    assert (stranger.code, len(stranger.err.splitlines())) == (1, 1)
    _reader(desk, "-i", "tea")
    many = desk.run("backtest", "ada@example.com", "--days", "367")
    assert (many.code, len(many.err.splitlines())) == (2, 1)
