"""The cells in which bytes from outside are parsed."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from digest.domain.papers import (
    Alias,
    Attention,
    Links,
    Listing,
    Outcome,
    Rejected,
    Scheme,
    SourceKind,
)
from digest.errors import SourceUnreadable
from digest.sources import prison as prisons
from digest.sources.entries import Parsed
from digest.sources.formats import parsed
from digest.sources.http import HttpClient
from digest.sources.prison import Bounds, Prison
from digest.sources.reader import SourceSpec, read
from digest.sources.records import ANSWER, from_plain, to_plain
from tests.reliability import record
from tests.sources.webserver import Reply, Web

NOW = datetime(2026, 3, 12, 12, tzinfo=UTC)
GOOD = (
    b"<rss version='2.0'><channel><item><title>Learning to Wait</title>"
    b"<link>https://arxiv.org/abs/2603.00001v2</link></item></channel></rss>"
)
QUADRATIC = b"<rss>" + b"<a>" * 299_000  # which feedparser needs some seconds for
FIXTURES = sorted((Path(__file__).parent / "fixtures").iterdir())
FULL = Listing(
    title="Learning to Wait",
    abstract="We wait 🕰 for “it”.",
    authors=("A. Patient", "B. Étienne"),
    categories=("cs.LG",),
    aliases=(Alias(scheme=Scheme.ARXIV, value="2603.00001"),),
    url="https://arxiv.org/abs/2603.00001",
    links=Links(
        pdf="https://a/p", code="https://a/c", project="https://a/w", discussion="https://a/d"
    ),
    tldr="Wait.",
    venue="ICML",
    published_on=date(2026, 3, 1),
    listed_on=date(2026, 3, 2),
    attention=Attention(upvotes=3, comments=2, stars=1),
)


@pytest.fixture(scope="module")
def prison() -> Iterator[Prison]:
    with Prison() as made:
        yield made


def cells(made: Prison) -> list[int]:
    return [cell._process.pid for cell in made._idle]


def survived(fault: str) -> None:
    record("HTTP faults", fault, tried=1, ends="broken", other_sources_hurt=0)


def an_item(text: bytes) -> bytes:
    return GOOD.replace(b"</title>", b"</title><description>" + text + b"</description>")


def test_everything_of_an_entry_comes_through_the_pipe() -> None:
    bare = Listing(title="x")
    assert not [f.name for f in fields(FULL) if getattr(FULL, f.name) == getattr(bare, f.name)]
    found = Parsed(
        listings=(FULL, bare),
        rejected=(Rejected(where="entry 3", reason="has no title"),),
        rows=3,
        total=9,
        quiet=True,
    )
    assert from_plain(json.loads(json.dumps(to_plain(found)))) == found


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_a_cell_finds_what_the_parser_finds(prison: Prison, path: Path) -> None:
    body = path.read_bytes()
    for kind in SourceKind:
        try:
            expected: object = parsed(kind, body, NOW)
        except SourceUnreadable as exc:
            expected = str(exc)
        try:
            got: object = prison.parsed(kind, body, NOW)
        except SourceUnreadable as exc:
            got = str(exc)
        assert got == expected


def test_one_cell_serves_one_body_after_another(prison: Prison) -> None:
    prison.parsed(SourceKind.FEED, GOOD, NOW)
    before = cells(prison)
    with pytest.raises(SourceUnreadable, match="found none"):
        prison.parsed(SourceKind.FEED, b"no feed", NOW)
    assert prison.parsed(SourceKind.FEED, GOOD, NOW).listings
    assert cells(prison) == before


def test_half_a_megabyte_of_comment_marks_costs_no_minute(prison: Prison) -> None:
    began = time.process_time()
    found = prison.parsed(SourceKind.FEED, an_item(b"&lt;!--" * 80_000), NOW)
    assert found.listings[0].title == "Learning to Wait"
    assert time.process_time() - began < 1  # of ours; a minute and more in the library's cleaning


@pytest.mark.slow
def test_body_that_takes_too_long_costs_one_error_and_a_new_cell() -> None:
    with Prison(Bounds(cpu_s=1)) as made:
        made.warm()
        before = cells(made)
        with pytest.raises(SourceUnreadable, match="more than 1 s of CPU: it is broken or malic"):
            made.parsed(SourceKind.FEED, QUADRATIC, NOW)
        assert made.parsed(SourceKind.FEED, GOOD, NOW).listings
        assert before != cells(made)
    survived("parser over its CPU")


def test_body_that_takes_too_much_memory_costs_one_error() -> None:
    with Prison(Bounds(memory=64 * 1024 * 1024)) as made:
        with pytest.raises(SourceUnreadable, match=r"more than 64 MB of memory|was ended by SIG"):
            made.parsed(SourceKind.JSONL, b"[" + b"[]," * 3_000_000 + b"[]]", NOW)
        assert made.parsed(SourceKind.FEED, GOOD, NOW).listings
    survived("parser over its memory")


def test_cell_that_hangs_is_left_at_the_deadline() -> None:
    with Prison(Bounds(wall_s=0.2)) as made:
        made.warm()
        os.kill(cells(made)[0], 19)  # SIGSTOP: it reads nothing, and never ends by itself
        with pytest.raises(SourceUnreadable, match=r"more than 0\.2 s: it is"):
            made.parsed(SourceKind.FEED, an_item(b"x" * 5_000_000), NOW)
        assert cells(made) == []
    survived("parser over its deadline")


def test_cell_that_was_killed_is_replaced(prison: Prison) -> None:
    prison.parsed(SourceKind.FEED, GOOD, NOW)
    os.kill(pid := cells(prison)[0], 9)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert prison.parsed(SourceKind.FEED, GOOD, NOW).listings


def test_idle_cells_end_and_leave_no_zombie() -> None:
    with Prison(idle_s=0.01) as made:
        made.parsed(SourceKind.FEED, GOOD, NOW)
        for alarm in [t for t in threading.enumerate() if isinstance(t, threading.Timer)]:
            alarm.join(5) if alarm.interval < 1 else None
        assert cells(made) == []
        assert made.parsed(SourceKind.FEED, GOOD, NOW).listings  # and another begins


def test_four_threads_share_two_cells(prison: Prison) -> None:
    found: list[int] = []

    def ask() -> None:
        for _ in range(5):
            found.append(len(prison.parsed(SourceKind.FEED, GOOD, NOW).listings))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 20
    assert 1 <= len(cells(prison)) <= 2


def test_larger_file_of_the_operators_may_use_more_in_proportion() -> None:
    bounds = Bounds()
    assert bounds.of(1_000) == bounds.of(10_000_000) == bounds
    assert bounds.of(50_000_000).cpu_s == 5 * bounds.cpu_s
    assert bounds.of(50_000_000).memory == 5 * bounds.memory


def test_a_cell_holds_none_of_our_secrets_and_reaches_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DIGEST_SMTP__PASSWORD", "canary")
    assert "canary" not in str(prisons._environment())
    try_out = (
        "import socket, subprocess, pathlib, os\n"
        "from digest.sources.cell import _forbid\n"
        "_forbid()\n"
        "for harm in (lambda: socket.create_connection(('127.0.0.1', 9)),\n"
        "             lambda: subprocess.run(['true']), lambda: os.system('true'),\n"
        f"             lambda: pathlib.Path({str(tmp_path / 'x')!r}).write_text('x')):\n"
        "    try:\n"
        "        harm()\n"
        "    except PermissionError:\n"
        "        continue\n"
        "    raise SystemExit('harm was done')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", try_out], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"null", b"[]", b"{}", b"\xff", b'{"found": null}', b'{"found": [[], [], 0, null]}',
        b'{"found": [[["x"]], [], 0, null, false]}', b'{"found": [[], [], true, null, false]}',
        b'{"found": [[], [["a", 1]], 0, null, false]}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_nonsense_from_a_cell_is_one_error(answer: bytes) -> None:
    with pytest.raises(SourceUnreadable):
        prisons._read(answer, Bounds())


def test_a_cell_cannot_make_us_hold_more_than_its_bounds() -> None:
    with Prison(Bounds(answer=1_000)) as made:
        made.warm()
        ours, theirs = socket.socketpair()
        made._idle[0]._socket.close()
        made._idle[0]._socket = ours
        theirs.sendall(ANSWER.pack(2**32 - 1))
        with theirs, pytest.raises(SourceUnreadable, match="larger than it can be"):
            made.parsed(SourceKind.FEED, GOOD, NOW)


def test_hostile_source_costs_its_own_outcome_alone(web: Web, http: HttpClient) -> None:
    web.answers["/bad"] = [Reply(body=QUADRATIC)]
    web.answers["/good"] = [Reply(body=GOOD)]
    bad = SourceSpec(name="bad", kind=SourceKind.FEED, url=web.url + "/bad")
    with Prison(Bounds(cpu_s=0)) as made:  # the rest of the second that it has begun
        batches = [
            read(spec, http, now=NOW, prison=made)
            for spec in (bad, replace(bad, name="good", url=web.url + "/good"))
        ]
    assert [batch.outcome for batch in batches] == [Outcome.BROKEN, Outcome.PAPERS]
    assert batches[0].note.startswith("reading it took more than 0 s of CPU")
