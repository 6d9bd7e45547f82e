"""What SpamAssassin thinks of every kind of mail: its own rules, offline, nothing learnt."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from digest.mail.sink import Sink
from tests.commands import Desk
from tests.mail.kinds import (
    EARLIER,
    NOW,
    Delivered,
    Taken,
    every_kind,
    sign_with_new_keys,
    through,
    tool,
)
from tests.postfix import Postfix

pytestmark = pytest.mark.slow

RULES = Path("/usr/share/spamassassin")
PLUGINS = Path("/etc/spamassassin")
# what filters look for too: medicine, money, gain and loss, people
TOPICS = (
    "large language models;reasoning",
    "drug discovery;medical imaging;cancer",
    "financial forecasting;credit;trading",
    "weight loss;free energy;sexual dimorphism",
    "face generation;dating;adult speech",
    "diffusion models;video generation",
    "robot manipulation;reinforcement learning",
    "advertising;click-through rate;recommendation",
    "lottery tickets;gambling;games",
    "jailbreak;phishing;spam",
)


@dataclass(frozen=True)
class Judged:
    """A mail's score and the rules that fired, each with its points."""

    score: float
    rules: dict[str, float]

    def __str__(self) -> str:
        told = ", ".join(f"{name} {points:+}" for name, points in self.rules.items())
        return f"{self.score:+} ({told})"


def judged(folder: Path, mails: Mapping[str, bytes]) -> dict[str, Judged]:
    """Each mail as SpamAssassin judges it with its own rules, whatever this machine's are."""
    command = tool("spamassassin")
    if not RULES.is_dir() or not any(PLUGINS.glob("*.pre")):
        pytest.skip("the rules of SpamAssassin are not installed")
    site, home, inbox = folder / "sa-site", folder / "sa-home", folder / "sa-inbox"
    for made in (site, home, inbox):
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
    for plugins in PLUGINS.glob("*.pre"):
        shutil.copy(plugins, site)
    paths = [inbox / f"{number}.eml" for number in range(len(mails))]
    for path, content in zip(paths, mails.values(), strict=True):
        path.write_bytes(content)
    options = ["--local", "--test-mode", "--nocreate-prefs", "--prefspath=/dev/null"]
    options += [f"--configpath={RULES}", f"--siteconfigpath={site}"]
    said = subprocess.run(
        [
            command,
            *options,
            "--cf=use_bayes 0",
            "--cf=add_header all Points _TESTSSCORES(|)_",
            *paths,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )
    found = re.findall(r"(?m)^X-Spam-Points: (.*(?:\n[ \t].*)*)", said.stdout)
    scores = re.findall(r"(?m)^X-Spam-Status: \w+, score=(-?[\d.]+)", said.stdout)
    assert len(found) == len(scores) == len(mails), said.stderr
    told = zip(scores, found, strict=True)
    return dict(zip(mails, (_judged(score, rules) for score, rules in told), strict=True))


def _judged(score: str, rules: str) -> Judged:
    pairs = (pair.partition("=") for pair in re.sub(r"\s+", "", rules).split("|"))
    return Judged(float(score), {name: float(points) for name, _, points in pairs if points})


def as_received(mail: bytes) -> bytes:
    """The mail as it lies in an inbox after a relay and the recipient's server took it."""
    trace = (
        "Return-Path: <digest@papers.example>\r\n"
        "Received: from relay.papers.example (relay.papers.example [93.184.216.34])\r\n"
        "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n"
        "\tby mx.example.com (Postfix) with ESMTPS id 4XyZ1k2m3nz1\r\n"
        "\tfor <ada@example.com>; Thu, 12 Mar 2026 09:00:02 +0000 (UTC)\r\n"
        "Received: from digest.papers.example (localhost [127.0.0.1])\r\n"
        "\tby relay.papers.example (Postfix) with ESMTP id 4XyZ1j0m2nz9\r\n"
        "\tfor <ada@example.com>; Thu, 12 Mar 2026 09:00:01 +0000 (UTC)\r\n"
    )
    return trace.encode() + mail


def require_clean(folder: Path, mails: Mapping[str, bytes]) -> None:
    """No mail has more than 0.0 points; what fired is printed."""
    verdicts = judged(folder, mails)
    for kind, verdict in verdicts.items():
        sys.stdout.write(f"{kind}: {verdict}\n")
    assert {kind: str(verdict) for kind, verdict in verdicts.items() if verdict.score > 0} == {}


@pytest.mark.parametrize("site", ["https://papers.example", ""])
def test_no_kind_of_mail_scores_above_zero(
    desk: Desk, sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: str
) -> None:
    tool("spamassassin")
    monkeypatch.setenv("DIGEST_SITE__URL", site)
    sign_with_new_keys(desk, monkeypatch)
    mails = every_kind(desk, Taken(sink))
    as_sent = {f"{kind}, as sent": mail for kind, mail in mails.items()}
    received = {f"{kind}, as received": as_received(mail) for kind, mail in mails.items()}
    require_clean(tmp_path, as_sent | received)


def test_no_kind_of_mail_scores_above_zero_out_of_a_real_postfix(
    desk: Desk, postfix: Postfix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("spamassassin")
    through(postfix, monkeypatch)
    sign_with_new_keys(desk, monkeypatch)
    require_clean(tmp_path, every_kind(desk, Delivered(postfix, "reader42", "reader43"), ()))


def test_digests_of_real_papers_score_no_more(
    desk: Desk, shared: Path, sink: Sink, tmp_path: Path
) -> None:
    for page in sorted((shared / "batches").glob("*.txt")):
        desk.ok("fetch", "--file", page, "--format", "page", *EARLIER)
    rows = [f"reader{n}@example.com,{topics},20,active" for n, topics in enumerate(TOPICS)]
    people = "\n".join(["email,interests,max_papers,status", *rows, ""])
    desk.ok("subscribers", "import", desk.write("people.csv", people))
    desk.ok("send", "--date", "2026-03-12", *NOW)
    assert len(sink.received) == len(TOPICS)
    require_clean(tmp_path, {mail.recipient: as_received(mail.content) for mail in sink.received})


def test_what_is_spam_scores_as_spam(tmp_path: Path) -> None:
    gtube = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    head = b"From: eve@example.net\r\nTo: ada@example.com\r\nSubject: Hello\r\n\r\n"
    verdict = judged(tmp_path, {"spam": head + gtube + b"\r\n"})["spam"]
    assert verdict.score > 100
    assert "GTUBE" in verdict.rules
