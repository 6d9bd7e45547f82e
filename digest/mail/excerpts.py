"""Text cut to fit a mail: matched words marked, the most telling sentences, authors shortened."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple

ELLIPSIS = "…"
MARKS_MOST = 8  # in one text: beyond that a mark tells nothing and costs bytes
WORTH = 0.7  # what a sentence must tell to stand beside the most telling one, if apart from it
LEAST = -1.8  # and to follow where the others leave half the room: no notice of code or data

# Words by which abstracts announce what is new in them, and those that tell what came of it; sought
# in sentences in lower case, which is quicker than to ignore case.
_ANNOUNCES = re.compile(
    r"\b(?:we (?:\w+ )?(?:propose|introduce|present|develop|design|show"
    r"|demonstrate|find|prove|argue|describe|study|investigate|build|report|reveal|establish"
    r"|identify|formalize|derive|construct|examine|explore)"
    r"|this (?:paper|work|study|survey|(?:technical )?report|article) \w+s)\b",
)
_NEW = re.compile(
    r"\b(?:we (?:\w+ )?(?:propose|introduce|present)"
    r"|this (?:paper|work|study|survey|report) \w+s)\b",
)
_OURS = re.compile(r"\b(?:our (?:\w+ )?(?:method|approach|framework|model|results?|work))\b")
_RESULT = re.compile(
    r"\b(?:outperform|surpass|exceed|achiev|improv|reduc|attain|yield|match|state-of-the-art|speed-?up"
    r"|faster|we (?:\w+ )?(?:find|show|demonstrate|reveal|prove)"
    r"|results? (?:show|demonstrate|suggest)|experiments? (?:show|demonstrate))",
)
_FIGURE = re.compile(r"\d(?:\.\d+)?\s?(?:%|\\%|×|x\b|times\b|points?\b|percent\b)")
# What abstracts say besides: a lesser step, an outline, what was released, what others lack.
_BESIDES = re.compile(
    r"^(?:finally|meanwhile|additionally|furthermore|moreover|lastly|also|second(?:ly)?|third(?:ly)?"
    r"|in addition|besides)\b|\bwe (?:also|further|finally|additionally)\b"
    r"|\b(?:publicly|open-?sourc\w+|we release|released?|(?:is|are|be|made|freely) available"
    r"|our (?:main )?contributions)\b"
    r"|\(ii\)|(?:^|\W)2\)|\?$",
)
# What a sentence begins with or holds in which the patterns above can be found: sought before them.
_RESULT_STEMS = (
    *("outperform", "surpass", "exceed", "achiev", "improv", "reduc", "attain", "yield", "match"),
    *("state-of-the-art", "speed", "faster", "find", "show", "demonstrate", "reveal", "prove"),
    "suggest",
)
_BESIDES_FIRST = (
    *("finally", "meanwhile", "additionally", "furthermore", "moreover", "lastly", "also"),
    *("second", "third", "in addition", "besides"),
)
_BESIDES_STEMS = (
    *("we also", "we further", "we finally", "we additionally", "publicly", "sourc", "release"),
    *("available", "contributions", "(ii)", "2)"),
)
_BACKGROUND = re.compile(
    r"^(?:however|while|although|despite|existing|recent(?:ly)?|prior|previous|current|yet|such)\b",
)
# A sentence that begins so leans on the one before it.
_LEANS = re.compile(
    r"^(?:this|these|that|those|such|its?|they|their|consequently|as a result)\b"
    r"(?! (?:paper|work|study|survey|report|article|technical))",
)
# An opening that leads over from what stood before: nothing is lost with it.
_OPENING = re.compile(
    r"^(?:(?:to (?:this end|(?:address|mitigate|overcome|bridge|tackle|solve|fill|alleviate|resolve"
    r"|close|remedy|break|handle|meet|reconcile)\b(?: (?:this|these|that|those|such)"
    r"(?: [\w -]{1,60})?| the (?:gap|above)[\w -]{0,40}))"
    r"|in this (?:paper|work|study|report|article|survey)|here|therefore|thus|hence|accordingly"
    r"|(?:motivated by|building on|based on|guided by) (?:this|these)[\w -]{0,40}|in response"
    r"|(?:more )?specifically|concretely), )(?=(?:we|this|our) )",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"https?://|\bwww\.")
# What ends a sentence: all that begins it is one class of characters, which is sought quickly.
_SENTENCE_END = re.compile(
    r"[.!?。！？](?:(?<=[.!?])[\"')\]”’]*\s+(?=[\"'(\[“‘]?[^\W_])|(?<=[。！？])\s*)"
)
_NO_END = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|al|etc|Fig|Figs|Eq|Eqs|Sec|Tab|Ref|No|Dr|St|Prof|approx|resp|ca)"
    r"|\b[A-Z])\.$"
)
_NO_END_MOST = 8  # characters of the longest, with the one before it
# What opens a sentence and is no name after an initial: "it depends on T. We propose"
_OPENS = re.compile(r"(?:We|Our|This|These|The|In|It|To|However|For|Here|As)\b")
_ALIKE = frozenset("\u0130\u0131\u017f\u212a")  # for i, s and k (`re.IGNORECASE`)
_SAFE_FORMATS = "\u200c\u200d"  # joiners, which several scripts and emoji need


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A stretch of text that is marked or not; the segments of a text join to the text itself."""

    text: str
    marked: bool = False


