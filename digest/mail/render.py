"""A view in words: subject, text and HTML, by the templates of its kind of mail."""

import traceback
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from jinja2 import TemplateError as JinjaError
from jinja2 import TemplateNotFound, TemplateSyntaxError

from digest.domain.deliveries import MailKind
from digest.errors import ConfigError, TemplateError
from digest.mail.entries import SLIMMEST, PaperView, slimmer
from digest.mail.entryforms import EntryForm, Shape, blanked_paper, entry_form, shape_of
from digest.mail.excerpts import plain, shortened
from digest.mail.forms import Blanks, Form, blanked, blanks_of, escaped, form, format_of
from digest.mail.fragments import (
    RANK_MARK,
    VOTING_MARK,
    Entry,
    Fragment,
    Mark,
    Shelf,
    StrayMark,
    entry_marks,
    fragment,
    hole,
)
from digest.mail.quoted import Quoted, piece, piece_again, words
from digest.mail.samples import samples
from digest.mail.templating import environment, is_own_design, is_own_entry
from digest.mail.theme import Theme
from digest.mail.views import (
    AccessView,
    AlertView,
    ChangeAddressView,
    ConfirmView,
    DigestView,
    MailView,
    WelcomeView,
)

SUBJECT_MOST = 70
HTML_MOST = 90_000  # Gmail clips at 102 KB
BODY_MOST = 94_000  # both parts as sent: a mail is below 100 KB with its head and signatures
FORMS_MOST = 512  # of 10 to 20 KB each


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """A mail as rendered, its parts encoded; there is no HTML for readers who want text alone."""

    subject: str
    quoted_text: Quoted
    quoted_html: Quoted | None

    @property
    def text(self) -> str:
        """The text in words."""
        return words(self.quoted_text)

    @property
    def html(self) -> str | None:
        """The HTML in words."""
        return None if self.quoted_html is None else words(self.quoted_html)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """One part of a mail: its templates, which of an entry's fragments it takes, how its words are
    escaped, and how wide a rank is at least.
    """

    body: str
    paper: str
    place: int
    escape: Callable[[str], str]
    rank_width: int


_HTML = _Part(
    body="body.html", paper="mail/digest/paper.html", place=0, escape=escaped, rank_width=1
)
# a rank of two digits makes no difference to the words after it, which are wrapped already
_TEXT = _Part(body="body.txt", paper="mail/digest/paper.txt", place=1, escape=str, rank_width=2)


