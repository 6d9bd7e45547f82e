"""`digest dkim`: keys on disk, and the records to publish."""

import stat
from pathlib import Path

import pytest

from digest.mail.sink import Sink
from tests.commands import Desk

PEM = "PRIVATE KEY"


def _modes(desk: Desk) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in desk.folder.glob("*.pem")}


def _configured(desk: Desk, out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what keygen said goes into config."""
    for line in out.splitlines():
        key, sign, value = line.strip().partition(" = ")
        if sign:
            monkeypatch.setenv(f"DIGEST_DKIM__{key.upper()}", value.strip('"'))


def test_keygen_writes_a_key_of_its_owners_and_says_what_to_do(desk: Desk) -> None:
    ended = desk.ok("dkim", "keygen")
    assert _modes(desk) == {"dkim-digest.pem": 0o600}
    assert 'key_file = "dkim-digest.pem"' in ended.out
    assert "digest._domainkey.papers.example" in ended.out
    assert "v=DKIM1; k=rsa; p=" in ended.out
    assert PEM not in ended.out + ended.err


def test_record_shows_the_configured_keys(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    made = desk.ok("dkim", "keygen", "--type", "both")
    assert _modes(desk) == {"dkim-digest.pem": 0o600, "dkim-digest-ed25519.pem": 0o600}
    _configured(desk, made.out, monkeypatch)
    first, second = desk.ok("dkim", "record", "--json").json
    assert first["name"] == "digest._domainkey.papers.example"
    assert second["name"] == "digest-ed25519._domainkey.papers.example"
    assert (first["type"], second["type"]) == ("TXT", "TXT")
    assert "".join(first["strings"]) == first["value"]
    assert second["value"].startswith("v=DKIM1; k=ed25519; p=")
    assert first["value"] in made.out
    assert second["value"] in made.out
    shown = desk.ok("dkim", "record").out
    for one in (first, second):
        assert one["value"] in shown
        assert one["zone"] in shown
    assert PEM not in shown


def test_keygen_overwrites_nothing_and_says_how_to_rotate(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = desk.ok("dkim", "keygen")
    _configured(desk, made.out, monkeypatch)
    before = (desk.folder / "dkim-digest.pem").read_bytes()
    for arguments in ([], ["--dry-run"], ["--type", "both"], ["--out", "dkim-digest.pem"]):
        ended = desk.run("dkim", "keygen", *arguments)
        assert ended.code == 2
        assert "--selector NEW" in ended.err
    assert (desk.folder / "dkim-digest.pem").read_bytes() == before
    assert set(_modes(desk)) == {"dkim-digest.pem"}
    rotated = desk.ok("dkim", "keygen", "--selector", "digest2")
    assert 'selector = "digest2"' in rotated.out
    assert set(_modes(desk)) == {"dkim-digest.pem", "dkim-digest2.pem"}


def test_key_goes_where_the_config_says(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_DKIM__KEY_FILE", "mine.pem")
    desk.ok("dkim", "keygen", "--bits", "3072")
    assert set(_modes(desk)) == {"mine.pem"}
    desk.ok("dkim", "record")


def test_out_names_the_file(desk: Desk, tmp_path: Path) -> None:
    elsewhere = tmp_path / "keys"
    elsewhere.mkdir()
    desk.ok("dkim", "keygen", "--type", "ed25519", "--out", elsewhere / "k.pem")
    assert stat.S_IMODE((elsewhere / "k.pem").stat().st_mode) == 0o600
    assert desk.run("dkim", "keygen", "--type", "both", "--out", "k.pem").code == 2
    ended = desk.run("dkim", "keygen", "--out", tmp_path / "nowhere" / "k.pem")
    assert ended.code == 1
    assert "nowhere" in ended.err


def test_dry_run_writes_nothing(desk: Desk) -> None:
    ended = desk.ok("dkim", "keygen", "--type", "both", "--dry-run")
    assert "would write" in ended.out
    assert _modes(desk) == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--type", "dsa"],
        ["--bits", "1024"],
        ["--bits", "8192"],
        ["--selector", "a b"],
        ["--selector", "../x"],
    ],
)
def test_wrong_usage_of_keygen_makes_no_file(desk: Desk, arguments: list[str]) -> None:
    assert desk.run("dkim", "keygen", *arguments).code == 2
    assert _modes(desk) == {}


def test_keygen_works_before_the_sender_is_set(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIGEST_SENDER__ADDRESS")
    ended = desk.ok("dkim", "keygen")
    assert "sender.address" in ended.err
    assert _modes(desk) == {"dkim-digest.pem": 0o600}
    assert desk.run("dkim", "record").code == 2


def test_record_without_a_key_says_how_to_make_one(desk: Desk) -> None:
    ended = desk.run("dkim", "record")
    assert ended.code == 2
    assert "digest dkim keygen" in ended.err


def test_record_refuses_a_key_that_others_can_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _configured(desk, desk.ok("dkim", "keygen").out, monkeypatch)
    (desk.folder / "dkim-digest.pem").chmod(0o644)
    ended = desk.run("dkim", "record")
    assert ended.code == 2
    assert "chmod 600" in ended.err
    assert PEM not in ended.out + ended.err


def test_domain_that_is_not_the_senders_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_DKIM__DOMAIN", "other.example")
    for command in (["keygen"], ["record"]):
        ended = desk.run("dkim", *command)
        assert ended.code == 2
        assert "DMARC" in ended.err
    assert _modes(desk) == {}


def test_domain_above_the_senders_signs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_SENDER__ADDRESS", "digest@mail.papers.example")
    monkeypatch.setenv("DIGEST_DKIM__DOMAIN", "papers.example")
    assert "digest._domainkey.papers.example" in desk.ok("dkim", "keygen").out


def test_key_that_cannot_be_used_stops_before_the_first_mail(
    desk: Desk, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    _configured(desk, desk.ok("dkim", "keygen").out, monkeypatch)
    desk.ok("subscribers", "add", "ada@example.com", "-i", "continual learning")
    (desk.folder / "dkim-digest.pem").chmod(0o644)
    ended = desk.run("deliver")
    assert ended.code == 2
    assert "chmod 600" in ended.err
    assert sink.received == []
    (desk.folder / "dkim-digest.pem").chmod(0o600)
    desk.ok("deliver")
    assert len(sink.received) == 1
    assert sink.received[0].content.startswith(b"DKIM-Signature: v=1; a=rsa-sha256;")


def test_without_a_key_mails_go_out_unsigned(desk: Desk, sink: Sink) -> None:
    desk.ok("subscribers", "add", "ada@example.com", "-i", "continual learning")
    desk.ok("deliver")
    assert b"DKIM-Signature" not in sink.received[0].content
