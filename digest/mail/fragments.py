"""What templates print, kept in pieces: between them are holes that each reader's mail fills.

A template prints a hole as a mark between two NULs. No words from outside can hold one: `plain` and
`safe_url` let no control character through.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from sys import intern
from threading import Lock
from typing import NamedTuple, NewType

from digest.mail.quoted import Quoted, piece, piece_again, unified

KEPT_MOST = 48 * 2**20

Mark = NewType("Mark", str)

RANK_MARK, VOTING_MARK = Mark("rank"), Mark("voting")
RANK, VOTING = f"\0{RANK_MARK}\0", f"\0{VOTING_MARK}\0"

_SHORT = 300  # characters: what stands around the words of an entry, which others have too
_OWN_COST = 4_000  # bytes of the view and of the objects around the pieces of an entry, about


class StrayMark(ValueError):
    """A template changed a mark instead of printing it, or holds a NUL of its own."""

    def __init__(self) -> None:
        super().__init__("entries, rank and the addresses of votes must be printed as they are")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fragment:
    """What one template printed, encoded: the pieces before, between and after its holes."""

    pieces: tuple[Quoted, ...]
    holes: tuple[Mark, ...]

    @property
    def kept_octets(self) -> int:
        """How many octets its pieces have as encoded."""
        return sum(map(len, self.pieces))

    def filled(self, fillings: Mapping[Mark, Quoted]) -> Quoted:
        """The whole, as what can fill a hole in its turn; what fills its holes are pieces."""
        parts: list[bytes] = [b""] * (2 * len(self.pieces) - 1)
        parts[::2] = self.pieces
        parts[1::2] = map(fillings.__getitem__, self.holes)
        return Quoted(b"".join(parts))


@cache
def entry_marks(count: int) -> tuple[Mark, ...]:
    """The marks of so many entries."""
    return tuple(Mark(str(number)) for number in range(count))


def hole(mark: Mark) -> str:
    """The mark as a template prints it."""
    return f"\0{mark}\0"


def fragment(printed: str, marks: Collection[Mark] = (RANK_MARK, VOTING_MARK)) -> Fragment:
    """What a template printed, split at these marks.

    Raises StrayMark for a NUL that belongs to none of them.
    """
    found = unified(printed).split("\0")
    told, holes = found[::2], tuple(Mark(intern(mark)) for mark in found[1::2])
    if len(told) == len(holes) or not set(holes) <= set(marks):
        raise StrayMark
    pieces = [piece(text) if len(text) > _SHORT else piece_again(text) for text in told]
    return Fragment(pieces=tuple(pieces), holes=holes)


class Entry(NamedTuple):
    """A paper as its two templates printed it."""

    html: Fragment
    text: Fragment


class Shelf:
    """Entries by the view they show and how slim it is, kept up to a number of bytes; what was not
    used for longest goes first.

    A view is known by its identity: views of equal words must be one object to share an entry.
    """

    def __init__(self, most: int = KEPT_MOST) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[tuple[int, int], tuple[object, Entry]] = OrderedDict()
        self._lock = Lock()  # pages render too, in threads of their own

    @property
    def size(self) -> int:
        """The bytes kept, about."""
        return self._size

    def get(self, view: object, level: int) -> Entry | None:
        """The entry kept for that view and level."""
        key = (id(view), level)  # nobody else's, since the view is kept beside its entry
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            self._kept.move_to_end(key)
            return kept[1]

    def keep(self, view: object, level: int, made: Entry) -> Entry:
        """Keep an entry from now on; the one that stands for it."""
        key = (id(view), level)
        with self._lock:
            if key in self._kept:  # made in two threads at once
                return self._kept[key][1]
            self._kept[key] = (view, made)
            self._size += _cost(made)
            while self._size > self._most:
                _, (_, old) = self._kept.popitem(last=False)
                self._size -= _cost(old)
        return made


def _cost(kept: Entry) -> int:
    return _OWN_COST + kept.html.kept_octets + kept.text.kept_octets
