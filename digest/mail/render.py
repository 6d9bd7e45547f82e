"""A view in words: subject, text and HTML, by the templates of its kind of mail."""

import traceback
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from jinja2 import TemplateError as JinjaError
from jinja2 import TemplateNotFound, TemplateSyntaxError
from markupsafe import Markup, escape

from digest.domain.deliveries import MailKind
from digest.errors import ConfigError, TemplateError
from digest.mail.excerpts import Segment, plain, shortened
from digest.mail.fragments import RANK, VOTING
from digest.mail.templating import environment
from digest.mail.theme import Theme
from digest.mail.views import (
    SLIMMEST,
    ConfirmView,
    DigestView,
    Frame,
    Identity,
    LinkView,
    MailView,
    Manage,
    PaperView,
    WelcomeView,
    slimmer,
)

SUBJECT_MOST = 70
HTML_MOST = 90_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """A mail in words; `html` is None for readers who want text alone."""

    subject: str
    text: str
    html: str | None


class Renderer:
    """Fills the templates; those in `override`, laid out as the built-in ones, come first.

    Raises ConfigError when `override` is no folder.
    """

    def __init__(self, override: Path | None = None, theme: Theme | None = None) -> None:
        if override is not None and not override.is_dir():
            raise ConfigError(f"templates.folder {override} is no folder: create it or unset it")
        self._environment = environment(override, theme)

    def render(self, view: MailView, *, text_only: bool = False) -> Rendered:
        """The mail in words. Raises TemplateError, which names file and line."""
        html = None
        if not text_only:
            view, html = self._fitting(view)
        subject = plain(self._filled("subject.txt", view))
        text = self._filled("body.txt", view).strip() + "\n"
        return Rendered(subject=shortened(subject, SUBJECT_MOST), text=text, html=html)

    def check(self) -> None:
        """Render every kind of mail once with sample words, with and without links.

        Raises TemplateError for the first template that is missing or wrong, before any mail is
        sent.
        """
        for frame in (_bare_frame(), _full_frame()):
            for view in _samples(frame):
                self.render(view)

    def _fitting(self, view: MailView) -> tuple[MailView, str]:
        """The view and its HTML, made slimmer where it would be clipped by Gmail (at 102 KB)."""
        html = self._filled("body.html", view)
        for level in range(1, SLIMMEST + 1):
            if not isinstance(view, DigestView) or len(html.encode()) <= HTML_MOST:
                break
            view = slimmer(view, level)
            html = self._filled("body.html", view)
        return view, html

    def _filled(self, file: str, view: MailView) -> str:
        name = f"mail/{_kind(view).value}/{file}"
        if isinstance(view, DigestView) and file != "subject.txt":
            view = replace(view, entries=self._entries(file, view))
        return self._printed(name, mail=view, frame=view.frame)

    def _entries(self, file: str, view: DigestView) -> tuple[str, ...]:
        name = f"mail/digest/{file.replace('body', 'paper')}"
        entries: list[str] = []
        for rank, paper in enumerate(view.papers, start=1):
            told = self._printed(name, paper=paper)
            if name.endswith(".html"):
                told = told.replace(RANK, str(rank)).replace(VOTING, escape(view.voting))
                entries.append(Markup(told))  # noqa: S704 - autoescaped when it was printed
            else:
                entries.append(told.replace(RANK, f"{rank:2}").replace(VOTING, view.voting))
        return tuple(entries)

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


def _bare_frame() -> Frame:
    return Frame(identity=Identity(), recipient="reader@example.com")


def _full_frame() -> Frame:
    manage = Manage(
        preferences_url="https://example.com/preferences/t",
        unsubscribe_url="https://example.com/unsubscribe/t",
        unsubscribe_mailto="mailto:news@example.com?subject=unsubscribe",
    )
    identity = Identity(address="news@example.com", imprint="Example, 1 Main Street")
    return Frame(
        identity=identity,
        recipient="reader@example.com",
        manage=manage,
        interests=("continual learning",),
        excluded=("survey",),
        schedule="every day at 08:00 (UTC)",
    )


def _samples(frame: Frame) -> tuple[MailView, ...]:
    words = (Segment(text="A "), Segment(text="sample", marked=True))
    full = PaperView(
        rank=1,
        title=words,
        url="https://example.com/1",
        authors="Ada Lovelace",
        facts="cs.LG",
        badge="63 upvotes · rising",
        rising=True,
        reason=words,
        summary=words,
        links=(LinkView(label="PDF", url="https://example.com/1.pdf"),),
        has_feedback=True,
        more_url=f"{VOTING}1/more",
        less_url=f"{VOTING}1/less",
    )
    bare = PaperView(
        rank=2,
        title=words,
        url=None,
        authors="",
        facts="",
        badge="",
        rising=False,
        reason=(),
        summary=(),
        links=(),
    )
    day = f"{date(2026, 3, 12):%A %d %B %Y}"
    at = f"{datetime(2026, 3, 13, 8, tzinfo=UTC):%A %d %B at %H:%M}"
    return (
        DigestView(
            frame=frame,
            day=day,
            papers=(full, bare),
            considered=212,
            voting="https://example.com/v/",
        ),
        DigestView(frame=frame, day=day, papers=(bare,), trending_only=True),
        ConfirmView(frame=frame, confirm_url="https://example.com/confirm/t", valid_days=7),
        ConfirmView(frame=frame, confirm_url=None),
        WelcomeView(frame=frame, first_at=at),
    )
