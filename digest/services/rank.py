"""`digest rank`: papers ranked for interests, from files to a file, without config or store.

Partial matches are ranked too, unlike in a digest, whose picks each name their reason.
"""

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TextIO

import numpy as np

from digest.domain.tiers import Tier
from digest.errors import UsageError
from digest.ranking.acronyms import Acronyms
from digest.ranking.compounds import Compounds
from digest.ranking.corpus import Corpus
from digest.ranking.evidence import Page, Phrase, holds
from digest.ranking.lexical import Query
from digest.ranking.soft import Scored, soft_scores
from digest.ranking.statistics import Statistics, Text
from digest.ranking.vocabulary import Token, tokens
from digest.services.rankfiles import (
    BadLine,
    WantedLine,
    entries,
    paper_line,
    replacing,
    wanted_line,
)
from digest.services.tiers import equip

_CHUNK = 128  # interests ranked together, whose texts are scored once
_TEXTS = 128  # texts scored at once: bounds the memory, however many keywords an interest has
_EARLIER = 20_000  # the last papers of the archive teach profiles; all of it counts as statistics
_SYNONYM = 0.45  # what a synonym's score counts: the words that were asked for come first
_LEAST_SCORE = 1e-6  # scores are written to six places; evidence is never written as none


@dataclass(frozen=True, kw_only=True, slots=True)
class RankRequest:
    """What to rank; `top` 0 gives all papers with evidence."""

    papers: Path
    interests: Path
    archive: Path | None = None
    top: int = 100
    tier: Tier = Tier.AUTO


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wording:
    """A text to look for, on behalf of a keyword; `factor` is what its score counts."""

    keyword: str
    text: str
    factor: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The lines that were left out, and what would make the ranker better."""

    bad: list[BadLine]
    note: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranked:
    """One line of a run; `keyword` is the one that scored best, `wording` itself or a synonym of it
    that did, and the rest what the score is made of.
    """

    interest: str
    paper: str
    rank: int
    score: float
    keyword: str
    wording: str
    number: int
    lexical: float
    likeness: float
    nearness: float


class _Best:
    """For each paper the best score of an interest's wordings, the number of the wording that had
    it (of equals the first), and what that score is made of (3, papers).
    """

    def __init__(
        self, wordings: Sequence[_Wording], row_of: Mapping[str, int], papers: int
    ) -> None:
        """`row_of` numbers the texts that will be scored."""
        self._rows = np.array([row_of[wording.text] for wording in wordings], np.int64)
        self._factors = np.array([[wording.factor] for wording in wordings])
        self.score = np.zeros(papers)
        self.wording = np.zeros(papers, np.int32)
        self.parts = np.zeros((3, papers))

    def add(self, scores: Scored, first: int) -> None:
        """Take in the scores of the texts from number `first` on."""
        rows = self._rows - first
        numbers = np.flatnonzero((rows >= 0) & (rows < len(scores.total)))
        if not len(numbers):
            return
        own = scores.total[rows[numbers]] * self._factors[numbers]
        leading = numbers[own.argmax(axis=0)]
        score = own.max(axis=0)
        equal = (score == self.score) & (leading < self.wording)
        ahead = np.flatnonzero((score > self.score) | equal)
        self.score[ahead] = score[ahead]
        self.wording[ahead] = leading[ahead]
        row = rows[leading[ahead]]
        for place, part in enumerate((scores.lexical, scores.likeness, scores.nearness)):
            self.parts[place, ahead] = part[row, ahead]


class Ranking:
    """The files read and indexed; `bad` names the lines left out."""

    def __init__(self, request: RankRequest) -> None:
        """Raises UsageError for a file that cannot be read, or a tier that is not installed."""
        self.bad: list[BadLine] = []
        self._top = request.top
        tier = equip(request.tier)
        self.note = tier.note
        self._interests = list(entries(request.interests, wanted_line, self.bad))
        self._papers = list(entries(request.papers, paper_line, self.bad))
        self._compounds = Compounds()
        for paper in self._papers:
            self._compounds.learn_hyphens(f"{paper.title} {paper.abstract}")
        keywords = (tokens(word) for wanted in self._interests for word in wanted.keywords)
        self._compounds.learn(keywords)
        pool = [(paper.title, paper.abstract) for paper in self._papers]
        statistics = Statistics.of_stems(map(self._stems, pool))
        earlier: deque[Text] = deque(maxlen=_EARLIER)
        if request.archive:
            statistics += Statistics.of_stems(self._archived(request.archive, earlier))
        self._statistics = statistics
        self._acronyms = Acronyms.of(chain(pool, earlier))
        self._corpus = Corpus(
            pool,
            statistics,
            self._compounds,
            earlier=earlier,
            understanding=tier.understanding(statistics),
        )
        by_id = sorted(range(len(pool)), key=lambda number: self._papers[number].id)
        self._id_order = np.argsort(np.array(by_id, np.int64))
        self._page = lru_cache(maxsize=2_000)(self._read_page)

    def rows(self) -> Iterator[Ranked]:
        """The run: interests in the order of their file, papers best first, ties by id."""
        for start in range(0, len(self._interests), _CHUNK):
            chunk = self._interests[start : start + _CHUNK]
            asked = [self._wordings(wanted.keywords) for wanted in chunk]
            for wanted, wordings, best in zip(chunk, asked, self._best(asked), strict=True):
                yield from self._ranked(wanted, wordings, best)

    def _best(self, asked: Sequence[Sequence[_Wording]]) -> list["_Best"]:
        """The best of each interest's wordings; each distinct text is scored once."""
        texts = sorted({wording.text for wordings in asked for wording in wordings})
        row_of = {text: row for row, text in enumerate(texts)}
        found = [_Best(wordings, row_of, self._corpus.size) for wordings in asked]
        for first in range(0, len(texts), _TEXTS):
            scores = soft_scores(self._corpus, texts[first : first + _TEXTS])
            for best in found:
                best.add(scores, first)
        return found

    def explanation(self, row: Ranked) -> dict[str, object]:
        """Which words of the best keyword stand where, as spelled."""
        paper, page = self._papers[row.number], self._page(row.number)
        asked = Query.of(self._compounds.parted(tokens(row.wording)))
        found = {
            place: _spelled(text, words, asked)
            for place, text, words in (
                ("title", paper.title, page.title),
                ("abstract", paper.abstract, page.abstract),
            )
        }
        where = "title" if found["title"] else "abstract" if found["abstract"] else "related"
        return {
            "interest": row.interest, "paper": row.paper, "rank": row.rank, "score": row.score,
            "keyword": row.keyword, "wording": row.wording, "where": where,
            "phrase": holds(page, self._phrase(row.wording)), **found,
            "parts": {
                "lexical": row.lexical, "likeness": row.likeness, "nearness": row.nearness,
            },
        }  # fmt: skip

    def _wordings(self, keywords: Sequence[str]) -> list[_Wording]:
        """What is looked for: the keywords, and after each what means the same."""
        return [
            _Wording(keyword=keyword, text=text, factor=factor)
            for keyword in keywords
            for text, factor in (
                (keyword, 1.0),
                *((other, _SYNONYM) for other in self._acronyms.synonyms(keyword)),
            )
        ]

    def _ranked(
        self, wanted: WantedLine, wordings: Sequence[_Wording], best: "_Best"
    ) -> Iterator[Ranked]:
        """One interest's lines, from the best of its wordings."""
        found = np.flatnonzero(best.score)
        rounded = np.maximum(np.round(best.score[found], 6), _LEAST_SCORE)
        order = np.lexsort((self._id_order[found], -rounded))
        barring = [self._phrase(wording.text) for wording in self._wordings(wanted.exclude)]
        rank = 0
        for at in order:
            if rank == self._top > 0:
                break
            number = int(found[at])
            if barring and any(holds(self._page(number), phrase) for phrase in barring):
                continue
            rank += 1
            leading = wordings[int(best.wording[number])]
            lexical, likeness, nearness = (round(float(part[number]), 6) for part in best.parts)
            yield Ranked(
                interest=wanted.id,
                paper=self._papers[number].id,
                rank=rank,
                score=float(rounded[at]),
                keyword=leading.keyword,
                wording=leading.text,
                number=number,
                lexical=lexical,
                likeness=likeness,
                nearness=nearness,
            )

    def _archived(self, path: Path, kept: "deque[Text]") -> Iterator[tuple[list[str], list[str]]]:
        """The stems of the archive's papers as a stream; the last papers are kept."""
        for paper in entries(path, paper_line, self.bad):
            kept.append((paper.title, paper.abstract))
            yield self._stems((paper.title, paper.abstract))

    def _stems(self, text: Text) -> tuple[list[str], list[str]]:
        title, abstract = ([stem for _, stem in self._compounds.names(part)] for part in text)
        return title, abstract

    def _read_page(self, number: int) -> Page:
        paper = self._papers[number]
        part = self._compounds.parted
        return Page(part(tokens(paper.title)), part(tokens(paper.abstract)))

    def _phrase(self, text: str) -> Phrase:
        return Phrase.of(text, self._compounds.parted(tokens(text)), self._statistics)


