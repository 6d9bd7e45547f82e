"""`digest invitations`: made, listed and revoked; the link opens what the store keeps."""

import pytest

from digest.mail.tokens import Tokens
from digest.services.invite import invitation_of
from tests.builders import NOON
from tests.commands import SECRETS, Desk

NOW = ("--now", "2026-03-12T12:00Z")
SITE = "https://papers.example"


def named(link: str) -> int:
    token = link.partition("/?invitation=")[2]
    return invitation_of(token, Tokens([SECRETS["DIGEST_SECRET_KEYS"]]), NOON)


def test_an_invitation_is_printed_as_a_link_and_nothing_else_on_stdout(desk: Desk) -> None:
    done = desk.ok("invitations", "add", "--note", "reading group", "--uses", "20", *NOW)
    (link,) = done.lines
    assert link.startswith(f"{SITE}/?invitation=")
    assert named(link) == 1
    assert "invitation 1 is for 20 people until 2026-03-26T12:00:00Z" in done.err


def test_the_list_tells_what_each_is_still_good_for(desk: Desk) -> None:
    links = [desk.ok("invitations", "add", "--days", days, *NOW).lines[0] for days in ("1", "9")]
    desk.ok("invitations", "add", "--note", "Ada", *NOW)
    desk.ok("invitations", "revoke", "3", *NOW)
    listed = desk.ok("invitations", "list", "--json", "--now", "2026-03-14T12:00Z").json
    assert [one["id"] for one in listed] == [3, 2, 1]
    assert [one["state"] for one in listed] == ["revoked", "good", "expired"]
    assert [one["link"] for one in listed[1:]] == links[::-1]
    assert listed[0] | {"link": ""} == {
        "id": 3,
        "state": "revoked",
        "note": "Ada",
        "uses": 1,
        "used": 0,
        "created_at": "2026-03-12T12:00:00Z",
        "expires_at": "2026-03-26T12:00:00Z",
        "revoked_at": "2026-03-12T12:00:00Z",
        "link": "",
    }
    assert len(desk.ok("invitations", "list", "--json", "--limit", "2").json) == 2
    assert desk.ok("invitations", "list", *NOW).lines[1] == (
        "3\trevoked\t0/1\t2026-03-26T12:00:00Z\tAda"
    )


def test_dry_runs_change_nothing(desk: Desk) -> None:
    assert "would invite 1 person" in desk.ok("invitations", "add", "--dry-run", *NOW).out
    assert desk.ok("invitations", "list", "--json").json == []
    desk.ok("invitations", "add", *NOW)
    assert desk.ok("invitations", "revoke", "1", "--dry-run", *NOW).out == (
        "would revoke invitation 1\n"
    )
    assert desk.ok("invitations", "list", "--json", *NOW).json[0]["state"] == "good"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "--uses", "0"), "uses 0: give 1 to 1000000"),
        (("add", "--days", "5000"), "days 5000: give 1 to 3650"),
        (("add", "--note", "two\nlines"), "note: give one line of at most 200 characters"),
        (("revoke", "7"), "no invitation has the id 7: see 'digest invitations list'"),
        (("revoke", "99999999999999999999"), "no invitation has the id 99999999999999999999"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    desk: Desk, arguments: tuple[str, ...], said: str
) -> None:
    ended = desk.run("invitations", *arguments)
    assert ended.code in (1, 2)
    assert ended.out == ""
    assert ended.err.count("\n") == 1
    assert said in ended.err


def test_who_needs_no_invitation_is_told_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "registration is 'open'" in desk.ok("invitations", "add", *NOW).err
    monkeypatch.setenv("DIGEST_REGISTRATION", "invite")
    assert "registration" not in desk.ok("invitations", "add", *NOW).err


def test_without_a_site_the_end_of_the_link_is_printed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SITE__URL", "")
    (link,) = desk.ok("invitations", "add", *NOW).lines
    assert link.startswith("/?invitation=")
    assert named(link) == 1


def test_a_note_reaches_no_terminal_with_its_escapes(desk: Desk) -> None:
    assert desk.run("invitations", "add", "--note", "\x1b[2Jgone").code == 2


@pytest.mark.parametrize("command", ["add", "list", "revoke"])
def test_help_shows_an_example(desk: Desk, command: str) -> None:
    assert f"digest invitations {command}" in desk.ok("invitations", command, "--help").out
