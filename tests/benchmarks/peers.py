"""What people use today, as rankers over the judged sets: BM25, TF-IDF, an SVM a user, tantivy.

A ranker takes the texts of archive and day and gives a score for each of the day's papers; the
measure is that of the shared `score.py`, loaded as it stands. Judged keywords never reach a ranker:
papers come with the fields that `score.py` lets through, and nothing else.
"""

import importlib.util
import json
import math
import re
import resource
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

Ranking = dict[str, list[str]]
"""By query: papers, best first."""

TOP = 100


@dataclass(frozen=True)
class Query:
    """One judged interest."""

    id: str
    keywords: tuple[str, ...]


@dataclass(frozen=True)
class Paper:
    """One paper as every ranker sees it: `row` holds what `digest rank` reads."""

    id: str
    text: str
    title: str
    abstract: str
    authors: str
    row: Mapping[str, Any]


@dataclass(frozen=True)
class Round:
    """Papers to rank for some queries, earlier papers, and the gains that the judges gave."""

    papers: Sequence[Paper]
    archive: Sequence[Paper]
    queries: Sequence[Query]
    gains: Mapping[str, Mapping[str, float]]

    def of(self, queries: Sequence[Query]) -> "Round":
        return Round(self.papers, self.archive, queries, self.gains)


Method = Callable[[Round], Ranking]


def load_score(shared: Path) -> ModuleType | None:
    """The shared scoring script as a module, None where it is absent."""
    path = shared.parent / "tools" / "score.py"
    spec = importlib.util.spec_from_file_location("shared_score", path)
    if not path.exists() or spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rounds(score: ModuleType, folder: Path, *, days: int, most: int) -> list[Round]:
    """The rounds of a set: one, or one a day where it has daily listings; `most` queries in all,
    spread evenly.
    """
    qrels = score.read_qrels(folder / "qrels.tsv")
    papers = {p.id: p for p in (_paper(row, score.FIELDS) for row in _rows(folder, "papers"))}
    queries = [
        Query(str(row["id"]), tuple(row["keywords"]))
        for row in _rows(folder, "queries")
        if str(row["id"]) in qrels
    ]
    if (folder / "listing.tsv").exists():
        return list(_daily(folder, papers, queries, qrels, days))
    return [Round(list(papers.values()), (), spread(queries, most), qrels)]


