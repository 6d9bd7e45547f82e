"""Text cut to fit a mail: matched words marked, the most telling sentences, authors shortened."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, pairwise

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
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]”’]*\s+(?=[\"'(\[“‘]?[^\W_])|(?<=[。！？])\s*")
_NO_END = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|al|etc|Fig|Figs|Eq|Eqs|Sec|Tab|Ref|No|Dr|St|Prof|approx|resp|ca)"
    r"|\b[A-Z])\.$"
)
# What opens a sentence and is no name after an initial: "it depends on T. We propose"
_OPENS = re.compile(r"(?:We|Our|This|These|The|In|It|To|However|For|Here|As)\b")
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
    pattern = _any_of(tuple(words))
    if pattern is None:
        return (Segment(text=text),) if text else ()
    return tuple(_segments(text, pattern))


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


# one paper goes to many readers, mostly for the same few phrases
@lru_cache(maxsize=4_096)
def summary(abstract: str, words: tuple[str, ...], most: int, *, title: str = "") -> str:
    """The one to three most telling sentences of an abstract, in its order, in `most` characters.

    A sentence tells more when it holds matched words, announces the contribution (most of all by
    the name that `title` gives it before a colon) or tells what came of it. Sentences that do not
    follow one another are joined by an ellipsis; a best sentence that is too long is cut.
    """
    sentences, worth = _weighed(abstract, title, most)
    if not sentences:
        return ""
    pattern = _any_of(words)
    scores = [own + _held(pattern, said) for said, own in zip(sentences, worth, strict=True)]
    ranked = sorted(range(len(sentences)), key=lambda i: (-scores[i], i))
    chosen = _chosen(sentences, scores, ranked, most)
    return shortened(_joined(sentences, chosen), most)


def _chosen(
    sentences: Sequence[str], scores: Sequence[float], ranked: Sequence[int], most: int
) -> list[int]:
    """The best sentence, others worth their place, and what follows where that is little."""
    chosen = [ranked[0]]

    def fits(index: int) -> bool:
        return len(chosen) < 3 and len(_joined(sentences, [*chosen, index])) <= most

    for index in ranked[1:]:
        if scores[index] > (0 if index == ranked[0] + 1 else WORTH) and fits(index):
            chosen.append(index)
    after = max(chosen) + 1
    while len(_joined(sentences, chosen)) < most // 2 and after < len(sentences):
        if scores[after] < LEAST or not fits(after):
            break
        chosen.append(after)
        after += 1
    return chosen


def split_sentences(text: str) -> list[str]:
    """Sentences of running text; abbreviations and initials end none."""
    sentences: list[str] = []
    for part in _SENTENCE_END.split(text):
        if sentences and _NO_END.search(sentences[-1]) and not _OPENS.match(part):
            sentences[-1] += f" {part}"
        elif part:
            sentences.append(part)
    return sentences


@lru_cache(maxsize=4_096)
def _weighed(abstract: str, title: str, most: int) -> tuple[list[str], list[float]]:
    """The sentences of an abstract, and what each tells whoever reads it."""
    sentences, name = split_sentences(plain(abstract)), _name_in(title)
    return sentences, [_worth(said, index, name, most) for index, said in enumerate(sentences)]


def _held(pattern: re.Pattern[str] | None, sentence: str) -> float:
    """What the reader's own words in it add."""
    found = {m.group().casefold() for m in pattern.finditer(sentence)} if pattern else ()
    return 2.0 * min(len(found), 2)


def _worth(sentence: str, index: int, name: re.Pattern[str] | None, most: int) -> float:
    """How much a sentence tells; above `WORTH` it may stand beside the best one."""
    low = sentence.lower()
    score = 0.0
    if ("we " in low or "this " in low) and _ANNOUNCES.search(low):  # most need no pattern
        score += 2.5 + 1.2 * bool(_NEW.search(low))
    score += 1.0 * ("our " in low and bool(_OURS.search(low)))
    score += 0.9 * bool(name and name.search(sentence)) + 0.9 * bool(_RESULT.search(low))
    score += 0.6 * bool(_FIGURE.search(low))
    score -= 2.0 * bool(_BESIDES.search(low)) + 0.8 * bool(_BACKGROUND.match(low))
    score -= 1.5 * bool(_LEANS.match(low))
    score -= 4.0 * bool(_ADDRESS.search(low)) + 2.0 * (len(sentence) < 40)
    return score - 0.05 * index - max(0, len(sentence) - most) / 150


def _name_in(title: str) -> re.Pattern[str] | None:
    """What the title calls the work: the one to three words before its colon, case as there."""
    name, colon, _ = plain(title).partition(":")
    return re.compile(_whole(name)) if colon and 1 <= len(name.split()) <= 3 else None


def _joined(sentences: Sequence[str], chosen: Sequence[int]) -> str:
    """The chosen sentences in their order, the first without what led to it."""
    ordered = sorted(chosen)
    text = _freed(sentences[ordered[0]])
    for before, index in pairwise(ordered):
        follows = index == before + 1
        text += f" {sentences[index]}" if follows else f" {ELLIPSIS} {_freed(sentences[index])}"
    return text


def _freed(sentence: str) -> str:
    opening = _OPENING.match(sentence)
    if opening is None:
        return sentence
    rest = sentence[opening.end() :]
    return rest[0].upper() + rest[1:]


@lru_cache(maxsize=4_096)  # to build one takes longer than to use it, and readers share words
def _any_of(words: tuple[str, ...]) -> re.Pattern[str] | None:
    wanted = sorted({word for word in map(plain, words) if word}, key=lambda w: (-len(w), w))
    if not wanted:
        return None
    return re.compile("|".join(_whole(word) for word in wanted), re.IGNORECASE)


def _whole(word: str) -> str:
    """The word between word boundaries, where its script has any."""
    before = r"(?<!\w)" if _bounded(word[0]) else ""
    after = r"(?!\w)" if _bounded(word[-1]) else ""
    return before + re.escape(word) + after


def _bounded(char: str) -> bool:
    return char.isalnum() and unicodedata.east_asian_width(char) not in ("W", "F")


def _segments(text: str, pattern: re.Pattern[str]) -> Iterator[Segment]:
    end = 0
    for match in islice(pattern.finditer(text), MARKS_MOST):
        if match.start() > end:
            yield Segment(text=text[end : match.start()])
        yield Segment(text=match.group(), marked=True)
        end = match.end()
    if end < len(text):
        yield Segment(text=text[end:])
