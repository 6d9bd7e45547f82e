"""What opendkim's C verifier says of our signatures, as receivers that run it would."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from digest.mail.keys import DnsRecord
from digest.mail.sink import Sink
from tests.commands import Desk
from tests.mail.kinds import Delivered, Taken, every_kind, sign_with_new_keys, through, tool
from tests.mail.signatures import verdicts
from tests.postfix import Postfix

pytestmark = pytest.mark.slow


def opendkim(folder: Path, mail: bytes, published: Sequence[DnsRecord]) -> dict[str, str]:
    """opendkim's verdict on each signature: algorithm → `pass`, `fail` …"""
    keys, config, message = folder / "keys", folder / "opendkim.conf", folder / "mail.eml"
    keys.write_text("".join(f"{record.name} {record.value}\n" for record in published))
    config.write_text(f"Mode v\nSyslog no\nTestPublicKeys {keys}\n")
    message.write_bytes(mail)
    command = [tool("opendkim"), "-x", str(config), "-t", str(message), "-vv"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    told = re.search(r"hname='Authentication-Results'(.*)", said.stdout, re.DOTALL)
    assert told, f"opendkim said nothing: {said.stdout}{said.stderr}"
    found = re.findall(r"dkim=(\w+)[^;]*header\.a=([\w-]+)", told[1])
    return {algorithm: verdict for verdict, algorithm in found}


SITES = pytest.mark.parametrize("site", ["https://papers.example", ""])


def _require_verified(
    folder: Path, mails: Mapping[str, bytes], published: Sequence[DnsRecord]
) -> None:
    """Both verifiers take both signatures of every mail, and neither of a forged one."""
    for kind, mail in mails.items():
        said = opendkim(folder, mail, published)
        assert said == {"rsa-sha256": "pass", "ed25519-sha256": "pass"}, kind
        assert verdicts(mail, *published) == [True, True], kind
        forged = mail.replace(b"\r\nSubject: ", b"\r\nSubject: FWD ", 1)
        said = opendkim(folder, forged, published)
        assert said == {"rsa-sha256": "fail", "ed25519-sha256": "fail"}, kind


@SITES
def test_every_kind_of_mail_is_verified(
    desk: Desk, sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: str
) -> None:
    tool("opendkim")
    monkeypatch.setenv("DIGEST_SITE__URL", site)
    published = sign_with_new_keys(desk, monkeypatch)
    _require_verified(tmp_path, every_kind(desk, Taken(sink)), published)


def test_every_kind_of_mail_comes_verified_out_of_a_real_postfix(
    desk: Desk, postfix: Postfix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("opendkim")
    through(postfix, monkeypatch)
    published = sign_with_new_keys(desk, monkeypatch)
    mails = every_kind(desk, Delivered(postfix, "reader40", "reader41"))
    for mail in mails.values():
        assert mail.startswith(b"Return-Path: ")
        assert b"\r\nReceived: " in mail
    _require_verified(tmp_path, mails, published)
