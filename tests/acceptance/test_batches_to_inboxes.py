"""The whole way on real material: listing pages → papers → 100 digests → a real SMTP server."""

import email
import email.policy
import json
import re
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from digest.mail.sink import Sink
from tests.commands import Desk

READERS = 100
PER_READER = 4


def _pages(shared: Path) -> list[Path]:
    return sorted((shared / "batches").glob("*.txt"))


def _fetch_pages(desk: Desk, shared: Path) -> Any:
    files = [part for page in _pages(shared) for part in ("--file", str(page))]
    return desk.ok("fetch", *files, "--format", "page", "--json").json


def _keywords(shared: Path) -> list[str]:
    lines = (shared / "ranking" / "openreview_kw" / "queries.jsonl").read_text().splitlines()
    found = [json.loads(line)["keywords"][0] for line in lines]
    return [word for word in found if len(word) <= 64 and not re.search(r"[;^\\]", word)]


def _people(shared: Path) -> str:
    words = _keywords(shared)
    rows = ["email,interests,status"]
    for n in range(READERS):
        mine = [words[(n * PER_READER + k) % len(words)] for k in range(PER_READER)]
        rows.append(f'reader{n}@example.com,"{";".join(mine)}",active')
    return "\n".join(rows) + "\n"


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def _folded(text: str) -> str:
    return " ".join(text.split())


def test_five_pages_are_704_papers_and_reading_them_again_adds_none(
    desk: Desk, shared: Path
) -> None:
    first = _fetch_pages(desk, shared)
    assert sum(page["listed"] for page in first) == 748
    assert sum(page["new"] for page in first) == 704
    assert all(not page["rejected"] for page in first)
    papers = desk.ok("papers", "list", "--limit", "0", "--json").json
    assert len(papers) == 704
    assert all(len(paper["abstract"]) > 200 for paper in papers)
    titles = {paper["title"] for paper in papers}
    assert (
        "Power Scheduler: A Batch Size and Token Number Agnostic Learning Rate Scheduler" in titles
    )
    assert not [title for title in titles if title.startswith("Subscribe")]
    again = _fetch_pages(desk, shared)
    assert sum(page["new"] for page in again) == 0
    assert len(desk.ok("papers", "list", "--limit", "0", "--json").json) == 704


def test_a_hundred_digests_arrive_and_equal_the_ledger(
    desk: Desk, shared: Path, sink: Sink
) -> None:
    _fetch_pages(desk, shared)
    people = desk.write("people.csv", _people(shared))
    desk.ok("subscribers", "import", people)
    desk.ok("send", "--date", "2026-03-12")
    assert len(sink.received) == READERS
    titles = {p["id"]: p["title"] for p in desk.ok("papers", "list", "--limit", "0", "--json").json}
    rows = desk.ok("deliveries", "list", "--limit", "0", "--json").json
    by_email = {row["email"]: row for row in rows if row["kind"] == "digest"}
    assert len(by_email) == READERS
    for mail in sink.received:
        row = by_email[mail.recipient]
        message = _parsed(mail.content)
        assert row["state"] == "sent"
        assert message["Message-ID"] == row["message_id"]
        assert message["To"] == mail.recipient
        text = _folded(message.get_body(("plain",)).get_content())  # type: ignore[union-attr]
        html = message.get_body(("html",)).get_content()  # type: ignore[union-attr]
        shown = [titles[paper] for paper in row["papers"]]
        assert shown, mail.recipient
        places = [text.find(_folded(title)) for title in shown]
        assert -1 not in places, (mail.recipient, shown)
        assert places == sorted(places), "the order of the ledger is the order in the mail"
        assert len(html.encode()) < 100_000
        links = _Links()
        links.feed(html)
        assert all(link.startswith(("https://", "http://", "mailto:")) for link in links.found)


@pytest.mark.slow
def test_second_day_brings_no_paper_twice(desk: Desk, shared: Path, sink: Sink) -> None:
    _fetch_pages(desk, shared)
    desk.ok("subscribers", "import", desk.write("people.csv", _people(shared)))
    desk.ok("send", "--date", "2026-03-12")
    desk.ok("send", "--date", "2026-03-13")
    rows = desk.ok("deliveries", "list", "--limit", "0", "--json").json
    seen: dict[str, list[int]] = {}
    for row in rows:
        seen.setdefault(row["email"], []).extend(row["papers"])
    assert len(sink.received) > READERS
    for address, papers in seen.items():
        assert len(papers) == len(set(papers)), address


@pytest.mark.parametrize("kind", ["hf"])
def test_every_saved_day_counts_as_the_file_does(desk: Desk, shared: Path, kind: str) -> None:
    distinct: set[str] = set()
    for day in sorted((shared / "feeds" / kind).glob("*.json")):
        ids = {entry["paper"]["id"] for entry in json.loads(day.read_text())}
        (done,) = desk.ok("fetch", "--file", day, "--format", "hf-json", "--json").json
        assert done["listed"] == len(ids), day.name
        assert done["new"] == len(ids - distinct), day.name
        distinct |= ids


def test_arxiv_payloads_count_as_the_file_does_and_a_replacement_is_not_new(
    desk: Desk, shared: Path
) -> None:
    folder = shared / "feeds" / "arxiv"
    forms = {"rss": "arxiv-rss", "export": "arxiv-api"}
    for path in sorted(folder.glob("*.xml")):
        body = path.read_text()
        form = forms[path.name.split(".")[0]]
        (done,) = desk.ok("fetch", "--file", path, "--format", form, "--json").json
        assert done["listed"] == body.count("<entry>"), path.name
        assert done["new"] == body.count("<entry>"), path.name
        replaced = re.sub(r"(\d{4}\.\d{4,5})v1", r"\1v2", body)
        newer = desk.write(path.name, replaced.replace(">new<", ">replace<"))
        (done,) = desk.ok("fetch", "--file", newer, "--format", form, "--json").json
        assert (done["new"], done["known"]) == (0, body.count("<entry>")), path.name
