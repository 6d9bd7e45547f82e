"""The interest language: what is read, what is refused and where, and that all of it comes back."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest.domain.interests import (
    LONGEST,
    Interest,
    InterestError,
    InterestKind,
    in_its_list,
    interest,
    written,
)

ROOT = Path(__file__).resolve().parents[2]
PHRASE, EXACT, ALL = InterestKind.PHRASE, InterestKind.EXACT, InterestKind.ALL
AUTHOR, CATEGORY, VENUE = InterestKind.AUTHOR, InterestKind.CATEGORY, InterestKind.VENUE


@pytest.mark.parametrize(
    ("typed", "kind", "text", "weight", "excluded"),
    [
        ('"continual learning"', EXACT, "continual learning", 1, False),
        ("“continual  learning”^2", EXACT, "continual learning", 2, False),
        (r'"say \"hello\" to \\n \m"', EXACT, r'say "hello" to \n \m', 1, False),
        ("-survey", PHRASE, "survey", 1, True),
        ("- survey", PHRASE, "survey", 1, True),
        ("–survey", PHRASE, "survey", 1, True),
        ('-"a survey of"', EXACT, "a survey of", 1, True),
        ("author:Y. LeCun", AUTHOR, "Y. LeCun", 1, False),
        ("Author: Lecun", AUTHOR, "Lecun", 1, False),
        ('author:"Yann LeCun"^3', AUTHOR, "Yann LeCun", 3, False),
        ("author：林雨晴", AUTHOR, "林雨晴", 1, False),
        ("-author:LeCun", AUTHOR, "LeCun", 1, True),
        ("cat:cs.CL", CATEGORY, "cs.CL", 1, False),
        ("category:cs.*", CATEGORY, "cs.*", 1, False),
        ("-cat:cs", CATEGORY, "cs", 1, True),
        ("venue:NeurIPS", VENUE, "NeurIPS", 1, False),
        ("agents AND  memory", ALL, "agents AND memory", 1, False),
        ("agents AND cat:cs.LG^0.5", ALL, "agents AND cat:cs.LG", 0.5, False),
        ('"a b" AND -survey', ALL, '"a b" AND -survey', 1, False),
        ("-survey AND agents", ALL, "agents AND -survey", 1, False),
        ("-(agents AND games)", ALL, "agents AND games", 1, True),
        ("-(agents AND -games)^2", ALL, "agents AND -games", 2, True),
        ("-(agents)", PHRASE, "agents", 1, True),
        ("agents AND Agents", PHRASE, "agents", 1, False),
        ('"C^2" AND x', ALL, '"C^2" AND x', 1, False),
        ("a AND C^2^1", ALL, "a AND C^2", 1, False),
    ],
)
def test_what_is_typed_is_read(typed, kind, text, weight, excluded):
    expected = Interest(kind=kind, text=text, weight=weight, excluded=excluded)
    assert interest(typed) == expected


@pytest.mark.parametrize(
    "typed",
    [
        *("out-of-distribution", "re-ranking", "C++", "C#", "k-means++", "3D", "GPT-4", "R&D"),
        *("title: subtitle", "re: zero", "std::vector", "https://example.com/a", "a:b", "3:1"),
        *('5" screens', 'the "lottery ticket" hypothesis', '"Why", you ask', "rock 'n' roll"),
        *("search and rescue", "And then", "ANDROID", "SAND and AND/OR trees", "RLHF OR DPO"),
        *(r"\method", r"C:\x", "a\\", "(multi-)agent systems", "(a) b", "x^y", "^2", "C^2^1"),
        *("authors of novels", "author", "authority: who", "category theory", "venue", "a - b"),
        *("author profiling: a survey", "日本語", "@spam", "=1+1", "'quoted", "50% off", "a;b|c"),
    ],
)
def test_plain_words_stay_plain_words(typed):
    found = interest(typed)
    assert (found.kind, found.excluded) == (PHRASE, False)
    assert found.text == typed.removesuffix("^1")


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (r"\-games", "-games"),
        (r"\"quoted\" words", r'"quoted\" words'),
        (r"\author:me", "author:me"),
        (r"\ti:me", "ti:me"),
        (r"\\-games", r"\-games"),
        (r"search \AND rescue", "search AND rescue"),
        (r"\AND", "AND"),
        (r"search \\AND rescue", r"search \AND rescue"),
    ],
)
def test_a_backslash_takes_a_meaning_away(typed, text):
    assert interest(typed) == Interest(kind=PHRASE, text=text)


@pytest.mark.parametrize(
    ("typed", "why", "at"),
    [
        ('"continual learning AND agents', "a quote is never closed", 1),
        ('agents AND "memory', "a quote is never closed", 12),
        ('author:"LeCun', "a quote is never closed", 8),
        ('"a "nested" quote"', "a quote within quotes", 4),
        ('the "lottery AND ticket" x', "quotes stand around a whole term", 5),
        ('"', "a quote is never closed", 1),
        ('""', "no letter or digit", 1),
        ('" "', "no letter or digit", 1),
        ('"…" AND a', "no letter or digit", 1),
        ("", "no letter or digit", 1),
        ("^", "no letter or digit", 1),
        ("-", "no letter or digit", 1),
        ("-^2", "no letter or digit", 1),
        ("- ", "no letter or digit", 1),
        ("--a", "excluded twice", 2),
        ("-(-a)", "excluded twice", 3),
        ("🦙🦙", "no letter or digit", 1),
        ("\x00\x1b\u202e\ud800", "no letter or digit", 1),
        ("AND", "nothing stands before AND", 1),
        ("AND b", "nothing stands before AND", 1),
        ("a AND AND b", "nothing stands before AND", 7),
        ("a AND", "nothing follows AND", 3),
        ('"a" AND ', "nothing follows AND", 5),
        ("a AND -", "no letter or digit", 7),
        ("-a AND -b", "needs to be without -", 1),
        ("a AND -a", "both be there and be absent", 7),
        ("-(a AND b", "bracket is never closed", 2),
        ("a AND -(b)", "brackets stand around all", 8),
        ("a^2 AND b", "weight stands at the end", 2),
        ("a OR b AND c", "no OR", 1),
        ("a AND NOT b", "no NOT", 7),
        ("author:", "nothing follows author:", 1),
        ("a AND cat:", "nothing follows cat:", 7),
        ("venue: AND a", "nothing follows venue:", 1),
        ("author:…", "no letter or digit", 8),
        ("ti:agents", "no field is named ti", 1),
        ("a AND abs:b", "no field is named abs", 7),
        ("a^11", "a weight lies above 0", 2),
        ("author:X^0", "a weight lies above 0", 9),
        ("持" * 65, "65 characters", 65),
        ('"' + "持" * 65 + '"', "65 characters", 65),
        (" AND ".join("abcdefghijklm"), "73 characters", 65),
        ("x" * 100_000, "100000 characters", 65),
        ("^1" * 100_000, "200000 characters", 65),
    ],
)
def test_an_error_names_the_place(typed, why, at):
    with pytest.raises(InterestError) as caught:
        interest(typed)
    said = str(caught.value)
    assert why in said and said.endswith(f", at character {at}")
    assert len(said) < 300 and "\n" not in said


def test_a_mark_stands_under_the_place():
    with pytest.raises(InterestError) as caught:
        interest('agents AND "memory')
    assert caught.value.pointed == (
        "interest: a quote is never closed",
        'agents AND "memory',
        "           ^",
    )
    with pytest.raises(InterestError) as caught:
        interest("持续 AND AND x")  # ideographs take two cells of a terminal
    assert caught.value.pointed[2] == " " * 9 + "^"
    with pytest.raises(InterestError) as caught:
        interest("x" * 90)
    _, text, mark = caught.value.pointed
    assert len(text) <= 60 and mark.index("^") <= len(text)


@pytest.mark.parametrize(
    ("typed", "kind", "excluded", "why"),
    [
        ("-games", PHRASE, True, "excluded already"),
        ("-(a AND b)", PHRASE, True, "excluded already"),
        ("-LeCun", AUTHOR, False, "is to be followed"),
        ("cat:cs.LG", AUTHOR, False, "cat: has no place here: give one author"),
        ("author:LeCun", CATEGORY, False, "give one category"),
        ("LeCun AND Hinton", AUTHOR, False, "give one author here"),
        ("cs.LG AND cs.CL", CATEGORY, False, "give one category here"),
    ],
)
def test_what_contradicts_its_list_is_refused(typed, kind, excluded, why):
    with pytest.raises(InterestError, match=why):
        interest(typed, kind, excluded=excluded)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (interest("-games"), interest("games", excluded=True)),
        (interest("a AND b"), interest("a AND b", ALL)),
        (interest("author:X Y"), interest("X Y", AUTHOR)),
        (interest("author:X Y"), interest("author:X Y", AUTHOR)),
        (interest("author:X Y"), interest('"X Y"', AUTHOR)),
        (interest("cat:cs.LG"), interest("cs.LG", CATEGORY)),
        (interest("-cat:cs.LG"), interest("cat:cs.LG", excluded=True)),
        (interest("-(a AND b)"), interest("a AND b", excluded=True)),
    ],
)
def test_two_ways_to_say_it_are_one_interest(one, other):
    assert one == other


def test_keys_tell_meanings_apart_and_spellings_together():
    assert interest("a AND B").key == interest("b AND A").key
    assert interest("a AND -b").key != interest("b AND -a").key != interest("a AND b").key
    assert interest('a AND "b"').key != interest("a AND b").key
    assert interest("a AND cat:b").key != interest("a AND b").key
    joined, words = interest("a AND b"), interest(r"a \AND b")
    assert (joined.kind, joined.key) != (words.kind, words.key)
    assert len({interest('"a"'), interest("a"), interest("author:a"), interest("venue:a")}) == 4


def test_an_interest_knows_its_terms():
    found = interest('agents AND -"games" AND author:LeCun^2')
    assert [(t.kind, t.text, t.excluded) for t in found.terms] == [
        (PHRASE, "agents", False),
        (AUTHOR, "LeCun", False),
        (EXACT, "games", True),
    ]
    assert interest("-games").terms == (interest("games"),)


def test_every_example_of_the_page_means_what_it_says():
    page = (ROOT / "docs" / "interests.md").read_text(encoding="utf-8")
    examples = [code for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for code in
                re.findall(r"`(.+?)`", row)]  # fmt: skip
    assert len(examples) > 15
    for shown in examples:
        interest(shown)


_PIECES = st.sampled_from(
    [
        *(*"-–\"“”\\^:;()'*|+#. ", "AND", " AND ", "OR", "NOT ", "author:", "cat:", "venue："),
        *("ti:", "a", "B", "7", "^2", "é", "持", "🦙", "ab cd", "\\-", '\\"', "\u202e", "\x00"),
    ]
)
_typed = st.lists(_PIECES, max_size=12).map("".join) | st.text(max_size=30)


def _read(text, kind=PHRASE, *, excluded=False):
    try:
        return interest(text, kind, excluded=excluded)
    except InterestError as exc:
        assert str(exc) and exc.pointed[2].endswith("^")
        return None


@settings(max_examples=1_000)
@given(_typed, st.sampled_from([PHRASE, EXACT, AUTHOR, CATEGORY, VENUE]), st.booleans())
@example("-\\(a", PHRASE, False)
def test_whatever_can_be_read_comes_back_from_what_is_written(text, kind, excluded):
    found = _read(text, kind, excluded=excluded)
    if found is None:
        return
    assert len(found.text) <= LONGEST and found.key
    assert interest(written(found)) == found
    column = found.kind if found.kind in (AUTHOR, CATEGORY) and not found.excluded else PHRASE
    assert interest(in_its_list(found), column, excluded=found.excluded) == found


@given(
    st.sampled_from([PHRASE, EXACT, AUTHOR, CATEGORY, VENUE]),
    st.lists(_PIECES, min_size=1, max_size=6).map("".join),
    st.floats(0.001, 10),
    st.booleans(),
)
def test_whatever_a_store_may_hold_comes_back(kind, text, weight, excluded):
    """Texts from before the language hold any sign: they keep their meaning."""
    visible = "".join(c for c in text if c.isprintable())
    plain = " ".join(visible.split())
    if not any(c.isalnum() for c in plain):
        return
    item = Interest(kind=kind, text=plain, weight=weight, excluded=excluded)
    assert interest(written(item)) == item


@given(st.text(max_size=70))
def test_words_without_signs_mean_what_they_say(text):
    plain = " ".join(text.split())
    if not plain.isprintable() or not 0 < len(plain) <= LONGEST:
        return
    if any(sign in plain for sign in '^:："“”„') or plain[0] in "-\\‐‑‒–−" or "AND" in plain:
        return
    if any(c.isalnum() for c in plain):
        assert interest(text) == Interest(kind=PHRASE, text=plain)
