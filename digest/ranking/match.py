"""Interests against a pool of papers: one sparse row per distinct interest, made once and kept."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digest.domain.digests import Where
from digest.domain.interests import Interest, InterestKind
from digest.domain.papers import Paper
from digest.ranking.compounds import Compounds
from digest.ranking.evidence import Evidence, Page, Phrase, evidence, holds
from digest.ranking.people import Person, is_same, person
from digest.ranking.statistics import Statistics
from digest.ranking.vocabulary import Token, fold, tokens

AUTHOR_RELEVANCE = 0.9
CATEGORY_RELEVANCE = 0.4  # a category holds hundreds of papers a day: a phrase tells more
ARCHIVE_RELEVANCE = 0.3

_MOST_WORDS = 6  # of spellings shown for one pick

Key = tuple[InterestKind, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One interest's matches: paper numbers, ascending, and the relevance of each, above 0.

    `certain` rows (authors, categories) are facts, which no threshold weighs.
    """

    papers: NDArray[np.int64]
    relevance: NDArray[np.float64]
    certain: bool = False


class Matcher:
    """A pool of papers, numbered in the given order, that interests are matched with."""

    def __init__(
        self, papers: Sequence[Paper], statistics: Statistics, interests: Iterable[Interest] = ()
    ) -> None:
        """`interests` known beforehand teach compounds (`metalearning`); others may come later."""
        self.papers = papers
        self._statistics = statistics
        fields = [(tokens(paper.title), tokens(paper.abstract)) for paper in papers]
        self._compounds = _compounds(fields, interests)
        parted = self._compounds.parted
        self.pages = [Page(parted(title), parted(abstract)) for title, abstract in fields]
        self._holders = _postings(self.pages)
        self._people = _people(papers)
        self._categories = _categories(papers)
        self._rows: dict[Key, Row] = {}
        self._barred: dict[Key, NDArray[np.int64]] = {}

    def row(self, interest: Interest) -> Row:
        """The papers that match an interest."""
        key = (interest.kind, interest.key)
        if key not in self._rows:
            self._rows[key] = self._match(interest)
        return self._rows[key]

    def barred(self, interest: Interest) -> NDArray[np.int64]:
        """The papers that an excluded interest rules out: a phrase counts where it stands whole."""
        key = (interest.kind, interest.key)
        if key not in self._barred:
            if interest.kind is InterestKind.PHRASE:
                phrase = self._phrase(interest.text)
                found = [n for n in self._candidates(phrase) if holds(self.pages[n], phrase)]
                self._barred[key] = np.array(found, np.int64)
            else:
                self._barred[key] = self.row(interest).papers
        return self._barred[key]

    def found(self, interest: Interest, number: int) -> tuple[Where, tuple[str, ...]]:
        """Where a matched paper holds the interest, and the spellings found there first."""
        paper = self.papers[number]
        match interest.kind:
            case InterestKind.AUTHOR:
                names = (a for n, who, a in self._authors(interest.text) if n == number)
                return Where.AUTHOR, tuple(names)
            case InterestKind.CATEGORY:
                names = (c for c in paper.categories if _is_within(c, interest.text))
                return Where.CATEGORY, tuple(names)
            case InterestKind.PHRASE:
                page = self.pages[number]
                proof = evidence(page, self._phrase(interest.text))
                return (proof.where, _spellings(paper, page, proof)) if proof else (Where.TITLE, ())

    def _match(self, interest: Interest) -> Row:
        match interest.kind:
            case InterestKind.AUTHOR:
                numbers = {number for number, _, _ in self._authors(interest.text)}
                return _certain(dict.fromkeys(numbers, AUTHOR_RELEVANCE))
            case InterestKind.CATEGORY:
                return _certain(self._in_category(interest.text))
            case InterestKind.PHRASE:
                return self._match_phrase(self._phrase(interest.text))

    def _match_phrase(self, phrase: Phrase) -> Row:
        found: list[int] = []
        relevance: list[float] = []
        for number in self._candidates(phrase):
            if proof := evidence(self.pages[number], phrase):
                found.append(number)
                relevance.append(proof.relevance)
        return Row(papers=np.array(found, np.int64), relevance=np.array(relevance, np.float64))

    def _phrase(self, text: str) -> Phrase:
        return Phrase.of(text, self._compounds.parted(tokens(text)), self._statistics)

    def _candidates(self, phrase: Phrase) -> list[int]:
        """The papers with all telling words, by form or stem."""
        columns = [
            set().union(
                *(self._holders.get(name, ()) for name in phrase.stems[n] or phrase.forms[n])
            )
            for n in phrase.telling
        ]
        return sorted(set.intersection(*columns)) if columns else []

    def _authors(self, text: str) -> list[tuple[int, Person, str]]:
        wanted = person(text)
        known = self._people.get(wanted.surname, []) if wanted else []
        return [entry for entry in known if wanted and is_same(wanted, entry[1])]

    def _in_category(self, text: str) -> dict[int, float]:
        found: dict[int, float] = {}
        for name, numbers in self._categories.items():
            if _is_within(name, text):
                exact = name == fold(text.strip())
                value = CATEGORY_RELEVANCE if exact else ARCHIVE_RELEVANCE
                found |= {n: max(value, found.get(n, 0.0)) for n in numbers}
        return found


def _compounds(
    fields: Iterable[tuple[list[Token], list[Token]]], interests: Iterable[Interest]
) -> Compounds:
    compounds = Compounds()
    for pair in fields:
        compounds.learn(pair)
    phrases = (tokens(i.text) for i in interests if i.kind is InterestKind.PHRASE)
    compounds.learn(phrases, spaced=True)
    return compounds


def _postings(pages: Sequence[Page]) -> dict[str, list[int]]:
    """The papers that hold a word, by its stem and by its form (which differ for names)."""
    holders: dict[str, list[int]] = defaultdict(list)
    for number, page in enumerate(pages):
        for name in page.stems.keys() | page.forms.keys():
            holders[name].append(number)
    return dict(holders)


def _people(papers: Sequence[Paper]) -> dict[str, list[tuple[int, Person, str]]]:
    people: dict[str, list[tuple[int, Person, str]]] = defaultdict(list)
    for number, paper in enumerate(papers):
        for author in paper.authors:
            if who := person(author):
                people[who.surname].append((number, who, author))
    return dict(people)


def _categories(papers: Sequence[Paper]) -> dict[str, list[int]]:
    held: dict[str, list[int]] = defaultdict(list)
    for number, paper in enumerate(papers):
        for category in {fold(name.strip()) for name in paper.categories}:
            held[category].append(number)
    return dict(held)


def _is_within(category: str, wanted: str) -> bool:
    """Whether a category is the wanted one, or in the archive wanted: `cs` or `cs.*` for cs.CL."""
    name, asked = fold(category.strip()), fold(wanted.strip()).removesuffix(".*")
    return name == asked or name.startswith(f"{asked}.")


def _certain(found: dict[int, float]) -> Row:
    numbers = sorted(found)
    relevance = np.array([found[n] for n in numbers], np.float64)
    return Row(papers=np.array(numbers, np.int64), relevance=relevance, certain=True)


def _spellings(paper: Paper, page: Page, proof: Evidence) -> tuple[str, ...]:
    """The distinct spellings of the evidence, those of the title first."""
    spelled: dict[str, None] = {}
    for text, words, spans in (
        (paper.title, page.title, proof.title),
        (paper.abstract, page.abstract, proof.abstract),
    ):
        for first, past in spans:
            spelled.setdefault(" ".join(text[words[first].start : words[past - 1].end].split()))
    return tuple(spelled)[:_MOST_WORDS]
