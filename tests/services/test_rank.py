"""Ranking from files: the contract of `digest rank`, its bad input, and real material."""

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from digest.domain.tiers import Tier
from digest.errors import UsageError
from digest.services.rank import RankRequest, rank
from digest.services.rankfiles import BadLine

PAPERS = [
    {"id": "a", "title": "Continual learning of graphs", "abstract": "We study forgetting."},
    {"id": "b", "title": "Graph networks", "abstract": "Not about learning continually."},
    {"id": "c", "title": "Protein folding", "abstract": "", "date": "December, 1958"},
    {
        "id": "d",
        "title": "Few‑shot transfer",
        "abstract": "Continual learning, too, is looked at in a later section, where we compare"
        " both on images, speech and text, and publish the code of all that was run.",
    },
]


def write(path: Path, entries: list[Any]) -> Path:
    """A JSONL file; text and bytes are written as they are."""
    lines = [e if isinstance(e, str | bytes) else json.dumps(e) for e in entries]
    path.write_bytes(b"".join((e if isinstance(e, bytes) else e.encode()) + b"\n" for e in lines))
    return path


class Bench:
    """Files in a folder, ranked; `run` is what was written."""

    def __init__(self, folder: Path, tier: Tier = Tier.CORE) -> None:
        self.folder = folder
        self.tier = tier
        self.run: list[list[str]] = []

    def rank(
        self, papers: list[Any], *interests: Any, archive: list[Any] | None = None, top: int = 100
    ) -> list[BadLine]:
        request = RankRequest(
            papers=write(self.folder / "papers.jsonl", papers),
            interests=write(self.folder / "interests.jsonl", list(interests)),
            archive=write(self.folder / "archive.jsonl", archive) if archive is not None else None,
            top=top,
            tier=self.tier,
        )
        out = io.StringIO()
        bad = rank(request, output=None, stdout=out).bad
        self.run = [line.split("\t") for line in out.getvalue().splitlines()]
        return bad

    @property
    def papers(self) -> list[str]:
        return [cells[1] for cells in self.run]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def wanting(*keywords: str, name: str = "i", **more: Any) -> dict[str, Any]:
    return {"id": name, "keywords": list(keywords), **more}


def test_the_run_names_interest_paper_rank_and_score_best_first(bench: Bench) -> None:
    assert bench.rank(PAPERS, wanting("continual learning")) == []
    assert [cells[:3] for cells in bench.run] == [
        ["i", "a", "1"], ["i", "d", "2"], ["i", "b", "3"],
    ]  # fmt: skip
    scores = [float(cells[3]) for cells in bench.run]
    assert scores == sorted(scores, reverse=True) and scores[-1] > 0


def test_papers_without_any_evidence_are_left_out(bench: Bench) -> None:
    bench.rank(PAPERS, wanting("protein"), wanting("nothing", name="j"))
    assert [cells[:2] for cells in bench.run] == [["i", "c"]]


def test_the_best_keyword_counts_and_each_paper_stands_once(bench: Bench) -> None:
    bench.rank(PAPERS, wanting("quantum owls of the far north", "few shot", "graph", "graphs"))
    assert sorted(bench.papers) == ["a", "b", "d"]
    alone = dict(zip(bench.papers, (cells[3] for cells in bench.run), strict=True))
    bench.rank(PAPERS, wanting("few shot"))
    assert bench.run[0][1] == "d" and alone["d"] == bench.run[0][3]


def test_keywords_are_literal_and_may_be_of_any_length(bench: Bench) -> None:
    bench.rank(PAPERS, wanting('"protein" AND -folding', "which papers are " * 200))
    assert bench.papers == ["c"]


def test_ties_go_by_id(bench: Bench) -> None:
    same = [{"id": name, "title": "Owls", "abstract": ""} for name in ("z", "10", "9", "é")]
    bench.rank(same, wanting("owls"))
    assert bench.papers == ["10", "9", "z", "é"]


def test_top_bounds_the_papers_of_each_interest(bench: Bench) -> None:
    bench.rank(PAPERS, wanting("learning"), wanting("graph", name="j"), top=1)
    assert [cells[0] for cells in bench.run] == ["i", "j"]
    bench.rank(PAPERS, wanting("learning"), top=0)
    assert len(bench.run) == 3


def test_excluded_phrases_take_papers_out_whatever_their_spelling(bench: Bench) -> None:
    bench.rank(PAPERS, wanting("continual learning", exclude=["Few shot", "graph"]))
    assert bench.papers == []
    bench.rank(PAPERS, wanting("continual learning", exclude=["few"]), top=2)
    assert [cells[1:3] for cells in bench.run] == [["a", "1"], ["b", "2"]]