class Renderer:
    """Fills the templates; those in `override`, laid out as the built-in ones, come first.

    What was printed for a paper is kept for everybody to whom the same view of it is shown. Raises
    ConfigError when `override` is no folder.
    """

    def __init__(self, override: Path | None = None, theme: Theme | None = None) -> None:
        if override is not None and not override.is_dir():
            raise ConfigError(f"templates.folder {override} is no folder: create it or unset it")
        self._environment = environment(override, theme)
        self._shelf = Shelf()
        self._forms: dict[Hashable, Form] = {}
        self._subjects: dict[tuple[bool, bool, int], str] = {}
        self._has_forms = override is None or not is_own_design(override)
        self._entry_forms: dict[Shape, tuple[EntryForm, EntryForm]] = {}
        self._has_entry_forms = override is None or not is_own_entry(override)

    def render(self, view: MailView, *, text_only: bool = False) -> Rendered:
        """The mail in words. Raises TemplateError, which names file and line."""
        if isinstance(view, DigestView):
            view = replace(view, entries=_entry_holes(len(view.papers)))
        subject = self._subject(view).strip()
        if not (subject := shortened(plain(subject), SUBJECT_MOST)):
            raise TemplateError(f"template {_name(view, 'subject.txt')} prints no subject")
        html, text = self._parts(view, text_only=text_only)
        return Rendered(subject=subject, quoted_text=text, quoted_html=html)

    def prepare(self, view: MailView) -> None:
        """Render the papers of a digest, so that they are at hand. Raises TemplateError."""
        if isinstance(view, DigestView):
            self._entries(view.papers, 0)

    def check(self) -> None:
        """Render every kind of mail once with sample words, with and without links.

        Raises TemplateError for the first template that is missing or wrong, before any mail is
        sent.
        """
        for view in samples():
            self.render(view)

    def _parts(self, view: MailView, *, text_only: bool) -> tuple[Quoted | None, Quoted]:
        """HTML and text like it, made slimmer where they would be too large."""
        papers = view.papers if isinstance(view, DigestView) else ()
        blanks = blanks_of(view) if self._has_forms and isinstance(view, DigestView) else None
        for level in range(SLIMMEST + 1):
            entries = self._entries(papers, level)
            html = None if text_only else self._filled(_HTML, view, blanks, entries)
            text = self._filled(_TEXT, view, blanks, entries)
            if _fits(html, text) or not papers:
                break
        return html, text

    def _filled(
        self, part: _Part, view: MailView, blanks: Blanks | None, entries: Sequence[Entry]
    ) -> Quoted:
        if not isinstance(view, DigestView):
            return self._around(part, view).filled({})
        if blanks is None:
            skeleton, fillings = self._around(part, view), {}
        else:
            known = self._form(part, view, blanks)
            skeleton, fillings = known.fragment, known.fillings(blanks, part.escape)
        inner = {VOTING_MARK: piece_again(part.escape(view.voting))}
        count = len(entries)
        ranks = _ranks(part.rank_width, count)
        for mark, entry, rank in zip(entry_marks(count), entries, ranks, strict=True):
            inner[RANK_MARK] = rank
            fillings[mark] = entry[part.place].filled(inner)
        return skeleton.filled(fillings)

    def _subject(self, view: MailView) -> str:
        if self._has_forms and isinstance(view, DigestView):
            kind = (bool(view.frame.interests), view.trending_only, len(view.papers))
            if (kept := self._subjects.get(kind)) is None:
                told = self._printed(
                    _name(view, "subject.txt"), mail=blanked(view), frame=view.frame
                )
                kept = self._subjects[kind] = format_of(told)
            return kept % {"title": view.papers[0].title_text}
        return self._printed(_name(view, "subject.txt"), mail=view, frame=view.frame)

    def _around(self, part: _Part, view: MailView) -> Fragment:
        """All of a part but its entries, which are holes in it."""
        marks = entry_marks(len(view.entries)) if isinstance(view, DigestView) else ()
        name = _name(view, part.body)
        return _split(name, self._skeleton(name, view), marks)

    def _form(self, part: _Part, view: DigestView, blanks: Blanks) -> Form:
        key = (part.place, blanks.kind)
        if (kept := self._forms.get(key)) is None:
            name = _name(view, part.body)
            kept = form(self._skeleton(name, blanked(view)), blanks, len(view.entries))
            if len(self._forms) >= FORMS_MOST:
                self._forms.clear()
            self._forms[key] = kept
        return kept

    def _skeleton(self, name: str, view: MailView) -> str:
        printed = self._printed(name, mail=view, frame=view.frame)
        return printed.strip() + "\n" if name.endswith(".txt") else printed

    def _entries(self, papers: Sequence[PaperView], level: int) -> list[Entry]:
        """The papers, made slimmer to that level."""
        return [self._shelf.get(paper, level) or self._entry(paper, level) for paper in papers]

    def _entry(self, paper: PaperView, level: int) -> Entry:
        shown = slimmer(paper, level) if level else paper
        shape = shape_of(shown) if self._has_entry_forms else None
        if shape is None:
            made = Entry(*(_split(p.paper, self._entry_words(p, shown)) for p in (_HTML, _TEXT)))
        else:
            html, text = self._entry_forms.get(shape) or self._new_entry_forms(shape, shown)
            made = Entry(html=html.html(shown), text=text.text(shown))
        return self._shelf.keep(paper, level, made)

    def _new_entry_forms(self, shape: Shape, paper: PaperView) -> tuple[EntryForm, EntryForm]:
        blank = blanked_paper(paper)
        html, text = (entry_form(self._entry_words(part, blank)) for part in (_HTML, _TEXT))
        self._entry_forms[shape] = html, text
        return html, text

    def _entry_words(self, part: _Part, paper: PaperView) -> str:
        return self._printed(part.paper, paper=paper)

    def _printed(self, name: str, **values: object) -> str:
        try:
            return self._environment.get_template(name).render(values)
        except TemplateNotFound as exc:
            where = f"template {place}: " if (place := _place(exc)) else ""
            raise TemplateError(f"{where}templates/{exc.name} is missing: restore it") from exc
        except TemplateSyntaxError as exc:
            where = f"{exc.filename or exc.name}, line {exc.lineno}"
            raise TemplateError(f"template {where}: {exc.message}") from exc
        except (JinjaError, TypeError, ValueError, ArithmeticError, LookupError) as exc:
            raise TemplateError(f"template {_place(exc) or name}: {exc}") from exc


def _fits(html: Quoted | None, text: Quoted) -> bool:
    if len(text) + len(html or b"") > BODY_MOST:
        return False
    # nothing is longer when it is read than as it is encoded
    return html is None or len(html) <= HTML_MOST or len(words(html).encode()) <= HTML_MOST


def _split(
    name: str,
    printed: str,
    marks: Collection[Mark] = (RANK_MARK, VOTING_MARK),
) -> Fragment:
    try:
        return fragment(printed, marks)
    except StrayMark as exc:
        raise TemplateError(f"template {name}: {exc}") from exc


@cache
def _entry_holes(count: int) -> tuple[str, ...]:
    return tuple(map(hole, entry_marks(count)))


@cache
def _ranks(width: int, count: int) -> tuple[Quoted, ...]:
    return tuple(piece(f"{rank:{width}}") for rank in range(1, count + 1))


def _name(view: MailView, file: str) -> str:
    return f"mail/{_kind(view).value}/{file}"


def _kind(view: MailView) -> MailKind:
    match view:
        case DigestView():
            return MailKind.DIGEST
        case ConfirmView():
            return MailKind.CONFIRM
        case WelcomeView():
            return MailKind.WELCOME
        case AccessView():
            return MailKind.ACCESS
        case ChangeAddressView():
            return MailKind.CHANGE_ADDRESS
        case AlertView():
            return MailKind.ALERT


def _place(exc: BaseException) -> str | None:
    """File and line of the innermost template that raised it, as Jinja2 rewrites tracebacks."""
    frames = traceback.extract_tb(exc.__traceback__)
    for frame in reversed(frames):
        if frame.filename.endswith((".html", ".txt")):
            return f"{frame.filename}, line {frame.lineno}"
    return None