def rank(
    request: RankRequest, *, output: Path | None, stdout: TextIO, explain: bool = False
) -> Outcome:
    """Write the run to `output`, or to `stdout`.

    The run is tab-separated: interest, paper, rank from 1, score. With `explain` the evidence of
    each line goes to `output` + `.explain.jsonl`. Files are replaced whole, never left half
    written. Raises UsageError for a file that cannot be read or written, or a
    tier that is not installed.
    """
    _check(request, output, explain=explain)
    ranking = Ranking(request)
    if not output:
        try:
            stdout.writelines(_tsv(row) for row in ranking.rows())
            stdout.flush()
        except BrokenPipeError:
            raise  # who reads has seen enough
        except OSError as exc:
            raise UsageError(f"stdout cannot be written: {exc.strerror or exc}") from exc
        return Outcome(bad=ranking.bad, note=ranking.note)
    with ExitStack() as files:
        run = files.enter_context(replacing(output))
        beside = output.with_name(f"{output.name}.explain.jsonl")
        reasons = files.enter_context(replacing(beside)) if explain else None
        for row in ranking.rows():
            run.write(_tsv(row))
            if reasons:
                reasons.write(json.dumps(ranking.explanation(row), ensure_ascii=False) + "\n")
    return Outcome(bad=ranking.bad, note=ranking.note)


def _check(request: RankRequest, output: Path | None, *, explain: bool) -> None:
    """Raise UsageError where the output would go where it must not."""
    if explain and not output:
        raise UsageError("--explain writes beside the run: give --output too")
    if output and explain and output.exists() and not output.is_file():
        raise UsageError(f"--explain writes beside the run: {output} is no regular file")
    read = (request.papers, request.interests, request.archive)
    if output and output.is_file() and any(p and p.exists() and p.samefile(output) for p in read):
        raise UsageError(f"{output} is read: choose another file for the run")


def _tsv(row: Ranked) -> str:
    return f"{row.interest}\t{row.paper}\t{row.rank}\t{row.score:.6f}\n"


def _spelled(text: str, words: Sequence[Token], asked: Query) -> list[str]:
    """The distinct words of the query as a text spells them, in order."""
    stems = {stem for _, stem in asked.words}
    found = (text[w.start : w.end] for w in words if w.stem in stems)
    return list(dict.fromkeys(found))
