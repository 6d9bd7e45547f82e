"""The feeds of feedparser's own tests, each through the door and to every exit."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from digest.domain.papers import Listing
from digest.errors import SourceUnreadable
from digest.sources.entries import make_listing
from digest.sources.feedxml import parse_feed
from digest.sources.formats import kind_of, parsed
from tests.builders import NOON
from tests.corpora import harm
from tests.corpora.house import NOW, House
from tests.reliability import record

WATCHED = ("socket.", "urllib.", "http.", "ftplib.", "subprocess.", "os.system", "os.exec")
_reached: list[str] = []
_watching = [False]


@contextmanager
def watched() -> Iterator[list[str]]:
    """What this process reaches for meanwhile: networks, other programs, files but Python's own."""
    if not _reached:
        _reached.append("")  # hooks cannot be taken away: one for all, which mostly looks away
        sys.addaudithook(_note)
    del _reached[1:]
    _watching[0] = True
    try:
        yield _reached
    finally:
        _watching[0] = False


def _note(event: str, args: tuple[object, ...]) -> None:
    if not _watching[0]:
        return
    if event.startswith(WATCHED):
        _reached.append(f"{event} {args!r:.80}")
    elif event == "open" and not str(args[0]).endswith((".py", ".pyc", ".so", "PKG-INFO")):
        _reached.append(f"open {args[0]}")


def read(files: Sequence[Path]) -> tuple[list[Listing], int]:
    """The papers in the files, and how many files were refused.

    Most of the files hold words in one field alone and none in the title: what is in an entry of
    those comes again under a title of ours, so that it gets through the door.
    """
    found: list[Listing] = []
    refused = 0
    for file in files:
        body = file.read_bytes()
        with watched() as reached:
            for name in ("feed", "arxiv-rss", "arxiv-api"):
                try:
                    came = parsed(kind_of(name), body, NOON, url="https://example.org/feed")
                except SourceUnreadable as exc:
                    assert "\n" not in str(exc), file
                    refused += name == "feed"
                else:
                    found += [
                        replace(one, title=f"{one.title} ({file.stem})") for one in came.listings
                    ]
            found += list(_under_a_title(body, file.stem))
        assert reached[1:] == [], (file, reached[1:])
    return found, refused


def _under_a_title(body: bytes, name: str) -> Iterator[Listing]:
    try:
        came = parse_feed(body, url="https://example.org/feed")
    except SourceUnreadable:
        return
    for number, entry in enumerate(came.entries[:5]):
        words = [str(value) for value in entry.values() if isinstance(value, str)]
        words += [part.get("value", "") for part in entry.get("content", ())]
        yield make_listing(
            title=f"Entry {number} of {name}: {' '.join(words)[:200]}",
            abstract=" ".join(
                [*words, str(came.feed.get("title")), str(came.feed.get("subtitle"))]
            ),
            authors=words[:5],
            categories=words[:5],
            page=entry.get("link"),
            venue=" ".join(words),
        )


def tried(house: House, files: Sequence[Path], every: int) -> None:
    listings, refused = read(files)
    for one in listings:
        for text in (one.title, one.abstract, *one.authors, *one.categories, one.venue or ""):
            assert not harm.in_text(text), text[:80]
        assert one.url is None or one.url.startswith(("http://", "https://")), one.url
    house.take(listings)
    readers = house.through_mail()
    house.through_pages(every)
    for person in readers:
        house.own_feeds(person)
    house.through_terminal(("papers", "list", "--limit", "0", *NOW))
    composed = house.cli.run(
        "subscribers", "add", "ada@lab.example", "-i", "entry", "--confirmed", *NOW
    )
    assert composed.code == 0, composed.err
    assert house.cli.run("compose", *NOW, "--dry-run").code == 0
    looks = sum(house.seen.looks.values())
    record(
        "feeds corpus", "feedparser", files=len(files), refused=refused, papers=len(listings),
        looks=looks, crashed=0, active=0, reached_out=0,
    )  # fmt: skip


def feeds_of(shared: Path) -> list[Path]:
    return sorted(p for p in (shared / "feeds/feedparser/tests").rglob("*") if p.is_file())


def test_every_twentieth_feed_comes_out_harmless(house: House, shared: Path) -> None:
    tried(house, feeds_of(shared)[::20], every=40)


@pytest.mark.slow
def test_every_feed_comes_out_harmless(house: House, shared: Path) -> None:
    files = feeds_of(shared)
    assert len(files) > 2_000
    tried(house, files, every=20)


def test_the_watch_would_tell_of_a_file_and_of_a_connection(tmp_path: Path) -> None:
    import socket

    (tmp_path / "secret").write_text("x")
    with watched() as reached:
        (tmp_path / "secret").read_text()
        with socket.socket() as one, pytest.raises(OSError):
            one.connect(("127.0.0.1", 1))
    assert any("secret" in one for one in reached)
    assert any("connect" in one for one in reached)
