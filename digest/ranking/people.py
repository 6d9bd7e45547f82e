"""Names of people: whether the author of a paper is the one an interest names."""

import re
import unicodedata
from dataclasses import dataclass
from itertools import takewhile

from digest.domain.text import surname
from digest.ranking.vocabulary import fold

_HYPHEN = re.compile(r"[-\u2010-\u2012'’]")
_WORDS = re.compile(r"[^\W\d_]+")
_PARTICLE_WORDS = "van von der den de del della di da dos das du la le ten ter zu zur"
_PARTICLES = frozenset(_PARTICLE_WORDS.split())
# how these letters are written where there are none of them
_TWO_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "Ä": "Ae",
    "Ö": "Oe", "Ü": "Ue", "Ø": "Oe", "Å": "Aa"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """A folded surname and the given names in order, each a name or one letter."""

    surname: str
    given: tuple[str, ...]


def person(name: str) -> Person | None:
    """The person of a name as written: `Yann LeCun`, `LeCun, Y.`, `Y. LeCun`; None without letters.

    A given name with a hyphen is one name; capitals without points (`JP`) are initials.
    """
    family = surname(name)
    if not family:
        return None
    given: list[str] = []
    for word in _WORDS.findall(_HYPHEN.sub("", name)):
        folded = fold(word)
        if len(word) in (2, 3) and word.isupper() and word.isascii() and folded != family:
            given += folded
        elif folded not in _PARTICLES:
            given.append(folded)
    if family in given:  # the last of equal names is the family's, but for `Surname, Given`
        at = given.index(family) if "," in name else len(given) - 1 - given[::-1].index(family)
        given.pop(at)
    return Person(family, tuple(given))


def spellings(name: str) -> tuple[Person, ...]:
    """The person of a name in each way it may be written: `Müller` also as `Mueller`, `Le Cun` also
    as `LeCun`. The first is `person`'s; empty without letters.
    """
    one = person(name)
    if one is None:
        return ()
    found = dict.fromkeys((one, *_tied(name, one)))
    spelled = name if name.isascii() else unicodedata.normalize("NFC", name).translate(_TWO_LETTERS)
    if spelled != name and (other := person(spelled)):
        found |= dict.fromkeys((other, *_tied(spelled, other)))
    return tuple(found)


def _tied(name: str, who: Person) -> tuple[Person, ...]:
    """The same person with the particles before the surname as part of it."""
    words = [fold(word) for word in _WORDS.findall(_HYPHEN.sub("", name))]
    if _PARTICLES.isdisjoint(words) or who.surname not in words:
        return ()
    before = words[: words.index(who.surname)]
    tied = list(takewhile(_PARTICLES.__contains__, reversed(before)))
    return (Person("".join(reversed(tied)) + who.surname, who.given),) if tied else ()


def is_same(wanted: Person, author: Person) -> bool:
    """Whether an author can be the person wanted: equal surname, and no given name in the way.

    A letter stands for any name that begins with it; names that only one of them gives are no
    contradiction among middle names, but a wanted first name must be there.
    """
    if wanted.surname != author.surname:
        return False
    if wanted.given and not author.given:
        return False
    pairs = zip(wanted.given, author.given, strict=False)
    return all(one == other or _is_initial(one, other) for one, other in pairs)


def _is_initial(one: str, other: str) -> bool:
    return 1 in (len(one), len(other)) and one[0] == other[0]
