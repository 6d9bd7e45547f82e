"""Interests of every kind against a few papers: what matches, how much, where, what is barred."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.domain.digests import Where, why
from digest.domain.interests import interest
from digest.domain.papers import Paper
from digest.domain.trends import Trend
from digest.ranking import explain
from digest.ranking.match import Matcher, synonym_key
from digest.ranking.statistics import Statistics
from tests.builders import a_paper

PAPERS = (
    a_paper("World Models for Planning", abstract="We study agents.", categories=("cs.LG",)),
    a_paper("A world model", abstract="Planning with world models.", categories=("cs.CL",)),
    a_paper(
        "Sleep of Owls",
        abstract="Large language models (LLMs) watch owls. A survey.",
        authors=("Yann Le Cun", "Jörg Müller"),
        categories=("q-bio.NC",),
        venue="NeurIPS 2026 poster",
    ),
    a_paper(
        "Few-Shot LLM Agents",
        abstract="A survey of agents and AIDS.",
        authors=("Y. LeCun",),
        categories=("cs.LG", "cs.CL"),
        venue="Advances in Neural Information Processing Systems",
    ),
    a_paper("Metalearning", abstract="", authors=(), categories=()),
)


def matcher(*papers: Paper, synonyms: dict[str, tuple[str, ...]] | None = None) -> Matcher:
    pool = papers or PAPERS
    return Matcher(pool, Statistics.of((p.title, p.abstract) for p in pool), synonyms=synonyms)


def matched(text: str, *papers: Paper) -> list[int]:
    row = matcher(*papers).row(interest(text))
    assert (row.relevance > 0).all() and (row.relevance < 1).all()
    return row.papers.tolist()


def barred(text: str) -> list[int]:
    return matcher().barred(interest(text)).tolist()


def told(text: str, number: int) -> str:
    reason = explain.matched(matcher(), interest(text), number, Trend())
    return why(reason)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("world models", [0, 1]),
        ('"world models"', [0, 1]),
        ('"world model"', [1]),
        ('"WORLD-MODEL"', [1]),
        ('"model world"', []),
        ('"models planning"', []),
        ('"few shot"', [3]),
        ('"ｆｅｗ　ｓｈｏｔ"', [3]),
        ('"llm"', [3]),
        ('"llms"', [2]),
        ('"aids"', [3]),
        ('"aid"', []),
        ('"survey of"', [3]),
        ('"of"', []),
        ('"the a of"', []),
        ('"learning"', []),
        ("author:Y. LeCun", [2, 3]),
        ("author:Lecun", [2, 3]),
        ('author:"Yann LeCun"', [2, 3]),
        ("author:Le Cun, Yann", [2, 3]),
        ("author:Zoe LeCun", []),
        ("author:J. Mueller", [2]),
        ("author:Joerg Mueller", [2]),
        ("author:jorg muller", [2]),
        ("cat:cs.CL", [1, 3]),
        ("cat:cs.*", [0, 1, 3]),
        ("venue:NeurIPS", [2]),
        ("venue:neurips 2026", [2]),
        ("venue:NeurIPS2026", [2]),
        ("venue:neural information processing systems", [3]),
        ("venue:IPS", []),
        ("venue:2026 NeurIPS", []),
        ("venue:— x —", []),
    ],
)
def test_what_matches(text: str, numbers: list[int]) -> None:
    assert matched(text) == numbers


def test_an_exact_phrase_counts_by_its_letters_whatever_its_capitals() -> None:
    papers = [a_paper("Hearing aids", number=1), a_paper("AIDS", number=2), a_paper("An aid")]
    for spelling in ('"aids"', '"AIDS"', '"Aids"'):
        assert matched(spelling, *papers) == [0, 1]


def test_a_name_and_a_word_of_the_same_letters_are_matched_apart() -> None:
    papers = [a_paper("Hearing aids", number=1), a_paper("AIDS", number=2), a_paper("An aid")]
    for order in (("AIDS", "aids"), ("aids", "AIDS")):
        one = matcher(*papers)
        found = {text: one.row(interest(text)).papers.tolist() for text in order}
        assert found == {"AIDS": [1], "aids": [0, 1, 2]}
        assert one.barred(interest("-AIDS")).tolist() == [1]


def test_an_exact_phrase_has_no_stems_and_needs_no_neighbours() -> None:
    papers = [a_paper("Continually learning"), a_paper("Continual robot learning")]
    assert matched("continual learning", *papers) == [0, 1]
    assert matched('"continual learning"', *papers) == []


def test_joined_terms_must_all_be_there_and_the_least_phrase_counts() -> None:
    one = matcher()
    title, abstract = one.row(interest("world models")), one.row(interest("agents"))
    both = one.row(interest("world models AND agents"))
    assert both.papers.tolist() == [0]
    assert not both.certain
    at = np.searchsorted(abstract.papers, 0)
    assert both.relevance[0] == min(title.relevance[0], abstract.relevance[at])


def test_a_fact_joined_to_a_phrase_only_admits_papers() -> None:
    one = matcher()
    phrase, joined = one.row(interest("world models")), one.row(interest("world models AND cat:cs"))
    assert (joined.papers.tolist(), joined.certain) == ([0, 1], False)
    assert joined.relevance.tolist() == phrase.relevance.tolist()
    assert matched("world models AND cat:cs.CL") == [1]


def test_joined_facts_are_as_certain_and_as_relevant_as_the_most_telling() -> None:
    row = matcher().row(interest("author:LeCun AND cat:cs.LG AND venue:information"))
    assert (row.papers.tolist(), row.relevance.tolist(), row.certain) == ([3], [0.9], True)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("agents AND -survey", [0]),
        ("agents AND -author:LeCun", [0]),
        ("world models AND -cat:cs.CL", [0]),
        ('agents AND -"a survey of"', [0]),
        ("cat:cs AND -venue:neural", [0, 1]),
        ("agents AND sleep", []),
        ("nothing AND agents", []),
        ("the AND agents", []),
    ],
)
def test_terms_that_must_be_absent_take_papers_away(text: str, numbers: list[int]) -> None:
    assert matched(text) == numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("-survey", [2, 3]),
        ('-"world model"', [1]),
        ("-world model", [0, 1]),
        ("-author:Y. LeCun", [2, 3]),
        ("-cat:cs.LG", [0, 3]),
        ("-venue:NeurIPS", [2]),
        ("-(survey AND agents)", [3]),
        ("-(survey AND cat:q-bio)", [2]),
        ("-(survey AND -agents)", [2]),
        ("-the", []),
    ],
)
def test_what_is_excluded_bars_what_holds_it_whole(text: str, numbers: list[int]) -> None:
    assert barred(text) == numbers


@pytest.mark.parametrize(
    ("text", "number", "sentence"),
    [
        ("planning", 1, "matches planning in the abstract"),
        ('"world model"', 1, 'matches "world model" in the title'),
        ("author:LeCun", 2, "by LeCun, whom you follow"),
        ("venue:NeurIPS", 2, "listed under NeurIPS, which you follow"),
        ("world models AND cat:cs.LG", 0, 'matches "world models" in the title, in cs.LG'),
        (
            "agents AND world models AND planning",
            0,
            'matches "world models" and "planning" in the title, "agents" in the abstract',
        ),
        (
            "author:LeCun AND cat:cs.CL AND cat:cs.LG AND -sleep",
            3,
            "by LeCun, in cs.CL and cs.LG",
        ),
        ("agents AND venue:neural", 3, 'matches "agents" in the title, listed under neural'),
    ],
)
def test_the_reason_reads_like_a_sentence(text: str, number: int, sentence: str) -> None:
    assert told(text, number) == sentence


def test_the_words_to_highlight_are_those_of_all_terms() -> None:
    where, words = matcher().found(interest("agents AND cat:cs AND world models"), 0)
    assert where is Where.ABSTRACT
    assert words == ("agents", "cs.LG", "World Models")


def test_each_reader_of_a_joined_interest_reads_their_own_words() -> None:
    one = matcher()
    texts = ("Agents AND planning", "planning AND agents")
    reasons = [explain.matched(one, interest(text), 0, Trend()) for text in texts]
    assert [reason.parts[0].text for reason in reasons] == ["Agents", "planning"]
    assert reasons[0].named == ("Agents", "planning")


KNOWN = {
    synonym_key("Large Language Models"): ("LLM",),
    synonym_key("LLM"): ("large language model",),
}


def test_either_spelling_of_a_synonym_meets_the_other_and_says_which_stands_there() -> None:
    one = matcher(synonyms=KNOWN)
    for text in ("large language model", "LLMs"):
        assert one.row(interest(text)).papers.tolist() == [2, 3]
        assert one.found(interest(text), 3) == (Where.TITLE, ("LLM",))


def test_of_synonyms_the_best_evidence_wins_and_their_own_words_among_equals() -> None:
    one = matcher(synonyms=KNOWN)
    alone = matcher().row(interest("LLM")).relevance[-1]
    assert one.row(interest("large language models")).relevance[-1] == alone
    _, words = one.found(interest("LLM"), 2)
    assert sorted(words) == ["LLMs", "Large language models"]
    assert one.found(interest("large language models"), 2)[1][0] == "Large language models"


def test_synonyms_hold_in_joined_and_excluded_interests_but_not_in_exact_ones() -> None:
    one = matcher(synonyms=KNOWN)
    assert one.row(interest("large language models AND agents")).papers.tolist() == [3]
    assert one.barred(interest("-large language models")).tolist() == [2, 3]
    assert one.row(interest('"large language model"')).papers.tolist() == []


_TITLES = st.lists(
    st.sampled_from(["deep", "learn", "Learning", "models", "model", "of", "graph", "LLM", "owls"]),
    min_size=1,
    max_size=10,
).map(" ".join)
_NAMES = st.sampled_from(["Ada Lovelace", "Y. LeCun", "Jörg Müller"])
_TERMS = st.sampled_from(
    [
        "learning",
        "graph models",
        "deep learning",
        '"deep model"',
        "LLM",
        "of",
        "learn of models",
        "author:LeCun",
        "author:Mueller",
        "cat:cs",
        "cat:cs.LG",
        "venue:ICML",
    ]
)
_INTERESTS = st.tuples(
    st.lists(_TERMS, min_size=1, max_size=3), st.sampled_from(["", " AND -owls"])
)
_PAPERS = st.builds(
    a_paper,
    _TITLES,
    abstract=_TITLES,
    authors=st.lists(_NAMES, max_size=2).map(tuple),
    categories=st.lists(st.sampled_from(["cs.LG", "cs.CL"]), max_size=2).map(tuple),
    venue=st.sampled_from([None, "ICML 2026"]),
)


def _without(paper: Paper, words: tuple[str, ...]) -> Paper:
    """The paper with another word in place of these, wherever they stand: those left come no
    nearer to each other.
    """
    gone = {word.casefold() for spelling in words for word in spelling.split()}

    def rest(text: str) -> str:
        return " ".join("zzz" if word.casefold() in gone else word for word in text.split())

    return a_paper(
        rest(paper.title),
        abstract=rest(paper.abstract),
        authors=tuple(a for a in paper.authors if a not in words),
        categories=tuple(c for c in paper.categories if c not in words),
        venue=None if paper.venue in words else paper.venue,
    )


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.lists(_PAPERS, min_size=1, max_size=4), _INTERESTS)
def test_without_the_words_of_its_reason_a_paper_matches_less_or_not(
    papers: list[Paper], terms: tuple[list[str], str]
) -> None:
    wanted = interest(" AND ".join(terms[0]) + terms[1])
    statistics = Statistics.of((p.title, p.abstract) for p in papers)
    row = Matcher(papers, statistics, synonyms={"llm": ("graph model",)}).row(wanted)
    for number, relevance in zip(row.papers.tolist(), row.relevance.tolist(), strict=True):
        one = Matcher(papers, statistics, synonyms={"llm": ("graph model",)})
        _, words = one.found(wanted, number)
        assert words
        bare = [_without(p, words) if n == number else p for n, p in enumerate(papers)]
        left = Matcher(bare, statistics, synonyms={"llm": ("graph model",)}).row(wanted)
        after = dict(zip(left.papers.tolist(), left.relevance.tolist(), strict=True))
        assert after.get(number, 0.0) < relevance


@pytest.mark.parametrize(
    "text",
    [
        "持" * 64,
        '"' + "持" * 64 + '"',
        "a 🦙",
        '"🦙 a"',
        "the",
        '"the of"',
        "مرحبا بالعالم",
        "x" * 64,
        "author:持",
        "cat:🦙 a",
        "venue:7",
        "the AND of",
        "持 AND -the",
        "%_a",
        "author:" + "a " * 31,
    ],
)
def test_odd_interests_have_a_quiet_answer(text: str) -> None:
    one = matcher(*PAPERS, a_paper("🦙 🦙", abstract="", venue="🦙"), a_paper("", authors=("",)))
    row = one.row(interest(text))
    assert len(row.papers) == len(row.relevance) and np.isfinite(row.relevance).all()
    assert len(one.barred(interest(text))) <= len(one.papers)
    for number in row.papers.tolist():
        one.found(interest(text), number)


def test_an_empty_pool_matches_nothing() -> None:
    empty = Matcher((), Statistics.of(()))
    for text in ("agents", '"agents"', "agents AND cat:cs", "-(a AND b)", "author:a", "venue:a"):
        assert len(empty.row(interest(text)).papers) == len(empty.barred(interest(text))) == 0
