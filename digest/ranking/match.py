"""Interests against a pool of papers: one sparse row per distinct interest, made once and kept.

Where several are joined by AND, a paper must have them all and none that must be absent. It is as
relevant as the least of its phrases; authors, categories and venues only admit it, unless there is
no phrase: then the most telling of them counts.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from digest.domain.digests import Part, Where
from digest.domain.interests import Interest, InterestKind
from digest.domain.papers import Paper
from digest.ranking.compounds import Compounds
from digest.ranking.corpus import WORDS_ALONE, Corpus, Understanding
from digest.ranking.evidence import Evidence, Page, Phrase, evidence, holds
from digest.ranking.facts import KINDS as FACTS
from digest.ranking.facts import Facts
from digest.ranking.features import spelled_terms
from digest.ranking.postings import Postings
from digest.ranking.statistics import Statistics, Text
from digest.ranking.topics import ENOUGH, Topic, Topics
from digest.ranking.vocabulary import Token, fold, is_name, tokens

_MOST_WORDS = 6  # of spellings shown for one pick
_CHUNK = 256  # interests matched at once: bounds the memory by chunk × papers
_SHARED_WORDS = 3  # shown for a related paper
_LONGEST_SHARED = 40  # characters of one: a line of a table or an address tells nothing

_PLACES = {
    InterestKind.AUTHOR: Where.AUTHOR,
    InterestKind.CATEGORY: Where.CATEGORY,
    InterestKind.VENUE: Where.VENUE,
}

Key = tuple[InterestKind, str, tuple[str, ...]]
Numbers = NDArray[np.int64]
Synonyms = Mapping[str, tuple[str, ...]]
"""Other texts that mean the same as an interest's text, by its `synonym_key`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Background:
    """What is known beside the pool: earlier papers, ways to tell what words mean, and what gives
    the synonyms of interests.
    """

    earlier: Sequence[Text] = ()
    understanding: Understanding = WORDS_ALONE
    synonyms: Callable[[Iterable[Interest]], Synonyms] = lambda _interests: {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One interest's matches: paper numbers, ascending, and the relevance of each, above 0.

    `certain` rows (authors, categories, venues) are facts, which no threshold weighs.
    """

    papers: Numbers
    relevance: NDArray[np.float64]
    certain: bool = False


class Matcher:
    """A pool of papers, numbered in the given order, that interests are matched with."""

    def __init__(
        self,
        papers: Sequence[Paper],
        statistics: Statistics,
        synonyms: Synonyms | None = None,
        background: Background | None = None,
    ) -> None:
        """A phrase is met by each of its `synonyms` as if that had been asked for; an exact one is
        not. With a `background` phrases are weighed by what they are about (topics.py), and papers
        come that are related to one without holding it.
        """
        self.papers = papers
        self._statistics = statistics
        self._synonyms = synonyms or {}
        self._wordings: dict[tuple[str, str], tuple[Phrase, ...]] = {}
        self._background = background
        fields = [(tokens(paper.title), tokens(paper.abstract)) for paper in papers]
        self._compounds = _compounds(fields)
        parted = self._compounds.parted
        self.pages = [
            Page(parted(title), parted(abstract), (paper.title, paper.abstract))
            for paper, (title, abstract) in zip(papers, fields, strict=True)
        ]
        self._postings = Postings(self.pages)
        self._facts = Facts(papers)
        self._topics = self._topics_of(background) if background else None
        self._shared: dict[Key, Mapping[int, tuple[int, ...]]] = {}
        self._found: dict[Key, Row] = {}
        self._rows: dict[Key, Row] = {}
        self._keys: dict[tuple[str, str], Key] = {}  # most readers want what others want
        self._barred: dict[Key, Numbers] = {}
        self._spellings: dict[int, dict[int, str]] = {}

    def learn(self, interests: Iterable[Interest]) -> None:
        """Match these interests now: many at once take less time than one by one."""
        unseen = {(one.kind, one.text): one for one in interests}
        fresh = [one for name, one in unseen.items() if self._keys.get(name) not in self._rows]
        new = {self._key(one): one for one in fresh}
        wanted = [one for key, one in new.items() if key not in self._rows]
        for first in range(0, len(wanted), _CHUNK):
            self._learn(wanted[first : first + _CHUNK])

    def forget(self) -> None:
        """Let go of the interests learnt so far: what is kept grows with every one."""
        for kept in (
            self._wordings,
            self._shared,
            self._found,
            self._rows,
            self._keys,
            self._barred,
            self._spellings,
        ):
            kept.clear()
        self._postings.forget()

    def _learn(self, wanted: Sequence[Interest]) -> None:
        phrases = [one for one in wanted if one.kind is InterestKind.PHRASE]
        found = self._topics.of([_spoken(one) for one in phrases]) if self._topics else ()
        topics = dict(zip(map(self._key, phrases), found, strict=False))
        for one in wanted:
            topic = topics.get(self._key(one))
            row = self._weighed(one, topic) if topic else self._evidence(one)
            self._rows[self._key(one)] = row

    def _weighed(self, interest: Interest, topic: Topic) -> Row:
        """A phrase's row by what the phrase is about, with the papers that are related to it.

        None is where enough papers hold it by a synonym, which the topic knows nothing of.
        """
        row = self._evidence(interest)
        related = {n: shared for n, shared in topic.related.items() if n not in row.papers}
        if related and len(self.barred(interest)) > ENOUGH:
            related = {}
        self._shared[self._key(interest)] = related
        papers = np.concatenate((row.papers, np.array(list(related), np.int64)))
        nearby = np.array([topic.relevance(n) for n in related], np.float64)
        values = np.concatenate((topic.weighed(row.papers, row.relevance), nearby))
        order = np.argsort(papers, kind="stable")
        return Row(papers=papers[order], relevance=values[order])

    def row(self, interest: Interest) -> Row:
        """The papers that match an interest, whether or not it is excluded."""
        key = self._key(interest)
        if key not in self._rows:
            self.learn([interest])
        return self._rows[key]

    def barred(self, interest: Interest) -> Numbers:
        """The papers that an excluded interest rules out, ascending: a phrase counts where it, or a
        synonym, stands whole.
        """
        key = self._key(interest)
        if key not in self._barred:
            self._barred[key] = self._bar(interest)
        return self._barred[key]

    def _key(self, interest: Interest) -> Key:
        name = interest.kind, interest.text
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = _key(interest)
        return key

    def found(self, interest: Interest, number: int) -> tuple[Where, tuple[str, ...]]:
        """Where a matched paper holds the interest, and the spellings found: the best evidence's
        first, and of it the title's.

        Of terms joined by AND the place is the first one's, and the spellings are those of all.
        """
        places = [self._place(term, number) for term in _wanted(interest)]
        words = (word for _, found in places for word in found)
        return places[0][0], tuple(dict.fromkeys(words))

    def parts(self, interest: Interest, number: int) -> tuple[Part, ...]:
        """Where each of several terms joined by AND is held; empty for an interest of one."""
        if interest.kind is not InterestKind.ALL:
            return ()
        return tuple(
            Part(where=self._place(term, number)[0], text=term.text) for term in _wanted(interest)
        )

    def _evidence(self, interest: Interest) -> Row:
        """The papers that hold an interest, by the evidence alone."""
        key = self._key(interest)
        if key not in self._found:
            self._found[key] = self._match(interest)
        return self._found[key]

    def _match(self, interest: Interest) -> Row:
        if interest.kind is InterestKind.ALL:
            return self._match_all(interest)
        if interest.kind in FACTS:
            return _row(self._facts.holders(interest.kind, interest.text), certain=True)
        found: dict[int, float] = {}
        for phrase in self._phrases(interest):
            for number in self._postings.candidates(phrase):
                if proof := evidence(self.pages[number], phrase):
                    found[number] = max(proof.relevance, found.get(number, 0.0))
        return _row(found)

    def _match_all(self, interest: Interest) -> Row:
        rows = [self._evidence(term) for term in _wanted(interest)]
        papers = self._without_absent(interest, _common(row.papers for row in rows))
        phrases = [row for row in rows if not row.certain]
        values = [row.relevance[np.searchsorted(row.papers, papers)] for row in phrases or rows]
        combined = np.min(values, axis=0) if phrases else np.max(values, axis=0)
        return Row(papers=papers, relevance=combined, certain=not phrases)

    def _bar(self, interest: Interest) -> Numbers:
        if interest.kind is InterestKind.ALL:
            whole = _common(self.barred(term) for term in _wanted(interest))
            return self._without_absent(interest, whole)
        if interest.kind in FACTS:
            return self._evidence(interest).papers
        found = {
            number
            for phrase in self._phrases(interest)
            for number in self._postings.candidates(phrase)
            if holds(self.pages[number], phrase)
        }
        return np.array(sorted(found), np.int64)

    def _without_absent(self, interest: Interest, papers: Numbers) -> Numbers:
        """The papers but for those that hold, whole, a term that must be absent."""
        for term in interest.terms:
            if term.excluded:
                papers = np.setdiff1d(papers, self.barred(term), assume_unique=True)
        return papers

    def _place(self, term: Interest, number: int) -> tuple[Where, tuple[str, ...]]:
        paper = self.papers[number]
        if term.kind in FACTS:
            return _PLACES[term.kind], self._facts.names(term.kind, term.text, number, paper)
        page = self.pages[number]
        proofs = [
            proof for phrase in self._phrases(term) if (proof := evidence(page, phrase)) is not None
        ]
        if not proofs:
            return Where.RELATED, self._shared_words(term, number)
        proofs.sort(key=lambda proof: -proof.relevance)  # their own words before equals
        words = (word for proof in proofs for word in _spellings(paper, page, proof))
        return proofs[0].where, tuple(dict.fromkeys(words))

    def _shared_words(self, interest: Interest, number: int) -> tuple[str, ...]:
        """What a related paper talks of as the papers on the interest do."""
        paper = self.papers[number]
        if number not in self._spellings:
            self._spellings[number] = dict(spelled_terms((paper.title, paper.abstract)).values())
        spelled = self._spellings[number]
        self.row(interest)
        columns = self._shared.get(self._key(interest), {}).get(number, ())
        shared = (spelled[column] for column in columns if column in spelled)
        return _distinct(word for word in shared if len(word) <= _LONGEST_SHARED)

    def _topics_of(self, background: Background) -> Topics:
        texts = [(paper.title, paper.abstract) for paper in self.papers]
        corpus = Corpus(
            texts,
            self._statistics,
            self._compounds,
            earlier=background.earlier,
            understanding=background.understanding,
        )
        return Topics(corpus)

    def _phrases(self, interest: Interest) -> tuple[Phrase, ...]:
        """What is looked for: the interest's own words first, then what means the same."""
        key = interest.kind, interest.text
        known = self._wordings.get(key)
        if known is None:
            known = self._wordings[key] = tuple(self._worded(interest))
        return known

    def _worded(self, interest: Interest) -> Iterator[Phrase]:
        if interest.kind is InterestKind.EXACT:
            words = self._compounds.parted(tokens(interest.text))
            yield Phrase.exactly(interest.text, words, self._statistics)
            return
        for text in (interest.text, *self._others(interest)):
            yield from self._spelled(text)

    def _others(self, interest: Interest) -> tuple[str, ...]:
        """What means the same as a phrase. Asked for each alone: `sam` is not to mean another thing
        because somebody else wants `SAM`.
        """
        learnt = self._background.synonyms([interest]) if self._background else {}
        key = synonym_key(interest.text)
        return learnt.get(key) or self._synonyms.get(key, ())

    def _spelled(self, text: str) -> Iterator[Phrase]:
        """The phrase of a text, and those with two of its words as the one that the pool has."""
        words = self._compounds.parted(tokens(text))
        yield Phrase.of(text, words, self._statistics)
        for joined in self._compounds.joinings(words, self._postings):
            yield Phrase.of(text, joined, self._statistics)


def synonym_key(text: str) -> str:
    """The text as its synonyms are looked up: the folded forms of its words."""
    return " ".join(token.form for token in tokens(text))


def _key(interest: Interest) -> Key:
    """What interests share a row: of their words those that are names keep their case, for `AIDS`
    is read in another way than `aids`.
    """
    if interest.kind in FACTS or interest.kind is InterestKind.EXACT:
        return interest.kind, interest.key, ()
    names = tuple(word for word in interest.text.split() if is_name(word))
    return interest.kind, interest.key, names


def _spoken(interest: Interest) -> str:
    """The text that stands for all with the same key: small letters but for names."""
    words = interest.text.split()
    return " ".join(word if is_name(word) else fold(word) for word in words)


def _distinct(spellings: Iterable[str]) -> tuple[str, ...]:
    """The first few spellings, without those that are part of another."""
    kept: list[str] = []
    for spelling in spellings:
        folded = spelling.casefold()
        if len(kept) < _SHARED_WORDS and not any(
            folded in one.casefold() or one.casefold() in folded for one in kept
        ):
            kept.append(spelling)
    return tuple(kept)


def _wanted(interest: Interest) -> list[Interest]:
    return [term for term in interest.terms if not term.excluded]


def _common(papers: Iterable[Numbers]) -> Numbers:
    return reduce(lambda one, other: np.intersect1d(one, other, assume_unique=True), papers)


def _compounds(fields: Iterable[tuple[list[Token], list[Token]]]) -> Compounds:
    compounds = Compounds()
    for pair in fields:
        compounds.learn(pair)
    return compounds


def _row(found: Mapping[int, float], *, certain: bool = False) -> Row:
    numbers = sorted(found)
    relevance = np.array([found[n] for n in numbers], np.float64)
    return Row(papers=np.array(numbers, np.int64), relevance=relevance, certain=certain)


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
