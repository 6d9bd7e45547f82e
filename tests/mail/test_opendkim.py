"""What opendkim's C verifier says of our signatures, as receivers that run it would."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from digest.mail.keys import DnsRecord
from digest.mail.sink import Sink
from tests.commands import Desk
from tests.mail.kinds import every_kind, sign_with_new_keys, tool
from tests.mail.signatures import verdicts

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


@pytest.mark.parametrize("site", ["https://papers.example", ""])
def test_every_kind_of_mail_passes_both_ways(
    desk: Desk, sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: str
) -> None:
    tool("opendkim")
    monkeypatch.setenv("DIGEST_SITE__URL", site)
    published = sign_with_new_keys(desk, monkeypatch)
    for kind, mail in every_kind(desk, sink).items():
        said = opendkim(tmp_path, mail.content, published)
        assert said == {"rsa-sha256": "pass", "ed25519-sha256": "pass"}, kind
        assert verdicts(mail.content, *published) == [True, True], kind
        forged = mail.content.replace(b"\r\nSubject: ", b"\r\nSubject: FWD ", 1)
        said = opendkim(tmp_path, forged, published)
        assert said == {"rsa-sha256": "fail", "ed25519-sha256": "fail"}, kind
