"""Text → tokens: one analysis for papers and interests, so that spellings of one thing meet.

Every word gets two names. `form` folds case, width, diacritics and the plural: what a reader takes
for the same word. `stem` goes further (Porter2, snowballstem.org/algorithms/english): what is worth
ranking, but too wide to claim a match (`universal` and `university` share a stem). Acronyms and
names of models (`LoRA`, `GPT`, `3D`) are never stemmed. A hyphen parts words, so `few-shot` and
`few shot` are the same tokens; a pair it joins is remembered, so that `metalearning` meets both.
A version is parted from the name before it: `GPT4` is `GPT-4`.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import Stemmer

_CJK = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\u0e01-\u0e5b"
_HIDDEN = "\u00ad\u200b-\u200d\u2060"  # soft hyphen, zero-width characters: within a word
# Ideographs, kana, Hangul and Thai are written without spaces or with endings attached: each
# character is a token, and words of them are found as phrases.
_TAIL = r"(?:['’]s\b|\+\+(?![^\W_])|#(?![^\W_]))?"  # `Alzheimer's`, `C++`, `C#`
_NUMBER = r"\d+(?:\.\d+)+"
_NAMED = r"[A-Za-z]{2,}(?=\d+(?:\.\d+)*(?![^\W_]))"  # `Qwen2.5` is `Qwen-2.5` and `Qwen 2.5`
_WORD = re.compile(
    rf"[{_CJK}]|{_NAMED}|{_NUMBER}|"
    rf"[^\W_{_CJK}](?:[^\W_{_CJK}]|[\u0300-\u036f{_HIDDEN}])*{_TAIL}"
)
_ASCII_WORD = re.compile(rf"{_NAMED}|[A-Za-z][A-Za-z0-9]*{_TAIL}|{_NUMBER}|[0-9][A-Za-z0-9]*")
_IDEOGRAPH = re.compile(f"[{_CJK}]")
_HYPHENS = frozenset("-\u2010\u2011\u2012\u2013\u2212\u00ad\ufe63\uff0d")
_NAME = re.compile(r"\d|(?<=.)[A-Z]")  # a digit, or a capital that is not the first letter
_NAME_PLURAL = re.compile(r"(?<=[A-Z0-9])s$")
_FOLDS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d"})
_IRREGULAR = {
    "analyses": "analysis", "children": "child", "corpora": "corpus", "criteria": "criterion",
    "hypotheses": "hypothesis", "indices": "index", "matrices": "matrix", "phenomena": "phenomenon",
    "syntheses": "synthesis", "vertices": "vertex", "biases": "bias", "bias": "bias",
    "series": "series", "lens": "lens", "atlas": "atlas", "gas": "gas",
}  # fmt: skip
_STOP_WORDS = """
    a about after all also an and any are as at be been before being between both but by can could
    did do does doing during each for from further had has have having he her here his how i if in
    into is it its itself just may me might more most must my no nor not of off on once only or
    other our out over own same she should so some such than that the their them then there these
    they this those through to too under until up upon very was we were what when where which while
    who whom why will with within without would you your via using use used
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())

_stemmer = Stemmer.Stemmer("english", 0)


class Token(NamedTuple):
    """One word: its two names, where it stands in the text, and whether it is tied to the next."""

    form: str
    stem: str
    start: int
    end: int
    joined: bool


def tokens(text: str) -> list[Token]:
    """The words of a text in order; `text[token.start:token.end]` is the word as it is spelled."""
    pattern, named = _reading(text)
    result: list[Token] = []
    form = stem = ""
    start = end = 0
    for match in pattern.finditer(text):
        after, past = match.span()
        if form:
            result.append(Token(form, stem, start, end, _is_joined(text, end, after)))
        form, stem = named(match[0])
        start, end = after, past
    if form:
        result.append(Token(form, stem, start, end, False))
    return result


@lru_cache(maxsize=1 << 18)
def word_names(word: str) -> tuple[str, str]:
    """`form` and `stem` of one word, as spelled; both empty for a word of invisible characters."""
    visible = word[:-2] if word.endswith(("'s", "’s")) else word
    folded = fold(visible)
    if is_name(visible):
        name = fold(_NAME_PLURAL.sub("", visible))
        if _is_plural_name(visible):
            name = _singular(name)
        return name, name
    return _singular(folded), _stemmer.stemWord(_IRREGULAR.get(folded, folded))


def names(text: str) -> list[tuple[str, str]]:
    """`form` and `stem` of a text's words, without where they stand: in half the time."""
    pattern, named = _reading(text)
    return [pair for word in pattern.findall(text) if (pair := named(word))[0]]


def stems(text: str) -> list[str]:
    """The stems of a text's words alone."""
    return [stem for _, stem in names(text)]


def spelled(text: str) -> list[str]:
    """The words of a text as they are spelled, in order: what `word_names` takes."""
    return _reading(text)[0].findall(text)


def _reading(text: str) -> tuple[re.Pattern[str], Callable[[str], tuple[str, str]]]:
    """What a word is in this text, and how it is named."""
    pattern = _ASCII_WORD if text.isascii() else _WORD  # the same for ASCII, and faster
    return pattern, _shouted_names if is_shouting(text) else word_names


def _is_joined(text: str, end: int, after: int) -> bool:
    """Whether a hyphen stands between two words, or nothing between a name and its version."""
    if after == end:
        return text[after].isdigit() and text[end - 1].isascii()
    return after == end + 1 and text[end] in _HYPHENS


def _shouted_names(word: str) -> tuple[str, str]:
    return word_names(word.lower())  # a title in capitals is not made of acronyms


def fold(text: str) -> str:
    """The text in compatibility form, without case and diacritics (Unicode NFKD, casefold)."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(c for c in decomposed if unicodedata.category(c) not in ("Mn", "Cf"))
    return unicodedata.normalize("NFKC", kept).translate(_FOLDS)


def is_name(word: str) -> bool:
    """Whether a word is spelled as an acronym or the name of a model: `RAG`, `LoRA`, `3D`."""
    return _NAME.search(word) is not None


def _is_plural_name(word: str) -> bool:
    """`AutoEncoders` and, of five letters or more, `AGENTS`; neither `3dgs` nor `AIDS`."""
    if word[-1] == "S":
        return len(word) >= 5 and word.isalpha() and word.isupper()
    return word[-1] == "s" and word[-2].islower() and not word.islower()


def is_ideograph(form: str) -> bool:
    """Whether a token is one character of a script that is written without spaces."""
    return _IDEOGRAPH.match(form) is not None


def is_shouting(text: str) -> bool:
    """Whether a text of several words is all in capitals, which then tell no name."""
    return len(text) > 12 and " " in text and text.isupper()


def _singular(word: str) -> str:
    """An English noun without its plural ending; other words keep theirs."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 4 or word[-1] != "s" or word.endswith(("ss", "us", "is", "ics")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zzes")):
        return word[:-2]
    return word[:-1]
