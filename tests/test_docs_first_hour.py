"""docs/first-hour.md is done here as it stands: every command, from an empty folder to the mail."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from digest.mail.sink import Sink
from tests.commands import Desk
from tests.docs.reading import blocks
from tests.docs.reference import ROOT

PAGE = "docs/first-hour.md"
# What a test cannot do again: they set up what it runs in. 'make demo' is tested by itself.
SET_UP = (
    "git clone <this repository> digest && cd digest",
    "make demo",
    ". .venv/bin/activate",
    "mkdir -p ~/papers && cd ~/papers",
)
STARTED_S = 25
SAMPLE = ROOT / "digest" / "sample"


@pytest.fixture
def hour(bare_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An empty folder; the sources of the default config answer from files."""
    monkeypatch.setenv(
        "DIGEST_SOURCES",
        f'[{{"name": "huggingface", "kind": "huggingface", "path": "{SAMPLE / "daily.json"}"}},'
        f' {{"name": "arxiv", "kind": "arxiv-rss", "path": "{SAMPLE / "feed.xml"}"}}]',
    )
    monkeypatch.setenv("DIGEST_WEB__PORT", "0")  # another test may have the port
    monkeypatch.setenv("DIGEST_RANKING__TIER", "core")  # weights need not be installed
    return bare_desk


@pytest.mark.slow
def test_the_first_hour_ends_with_a_signed_digest_in_the_mailbox(hour: Desk) -> None:
    done: list[str] = []
    with Sink() as relay:
        for block in blocks(PAGE):
            if block.language == "toml":
                configure(hour.folder / "config.toml", block.text, relay)
                continue
            for line in lines(block.text):
                done.append(line)
                if line == "digest run":
                    run_until_started(hour.folder)
                elif line not in SET_UP:
                    words = shlex.split(line)
                    assert words[0] == "digest", line
                    hour.ok(*words[1:])
        mails = [message_from_bytes(one.content, policy=default) for one in relay.received]
    assert set(SET_UP) <= set(done)
    tried, signed, real = mails  # and none by the daemon: one digest per local date
    assert str(tried["Subject"]).startswith("[Test]")
    assert "DKIM-Signature" not in tried
    assert "d=your-lab.example" in str(signed["DKIM-Signature"])
    assert "DKIM-Signature" in real
    assert real["To"] == "you@your-lab.example"
    assert "ontinual" in real.get_body(("plain",)).get_content()
    assert {path.suffix for path in (hour.folder / "preview").iterdir()} == {
        ".html",
        ".txt",
        ".eml",
    }


def lines(block: str) -> list[str]:
    """The command lines of a block, without what explains them."""
    return [bare for line in block.splitlines() if (bare := re.sub(r"\s+# .*$", "", line))]


def configure(config: Path, block: str, relay: Sink) -> None:
    """Set the keys of a block in the config, where each has its line; the relay is the sink."""
    text = config.read_text(encoding="utf-8")
    section = ""
    for line in block.splitlines():
        if line.startswith("["):
            section = line
        elif " = " in line:
            key = line.partition(" = ")[0]
            begin, end = text.split(f"\n{section}\n", 1)
            assert re.search(rf"(?m)^{key} = ", end.partition("\n[")[0]), f"{section} has no {key}"
            text = f"{begin}\n{section}\n" + re.sub(rf"(?m)^{key} = .*$", line, end, count=1)
    text = re.sub(r'(?m)^host = "mail.*$', f'host = "{relay.host}"', text)
    text = re.sub(r"(?m)^port = 0$", f"port = {relay.port}", text, count=1)
    text = re.sub(r'(?m)^security = ".*$', 'security = "none"', text)
    text = re.sub(r'(?m)^username = "papers"$', 'username = ""', text)  # the sink asks for none
    config.write_text(text, encoding="utf-8")


def run_until_started(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "digest", "run"], cwd=folder, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    said = ""
    try:
        assert process.stderr
        until = time.monotonic() + STARTED_S
        while "started" not in said and time.monotonic() < until:
            said += process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said += process.communicate(timeout=STARTED_S)[1]
        assert process.returncode == 0, said
        assert "stopped" in said
        assert "error" not in said
    finally:
        process.kill()
        process.communicate()
