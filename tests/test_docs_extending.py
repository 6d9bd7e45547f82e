"""docs/extending.md is put into a copy of the program as it stands, and does what it says."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from digest.mail.sink import Sink
from digest.store.version import NEWEST
from tests.commands import SECRETS
from tests.docs.reading import blocks
from tests.docs.reference import ROOT

PAGE = "docs/extending.md"
NEXT = f"{int(NEWEST) + 1:04d}"
REPLY = {
    "items": [
        {"name": "Slow Tides", "text": "On tides.", "people": ["Ada L", 3], "day": "2026-03-12",
         "doi": "10.1234/tides", "stars": 12},
        {"name": "", "text": "has no title"},
        "no object",
        {"name": "Quick Sand", "stars": "many"},
    ]
}  # fmt: skip


RUNS = """
import runpy, shlex, sys
from digest.cli import main
for line in sys.argv[1:]:
    sys.argv = shlex.split(line)
    try:
        main(sys.argv[1:]) if sys.argv[0] == "digest" else runpy.run_path(sys.argv[0])
    except SystemExit as exc:
        assert exc.code in (0, 3), (line, exc.code)
    sys.stderr.flush()
    print(end="\\0", flush=True)
"""


@dataclass(frozen=True)
class Copy:
    """A copy of the program that can be changed, and run in a folder with a store."""

    folder: Path

    def apply(self, *sections: str) -> None:
        """Do what the page says under these headings."""
        for text in sections:
            for block in blocks(PAGE):
                name = re.match(r"# ([\w./]+)\n", block.text)
                if name and _section(block.text) == text:
                    self._apply(name[1], block.language, block.text.partition("\n")[2])

    def _apply(self, name: str, language: str, text: str) -> None:
        name, text = (part.replace("NEXT", NEXT).replace("LAST", NEWEST) for part in (name, text))
        path = self.folder / name
        if language != "diff":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        rows = [(row[:1], row[1:]) for row in text.splitlines()]
        old = "\n".join(row for mark, row in rows if mark != "+") + "\n"
        new = "\n".join(row for mark, row in rows if mark != "-") + "\n"
        whole = path.read_text(encoding="utf-8")
        assert whole.count(old) == 1, f"{name} has no such place any more: {old}"
        path.write_text(whole.replace(old, new), encoding="utf-8")

    def run(self, *lines: str, given: str = "") -> list[str]:
        """Run these lines in one process in the copy, `digest …` or a script with its arguments;
        what each says. Each must end well, or with some part refused.
        """
        done = subprocess.run(
            [sys.executable, "-c", RUNS, *lines], cwd=self.folder, input=given, check=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | SECRETS | {"PYTHONPATH": str(self.folder)},
        )  # fmt: skip
        *said, last = done.stdout.split("\0")
        assert last == "", last
        return said


def _section(block: str) -> str:
    """The heading under which a block stands."""
    before = (ROOT / PAGE).read_text(encoding="utf-8").partition(block)[0]
    return re.findall(r"^## (.+)$", before, re.MULTILINE)[-1]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copy:
    for name in list(os.environ):
        if name.startswith("DIGEST_"):
            monkeypatch.delenv(name)
    unwanted = shutil.ignore_patterns("__pycache__", "_bundled")
    for name in ("digest", "templates", "migrations"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=unwanted)
    return Copy(tmp_path)


@pytest.mark.slow
def test_a_script_that_prints_json_lines_is_a_source(copy: Copy) -> None:
    copy.apply("A source, without touching the program")
    good = {"items": [REPLY["items"][0]]}
    (lines,) = copy.run("reading_list.py", given=json.dumps(good))
    (copy.folder / "papers").mkdir()
    (copy.folder / "papers" / "today.jsonl").write_text(lines, encoding="utf-8")
    config, _ = blocks(PAGE, "toml")
    (copy.folder / "config.toml").write_text(config.text, encoding="utf-8")
    _, fetched, listed = copy.run(
        "digest db upgrade", "digest fetch reading-list", "digest papers list --json"
    )
    assert "1 listed, 1 new" in fetched
    (paper,) = json.loads(listed)
    assert (paper["title"], paper["published_on"]) == ("Slow Tides", "2026-03-12")


@pytest.mark.slow
def test_a_parser_of_thirty_lines_is_a_kind_of_source(copy: Copy) -> None:
    copy.apply("A source as a kind of its own")
    parser = (copy.folder / "digest/sources/readinglist.py").read_text(encoding="utf-8")
    assert len([line for line in parser.splitlines() if line.strip()]) <= 30
    (copy.folder / "list.json").write_text(json.dumps(REPLY), encoding="utf-8")
    _, config = blocks(PAGE, "toml")
    local = re.sub(r'url = ".*"', 'path = "list.json"', config.text)
    assert local != config.text
    (copy.folder / "config.toml").write_text(local, encoding="utf-8")
    _, checked, fetched, sources, listed = copy.run(
        "digest db upgrade", "digest db check", "digest fetch", "digest sources list",
        "digest papers list --json",
    )  # fmt: skip
    assert "as they should be" in checked
    assert "2 listed, 2 new, 0 known, 2 rejected" in fetched
    assert "item 2" in fetched
    assert "item 3" in fetched
    assert "reading-list" in sources
    papers = {one["title"]: one for one in json.loads(listed)}
    assert papers["Slow Tides"]["authors"] == ["Ada L"]
    assert papers.keys() == {"Slow Tides", "Quick Sand"}


MIGRATION = re.compile(r"(?s)# migrations/versions/NEXT_reading_list.py\n(.*?)```")


@pytest.mark.slow
def test_a_new_kind_of_mail_is_queued_once_and_sent(copy: Copy) -> None:
    copy.apply("A mail")
    found = MIGRATION.search((ROOT / PAGE).read_text(encoding="utf-8"))
    assert found
    like = found[1].replace("SourceKind", "MailKind").replace("domain.papers", "domain.deliveries")
    like = like.replace("sources", "deliveries").replace("reading-list", "anniversary")
    copy._apply("migrations/versions/NEXT_anniversary.py", "python", like)
    copy._apply("digest/store/version.py", "diff", '-NEWEST = "LAST"\n+NEWEST = "NEXT"\n')
    with Sink() as relay:
        (copy.folder / "config.toml").write_text(
            f'[sender]\naddress = "papers@your-lab.example"\n[smtp]\nhost = "{relay.host}"\n'
            f'port = {relay.port}\nsecurity = "none"\n[web]\nport = 0\n',
            encoding="utf-8",
        )
        *_, sent = copy.run(
            "digest db upgrade", "digest subscribers add ada@example.com --confirmed",
            "anniversaries.py ada@example.com", "anniversaries.py ada@example.com",
            "digest deliver",
        )  # fmt: skip
        assert "1 sent" in sent
        (mail,) = [message_from_bytes(one.content, policy=default) for one in relay.received]
    assert str(mail["Subject"]).startswith("A year of papers, since ")
    for kind in ("plain", "html"):
        assert "You have been with us since" in mail.get_body((kind,)).get_content()
    assert mail["List-Unsubscribe"]
