"""The parsers on real and hostile material."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest.domain.papers import Batch
from digest.errors import SourceUnreadable
from digest.sources.formats import parse_bytes

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


def read(fmt: str, body: bytes | str, *, url: str | None = None) -> Batch:
    data = body.encode() if isinstance(body, str) else body
    return parse_bytes(fmt, data, source="test", now=NOW, url=url)


def test_every_real_day_gives_as_many_papers_as_it_holds(shared: Path) -> None:
    files = sorted((shared / "feeds/hf").glob("*.json"))
    assert files
    for file in files:
        body = file.read_bytes()
        batch = read("hf-json", body)
        assert len(batch.listings) == len(json.loads(body)), file.name
        assert {str(listing.listed_on) for listing in batch.listings} == {file.stem}
        assert all(listing.aliases and listing.authors for listing in batch.listings)


def test_real_arxiv_replies_give_as_many_papers_as_they_hold(shared: Path) -> None:
    for file in (shared / "feeds/arxiv").glob("*.xml"):
        fmt = "arxiv-rss" if file.name.startswith("rss.") else "arxiv-api"
        body = file.read_bytes()
        batch = read(fmt, body)
        assert len(batch.listings) == body.count(b"<entry>") + body.count(b"<item>")
        assert not batch.rejected
        assert not any(listing.abstract.startswith("arXiv:") for listing in batch.listings)


def test_spoiled_real_days_are_broken(shared: Path) -> None:
    for file in (shared / "feeds/malformed/hf-python-repr").glob("*.json"):
        with pytest.raises(SourceUnreadable, match="Python repr"):
            read("hf-json", file.read_bytes())


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("miniflux/encoding_WINDOWS-1251.xml", "Цитата #17705"),
        ("miniflux/rdf_UTF8.xml", "OLED-TVs: Vorsichtsmaßnahmen gegen Einbrennen"),
        ("miniflux/no_encoding_ISO-8859-1.xml", "La criminalité liée surtout à... l'ennui ?"),
        ("malformed/paramita619_edge_ai_daily_iso8859-1-declared.xml", "[2] [大V/权威] OpenAI is"),
    ],
)
def test_real_feeds_in_many_encodings_decode(shared: Path, name: str, title: str) -> None:
    batch = read("feed", (shared / "feeds" / name).read_bytes())
    assert any(listing.title.startswith(title) for listing in batch.listings)


def test_hostile_xml_is_refused_or_harmless(shared: Path) -> None:
    for file in (shared / "hostile/defusedxml").glob("*.xml"):
        with pytest.raises(SourceUnreadable):
            read("feed", file.read_bytes())


def feeds_of(shared: Path) -> list[Path]:
    return sorted(p for p in (shared / "feeds/feedparser/tests").rglob("*") if p.is_file())


def survives(file: Path) -> None:
    try:
        read("feed", file.read_bytes(), url="https://example.org/feed")
    except SourceUnreadable as exc:
        assert "\n" not in str(exc), file


def test_ill_formed_feeds_never_crash(shared: Path) -> None:
    for file in feeds_of(shared)[::10]:
        survives(file)


@pytest.mark.slow
def test_all_ill_formed_feeds_never_crash(shared: Path) -> None:
    files = feeds_of(shared)
    assert len(files) > 2_000
    for file in files:
        survives(file)


def test_hostile_payloads_in_every_field_come_out_plain(shared: Path) -> None:
    payloads = json.loads((shared / "hostile/blns/blns.json").read_text())
    lines = [
        json.dumps({"title": "T " + p, "abstract": p, "authors": [p], "url": p, "venue": p})
        for p in payloads
    ]
    batch = read("jsonl", "\n".join(lines))
    assert len(batch.listings) == len(payloads)
    for listing in batch.listings:
        text = f"{listing.title}{listing.abstract}{listing.authors}{listing.url}"
        assert not any(ord(c) < 32 or c in "\x7f\x9b\u202e\u2066" for c in text)
