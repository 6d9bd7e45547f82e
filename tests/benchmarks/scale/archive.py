"""An archive of papers of any size, written in bulk: years of arXiv, a few hundred papers a day."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from digest.domain.papers import Listing
from digest.store.identities import title_key
from tests.benchmarks.scale.bulk import write

A_DAY = 500
BOTH = 10  # one paper in so many is also known by a DOI

_PAPER = (
    "id", "title", "abstract", "authors", "categories", "url", "links", "tldr", "venue",
    "published_on", "first_seen_at", "updated_at",
)  # fmt: skip
_ALIAS = ("paper_id", "scheme", "value", "surname")
_SIGNAL = ("paper_id", "source_id", "listed_on", "read_at", "held_until", "upvotes")
_SOURCE = ("id", "name", "kind", "last_note")


def add_archive(url: str, texts: Sequence[Listing], count: int, until: datetime) -> None:
    """So many papers, the last of which were listed the day before `until`."""
    write(url, "sources", _SOURCE, [(1, "huggingface", "huggingface", "")])
    write(url, "papers", _PAPER, (_paper(texts, n, count, until) for n in range(1, count + 1)))
    write(url, "aliases", _ALIAS, _aliases(texts, count))
    write(url, "signals", _SIGNAL, (_signal(n, count, until) for n in range(1, count + 1)))


def title_of(texts: Sequence[Listing], number: int) -> str:
    """A title that no other paper of the archive has."""
    return f"{texts[number % len(texts)].title} {number}"


def arxiv_of(number: int) -> str:
    return f"{1001 + number // 100_000:04d}.{number % 100_000:05d}"


def seen_at(number: int, count: int, until: datetime) -> datetime:
    return until - timedelta(days=1 + (count - number) // A_DAY)


def _paper(
    texts: Sequence[Listing], number: int, count: int, until: datetime
) -> tuple[object, ...]:
    one, at = texts[number % len(texts)], seen_at(number, count, until)
    address = f"https://arxiv.org/abs/{arxiv_of(number)}"
    return (
        number, title_of(texts, number), one.abstract, json.dumps(one.authors),
        json.dumps(one.categories), address, "{}", None, None, at.astimezone(UTC).date(), at, at,
    )  # fmt: skip


def _aliases(texts: Sequence[Listing], count: int) -> Iterator[tuple[object, ...]]:
    for number in range(1, count + 1):
        one = texts[number % len(texts)]
        yield number, "arxiv", arxiv_of(number), ""
        if number % BOTH == 0:
            yield number, "doi", f"10.1000/{number}", ""
        named = Listing(title=title_of(texts, number), authors=one.authors)
        for key in title_key(named):
            yield number, "title", key.title, key.surname


def _signal(number: int, count: int, until: datetime) -> tuple[object, ...]:
    at = seen_at(number, count, until)
    return number, 1, at.astimezone(UTC).date(), at, at, number % 60
