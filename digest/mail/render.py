"""A view in words: subject, text and HTML, by the templates of its kind of mail."""

import traceback
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from jinja2 import TemplateError as JinjaError
from jinja2 import TemplateNotFound, TemplateSyntaxError
from markupsafe import escape

from digest.domain.deliveries import MailKind
from digest.errors import ConfigError, TemplateError
from digest.mail.excerpts import plain, shortened
from digest.mail.forms import Blanks, Form, blanked, blanks_of, form
from digest.mail.fragments import (
    RANK_MARK,
    VOTING_MARK,
    Filling,
    Fragment,
    Mark,
    Shelf,
    StrayMark,
    entry_marks,
    filling,
    fragment,
    hole,
)
from digest.mail.quoted import Quoted, piece, piece_by_lines, words
from digest.mail.samples import samples
from digest.mail.templating import environment, is_own_design
from digest.mail.theme import Theme
from digest.mail.views import (
    SLIMMEST,
    ConfirmView,
    DigestView,
    MailView,
    PaperView,
    WelcomeView,
    slimmer,
)

SUBJECT_MOST = 70
HTML_MOST = 90_000
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
        self._has_forms = override is None or not is_own_design(override)

    def render(self, view: MailView, *, text_only: bool = False) -> Rendered:
        """The mail in words. Raises TemplateError, which names file and line."""
        papers: tuple[PaperView, ...] = ()
        if isinstance(view, DigestView):
            papers = view.papers
            view = replace(view, entries=_entry_holes(len(papers)))
        subject = plain(self._printed(_name(view, "subject.txt"), mail=view, frame=view.frame))
        blanks = blanks_of(view) if self._has_forms and isinstance(view, DigestView) else None
        html, level = (None, 0) if text_only else self._html(view, papers, blanks)
        return Rendered(
            subject=shortened(subject, SUBJECT_MOST),
            quoted_text=self._text(view, papers, blanks, level),
            quoted_html=html,
        )

    def check(self) -> None:
        """Render every kind of mail once with sample words, with and without links.

        Raises TemplateError for the first template that is missing or wrong, before any mail is
        sent.
        """
        for view in samples():
            self.render(view)

    def _html(
        self, view: MailView, papers: Sequence[PaperView], blanks: Blanks | None
    ) -> tuple[Quoted, int]:
        """The HTML, made slimmer where it would be clipped by Gmail (at 102 KB), and how much."""
        skeleton, fillings = self._skeleton(_name(view, "body.html"), view, blanks)
        voting = filling(_escaped(view.voting)) if isinstance(view, DigestView) else _NOTHING
        for level in range(SLIMMEST + 1):
            entries = self._entries(_PAPER_HTML, papers, level, voting)
            done, size = skeleton.filled(fillings | entries)
            if size <= HTML_MOST:
                break
        return done, level

    def _text(
        self, view: MailView, papers: Sequence[PaperView], blanks: Blanks | None, level: int
    ) -> Quoted:
        skeleton, fillings = self._skeleton(_name(view, "body.txt"), view, blanks)
        voting = filling(view.voting) if isinstance(view, DigestView) else _NOTHING
        return skeleton.filled(fillings | self._entries(_PAPER_TEXT, papers, level, voting)).quoted

    def _skeleton(
        self, name: str, view: MailView, blanks: Blanks | None
    ) -> tuple[Fragment, dict[Mark, Filling]]:
        """All of a part but its entries, which are holes in it, and what fills its other holes."""
        if blanks and isinstance(view, DigestView):
            kept = self._form(name, view, blanks)
            return kept.fragment, kept.fillings(blanks, _ESCAPES[name])
        marks = entry_marks(len(view.entries)) if isinstance(view, DigestView) else ()
        return _split(name, self._around(name, view), marks, piece_by_lines), {}

    def _form(self, name: str, view: DigestView, blanks: Blanks) -> Form:
        key = (name, blanks.kind)
        if (kept := self._forms.get(key)) is None:
            kept = form(self._around(name, blanked(view)), blanks, len(view.entries))
            if len(self._forms) >= FORMS_MOST:
                self._forms.clear()
            self._forms[key] = kept
        return kept

    def _around(self, name: str, view: MailView) -> str:
        printed = self._printed(name, mail=view, frame=view.frame)
        return printed.strip() + "\n" if name.endswith(".txt") else printed

    def _entries(
        self, name: str, papers: Sequence[PaperView], level: int, voting: Filling
    ) -> dict[Mark, Filling]:
        """What fills the holes of a skeleton: each paper, made slimmer to that level."""
        ranks = _RANKS[name]
        filled = {}
        for place, (mark, paper) in enumerate(zip(entry_marks(len(papers)), papers, strict=True)):
            told = self._paper(name, paper, level)
            filled[mark] = told.filled({RANK_MARK: ranks(place + 1), VOTING_MARK: voting})
        return filled

    def _paper(self, name: str, paper: PaperView, level: int) -> Fragment:
        def printed() -> Fragment:
            told = self._printed(name, paper=slimmer(paper, level) if level else paper)
            return _split(name, told)

        return self._shelf.get(paper, f"{level} {name}", printed)

    def _printed(self, name: str, **values: object) -> str:
        try:
            return self._environment.get_template(name).render(values)
        except TemplateNotFound as exc:
            raise TemplateError(f"templates/{exc.name} is missing: restore the file") from exc
        except TemplateSyntaxError as exc:
            where = f"{exc.filename or exc.name}, line {exc.lineno}"
            raise TemplateError(f"template {where}: {exc.message}") from exc
        except (JinjaError, TypeError, ValueError, ArithmeticError, LookupError) as exc:
            raise TemplateError(f"template {_place(exc) or name}: {exc}") from exc


def _split(
    name: str,
    printed: str,
    marks: Collection[Mark] = (RANK_MARK, VOTING_MARK),
    encode: Callable[[str], Quoted] = piece,
) -> Fragment:
    try:
        return fragment(printed, marks, encode)
    except StrayMark as exc:
        raise TemplateError(f"template {name}: {exc}") from exc


@cache
def _entry_holes(count: int) -> tuple[str, ...]:
    return tuple(map(hole, entry_marks(count)))


@cache
def _rank(rank: int) -> Filling:
    return filling(str(rank))


@cache
def _rank_in_column(rank: int) -> Filling:
    """Two columns wide, so that it makes no difference to the words after it."""
    return filling(f"{rank:2}")


_PAPER_HTML, _PAPER_TEXT = "mail/digest/paper.html", "mail/digest/paper.txt"
_RANKS = {_PAPER_HTML: _rank, _PAPER_TEXT: _rank_in_column}
_NOTHING = filling("")


def _escaped(told: str) -> str:
    return str(escape(told))


_ESCAPES: Mapping[str, Callable[[str], str]] = {
    "mail/digest/body.html": _escaped,
    "mail/digest/body.txt": str,
}


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


def _place(exc: BaseException) -> str | None:
    """File and line of the innermost template that raised it, as Jinja2 rewrites tracebacks."""
    frames = traceback.extract_tb(exc.__traceback__)
    for frame in reversed(frames):
        if frame.filename.endswith((".html", ".txt")):
            return f"{frame.filename}, line {frame.lineno}"
    return None
