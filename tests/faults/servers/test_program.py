"""The command line between servers that go wrong: its summary, its exit code, its words."""

from dataclasses import replace

import pytest

from tests.commands import Desk
from tests.faults.servers.httpfaults import CASES
from tests.faults.servers.rounds import controls
from tests.faults.servers.smtp import relay
from tests.faults.servers.smtpfaults import CASES as RELAYS
from tests.faults.servers.web import GOOD, ok, site

BAD = {
    "page": "HTML with 200",
    "laughs": "billion laughs",
    "nested": "feed of 300,000 nested tags",
    "loris": "slow-loris in the headers",
    "busy": "429, a day in seconds",
    "bomb": "gzip bomb of a gibibyte",
    "noise": "no HTTP at all",
    "inside": "redirect to a private address",
}


@pytest.mark.slow
def test_each_bad_source_is_told_once_and_the_good_one_delivers(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_HTTP__DEADLINE_S", "1")
    # a host that asks for rest gets it for all of its sources, so it is another one
    with site() as web, site("127.0.0.2") as busy, site() as secret:
        web.secret = secret.url
        web.pages |= {f"/{name}": CASES[case].answer for name, case in BAD.items()}
        busy.pages["/busy"] = web.pages.pop("/busy")
        web.pages["/good"] = ok(GOOD)
        hosts = {name: busy if name == "busy" else web for name in [*BAD, "good"]}
        desk.write("config.toml", "\n".join(_source(name, on.url) for name, on in hosts.items()))
        done = desk.run("fetch")
        listed = {row["name"]: row for row in desk.ok("sources", "list", "--json").json}
    assert done.code == 3
    assert secret.asked == []
    for name, case in BAD.items():
        told = [line for line in (done.out + done.err).splitlines() if line.startswith(f"{name}:")]
        assert len(told) == 1
        assert listed[name]["last_outcome"] == CASES[case].ends.value
        assert CASES[case].says in listed[name]["last_note"]
    assert listed["good"]["last_outcome"] == "papers"
    assert controls(done.out + done.err) == set()
    assert [paper["title"] for paper in desk.ok("papers", "list", "--json").json] == [
        "Learning to Wait"
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["wrong password", "ten megabytes of extensions", "speaks HTTP", "handshake cut"]
)
def test_a_relay_that_goes_wrong_is_one_clear_line(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    case = RELAYS[name]
    paper = '{"id": "2603.00001", "title": "Learning to Wait", "abstract": "We wait."}\n'
    desk.write("papers.jsonl", paper)
    desk.ok("fetch", "--file", "papers.jsonl", "--format", "jsonl")
    desk.ok("subscribers", "add", "ada@example.com", "-i", "waiting", "--confirmed")
    desk.ok("compose", "--only", "ada@example.com")
    with relay(replace(case.fault, times=1_000)) as server:
        monkeypatch.setenv("DIGEST_SMTP__HOST", "127.0.0.1")
        monkeypatch.setenv("DIGEST_SMTP__PORT", str(server.port))
        monkeypatch.setenv("DIGEST_SMTP__SECURITY", case.tls or "none")
        monkeypatch.setenv("DIGEST_SMTP__TIMEOUT_S", "2")
        if case.username:
            monkeypatch.setenv("DIGEST_SMTP__USERNAME", case.username)
            monkeypatch.setenv("DIGEST_SMTP__PASSWORD", "canary-of-a-password")
        done = desk.run("deliver")
        said = done.out + done.err
        assert done.code in (1, 3)
        assert f"127.0.0.1:{server.port}" in said
        assert "canary" not in said
        assert "Traceback" not in said
        assert controls(said) == set()
        server.fault = None
        monkeypatch.setenv("DIGEST_SMTP__SECURITY", "none")
        desk.ok("deliver")
        assert [recipient for recipient, _ in server.book.taken] == ["ada@example.com"]


def _source(name: str, url: str) -> str:
    return f'[[sources]]\nname = "{name}"\nkind = "feed"\nurl = "{url}/{name}"\n'
