"""Matching with a background: what an interest is about weighs papers and brings related ones."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.domain.digests import Digest, Where, why
from digest.domain.interests import Interest, interest
from digest.domain.papers import Paper
from digest.domain.trends import Trend
from digest.mail.entries import joined, paper_view
from digest.mail.links import Site
from digest.mail.render import Renderer
from digest.ranking import explain
from digest.ranking.acronyms import Acronyms
from digest.ranking.edition import THRESHOLD, EditionRanker
from digest.ranking.match import Background, Matcher, Row
from digest.ranking.statistics import Statistics, Text
from tests.builders import a_paper, a_subscriber
from tests.mail.mails import a_digest_view, a_pick
from tests.ranking.topical import PHRASE, holders, relatives, strangers

DAY = a_paper().first_seen_at.date()
TEXTS = [*holders(6), *relatives(1), *strangers(12)]
RELATED = 6
STATISTICS = Statistics.of(strangers(600))
"""Of further papers of the store, beside which the phrase is rare."""


def papers_of(texts: list[Text]) -> list[Paper]:
    return [a_paper(t, number=n, abstract=a) for n, (t, a) in enumerate(texts, start=1)]


def matcher(
    texts: list[Text], earlier: tuple[Text, ...] = (), *, knows: bool = True, **parts: object
) -> Matcher:
    background = Background(earlier=earlier, **parts) if knows else None  # type: ignore[arg-type]
    statistics = STATISTICS + Statistics.of([*texts, *earlier])
    return Matcher(papers_of(texts), statistics, background=background)


def as_dict(row: Row) -> dict[int, float]:
    assert row.papers.tolist() == sorted(set(row.papers.tolist()))
    assert np.isfinite(row.relevance).all()
    return dict(zip(row.papers.tolist(), row.relevance.tolist(), strict=True))


def test_a_related_paper_comes_behind_those_that_name_the_phrase() -> None:
    found = as_dict(matcher(TEXTS).row(interest(PHRASE)))
    assert list(found) == [*range(6), RELATED]
    assert THRESHOLD <= found[RELATED] <= 0.45 < min(found[n] for n in range(6))


def test_few_holders_change_nothing() -> None:
    few = [*holders(4), *relatives(2), *strangers(12)]
    with_topics, without = matcher(few), matcher(few, knows=False)
    assert as_dict(with_topics.row(interest(PHRASE))) == as_dict(without.row(interest(PHRASE)))


def test_the_paper_that_uses_the_words_in_another_sense_counts_less() -> None:
    odd = ("On the owls of the west", "Owls nest; speculative decoding of owl song, owl nests.")
    texts = [*holders(8), odd, *strangers(12)]
    weighed, plain = (matcher(texts, knows=k).row(interest(PHRASE)) for k in (True, False))
    assert as_dict(weighed)[8] < as_dict(plain)[8]
    assert as_dict(weighed)[0] > as_dict(weighed)[8]
    # the evidence counts for no less than half
    odds = [row.relevance[8] / (1 - row.relevance[8]) for row in (weighed, plain)]
    assert 0.5 <= odds[0] / odds[1] < 1


@pytest.mark.parametrize(
    "text", [f'"{PHRASE}"', f"{PHRASE} AND draft", f"{PHRASE} AND cat:cs.LG", "cat:cs.LG"]
)
def test_exact_phrases_joined_terms_and_facts_take_no_related_papers(text: str) -> None:
    with_topics, without = matcher(TEXTS), matcher(TEXTS, knows=False)
    assert as_dict(with_topics.row(interest(text))) == as_dict(without.row(interest(text)))


def test_what_is_related_is_not_barred_by_the_excluded_phrase() -> None:
    one = matcher(TEXTS)
    one.row(interest(PHRASE))
    assert one.barred(interest(f"-{PHRASE}")).tolist() == list(range(6))


def test_a_synonym_that_enough_papers_hold_leaves_no_room_for_related_ones() -> None:
    named = [(f"Sketching {n}", f"Draft-and-check, part {n}.") for n in range(11)]
    texts = [*holders(6), *relatives(1), *strangers(12), *named]

    def found(count: int) -> dict[int, float]:
        others = {PHRASE: ("draft-and-check",)} if count else {}
        return as_dict(matcher(texts, synonyms=lambda _wanted: others).row(interest(PHRASE)))

    assert RELATED in found(0) and RELATED not in found(11)


# Digests


def digest(texts: list[Text], *wanted: str) -> list[tuple[int, Where]]:
    ranker = EditionRanker(
        papers_of(texts), STATISTICS + Statistics.of(texts), {}, background=Background()
    )
    found = ranker.digest_for(a_subscriber("ada@example.com", *wanted), set(), DAY)
    assert isinstance(found, Digest)
    return [(int(pick.paper_id) - 1, pick.reason.where) for pick in found.picks]


def test_a_related_paper_is_picked_and_says_so() -> None:
    assert digest(TEXTS, PHRASE)[-1] == (RELATED, Where.RELATED)


@pytest.mark.parametrize("excluded", ["-target verifies", "-latency", '-"draft model"'])
def test_a_related_paper_that_holds_an_excluded_phrase_stays_barred(excluded: str) -> None:
    assert RELATED not in dict(digest(TEXTS, PHRASE, excluded))


def test_an_excluded_phrase_brings_no_related_papers() -> None:
    picks = digest(TEXTS, "owls", f"-{PHRASE}")
    assert {where for _, where in picks} == {Where.TITLE}


# Reasons


def test_the_reason_names_words_that_stand_in_the_paper() -> None:
    one = matcher(TEXTS)
    reason = explain.matched(one, interest("Speculative Decoding"), RELATED, Trend())
    title, abstract = TEXTS[RELATED]
    assert reason.where is Where.RELATED and len(reason.words) == 3
    assert all(word in f"{title}\n{abstract}" for word in reason.words)
    first, second, third = reason.words
    expected = f"related to Speculative Decoding: it talks of {first}, {second} and {third}"
    assert why(reason) == expected


def test_without_the_words_of_its_reason_a_related_paper_is_less_relevant() -> None:
    where, words = matcher(TEXTS).found(interest(PHRASE), RELATED)
    assert where is Where.RELATED
    before = as_dict(matcher(TEXTS).row(interest(PHRASE)))[RELATED]
    gone = re.compile("|".join(rf"\b{w}\b" for w in " ".join(words).split()), re.IGNORECASE)
    title, abstract = (gone.sub("", part) for part in TEXTS[RELATED])
    texts = [(title, abstract) if n == RELATED else text for n, text in enumerate(TEXTS)]
    assert as_dict(matcher(texts).row(interest(PHRASE))).get(RELATED, 0.0) < before


def test_a_line_without_spaces_is_no_word_to_tell() -> None:
    line = "draftproposesthetokensthatthetargetmodelverifiesinparallel" * 3
    texts = [(f"{t} {line}", f"{a} {line}") for t, a in TEXTS[: RELATED + 1]]
    one = matcher([*texts, *strangers(12)])
    assert RELATED in as_dict(one.row(interest(PHRASE)))
    _, words = one.found(interest(PHRASE), RELATED)
    assert words and line not in words


def test_in_a_mail_the_reason_is_escaped_and_only_what_stands_there_is_marked() -> None:
    wanted = interest("<b>speculative</b> decoding & more")
    paper = papers_of(TEXTS)[RELATED]
    reason = explain.matched(matcher(TEXTS), interest(PHRASE), RELATED, Trend())
    shown = replace(reason, interest=wanted.label)
    view = paper_view(a_pick(paper, shown), paper, 1, site=Site(url="https://d.example"), room=340)
    assert joined(view.reason).startswith("related to <b>speculative</b> decoding & more: it talks")
    marks = [part.text for part in (*view.title, *view.summary) if part.marked]
    known = {word.casefold() for word in reason.words}
    assert marks and {mark.casefold() for mark in marks} <= known
    html = Renderer().render(a_digest_view(paper, reason=shown)).html
    assert html is not None and "<b>spec" not in html
    assert "&lt;b&gt;speculative&lt;/b&gt; decoding &amp; more" in html


# Batches


SEVERAL = [
    PHRASE,
    "Speculative decoding",
    "owls",
    "draft model",
    "of the",
    "cat:cs.LG",
    '"owls"',
    f"{PHRASE} AND draft",
    "持" * 64,
    "SWANS",
    "swans",
    "how tokens of a draft are checked",
]


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.permutations(SEVERAL), st.integers(0, len(SEVERAL)))
def test_learnt_alone_or_with_others_in_any_order_an_interest_gives_the_same(
    texts: list[str], past: int
) -> None:
    several = [interest(text) for text in texts]
    one = matcher(TEXTS, tuple(holders(5, first=50)))
    one.learn(several[:past])
    one.learn(several)
    for item in several:
        alone = matcher(TEXTS, tuple(holders(5, first=50)))
        assert as_dict(one.row(item)) == as_dict(alone.row(item))
        assert all(one.found(item, n) == alone.found(item, n) for n in alone.row(item).papers)


def test_the_case_of_who_asks_first_does_not_matter() -> None:
    defined = [("Tea", "The segment anything model (SAM) of tea."), ("Cups", "SAM is used."),
               ("Salt", "A segment anything model (SAM)."), ("Men", "They met sam, and sam sang."),
               ("More", "What sam said; sam."), ("Dogs", "One of sam and another.")]  # fmt: skip
    acronyms = Acronyms.of(defined)
    for order in (("SAM", "sam"), ("sam", "SAM")):
        one = matcher(defined, synonyms=acronyms.as_mapping)
        several = [interest(text) for text in order]
        one.learn(several)
        for item in several:
            alone = matcher(defined, synonyms=acronyms.as_mapping)
            assert as_dict(one.row(item)) == as_dict(alone.row(item))
            assert one.barred(item).tolist() == alone.barred(item).tolist()


def test_hundreds_are_learnt_in_chunks_as_if_one_by_one() -> None:
    words = sorted({w for text in TEXTS for part in text for w in re.findall(r"\w+", part)})
    pairs = [f"{a} {b}" for a in words[:30] for b in words[-21:] if a != b]
    several: list[Interest] = [interest(text) for text in (*pairs[:560], *words[:40])]
    assert len(several) == 600
    together, single = matcher(TEXTS), matcher(TEXTS)
    together.learn(several)
    for item in several[::7]:
        assert as_dict(together.row(item)) == as_dict(single.row(item))


# Bad input


@pytest.mark.parametrize("text", ["the", "of the", "持" * 64, "🦙 a", "x" * 64, "%_a", PHRASE])
@pytest.mark.parametrize(
    "texts", [[], [("", "")], [("Speculative decoding", "")] * 7, [*TEXTS, ("", ""), ("🦙", "持")]]
)
def test_odd_pools_and_interests_give_sound_rows(text: str, texts: list[Text]) -> None:
    for earlier in ((), tuple(holders(6, first=50)), (("", ""),)):
        one = matcher(texts, earlier)
        for number, relevance in as_dict(one.row(interest(text))).items():
            assert 0 < relevance < 1
            one.found(interest(text), number)


def test_a_paper_full_of_the_phrase_stays_below_1() -> None:
    full = ("Speculative decoding", f"{PHRASE} and " * 60)
    texts = [("Speculative " * 40 + "decoding", ""), full, (f"{PHRASE} " * 60, "")] + [full] * 5
    found = as_dict(matcher([*texts, *strangers(12)]).row(interest(PHRASE)))
    assert max(found.values()) < 1