def plain(text: str) -> str:
    """One line without control, surrogate and direction-changing characters."""
    if text.isprintable():  # nearly always, and then nothing is to be done but the spaces
        return " ".join(text.split())
    kept = (
        c if c in _SAFE_FORMATS or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co") else " "
        for c in text.replace("\u00ad", "")
    )
    return " ".join("".join(kept).split())


def shortened(text: str, most: int) -> str:
    """The text cut at a word's end to at most `most` characters, the ellipsis among them."""
    if len(text) <= most:
        return text
    at = text.rfind(" ", 0, most)
    # a script without spaces, or one endless word, is cut where it stands
    whole_words = text[:at] if at > most // 2 else text[: most - 1]
    return whole_words.rstrip(" ,;:–—-(") + ELLIPSIS


def marked(text: str, words: Sequence[str]) -> tuple[Segment, ...]:
    """The text in segments, the first eight whole-word occurrences of `words` marked."""
    wanted = _any_of(tuple(words))
    spans = wanted.spans(text, _low(text)) if wanted else []
    return tuple(_segments(text, spans[:MARKS_MOST]))


def cut(segments: Sequence[Segment], most: int) -> tuple[Segment, ...]:
    """The segments' first `most` characters, an ellipsis at the end of what was cut."""
    kept: list[Segment] = []
    left = most
    for segment in segments:
        if len(segment.text) > left:
            head = shortened(segment.text, left) if left > 1 else ""
            return (*kept, replace(segment, text=head)) if head else tuple(kept)
        kept.append(segment)
        left -= len(segment.text)
    return tuple(kept)


def authors_line(authors: Sequence[str], most: int = 3) -> str:
    """`Ada Lovelace, Alan Turing and 5 more`: all names up to `most`, else the first two."""
    names = [name for name in (plain(author) for author in authors) if name]
    if len(names) > most:
        return f"{', '.join(names[:2])} and {len(names) - 2} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


class _Weighed(NamedTuple):
    """An abstract in sentences: in lower case where they are ASCII, without what led to them, what
    each tells whoever reads it; and what was chosen, by what a reader's words add to each.
    """

    sentences: list[str]
    low: list[str | None]
    freed: list[str]
    worth: list[float]
    told: dict[tuple[float, ...], str]


