"""What a paper says of itself beside its text: authors, categories and venue, as interests name
them. These are facts: they hold or not, and no threshold weighs them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from digest.domain.interests import InterestKind
from digest.domain.papers import Paper
from digest.ranking.people import Person, is_same, spellings
from digest.ranking.vocabulary import fold

AUTHOR_RELEVANCE = 0.9
VENUE_RELEVANCE = 0.5
CATEGORY_RELEVANCE = 0.4  # a category holds hundreds of papers a day: a phrase tells more
ARCHIVE_RELEVANCE = 0.3

# letters and digits apart: `NeurIPS2026` is `NeurIPS 2026`
_VENUE_WORD = re.compile(r"[^\W\d_]+|\d+")

KINDS = frozenset((InterestKind.AUTHOR, InterestKind.CATEGORY, InterestKind.VENUE))


class Facts:
    """The facts of a pool of papers, numbered in the given order."""

    def __init__(self, papers: Sequence[Paper]) -> None:
        self._people = _people(papers)
        self._categories = _numbers((n, c) for n, p in enumerate(papers) for c in p.categories)
        self._venues = _numbers((n, p.venue) for n, p in enumerate(papers) if p.venue)

    def holders(self, kind: InterestKind, text: str) -> dict[int, float]:
        """The papers for which a fact holds, by number, and how relevant that makes them."""
        match kind:
            case InterestKind.AUTHOR:
                return dict.fromkeys((n for n, _ in self._authors(text)), AUTHOR_RELEVANCE)
            case InterestKind.CATEGORY:
                return self._in_category(text)
            case InterestKind.VENUE:
                venues = (v for v in self._venues if _is_at(v, text))
                return dict.fromkeys((n for v in venues for n in self._venues[v]), VENUE_RELEVANCE)
            case _:
                return {}

    def names(self, kind: InterestKind, text: str, number: int, paper: Paper) -> tuple[str, ...]:
        """The names in the paper of that number that are meant, as it spells them."""
        match kind:
            case InterestKind.AUTHOR:
                return tuple(dict.fromkeys(a for n, a in self._authors(text) if n == number))
            case InterestKind.CATEGORY:
                return tuple(c for c in paper.categories if _is_within(c, text))
            case InterestKind.VENUE:
                return (paper.venue,) if paper.venue and _is_at(paper.venue, text) else ()
            case _:
                return ()

    def _authors(self, text: str) -> list[tuple[int, str]]:
        return [
            (number, name)
            for wanted in spellings(text)
            for number, who, name in self._people.get(wanted.surname, ())
            if is_same(wanted, who)
        ]

    def _in_category(self, text: str) -> dict[int, float]:
        found: dict[int, float] = {}
        for name, numbers in self._categories.items():
            if _is_within(name, text):
                exact = fold(name.strip()) == fold(text.strip())
                value = CATEGORY_RELEVANCE if exact else ARCHIVE_RELEVANCE
                found |= {n: max(value, found.get(n, 0.0)) for n in numbers}
        return found


def _people(papers: Sequence[Paper]) -> dict[str, list[tuple[int, Person, str]]]:
    people: dict[str, list[tuple[int, Person, str]]] = defaultdict(list)
    for number, paper in enumerate(papers):
        for author in paper.authors:
            for who in spellings(author):
                people[who.surname].append((number, who, author))
    return dict(people)


def _numbers(pairs: Iterable[tuple[int, str]]) -> dict[str, list[int]]:
    held: dict[str, list[int]] = defaultdict(list)
    for number, name in pairs:
        held[name].append(number)
    return dict(held)


def _is_within(category: str, wanted: str) -> bool:
    """Whether a category is the wanted one, or in the archive wanted: `cs` or `cs.*` for cs.CL."""
    name, asked = fold(category.strip()), fold(wanted.strip()).removesuffix(".*")
    return name == asked or name.startswith(f"{asked}.")


def _is_at(venue: str, wanted: str) -> bool:
    """Whether a venue has the wanted words, whole and one after the other."""
    held, asked = _VENUE_WORD.findall(fold(venue)), _VENUE_WORD.findall(fold(wanted))
    size = len(asked)
    return size > 0 and any(held[at : at + size] == asked for at in range(len(held) - size + 1))
