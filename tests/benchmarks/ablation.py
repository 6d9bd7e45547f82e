"""What each part of the ranker is worth: `digest rank` with one part off, in this process.

The files are read and indexed as the command does; then the parts of the score are taken away or
changed, and the runs judged by the shared measure. Weights were chosen on half 0 of the queries;
half 1 is the proof.
"""

import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from digest.domain.tiers import Tier
from digest.ranking import features, lexical, meaning, statistics
from digest.ranking.acronyms import Acronyms
from digest.ranking.compounds import Compounds
from digest.ranking.corpus import WORDS_ALONE, Corpus, Look, Understanding, Weight
from digest.ranking.lexical import NAME, SENTENCE, Lexical, Views
from digest.services.rank import Ranking, RankRequest
from tests.benchmarks.peers import Round, ndcg

DEPTH = 10  # of a run, as deep as the measure looks
NOTHING = Weight(name=0, sentence=0)

Values = dict[str, dict[tuple[int, str], float]]
"""By variant: nDCG@10 of each query, by the number of its round and its id."""


def half(query: str) -> int:
    """0 for the queries by which weights were chosen, 1 for those that prove them."""
    return hashlib.md5(query.encode(), usedforsecurity=False).digest()[0] & 1


@dataclass(frozen=True)
class Words:
    """One way to score the words: views of names and of sentences; `whole` reads titles too where
    the view of stems would read the abstract alone.
    """

    name: Views = NAME
    sentence: Views = SENTENCE
    whole: bool = False

    @contextmanager
    def of(self, index: Lexical) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lexical, "NAME", self.name)
            patch.setattr(lexical, "SENTENCE", self.sentence)
            if self.whole:
                patch.setattr(index, "_abstracts", index._stems)
            yield


def views(words: Sequence[float], pairs: Sequence[float], *, of_sentences: bool = False) -> Views:
    """Views by form and by stem, brought to 1 together."""
    whole = sum(words) + sum(pairs)
    return Views(
        form_words=words[0] / whole,
        stem_words=words[1] / whole,
        form_pairs=pairs[0] / whole,
        stem_pairs=pairs[1] / whole,
        of_sentences=of_sentences,
    )


# One part off. What is left of the views is brought back to 1: it loses no weight beside profiles.
WORDS: Mapping[str, Words] = {
    "all parts": Words(),
    "no pairs": Words(
        views((NAME.form_words, NAME.stem_words), (0, 0)),
        views((0, SENTENCE.stem_words), (0, 0), of_sentences=True),
    ),
    "no stems": Words(
        views((NAME.form_words, 0), (NAME.form_pairs, 0)),
        views((SENTENCE.stem_words, 0), (SENTENCE.stem_pairs, 0), of_sentences=True),
    ),
    "no forms": Words(views((0, NAME.stem_words), (0, NAME.stem_pairs)), whole=True),
    "stems of titles too": Words(whole=True),
}


@contextmanager
def _whole() -> Iterator[None]:
    yield


@contextmanager
def _titles_as_abstracts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (statistics, features, meaning):
            patch.setattr(module, "TITLE_WEIGHT", 1)
        defaults: dict[str, Any] = lexical._Stream.__init__.__kwdefaults__
        patch.setitem(defaults, "title_weight", 1)
        yield


@contextmanager
def _without_compounds() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Compounds, "learn_hyphens", lambda _self, _text: None)
        patch.setattr(Compounds, "learn", lambda _self, _texts: None)
        yield


INDEXED: Mapping[str, Callable[[], Any]] = {
    "all parts": _whole,
    "titles count once": _titles_as_abstracts,
    "no compounds": _without_compounds,
}


class _Shown:
    """A corpus as the ranker sees it, with other weights; what is found is kept between runs."""

    def __init__(self, corpus: Corpus, understanding: Understanding, words: Words, kept: Any):
        self.size = corpus.size
        self.understanding = understanding
        self._corpus, self._words, self._kept = corpus, words, kept

    def look(self, phrases: Sequence[str]) -> Look:
        asked = tuple(phrases)
        if asked not in self._kept:
            with self._words.of(self._corpus._lexical):
                self._kept[asked] = self._corpus.look(phrases)
        found: Look = self._kept[asked]
        return found if self.understanding.senses else replace(found, nearness=[])


def measured(score: ModuleType, of: Sequence[Round]) -> Values:
    """Each variant's values for a set's rounds."""
    found: Values = defaultdict(dict)
    for number, one in enumerate(of):
        for name, indexed in INDEXED.items():
            with indexed():
                ranking = _ranking(score, one)
            whole = name == "all parts"
            for variant, run in (_runs(ranking) if whole else _plain(ranking, name)).items():
                values = ndcg(score, run, one)
                pairs = zip(one.queries, values, strict=True)
                found[variant] |= {(number, query.id): value for query, value in pairs}
    return found


def _ranking(score: ModuleType, of: Round) -> Ranking:
    """The papers and queries of a round, indexed by `digest rank`'s own code, semantic tier."""
    with tempfile.TemporaryDirectory() as scratch:
        papers, interests, archive = (Path(scratch, name) for name in ("p", "i", "a"))
        score.write_papers(papers, [paper.row for paper in of.papers])
        rows = [{"id": query.id, "keywords": list(query.keywords)} for query in of.queries]
        score.write_interests(interests, rows)
        score.write_papers(archive, [paper.row for paper in of.archive])
        return Ranking(
            RankRequest(
                papers=papers,
                interests=interests,
                archive=archive if of.archive else None,
                top=DEPTH,
                tier=Tier.SEMANTIC,
            )
        )


Run = dict[str, list[str]]


def _runs(ranking: Ranking) -> dict[str, Run]:
    """The run of each variant that needs no other index, by tier and part."""
    corpus, runs = ranking._corpus, {}
    semantic = corpus.understanding
    tiers = {"core": WORDS_ALONE, "semantic": semantic}
    for part, words in WORDS.items():
        kept: dict[tuple[str, ...], Look] = {}
        for tier, understanding in tiers.items():
            shown = _Shown(corpus, understanding, words, kept)
            runs[f"{tier}: {part}"] = _run(ranking, shown)
            if part == "all parts":
                runs[f"{tier}: no acronyms"] = _run_of_keywords_alone(ranking, shown)
                bare = replace(understanding, profile=NOTHING)
                runs[f"{tier}: no profiles"] = _run(ranking, _Shown(corpus, bare, words, kept))
        if part == "all parts":
            bare = replace(semantic, senses=())
            runs["semantic: no static vectors"] = _run(ranking, _Shown(corpus, bare, words, kept))
    return runs


def _run_of_keywords_alone(ranking: Ranking, shown: _Shown) -> Run:
    """What comes where no acronym and no long form of one is looked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Acronyms, "synonyms", lambda _self, _text: ())
        return _run(ranking, shown)


def _plain(ranking: Ranking, part: str) -> dict[str, Run]:
    """The runs of both tiers with another index."""
    corpus, kept = ranking._corpus, {}
    tiers = {"core": WORDS_ALONE, "semantic": corpus.understanding}
    return {
        f"{tier}: {part}": _run(ranking, _Shown(corpus, understanding, Words(), kept))
        for tier, understanding in tiers.items()
    }


def _run(ranking: Ranking, shown: _Shown) -> Run:
    """What the ranker makes of a corpus shown to it."""
    run: Run = defaultdict(list)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "_corpus", shown)
        for row in ranking.rows():
            run[row.interest].append(row.paper)
    return run
