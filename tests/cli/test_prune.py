"""`digest prune`: what it says, and that a dry run changes nothing."""

import sqlite3
from contextlib import closing

import pytest

from digest.mail.sink import Sink
from tests.commands import Desk

SOON = "2026-03-12T12:00Z"
LATER = "2026-07-01T12:00Z"


@pytest.fixture
def old(desk: Desk, sink: Sink) -> Desk:
    """A store with somebody who was asked to confirm in March, and two papers."""
    desk.write(
        "papers.jsonl",
        '{"id": "1", "title": "Learning to Wait", "arxiv": "2603.00001"}\n'
        '{"id": "2", "title": "Learning to Run", "arxiv": "2603.00002"}\n',
    )
    desk.ok("fetch", "--file", "papers.jsonl", "--format", "jsonl", "--now", SOON)
    desk.ok("subscribers", "add", "never@example.com", "-i", "waiting", "--now", SOON)
    desk.ok("subscribers", "add", "ada@example.com", "-i", "waiting", "--confirmed", "--now", SOON)
    desk.ok("send", "--now", SOON)
    return desk


def people(desk: Desk) -> list[str]:
    return [one["email"] for one in desk.ok("subscribers", "list", "--json").json]


def test_what_is_old_goes_and_is_told(old: Desk) -> None:
    told = old.ok("prune", "--now", LATER)
    assert told.lines[0] == "what\trows\tolder than days"
    assert "pending subscribers\t1\t30" in told.lines
    assert "deliveries\t2\t90" in told.lines
    assert people(old) == ["ada@example.com"]


def test_a_dry_run_says_the_same_and_keeps_all(old: Desk) -> None:
    *told, last = old.ok("prune", "--dry-run", "--now", LATER).lines
    assert last == "dry run, nothing was removed"
    assert len(people(old)) == 2
    assert old.ok("prune", "--now", LATER).lines == told


def test_json_has_every_kind_that_is_not_kept_for_ever(
    old: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_RETENTION__DELIVERIES_DAYS", "0")
    found = {one["kind"]: one for one in old.ok("prune", "--json", "--now", LATER).json}
    assert found["pending subscribers"] == {"kind": "pending subscribers", "rows": 1, "days": 30}
    assert "deliveries" not in found


def test_nothing_old_enough_is_said_so(old: Desk) -> None:
    told = old.ok("prune", "--now", SOON)
    assert (told.out, told.err) == ("", "nothing is old enough to go\n")


def test_vacuum_leaves_no_holes_in_the_file(old: Desk) -> None:
    old.ok("prune", "--vacuum", "--now", LATER)
    with closing(sqlite3.connect(old.folder / "digest.sqlite3")) as store:
        assert store.execute("PRAGMA freelist_count").fetchone() == (0,)


def test_composing_for_a_day_whose_mails_may_be_forgotten_warns(old: Desk) -> None:
    ended = old.ok("compose", "--date", "2026-03-12", "--dry-run", "--now", LATER)
    assert "warning: what was sent for days before 2026-04-02 may be forgotten" in ended.err
    assert "warning" not in old.ok("compose", "--date", "2026-06-30", "--now", LATER).err


def test_nobody_gets_a_paper_again_that_was_pruned_and_listed_anew(
    old: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_RETENTION__LEAST_PAPERS", "1000")
    lines = [
        f'{{"id": "n{n}", "title": "On number {n}", "arxiv": "2801.{n:05d}"}}\n'
        for n in range(1, 1_001)
    ]
    old.write("later.jsonl", "".join(lines))
    much_later = "2028-01-10T12:00Z"
    old.ok("fetch", "--file", "later.jsonl", "--format", "jsonl", "--now", much_later)
    assert "papers\t2\t400" in old.ok("prune", "--now", much_later).lines
    listed = old.ok("fetch", "--file", "papers.jsonl", "--format", "jsonl", "--now", much_later)
    assert "2 new" not in listed.out
    assert old.ok("papers", "search", "Learning to Wait", "--json").json == []
    told = old.run("papers", "show", "arxiv:2603.00001")
    assert (told.code, "has been pruned" in told.err) == (1, True)