def test_the_archive_informs_and_is_never_ranked(bench: Bench) -> None:
    papers = [
        {"id": "a", "title": "Owl", "abstract": ""},
        {"id": "b", "title": "Fox", "abstract": ""},
    ]
    common = [{"id": f"old{n}", "title": "Owl", "abstract": ""} for n in range(20)]
    bench.rank(papers, wanting("owl fox"))
    assert bench.papers == ["a", "b"]
    bench.rank(papers, wanting("owl fox"), archive=common)
    assert bench.papers == ["b", "a"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ("[" * 100_000, "not JSON"),
        (b'{"id": "x", "title": "\xff"}', "not UTF-8"),
        ({"title": "x"}, "lacks an id"),
        ({"id": True, "title": "x"}, "lacks an id"),
        ({"id": "x"}, "lacks a title"),
        ({"id": "x", "title": None}, "lacks a title"),
        ({"id": "x\ty", "title": "x"}, "not printable"),
        ({"id": "\x1b[31m", "title": "x"}, "not printable"),
        ({"id": "\ud800", "title": "x"}, "not printable"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_is_ranked(bench: Bench, line: Any, reason: str) -> None:
    bad = bench.rank([PAPERS[0], line, "", PAPERS[3]], wanting("continual learning"))
    assert [(b.number, b.again) for b in bad] == [(2, False)]
    assert reason in bad[0].reason
    assert bench.papers == ["a", "d"]


def test_interests_without_keywords_are_named_too(bench: Bench) -> None:
    bad = bench.rank(PAPERS, {"id": "i"}, {"id": "j", "keywords": "graph"}, wanting("graph"))
    assert [b.number for b in bad] == [1, 2]
    assert bench.papers == ["b", "a"]


def test_malformed_optional_fields_are_ignored(bench: Bench) -> None:
    odd = {"id": 7, "title": "Graph", "abstract": None, "authors": 3, "date": {}, "upvotes": "x"}
    assert bench.rank([odd], wanting("graph", exclude="graph", note=1)) == []
    assert bench.rank([odd], {"id": "i", "keywords": ["graph", 5, None, "", "🦙"]}) == []
    assert bench.papers == ["7"]


def test_the_first_of_equal_ids_is_kept_and_the_other_noted(bench: Bench) -> None:
    twice = [PAPERS[0], {**PAPERS[0], "title": "Other"}]
    bad = bench.rank(twice, wanting("continual learning"), wanting("graph"))
    assert [(b.number, b.again) for b in bad] == [(2, True), (2, True)]
    assert bench.papers == ["a"]


def test_a_byte_order_mark_and_windows_line_ends_are_no_harm(bench: Bench) -> None:
    first = b"\xef\xbb\xbf" + json.dumps(PAPERS[0]).encode() + b"\r"
    assert bench.rank([first, PAPERS[3]], wanting("continual learning")) == []
    assert bench.papers == ["a", "d"]


def test_no_papers_or_no_interests_give_an_empty_run(bench: Bench) -> None:
    assert bench.rank([], wanting("graph")) == [] and bench.run == []
    assert bench.rank(PAPERS) == [] and bench.run == []


def test_more_interests_than_a_chunk_are_all_ranked_in_order(bench: Bench) -> None:
    names = [f"i{n:03}" for n in range(600)]
    bench.rank(PAPERS, *(wanting("protein", name=name) for name in names))
    assert [cells[0] for cells in bench.run] == names


@pytest.mark.slow
def test_an_interest_of_thousands_of_keywords_takes_no_more_memory(bench: Bench) -> None:
    papers = [{"id": str(n), "title": "Owl", "abstract": ""} for n in range(1_000)]
    tracemalloc.start()
    try:
        bench.rank(papers, wanting(*(f"fox {n}" for n in range(1_500)), "owl"), top=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert bench.papers == ["0"]
    assert peak < 50_000_000  # four figures for each keyword and paper would be as much


@pytest.mark.parametrize("texts", [1, 2, 3])
def test_scoring_by_and_by_gives_what_scoring_at_once_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: int
) -> None:
    few = ("graphs", "Graph", "forgetting", "few shot")  # the first two say the same
    interests = [wanting(*few), wanting("owls", name="j"), wanting(*reversed(few), name="k")]
    request = RankRequest(
        papers=write(tmp_path / "p.jsonl", PAPERS),
        interests=write(tmp_path / "i.jsonl", interests),
        tier=Tier.CORE,
    )
    told: list[tuple[str, str]] = []
    for name in ("whole.tsv", "parts.tsv"):
        run = tmp_path / name
        rank(request, output=run, stdout=io.StringIO(), explain=True)
        told.append((run.read_text(), (tmp_path / f"{name}.explain.jsonl").read_text()))
        monkeypatch.setattr("digest.services.rank._TEXTS", texts)
    assert told[0] == told[1]
    reasons = [json.loads(line) for line in told[0][1].splitlines()]
    led = {row["interest"]: row["keyword"] for row in reasons if row["paper"] == "b"}
    assert led == {"i": "graphs", "k": "Graph"}


def a_request(folder: Path) -> RankRequest:
    return RankRequest(
        papers=write(folder / "p.jsonl", PAPERS),
        interests=write(folder / "i.jsonl", [wanting("continual learning", "owls")]),
        tier=Tier.CORE,
    )


def test_the_explanation_names_words_that_really_stand_there(tmp_path: Path) -> None:
    run = tmp_path / "run.tsv"
    rank(a_request(tmp_path), output=run, stdout=io.StringIO(), explain=True)
    lines = (tmp_path / "run.tsv.explain.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["paper"] for row in rows] == [
        c.split("\t")[1] for c in run.read_text().splitlines()
    ]
    best, second, last = rows
    assert (best["where"], best["title"], best["phrase"]) == (
        "title",
        ["Continual", "learning"],
        True,
    )
    assert (second["where"], second["abstract"]) == ("abstract", ["Continual", "learning"])
    assert (last["phrase"], last["abstract"]) == (False, ["learning", "continually"])
    assert best["keyword"] == "continual learning"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "i.jsonl", "p.jsonl", "run.tsv", "run.tsv.explain.jsonl",
    ]  # fmt: skip


def test_files_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    request = a_request(tmp_path)
    missing = RankRequest(papers=tmp_path / "none.jsonl", interests=request.interests)
    with pytest.raises(UsageError, match=r"none\.jsonl: cannot be read"):
        rank(missing, output=None, stdout=io.StringIO())
    with pytest.raises(UsageError, match="cannot be read"):
        rank(RankRequest(papers=tmp_path, interests=request.interests), output=None,
             stdout=io.StringIO())  # fmt: skip
    with pytest.raises(UsageError, match="cannot be written"):
        rank(request, output=tmp_path / "none" / "run.tsv", stdout=io.StringIO())
    with pytest.raises(UsageError, match="--output"):
        rank(request, output=None, stdout=io.StringIO(), explain=True)


@pytest.mark.slow
def test_a_real_set_is_ranked_far_better_than_by_chance(shared: Path, tmp_path: Path) -> None:
    folder = shared / "ranking" / "cacm"
    out = io.StringIO()
    request = RankRequest(
        papers=folder / "papers.jsonl", interests=folder / "queries.jsonl", top=10
    )
    assert rank(request, output=None, stdout=out).bad == []
    judged = {
        tuple(line.split("\t")[:2]) for line in (folder / "qrels.tsv").read_text().splitlines()
    }
    run = [tuple(line.split("\t")[:2]) for line in out.getvalue().splitlines()]
    asked = {query for query, _ in judged}
    found = [pair in judged for pair in run if pair[0] in asked]
    assert sum(found) / len(found) > 0.3


def test_the_run_goes_neither_over_what_is_read_nor_beside_what_is_no_file(tmp_path: Path) -> None:
    papers = write(tmp_path / "p.jsonl", [{"id": "p", "title": "Owls"}])
    interests = write(tmp_path / "i.jsonl", [{"id": "i", "keywords": ["owls"], "exclude": "owls"}])
    request = RankRequest(papers=papers, interests=interests)
    before = papers.read_bytes()
    with pytest.raises(UsageError, match="is read: choose another file"):
        rank(request, output=papers, stdout=io.StringIO())
    assert papers.read_bytes() == before
    with pytest.raises(UsageError, match="no regular file"):
        rank(request, output=Path("/dev/null"), stdout=io.StringIO(), explain=True)
    with pytest.raises(UsageError, match="cannot be written: No space"):
        wanted = write(tmp_path / "j.jsonl", [{"id": "i", "keywords": ["owls"]}])
        rank(RankRequest(papers=papers, interests=wanted), output=None, stdout=_Full())
    told = io.StringIO()
    rank(request, output=None, stdout=told)
    assert told.getvalue() == ""  # one phrase alone is excluded as a list of one is


class _Full(io.StringIO):
    """A stream on a full disk."""

    def flush(self) -> None:
        raise OSError(28, "No space left on device")
