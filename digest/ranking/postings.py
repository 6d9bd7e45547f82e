"""Postings: the papers that hold a word, and where in them it stands.

Most papers that hold all words of a phrase hold them here and there, which is no evidence. Which
of them do not is seen for the whole pool at once here; a closer look takes most of the time of
matching.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from digest.ranking.evidence import Names, Page, Phrase, reach

_PAPER = 22  # bits of a position within a paper, which `Page` bounds by twice 2 ** 20

Places = NDArray[np.int64]
"""Where a word stands in the pool, ascending: paper << 22 | position in the paper's page."""


class Postings:
    """The words of a pool's pages, numbered in the given order."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages = pages
        self._holders: dict[str, list[int]] = defaultdict(list)
        for number, page in enumerate(pages):
            for name in page.stems.keys() | page.forms.keys():
                self._holders[name].append(number)
        self._holders.default_factory = None
        self._places: dict[Names, Places] = {}

    def __contains__(self, name: object) -> bool:
        """Whether any paper holds a word of that form or stem."""
        return name in self._holders

    def forget(self) -> None:
        """Let go of what was worked out for the phrases so far."""
        self._places.clear()

    def candidates(self, phrase: Phrase) -> list[int]:
        """The papers in which there may be evidence for a phrase, ascending: those with all telling
        words, by form or stem. Of fewer than three telling words they lie near one another there;
        a single one stands where the whole phrase may stand.
        """
        telling = phrase.telling
        if len(telling) == 2:
            return _papers(self._together(phrase, *telling))
        if len(telling) == 1 and len(phrase.forms) > 1:
            return _papers(self._whole(phrase, telling[0]))
        holders = [set().union(*map(self._of, phrase.names(n))) for n in telling]
        return sorted(set.intersection(*holders)) if holders else []

    def _together(self, phrase: Phrase, one: int, other: int) -> Places:
        """The places of one word that lie within the phrase's reach of the other."""
        rare, common = sorted((self._at(phrase.names(n)) for n in (one, other)), key=len)
        if not len(rare):
            return rare
        after = np.searchsorted(common, rare)
        following = common[np.minimum(after, len(common) - 1)]
        before = common[np.maximum(after - 1, 0)]
        within = reach(phrase)
        near = (np.abs(following - rare) < within) | (np.abs(rare - before) < within)
        chosen: Places = rare[near]
        return chosen

    def _whole(self, phrase: Phrase, telling: int) -> Places:
        """The places of the telling word around which the others stand in order."""
        places = self._at(phrase.names(telling))
        for n in range(len(phrase.forms)):
            if n != telling and len(places):
                wanted = places + (n - telling)
                places = places[np.isin(wanted, self._at(phrase.names(n)), kind="sort")]
        return places

    def _of(self, name: str) -> Sequence[int]:
        return self._holders.get(name, ())

    def _at(self, names: Names) -> Places:
        known = self._places.get(names)
        if known is None:
            known = self._places[names] = self._found(names)
        return known

    def _found(self, names: Names) -> Places:
        places: set[int] = set()
        for name in names:
            for number in self._of(name):
                page, start = self._pages[number], number << _PAPER
                for words in (page.forms, page.stems):
                    places.update([start + at for at in words.get(name, ())])
        return np.array(sorted(places), np.int64)


def _papers(places: Places) -> list[int]:
    return sorted({place >> _PAPER for place in places.tolist()})
