"""Forms: the part of a digest around its entries, printed once with blanks where the words differ
from reader to reader.

Filling a form takes a fifth of the time of printing the templates anew. What a template may ask of
words other than whether there are any, such as how long they are, a blank cannot answer: so forms
are for the built-in templates alone, of which the tests prove that a filled form and a print say
the same.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from digest.mail.fragments import Fragment, Mark, entry_marks, fragment
from digest.mail.quoted import Quoted, piece, piece_again
from digest.mail.views import DigestView, Frame, Manage
from digest.mail.wrapping import wrapped

BLANK = "\x1e"  # around the name of a blank; like NUL, it is in no words from outside
_BLANKS = re.compile(f"{BLANK}([^{BLANK}]*){BLANK}")
_WRAP, _TEXT, _END = "\x01", "\x02", "\x03"  # around a text with blanks that is yet to be wrapped
_WRAPS = re.compile(f"{_WRAP}(\\d+)(h?){_TEXT}([^{_END}]*){_END}")

_RECIPIENT, _SCHEDULE, _PREHEADER = Mark("recipient"), Mark("schedule"), Mark("preheader")
_PREFERENCES, _UNSUBSCRIBE, _MAILTO = Mark("preferences"), Mark("unsubscribe"), Mark("mailto")
_READING = Mark("reading")


class _Sealed:
    """A paper of which a form may know nothing but that it is there, and a subject its title."""

    title_text = f"{BLANK}title{BLANK}"


class _Blanked(DigestView):
    """A digest whose words are blanks."""

    __slots__ = ()

    @property
    def preheader(self) -> str:
        return blank(_PREHEADER)


@dataclass(frozen=True, kw_only=True, slots=True)
class Blanks:
    """A digest's words by the names of their blanks; digests of one `kind` differ in them alone."""

    kind: Hashable
    words: Mapping[Mark, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrap:
    """A text to be wrapped, as a format of `%`."""

    told: str
    indent: int
    hanging: bool

    def filled(self, words: Mapping[Mark, str] | Mapping[str, str]) -> str:
        """The text in lines, its blanks filled with these words."""
        return wrapped(self.told % words, self.indent, hanging=self.hanging)


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """One part of a digest of some kind; its holes are entries, blanks and texts to be wrapped."""

    fragment: Fragment
    wraps: Mapping[Mark, Wrap] = field(default_factory=dict)

    def fillings(self, blanks: Blanks, escape: Callable[[str], str]) -> dict[Mark, Quoted]:
        """What fills all holes but the entries."""
        words = blanks.words
        done = {mark: piece_again(escape(told)) for mark, told in words.items()}
        for mark, wrap in self.wraps.items():
            done[mark] = piece(escape(wrap.filled(words)))
        return done


def blanks_of(view: DigestView) -> Blanks | None:
    """What a form for this digest leaves blank; None where one of the words is empty, which a
    template may see.
    """
    frame, manage = view.frame, view.frame.manage
    words = {_RECIPIENT: frame.recipient, _SCHEDULE: frame.schedule, _PREHEADER: view.preheader}
    if manage.preferences_url:
        words[_PREFERENCES] = manage.preferences_url
    if manage.unsubscribe_url:
        words[_UNSUBSCRIBE] = manage.unsubscribe_url
    if manage.unsubscribe_mailto:
        words[_MAILTO] = manage.unsubscribe_mailto
    if view.reading_url:
        words[_READING] = view.reading_url
    words.update(zip(_numbered("i", len(frame.interests)), frame.interests, strict=True))
    words.update(zip(_numbered("x", len(frame.excluded)), frame.excluded, strict=True))
    if not all(words.values()):
        return None
    given = (view.day, view.considered, view.trending_only, frame.identity, frame.lang)
    return Blanks(kind=(len(view.papers), *given, *words), words=words)


def blanked(view: DigestView) -> DigestView:
    """The digest as a form shows it."""
    return _Blanked(
        frame=_blanked_frame(view.frame),
        day=view.day,
        papers=tuple(_Sealed() for _ in view.papers),  # type: ignore[misc]
        trending_only=view.trending_only,
        considered=view.considered,
        reading_url=view.reading_url and blank(_READING),
        entries=view.entries,
    )


def _blanked_frame(frame: Frame) -> Frame:
    manage = frame.manage
    return replace(
        frame,
        recipient=blank(_RECIPIENT),
        schedule=blank(_SCHEDULE),
        interests=tuple(map(blank, _numbered("i", len(frame.interests)))),
        excluded=tuple(map(blank, _numbered("x", len(frame.excluded)))),
        manage=Manage(
            preferences_url=manage.preferences_url and blank(_PREFERENCES),
            unsubscribe_url=manage.unsubscribe_url and blank(_UNSUBSCRIBE),
            unsubscribe_mailto=manage.unsubscribe_mailto and blank(_MAILTO),
        ),
    )


def form(printed: str, blanks: Blanks, entries: int) -> Form:
    """The form that a built-in template printed."""
    printed, wraps = with_wraps_blank(printed)
    marks = {*entry_marks(entries), *blanks.words, *wraps}
    return Form(fragment=fragment(printed.replace(BLANK, "\0"), marks), wraps=wraps)


def with_wraps_blank(printed: str) -> tuple[str, dict[Mark, Wrap]]:
    """What a template printed with a blank for each text to be wrapped, and these texts."""
    wraps: dict[Mark, Wrap] = {}

    def wrap(match: re.Match[str]) -> str:
        indent, hanging, told = match.groups()
        mark = Mark(f"wrap{len(wraps)}")
        wraps[mark] = Wrap(told=format_of(told), indent=int(indent), hanging=bool(hanging))
        return blank(mark)

    return _WRAPS.sub(wrap, printed), wraps


def format_of(printed: str) -> str:
    """What a template printed as a format of `%`, with the names of its blanks."""
    return _BLANKS.sub(r"%(\1)s", printed.replace("%", "%%"))


def blank(name: Mark) -> str:
    """The blank of that name as a template prints it."""
    return f"{BLANK}{name}{BLANK}"


def escaped(told: str) -> str:
    """The words in HTML: as `markupsafe` escapes them, which is slow for short ones."""
    told = told.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return told.replace("'", "&#39;").replace('"', "&#34;")


def wrapped_later(text: str, indent: int = 0, *, hanging: bool = False) -> str:
    """The filter `wrapped`: of a text with blanks, what is to be done once they are filled."""
    if BLANK not in text:
        return wrapped(text, indent, hanging=hanging)
    return f"{_WRAP}{indent}{'h' if hanging else ''}{_TEXT}{text}{_END}"


@cache
def _numbered(name: str, count: int) -> tuple[Mark, ...]:
    return tuple(Mark(f"{name}{number}") for number in range(count))