# one paper goes to many readers, mostly for the same few phrases
@lru_cache(maxsize=4_096)
def summary(abstract: str, words: tuple[str, ...], most: int, *, title: str = "") -> str:
    """The one to three most telling sentences of an abstract, in its order, in `most` characters.

    A sentence tells more when it holds matched words, announces the contribution (most of all by
    the name that `title` gives it before a colon) or tells what came of it. Sentences that do not
    follow one another are joined by an ellipsis; a best sentence that is too long is cut.
    """
    weighed = _weighed(abstract, title, most)
    if not weighed.sentences:
        return ""
    added = _added(weighed, _any_of(words))
    told = weighed.told.get(added)
    if told is None:
        told = weighed.told[added] = _told(weighed, added, most)
    return told


def _told(weighed: _Weighed, added: Sequence[float], most: int) -> str:
    scores = [own + more for own, more in zip(weighed.worth, added, strict=True)]
    ranked = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    return shortened(_joined(weighed, _chosen(weighed, scores, ranked, most)), most)


def _chosen(
    weighed: _Weighed, scores: Sequence[float], ranked: Sequence[int], most: int
) -> list[int]:
    """The best sentence, others worth their place, and what follows where that is little."""
    chosen = [ranked[0]]

    def fits(index: int) -> bool:
        return len(chosen) < 3 and len(_joined(weighed, [*chosen, index])) <= most

    for index in ranked[1:]:
        if scores[index] > (0 if index == ranked[0] + 1 else WORTH) and fits(index):
            chosen.append(index)
    after = max(chosen) + 1
    while after < len(scores) and len(_joined(weighed, chosen)) < most // 2:
        if scores[after] < LEAST or not fits(after):
            break
        chosen.append(after)
        after += 1
    return chosen


def split_sentences(text: str) -> list[str]:
    """Sentences of running text; abbreviations and initials end none."""
    sentences: list[str] = []
    begin = 0
    for end in _SENTENCE_END.finditer(text):
        _add_sentence(sentences, text[begin : end.start() + 1])
        begin = end.end()
    _add_sentence(sentences, text[begin:])
    return sentences


def _add_sentence(sentences: list[str], part: str) -> None:
    if sentences and _is_no_end(sentences[-1]) and not _OPENS.match(part):
        sentences[-1] += f" {part}"
    elif part:
        sentences.append(part)


def _is_no_end(sentence: str) -> bool:
    return sentence[-1] == "." and bool(_NO_END.search(sentence, len(sentence) - _NO_END_MOST))


@lru_cache(maxsize=4_096)
def _weighed(abstract: str, title: str, most: int) -> _Weighed:
    sentences, name = split_sentences(plain(abstract)), _name_in(title)
    return _Weighed(
        sentences=sentences,
        low=[_low(said) for said in sentences],
        freed=[_freed(said) for said in sentences],
        worth=[_worth(said, index, name, most) for index, said in enumerate(sentences)],
        told={},
    )


def _added(weighed: _Weighed, words: "_Words | None") -> tuple[float, ...]:
    """What the reader's own words add to each sentence."""
    if words is None:
        return (0.0,) * len(weighed.sentences)
    return tuple(
        [2.0 * words.different(*said) for said in zip(weighed.sentences, weighed.low, strict=True)]
    )


def _worth(sentence: str, index: int, name: str, most: int) -> float:
    """How much a sentence tells; above `WORTH` it may stand beside the best one."""
    low = sentence.lower()
    score = 0.0
    if ("we " in low or "this " in low) and _ANNOUNCES.search(low):  # most need no pattern
        score += 2.5 + 1.2 * bool(_NEW.search(low))
    score += 1.0 * ("our " in low and bool(_OURS.search(low)))
    result = any(stem in low for stem in _RESULT_STEMS) and bool(_RESULT.search(low))
    score += 0.9 * bool(name and _spans(sentence, name)) + 0.9 * result
    score += 0.6 * bool(_FIGURE.search(low))
    score -= 2.0 * _is_besides(low) + 0.8 * bool(_BACKGROUND.match(low))
    score -= 1.5 * bool(_LEANS.match(low))
    address = ("http" in low or "www." in low) and bool(_ADDRESS.search(low))
    score -= 4.0 * address + 2.0 * (len(sentence) < 40)
    return score - 0.05 * index - max(0, len(sentence) - most) / 150


