"""Every kind of mail, signed, as it comes out of the command line and over the wire."""

import shutil
from importlib import resources

import pytest

from digest.mail.keys import DnsRecord
from digest.mail.sink import Received, Sink
from tests.commands import Desk

EARLIER = ("--now", "2026-03-12T07:00Z")
NOW = ("--now", "2026-03-12T09:00Z")
ADA, BOB = "ada@example.com", "bob@example.com"
INTERESTS = ("-i", "continual learning", "-i", "robot manipulation")


def tool(name: str) -> str:
    """The path of a program, or skip the test where it is not installed."""
    path = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def sign_with_new_keys(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[DnsRecord]:
    """Make both keys, configure them as keygen says, and return their records."""
    for line in desk.ok("dkim", "keygen", "--type", "both").lines:
        key, sign, value = line.strip().partition(" = ")
        if sign:
            monkeypatch.setenv(f"DIGEST_DKIM__{key.upper()}", value.strip('"'))
    told = desk.ok("dkim", "record", "--json").json
    return [DnsRecord(name=one["name"], value=one["value"]) for one in told]


def every_kind(desk: Desk, sink: Sink) -> dict[str, Received]:
    """One mail of each kind, each once with HTML and once as text alone, and a test copy."""
    sample = resources.files("digest").joinpath("sample", "daily.json").read_bytes()
    desk.ok("fetch", "--file", desk.write("daily.json", sample), "--format", "hf-json", *EARLIER)
    desk.ok("subscribers", "add", ADA, *INTERESTS, *EARLIER)
    desk.ok("subscribers", "add", BOB, *INTERESTS, "--text-only", *EARLIER)
    found: dict[str, Received] = {}
    desk.ok("deliver", *EARLIER)
    _collect(sink, "confirm", found)
    for person in (ADA, BOB):
        desk.ok("subscribers", "confirm", person, *EARLIER)
    desk.ok("deliver", *EARLIER)
    _collect(sink, "welcome", found)
    desk.ok("send", "--date", "2026-03-12", *NOW)
    _collect(sink, "digest", found)
    desk.ok("send", "--only", ADA, "--only", BOB, "--test", "--date", "2026-03-12", *NOW)
    _collect(sink, "test", found)
    return found


def _collect(sink: Sink, kind: str, found: dict[str, Received]) -> None:
    """Take what the sink got since, which must be one mail for each of the two."""
    got = {mail.recipient: mail for mail in sink.received}
    assert set(got) == {ADA, BOB}, f"{kind}: {sorted(got)}"
    assert len(sink.received) == 2, kind
    found[kind], found[f"{kind} (text)"] = got[ADA], got[BOB]
    sink.received.clear()
