"""Papers for a store of any size: real listings where they are at hand, else an invented language.

The shelf of a size larger than what there is repeats its texts under other ids and titles.
"""

import json
from pathlib import Path

from digest.domain.papers import Attention, Links, Listing
from tests.benchmarks.test_pipeline import Language
from tests.builders import a_listing


def real(shared: Path) -> list[Listing]:
    """A month of arXiv as it was listed."""
    path = shared / "ranking" / "arxiv_daily_dev" / "papers.jsonl"
    with path.open(encoding="utf-8") as lines:
        return [_read(number, json.loads(line)) for number, line in enumerate(lines)]


def invented(count: int) -> list[Listing]:
    language = Language.invented()
    return [_invent(language, number) for number in range(count)]


def shelf(shared: Path | None, count: int) -> list[Listing]:
    return real(shared)[:count] if shared else invented(count)


def _read(number: int, item: dict[str, object]) -> Listing:
    authors, fields = item.get("authors"), item.get("categories")
    return a_listing(
        str(item["title"]),
        arxiv=str(item["id"]),
        abstract=str(item["abstract"]),
        authors=tuple(map(str, authors)) if isinstance(authors, list) else (),
        categories=tuple(map(str, fields)) if isinstance(fields, list) else (),
        attention=Attention(upvotes=(number * 37) % 90),
        links=Links(pdf=f"https://arxiv.org/pdf/{item['id']}"),
    )


def _invent(language: Language, number: int) -> Listing:
    dice = language.dice
    arxiv = f"2603.{number:05d}"
    return a_listing(
        language.text(dice.randint(6, 12)).title(),
        arxiv=arxiv,
        abstract=". ".join(language.text(16).capitalize() for _ in range(10)) + ".",
        authors=tuple(language.text(2).title() for _ in range(dice.randint(1, 9))),
        categories=tuple(dice.sample(["cs.LG", "cs.CL", "cs.CV", "stat.ML", "cs.RO"], k=2)),
        attention=Attention(upvotes=dice.randint(0, 80)),
        links=Links(pdf=f"https://arxiv.org/pdf/{arxiv}"),
    )
