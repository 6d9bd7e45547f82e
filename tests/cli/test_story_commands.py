"""`digest deliveries show` and `digest stats`: what happened, for people and for programs."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import Desk
from tests.moody import Moody, moody  # noqa: F401

PAPERS = "".join(
    f'{{"id": "{n}", "title": "Continual learning, part {n}", "abstract": "We study it."}}\n'
    for n in range(1, 9)
)
AT = "2026-03-12T09:00Z"


@pytest.fixture
def ready(desk: Desk, moody: Moody, monkeypatch: pytest.MonkeyPatch) -> Desk:  # noqa: F811
    """Eight papers, Ada and Bob who want three of them, and a moody relay."""
    monkeypatch.setenv("DIGEST_SMTP__HOST", moody.host)
    monkeypatch.setenv("DIGEST_SMTP__PORT", str(moody.port))
    monkeypatch.setenv("DIGEST_SMTP__SECURITY", "none")
    papers = desk.write("p.jsonl", PAPERS)
    desk.ok("fetch", "--file", papers, "--format", "jsonl", "--now", "2026-03-12T07:00Z")
    for name in ("ada", "bob"):
        desk.ok(
            "subscribers", "add", f"{name}@example.com", "-i", "continual learning",
            "--max-papers", "3", "--confirmed", "--now", "2026-03-11T00:00Z",
        )  # fmt: skip
    return desk


def _number(desk: Desk, email: str) -> str:
    rows = desk.ok("deliveries", "list", "--email", email, "--json").json
    return str(rows[0]["id"])


def _story(desk: Desk, number: str, now: str) -> list[tuple[str, str]]:
    (shown,) = desk.ok("deliveries", "show", number, "--json", "--now", now).json
    return [(event["what"], event["text"]) for event in shown["story"]]


def test_the_story_of_a_mail_tells_each_reply_and_what_happens_next(
    ready: Desk,
    moody: Moody,  # noqa: F811
) -> None:
    moody.answers["ada@example.com"] = "451 4.2.1 mailbox \x1b[2Jbusy"
    ready.run("send", "--now", AT)
    number = _number(ready, "ada@example.com")
    (shown,) = ready.ok("deliveries", "show", number, "--json", "--now", AT).json
    assert shown["state"] == "deferred"
    assert shown["next"]["what"] == "next try"
    assert shown["next"]["at"] == shown["due_at"]
    moody.answers.clear()
    ready.ok("deliver", "--now", "2026-03-12T09:10Z")
    story = _story(ready, number, "2026-03-12T10:00Z")
    assert [what for what, _ in story] == ["edition", "composed", "deferred", "sent"]
    assert story[2][1] == "451 4.2.1 mailbox [2Jbusy"
    assert story[3][1].startswith("the relay took it, at try 2: 250")
    text = ready.ok("deliveries", "show", number).out
    assert "\x1b" not in text
    assert "matches continual learning in the title" in text
    assert "next\tit is done; the reader's next digest: 2026-03-13T08:00:00Z" in text


def test_votes_and_a_departure_after_a_mail_belong_to_its_story(ready: Desk) -> None:
    ready.ok("send", "--now", AT)
    number = _number(ready, "ada@example.com")
    (shown,) = ready.ok("deliveries", "show", number, "--json").json
    ready.ok("feedback", "add", "ada@example.com", str(shown["papers"][0]), "more")
    ready.ok("subscribers", "pause", "ada@example.com")
    story = _story(ready, number, AT)
    assert [what for what, _ in story][-2:] == ["vote", "paused"]
    assert story[-2][1].startswith("wants more like Continual learning, part ")
    assert [what for what, _ in _story(ready, _number(ready, "bob@example.com"), AT)][-1] == "sent"


def test_an_erased_readers_story_quotes_no_reply(
    ready: Desk,
    moody: Moody,  # noqa: F811
) -> None:
    moody.answers["ada@example.com"] = "451 4.2.1 <ada@example.com> is busy"
    ready.run("send", "--now", AT)
    number = _number(ready, "ada@example.com")
    assert "ada@example.com" in ready.ok("deliveries", "show", number).out
    ready.ok("subscribers", "erase", "ada@example.com")
    assert "ada@example.com" not in ready.ok("deliveries", "show", number).out


def test_stats_draw_their_days_within_eighty_columns(ready: Desk) -> None:
    ready.ok("send", "--now", AT)
    piped = ready.ok("stats", "--days", "366", "--now", AT).out
    assert piped.isascii() is False  # the dot between counts
    assert not set("▁▂▃▄▅▆▇█") & set(piped)
    shown = _on_terminal(ready, "stats", "--days", "366", "--now", AT)
    lines = [line.rstrip() for line in shown.splitlines()]
    assert max(map(len, lines)) <= 80
    (sent,) = [line for line in lines if line.startswith("sent ")]
    assert sent.endswith("2 in all, 2 at most")
    assert "▁" in sent
    assert "█" in sent


def _on_terminal(desk: Desk, *arguments: str) -> str:
    """Run a command in a process whose stdout is a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "PYTHONIOENCODING": "utf-8",
    }
    command = [sys.executable, "-m", "digest", *arguments]
    process = subprocess.Popen(command, cwd=desk.folder, env=environment, stdout=theirs)
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 65536):
            said += part
    except OSError:  # a terminal that nobody holds any more ends so on Linux
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return said.decode()
