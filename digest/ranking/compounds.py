"""Compounds: `metalearning`, `meta-learning` and `meta learning` as the same two tokens.

Which words are compounds is learned from the texts at hand: whatever stands somewhere with a hyphen
is taken apart where it stands as one word. What a phrase has as two words and the texts only as one
is found by `joinings`.
"""

import itertools
import re
from collections.abc import Container, Iterable, Iterator, Sequence

from digest.ranking.vocabulary import STOP_WORDS, Token, names, tokens, word_names

# only from a word's beginning, or a long word would be read again from each of its letters
_PAIR = re.compile(r"(?<![^\W\d_])[^\W\d_]+(?:[-\u2010\u2011][^\W\d_]+)+")
_PREFIXES = frozenset(("co", "de", "re", "un"))

Names = tuple[str, str]


class Compounds:
    """Words to take apart, with the names of their halves."""

    def __init__(self) -> None:
        self._halves: dict[str, tuple[Names, Names]] = {}

    def learn(self, texts: Iterable[Sequence[Token]]) -> None:
        """Remember the pairs joined by a hyphen."""
        for words in texts:
            for one, other in itertools.pairwise(words):
                if one.joined and _may_join(one.form) and _may_join(other.form):
                    halves = (one.form, one.stem), (other.form, other.stem)
                    self._halves.setdefault(one.form + other.form, halves)

    def learn_hyphens(self, text: str) -> None:
        """Remember the pairs joined by a hyphen in a text, without reading the rest of it."""
        for match in _PAIR.finditer(text):
            self.learn((tokens(match[0]),))

    def names(self, text: str) -> list[Names]:
        """The forms and stems of a text's words, each compound as two."""
        result: list[Names] = []
        for name in names(text):
            result += self._halves.get(name[0]) or (name,)
        return result

    def joinings(self, words: Sequence[Token], known: Container[str]) -> Iterator[list[Token]]:
        """The tokens with each neighbouring pair in turn as one, where that word is `known`."""
        for at, (one, other) in enumerate(itertools.pairwise(words)):
            form = one.form + other.form
            if form in known and _may_join(one.form) and _may_join(other.form):
                whole = Token(form, word_names(form)[1], one.start, other.end, other.joined)
                yield [*words[:at], whole, *words[at + 2 :]]

    def parted(self, words: Sequence[Token]) -> list[Token]:
        """The tokens with each compound as two, both standing where the whole word stands."""
        halves = self._halves
        result: list[Token] = []
        for word in words:
            if word.form not in halves:
                result.append(word)
                continue
            (form, stem), other = halves[word.form]
            result.append(Token(form, stem, word.start, word.end, True))
            result.append(Token(*other, word.start, word.end, word.joined))
        return result


def _may_join(form: str) -> bool:
    """Whether a half is long enough not to be an accident such as `in-formation`."""
    return (len(form) >= 3 and form.isalpha() and form not in STOP_WORDS) or form in _PREFIXES
