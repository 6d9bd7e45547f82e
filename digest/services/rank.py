"""`digest rank`: papers ranked for interests, from files to a file, without config or store.

Partial matches are ranked too, unlike in a digest, whose picks each name their reason.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TextIO, TypeVar

import numpy as np

from digest.domain.tiers import Tier
from digest.errors import InvalidInput, UsageError
from digest.ranking.acronyms import Acronyms
from digest.ranking.compounds import Compounds
from digest.ranking.corpus import Corpus
from digest.ranking.evidence import Page, Phrase, holds
from digest.ranking.lexical import Query
from digest.ranking.soft import Scored, soft_scores
from digest.ranking.statistics import Statistics, Text
from digest.ranking.vocabulary import Token, tokens
from digest.services.tiers import equip

_CHUNK = 128  # interests scored at once: bounds the memory by chunk × papers
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
class BadLine:
    """A line that was left out, or (`again`) repeated an id of which the first is kept."""

    file: Path
    number: int
    reason: str
    again: bool = False


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
class _Paper:
    id: str
    title: str
    abstract: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    id: str
    keywords: tuple[str, ...]
    exclude: tuple[str, ...]


_Entry = TypeVar("_Entry", _Paper, _Wanted)


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


class Ranking:
    """The files read and indexed; `bad` names the lines left out."""

    def __init__(self, request: RankRequest) -> None:
        """Raises UsageError for a file that cannot be read, or a tier that is not installed."""
        self.bad: list[BadLine] = []
        self._top = request.top
        tier = equip(request.tier)
        self.note = tier.note
        self._interests = list(self._unique(request.interests, _wanted))
        self._papers = list(self._unique(request.papers, _paper))
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
            texts = sorted({wording.text for wordings in asked for wording in wordings})
            scores = soft_scores(self._corpus, texts)
            row_of = {text: row for row, text in enumerate(texts)}
            for wanted, wordings in zip(chunk, asked, strict=True):
                yield from self._ranked(wanted, wordings, row_of, scores)

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
        self,
        wanted: _Wanted,
        wordings: Sequence[_Wording],
        row_of: Mapping[str, int],
        scores: Scored,
    ) -> Iterator[Ranked]:
        """One interest's lines, from the scores of its wordings."""
        if not wordings:
            return
        rows = [row_of[wording.text] for wording in wordings]
        own = scores.total[rows] * np.array([[wording.factor] for wording in wordings])
        best = own.max(axis=0)
        found = np.flatnonzero(best)
        rounded = np.maximum(np.round(best[found], 6), _LEAST_SCORE)
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
            leading = int(np.argmax(own[:, number]))
            row = rows[leading]
            yield Ranked(
                interest=wanted.id,
                paper=self._papers[number].id,
                rank=rank,
                score=float(rounded[at]),
                keyword=wordings[leading].keyword,
                wording=wordings[leading].text,
                number=number,
                lexical=round(float(scores.lexical[row, number]), 6),
                likeness=round(float(scores.likeness[row, number]), 6),
                nearness=round(float(scores.nearness[row, number]), 6),
            )

    def _unique(self, path: Path, parse: Callable[[dict[str, object]], _Entry]) -> Iterator[_Entry]:
        """The entries of a JSONL file as a stream, the first of each id; the rest is `bad`."""
        seen: set[str] = set()
        for number, line in _lines(path):
            try:
                entry = parse(_object(line))
            except InvalidInput as exc:
                self.bad.append(BadLine(file=path, number=number, reason=str(exc)))
                continue
            if entry.id in seen:
                reason = f"id {entry.id[:60]!r} again: the first is kept"
                self.bad.append(BadLine(file=path, number=number, reason=reason, again=True))
                continue
            seen.add(entry.id)
            yield entry

    def _archived(self, path: Path, kept: "deque[Text]") -> Iterator[tuple[list[str], list[str]]]:
        """The stems of the archive's papers as a stream; the last papers are kept."""
        for paper in self._unique(path, _paper):
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
    if explain and not output:
        raise UsageError("--explain writes beside the run: give --output too")
    ranking = Ranking(request)
    if not output:
        stdout.writelines(_tsv(row) for row in ranking.rows())
        return Outcome(bad=ranking.bad, note=ranking.note)
    with ExitStack() as files:
        run = files.enter_context(_replacing(output))
        beside = output.with_name(f"{output.name}.explain.jsonl")
        reasons = files.enter_context(_replacing(beside)) if explain else None
        for row in ranking.rows():
            run.write(_tsv(row))
            if reasons:
                reasons.write(json.dumps(ranking.explanation(row), ensure_ascii=False) + "\n")
    return Outcome(bad=ranking.bad, note=ranking.note)


def _tsv(row: Ranked) -> str:
    return f"{row.interest}\t{row.paper}\t{row.rank}\t{row.score:.6f}\n"


@contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    """A text file that takes the place of `path` once all is written."""
    try:
        if path.exists() and not path.is_file():  # a pipe or /dev/stdout
            with path.open("w", encoding="utf-8", errors="replace") as sink:
                yield sink
            return
        draft = path.with_name(f".{path.name}.part")
        try:
            with draft.open("w", encoding="utf-8", errors="replace", newline="\n") as sink:
                yield sink
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as exc:
        raise UsageError(f"{path}: cannot be written: {exc.strerror or exc}") from exc


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that hold something, with their numbers from 1."""
    try:
        with path.open("rb") as source:
            for number, line in enumerate(source, start=1):
                text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if text.strip():
                    yield number, text
    except OSError as exc:
        raise UsageError(f"{path}: cannot be read: {exc.strerror or exc}") from exc


def _object(line: bytes) -> dict[str, object]:
    try:
        value = json.loads(line.decode())
    except UnicodeDecodeError as exc:
        raise InvalidInput("not UTF-8") from exc
    except (ValueError, RecursionError) as exc:
        raise InvalidInput("not JSON") from exc
    if not isinstance(value, dict):
        raise InvalidInput("not a JSON object")
    return value


def _paper(entry: dict[str, object]) -> _Paper:
    name, title, abstract = _id(entry), entry.get("title"), entry.get("abstract")
    if not isinstance(title, str):
        raise InvalidInput("lacks a title")
    return _Paper(id=name, title=title, abstract=abstract if isinstance(abstract, str) else "")


def _wanted(entry: dict[str, object]) -> _Wanted:
    name, keywords = _id(entry), entry.get("keywords")
    if not isinstance(keywords, list):
        raise InvalidInput("lacks keywords, a list of phrases")
    return _Wanted(id=name, keywords=_phrases(keywords), exclude=_phrases(entry.get("exclude")))


def _phrases(values: object) -> tuple[str, ...]:
    """The distinct phrases of a list that hold a word; what is no text is ignored."""
    listed = values if isinstance(values, list) else []
    return tuple(dict.fromkeys(v for v in listed if isinstance(v, str) and tokens(v)))


def _id(entry: dict[str, object]) -> str:
    """The id as text that fits one cell of the run."""
    value = entry.get("id")
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise InvalidInput("lacks an id")
    name = str(value)
    if not name.isprintable():  # a tab would add a column, an escape sequence reach a terminal
        raise InvalidInput("the id holds a tab or another character that is not printable")
    return name


def _spelled(text: str, words: Sequence[Token], asked: Query) -> list[str]:
    """The distinct words of the query as a text spells them, in order."""
    stems = {stem for _, stem in asked.words}
    found = (text[w.start : w.end] for w in words if w.stem in stems)
    return list(dict.fromkeys(found))
