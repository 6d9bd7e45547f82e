"""The daemon over days: each subscriber at their own hour, once per local date."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from urllib.parse import unquote

import pytest
from freezegun import freeze_time

from digest.app import App
from digest.daemon import Daemon
from digest.mail.sink import Sink
from digest.settings import load
from tests.commands import Desk

START = datetime(2026, 3, 27, 0, 0, tzinfo=UTC)  # two days before the clocks change in Europe


def _days_of_papers(desk: Desk, days: int) -> None:
    lines = [
        f'{{"id": "{n}", "title": "Paper {n} on continual learning", '
        f'"abstract": "We study continual learning, part {n}.", "arxiv": "2603.{n:05d}"}}\n'
        for n in range(1, 8 * days)
    ]
    desk.write("papers.jsonl", "".join(lines))


def _daemon() -> Daemon:
    return Daemon(App(load(), lambda: datetime.now(UTC)))


def _tick_through(hours: int, every: timedelta, daemon: Callable[[], Daemon]) -> None:
    """Tick from START on; `daemon` gives the one that is alive at each tick."""
    with freeze_time(START, real_asyncio=True) as clock:
        for _ in range(int(timedelta(hours=hours) / every)):
            daemon().tick()
            clock.tick(every)


def _write_config(desk: Desk) -> None:
    desk.write(
        "config.toml",
        '[[sources]]\nname = "papers"\nkind = "jsonl"\npath = "papers.jsonl"\n',
    )


def _digests(desk: Desk) -> dict[str, list[str]]:
    rows = desk.ok("deliveries", "list", "--limit", "0", "--json").json
    found: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: row["digest_on"] or ""):
        if row["state"] == "sent" and row["kind"] == "digest":
            found.setdefault(row["email"], []).append(
                f"{row['digest_on']} {row['queued_at'][11:16]}"
            )
    return found


def test_each_reader_gets_one_digest_a_day_at_their_local_hour(desk: Desk, sink: Sink) -> None:
    _write_config(desk)
    _days_of_papers(desk, 6)
    for name, zone in (
        ("paris", "Europe/Paris"),
        ("tokyo", "Asia/Tokyo"),
        ("lima", "America/Lima"),
    ):
        desk.ok(
            "subscribers", "add", f"{name}@example.com", "-i", "continual learning",
            "--tz", zone, "--hour", "8", "--max-papers", "3", "--confirmed",
            "--now", "2026-03-27T00:00Z",
        )  # fmt: skip
    daemon = _daemon()
    _tick_through(72, timedelta(minutes=30), lambda: daemon)
    assert _digests(desk) == {
        # 8:00 is 7:00 UTC until the clocks go forward on the 29th
        "paris@example.com": ["2026-03-27 07:00", "2026-03-28 07:00", "2026-03-29 06:00"],
        # for who joins after today's hour, today's digest comes at once
        "tokyo@example.com": [
            "2026-03-27 00:00",
            "2026-03-28 23:00",
            "2026-03-29 23:00",
            "2026-03-30 23:00",
        ],
        "lima@example.com": [
            "2026-03-26 00:00",
            "2026-03-27 13:00",
            "2026-03-28 13:00",
            "2026-03-29 13:00",
        ],
    }


@pytest.mark.slow
def test_two_daemons_that_restart_all_the_time_send_no_digest_twice(desk: Desk, sink: Sink) -> None:
    _write_config(desk)
    _days_of_papers(desk, 4)
    desk.ok(
        "subscribers", "add", "ada@example.com", "-i", "continual learning", "--max-papers", "2",
        "--confirmed", "--now", "2026-03-27T00:00Z",
    )  # fmt: skip
    both = [_daemon(), _daemon()]
    ticks = iter(range(10_000))

    def alive() -> Daemon:
        turn = next(ticks)
        if turn % 5 == 0:
            both[turn % 2] = _daemon()
        return both[turn % 2]

    _tick_through(72, timedelta(minutes=20), alive)
    assert [day[:10] for day in _digests(desk)["ada@example.com"]] == [
        "2026-03-27",
        "2026-03-28",
        "2026-03-29",
    ]
    assert len(sink.received) == 3


def test_daemon_that_slept_past_a_date_skips_it_and_says_so(desk: Desk, sink: Sink) -> None:
    _write_config(desk)
    _days_of_papers(desk, 4)
    desk.ok(
        "subscribers", "add", "ada@example.com", "-i", "continual learning", "--max-papers", "2",
        "--confirmed", "--now", "2026-03-27T00:00Z",
    )  # fmt: skip
    with freeze_time(START + timedelta(hours=9), real_asyncio=True) as clock:
        _daemon().tick()
        clock.tick(timedelta(days=2, hours=5))
        _daemon().tick()
    rows = desk.ok("deliveries", "list", "--limit", "0", "--json").json
    states = {row["digest_on"]: (row["state"], row["reason"]) for row in rows}
    assert states == {
        "2026-03-27": ("sent", ""),
        "2026-03-28": ("skipped", "late"),
        "2026-03-29": ("sent", ""),
    }


def test_dead_source_does_not_keep_digests_from_going_out(
    desk: Desk, sink: Sink, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _days_of_papers(desk, 2)
    desk.write(
        "config.toml",
        '[[sources]]\nname = "gone"\nkind = "feed"\npath = "gone.xml"\n'
        '[[sources]]\nname = "papers"\nkind = "jsonl"\npath = "papers.jsonl"\n',
    )
    desk.ok(
        "subscribers", "add", "ada@example.com", "-i", "continual learning", "--confirmed",
        "--now", "2026-03-27T00:00Z",
    )  # fmt: skip
    with freeze_time(START + timedelta(hours=9), real_asyncio=True):
        _daemon().tick()
    assert len(sink.received) == 1
    states = {row["name"]: row["last_outcome"] for row in desk.ok("sources", "list", "--json").json}
    assert states == {"gone": "fault", "papers": "papers"}


def test_an_opt_out_by_mail_in_the_watched_maildir_is_honoured(desk: Desk, sink: Sink) -> None:
    for folder in ("new", "cur", "tmp"):
        (desk.folder / "Maildir" / folder).mkdir(parents=True)
    desk.write("config.toml", '[bounces]\nmaildir = "Maildir"\n')
    desk.ok("subscribers", "add", "ada@example.com", "--confirmed")
    desk.ok("papers", "list")
    desk.write("papers.jsonl", '{"id": "1", "title": "On waiting", "abstract": "We wait."}\n')
    desk.ok("fetch", "--file", "papers.jsonl", "--format", "jsonl")
    desk.ok("send", "--only", "ada@example.com")
    sent = message_from_bytes(sink.received[0].content)
    ways = "".join(str(sent["List-Unsubscribe"]).split())
    (subject,) = re.findall(r"mailto:[^?>]*\?subject=([^>]+)>", ways)
    reply = f"From: ada@example.com\nTo: digest@papers.example\nSubject: {unquote(subject)}\n\n"
    desk.write("Maildir/new/1.reply", reply)
    _daemon().returns()
    (ada,) = desk.ok("subscribers", "show", "ada@example.com", "--json").json
    assert ada["status"] == "unsubscribed"
    assert [path.name for path in (desk.folder / "Maildir" / "cur").iterdir()] == ["1.reply:2,S"]