def _is_besides(low: str) -> bool:
    likely = low.startswith(_BESIDES_FIRST) or low.endswith("?")
    likely = likely or any(stem in low for stem in _BESIDES_STEMS)
    return likely and bool(_BESIDES.search(low))


def _name_in(title: str) -> str:
    """What the title calls the work: the one to three words before its colon, else empty."""
    name, colon, _ = plain(title).partition(":")
    return name if colon and 1 <= len(name.split()) <= 3 else ""


def _joined(weighed: _Weighed, chosen: Sequence[int]) -> str:
    """The chosen sentences in their order, the first without what led to it."""
    ordered = sorted(chosen)
    text = weighed.freed[ordered[0]]
    for before, index in pairwise(ordered):
        follows = index == before + 1
        text += f" {weighed.sentences[index]}" if follows else f" {ELLIPSIS} {weighed.freed[index]}"
    return text


def _freed(sentence: str) -> str:
    opening = _OPENING.match(sentence)
    if opening is None:
        return sentence
    rest = sentence[opening.end() :]
    return rest[0].upper() + rest[1:]


@lru_cache(maxsize=4_096)  # readers share words
def _any_of(words: tuple[str, ...]) -> "_Words | None":
    wanted = sorted({word for word in map(plain, words) if word}, key=lambda w: (-len(w), w))
    return _Words(wanted) if wanted else None


class _Words:
    """Words to be found as whole words, whatever their case; of two at one place the longer one."""

    def __init__(self, wanted: Sequence[str]) -> None:
        """`wanted` has the longest first."""
        self._wanted = wanted
        self._low = [word.lower() for word in wanted if word.isascii()]

    def spans(self, text: str, low: str | None) -> list[tuple[int, int]]:
        """Where they begin and end in the text, of which `low` is None or `_low` of it."""
        if low is not None and len(self._low) == len(self._wanted):  # a pattern is slow to build
            likely = [word for word in self._low if word in low]
            if len(likely) < 2:
                return _spans(low, likely[0]) if likely else []
        return [match.span() for match in self._pattern.finditer(text)]

    def different(self, text: str, low: str | None) -> int:
        """How many different ones stand in the text, 2 where there are more."""
        spans = self.spans(text, low)
        if len(spans) < 2:
            return len(spans)
        return min(len({text[begin:end].casefold() for begin, end in spans}), 2)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(_whole, self._wanted)), re.IGNORECASE)


def _low(text: str) -> str | None:
    """The text in lower case, None where a letter is in it that a pattern which ignores case takes
    for an ASCII one.
    """
    return text.lower() if text.isascii() or not _ALIKE & set(text) else None


def _spans(text: str, word: str) -> list[tuple[int, int]]:
    """Where the word stands, case as it is: as the pattern `_whole` finds it."""
    spans: list[tuple[int, int]] = []
    begin = text.find(word)
    while begin >= 0:
        end = begin + len(word)
        bare = not (begin and _continues(text[begin - 1]) and _bounded(word[0]))
        if bare and not (_continues(text[end : end + 1]) and _bounded(word[-1])):
            spans.append((begin, end))
            begin = text.find(word, end)
        else:
            begin = text.find(word, begin + 1)
    return spans


def _continues(char: str) -> bool:
    r"""Whether it is `\w`."""
    return char.isalnum() or char == "_"


def _whole(word: str) -> str:
    """The word between word boundaries, where its script has any."""
    before = r"(?<!\w)" if _bounded(word[0]) else ""
    after = r"(?!\w)" if _bounded(word[-1]) else ""
    return before + re.escape(word) + after


def _bounded(char: str) -> bool:
    return char.isalnum() and unicodedata.east_asian_width(char) not in ("W", "F")


def _segments(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[Segment]:
    end = 0
    for begin, after in spans:
        if begin > end:
            yield Segment(text=text[end:begin])
        yield Segment(text=text[begin:after], marked=True)
        end = after
    if end < len(text):
        yield Segment(text=text[end:])