def _daily(
    folder: Path,
    papers: Mapping[str, Paper],
    queries: Sequence[Query],
    qrels: Mapping[str, Mapping[str, float]],
    most: int,
) -> Iterator[Round]:
    """The days as `score.py` chooses them: of 60 papers at least, with a judged one, spread."""
    listed: dict[str, list[str]] = defaultdict(list)
    for line in (folder / "listing.tsv").read_text().splitlines():
        day, paper = line.split("\t")[:2]
        if paper in papers:
            listed[day].append(paper)
    judged = {paper for gains in qrels.values() for paper in gains}
    chosen = sorted(d for d, of in listed.items() if len(of) >= 60 and judged & set(of))
    for day in chosen[:: max(1, len(chosen) // most)][:most]:
        today = set(listed[day])
        earlier = {p for d in listed if d < day for p in listed[d]} - today
        gains = {
            q.id: {p: g for p, g in qrels[q.id].items() if p in today}
            for q in queries
            if today & set(qrels[q.id])
        }
        yield Round(
            [papers[p] for p in sorted(today)],
            [papers[p] for p in sorted(earlier)],
            [q for q in queries if q.id in gains],
            gains,
        )


def spread(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many, evenly from the whole."""
    step = max(1.0, len(items) / most)
    return [items[int(n * step)] for n in range(min(most, len(items)))]


def ndcg(score: ModuleType, ranking: Ranking, of: Round) -> list[float]:
    """nDCG@10 of each query; one that was left out has 0."""
    return [score.measures(ranking.get(q.id, []), of.gains[q.id])[0] for q in of.queries]


def cpu_seconds() -> float:
    """CPU time of this process and of its finished children."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


# The methods


def ours(score: ModuleType) -> Method:
    """`digest rank`, as a command in a process of its own."""
    command = f"{sys.executable} -m digest"

    def method(asked: Round) -> Ranking:
        queries = [{"id": q.id, "keywords": list(q.keywords)} for q in asked.queries]
        with tempfile.TemporaryDirectory() as scratch:
            run, _ = score.rank(
                command,
                TOP,
                scratch,
                [paper.row for paper in asked.papers],
                queries,
                [paper.row for paper in asked.archive] or None,
            )
        return dict(run)

    return method


def plain_bm25(asked: Round, k1: float = 1.2, b: float = 0.75) -> Ranking:
    """BM25 as in the textbook: one field, whole words in lower case, no stemming (Robertson and
    Zaragoza 2009; idf as in Lucene).
    """
    pool = [*asked.papers, *asked.archive]
    bags = [Counter(_words(paper.text)) for paper in pool]
    lengths = [bag.total() for bag in bags]
    mean = sum(lengths) / len(lengths)
    held = Counter(word for bag in bags for word in bag)
    postings: dict[str, list[int]] = defaultdict(list)
    for number, bag in enumerate(bags[: len(asked.papers)]):
        for word in bag:
            postings[word].append(number)

    def scores(keyword: str) -> "np.ndarray[Any, Any]":
        found = np.zeros(len(asked.papers))
        for word in _words(keyword):
            idf = math.log1p((len(pool) - held[word] + 0.5) / (held[word] + 0.5))
            for n in postings.get(word, ()):
                count = bags[n][word]
                norm = k1 * (1 - b + b * lengths[n] / mean)
                found[n] += idf * count * (k1 + 1) / (count + norm)
        return found

    return _best(asked, scores)


def tfidf(asked: Round) -> Ranking:
    """scikit-learn's TF-IDF over words and pairs of words, by cosine."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    vectorizer.fit(paper.text for paper in (*asked.archive, *asked.papers))
    papers = vectorizer.transform(paper.text for paper in asked.papers)

    def scores(keyword: str) -> "np.ndarray[Any, Any]":
        return np.asarray((papers @ vectorizer.transform([keyword]).T).todense()).ravel()

    return _best(asked, scores)


def sanity_svm(score: ModuleType) -> Method:
    """As arxiv-sanity-lite recommends (karpathy/arxiv-sanity-lite, compute.py and serve.py): TF-IDF
    features, a linear SVM for each user, its decision function over the papers.

    A user's positives are the papers, archive and day, that hold the phrase verbatim; without any
    there is nothing to learn from.
    """

    def method(asked: Round) -> Ranking:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.svm import LinearSVC

        pool = [*asked.papers, *asked.archive]
        features = _sanity_features(pool)
        texts = [score.folded(paper.text) for paper in pool]
        ranking: Ranking = {}
        for query in asked.queries:
            phrases = [score.folded(keyword) for keyword in query.keywords]
            positive = np.array([any(p in text for p in phrases) for text in texts])
            if not positive.any() or positive.all():
                continue
            model = LinearSVC(class_weight="balanced", C=0.01, tol=1e-6, max_iter=10_000)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(features, positive)
            values = model.decision_function(features[: len(asked.papers)])
            ranking[query.id] = _ordered(asked.papers, values)
        return ranking

    return method


def _sanity_features(pool: Sequence[Paper]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        strip_accents="unicode",
        stop_words="english",
        token_pattern=r"(?u)\b[a-zA-Z_][a-zA-Z0-9_]+\b",
        ngram_range=(1, 2),
        max_features=20_000,
        sublinear_tf=True,
        min_df=5 if len(pool) > 500 else 1,
        max_df=0.5,
    )
    return vectorizer.fit_transform(f"{paper.text} {paper.authors}" for paper in pool)


def tantivy(asked: Round) -> Ranking:
    """tantivy's BM25 over title (twice the weight) and abstract, its default analysis."""
    import tantivy as engine

    builder = engine.SchemaBuilder()
    builder.add_unsigned_field("number", stored=True)
    for field in ("title", "abstract"):
        builder.add_text_field(field, stored=False)
    index = engine.Index(builder.build())
    writer = index.writer(heap_size=64_000_000, num_threads=1)
    pool = [*asked.papers, *asked.archive]
    for number, paper in enumerate(pool):
        writer.add_document(
            engine.Document(number=number, title=paper.title, abstract=paper.abstract)
        )
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def scores(keyword: str) -> "np.ndarray[Any, Any]":
        found = np.zeros(len(asked.papers))
        words = " ".join(_words(keyword))  # nothing that the query language takes for a sign
        query = index.parse_query(words, ["title", "abstract"], field_boosts={"title": 2.0})
        for value, address in searcher.search(query, limit=len(pool)).hits:
            number = searcher.doc(address)["number"][0]
            if number < len(found):
                found[number] = value
        return found

    return _best(asked, scores)


# What they share


def _best(asked: Round, scores: Callable[[str], "np.ndarray[Any, Any]"]) -> Ranking:
    """Each query by its best keyword; papers without any score are left out."""
    ranking: Ranking = {}
    for query in asked.queries:
        values = np.max([scores(keyword) for keyword in query.keywords], axis=0)
        order = _ordered(asked.papers, values)
        ranking[query.id] = order[: int((values > 0).sum())]
    return ranking


def _ordered(papers: Sequence[Paper], values: "np.ndarray[Any, Any]") -> list[str]:
    order = sorted(range(len(papers)), key=lambda n: (-float(values[n]), papers[n].id))
    return [papers[n].id for n in order[:TOP]]


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _rows(folder: Path, name: str) -> list[dict[str, Any]]:
    lines = (folder / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines if line]


def _paper(row: Mapping[str, Any], fields: Sequence[str]) -> Paper:
    allowed = {name: row[name] for name in fields if row.get(name) is not None}
    title, abstract = str(allowed["title"]), str(allowed.get("abstract") or "")
    return Paper(
        id=str(allowed["id"]),
        text=f"{title} . {abstract}",
        title=title,
        abstract=abstract,
        authors=" ".join(allowed.get("authors") or ()),
        row=allowed,
    )
