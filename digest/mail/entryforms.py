"""Forms of entries: a paper's templates printed once for all papers of one shape, blanks for their
words.

An entry is then made of its words alone, in a fifth of the time of printing it anew and with the
same bytes. As with the forms of what stands around the entries, the templates must be the built-in
ones.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from digest.mail.entries import LinkView, PaperView
from digest.mail.excerpts import Segment
from digest.mail.forms import BLANK, Wrap, blank, escaped, format_of, with_wraps_blank
from digest.mail.fragments import RANK, VOTING, Fragment, Mark, fragment

# A text in segments: what stands before the marked one opens a mark, what follows it closes it.
_MARKED = re.compile(
    f"{BLANK}([a-z]+)_0{BLANK}([^{BLANK}]*){BLANK}\\1{BLANK}([^{BLANK}]*){BLANK}\\1_1{BLANK}"
)

Shape = tuple[bool | int, ...]


class _Blanked(PaperView):
    """A paper whose words are blanks."""

    __slots__ = ()

    @property
    def title_text(self) -> str:
        return blank(Mark("title"))

    @property
    def summary_text(self) -> str:
        return blank(Mark("summary"))

    @property
    def reason_text(self) -> str:
        return blank(Mark("reason")) if self.badge or self.reason else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryForm:
    """What one template prints for papers of one shape, as a format of `%`; `marks` open and close
    what is marked in a text.
    """

    format: str
    marks: Mapping[str, tuple[str, str]]
    wraps: Mapping[Mark, Wrap]

    def html(self, paper: PaperView) -> Fragment:
        """The fragment of a paper of this shape, where the template prints HTML."""
        words = {name: escaped(told) for name, told in _words(paper).items()}
        words["badge"] = escaped(paper.badge)
        words["title"] = self._marked("title", paper.title)
        words["reason"] = self._marked("reason", paper.reason)
        words["summary"] = self._marked("summary", paper.summary)
        return fragment(self.format % words)

    def text(self, paper: PaperView) -> Fragment:
        """The fragment of a paper of this shape, where the template prints text."""
        words = _words(paper)
        words["title"] = paper.title_text
        words["reason"] = paper.reason_text
        words["summary"] = paper.summary_text
        words.update([(mark, wrap.filled(words)) for mark, wrap in self.wraps.items()])
        return fragment(self.format % words)

    def _marked(self, name: str, segments: Sequence[Segment]) -> str:
        if name not in self.marks:
            return ""
        begin, end = self.marks[name]
        told = ((escaped(segment.text), segment.marked) for segment in segments)
        return "".join([f"{begin}{text}{end}" if marked else text for text, marked in told])


def shape_of(paper: PaperView) -> Shape | None:
    """All that a template can ask of a paper but its words; None where it cannot have a form."""
    votes = (paper.more_url, paper.less_url)
    if paper.rank != RANK or not all(url.startswith(VOTING) for url in votes if url):
        return None
    given = (paper.url, paper.authors, paper.facts, paper.badge, paper.reason, paper.summary)
    flags = (paper.rising, paper.tldr, paper.has_feedback)
    return (*map(bool, (*given, *votes)), *flags, len(paper.links))


def blanked_paper(paper: PaperView) -> PaperView:
    """A paper of the same shape whose words are blanks."""
    links = [(blank(Mark(f"label{n}")), blank(Mark(f"link{n}"))) for n in range(len(paper.links))]
    return _Blanked(
        rank=RANK,
        title=_segments("title"),
        url=paper.url and blank(Mark("url")),
        authors=paper.authors and blank(Mark("authors")),
        facts=paper.facts and blank(Mark("facts")),
        badge=paper.badge and blank(Mark("badge")),
        rising=paper.rising,
        reason=_segments("reason") if paper.reason else (),
        summary=_segments("summary") if paper.summary else (),
        links=tuple(LinkView(label=label, url=url) for label, url in links),
        tldr=paper.tldr,
        has_feedback=paper.has_feedback,
        more_url=paper.more_url and VOTING + blank(Mark("more")),
        less_url=paper.less_url and VOTING + blank(Mark("less")),
    )


def entry_form(printed: str) -> EntryForm:
    """The form that a built-in template printed for a paper of blanks."""
    printed, wraps = with_wraps_blank(printed)
    marks = {name: (begin, end) for name, begin, end in _MARKED.findall(printed)}
    printed = _MARKED.sub(f"{BLANK}\\1{BLANK}", printed)
    return EntryForm(format=format_of(printed), marks=marks, wraps=wraps)


def _words(paper: PaperView) -> dict[str, str]:
    """The words that both templates print as they are."""
    words = {
        "url": paper.url or "",
        "authors": paper.authors,
        "facts": paper.facts,
        "more": paper.more_url.removeprefix(VOTING),
        "less": paper.less_url.removeprefix(VOTING),
    }
    for number, link in enumerate(paper.links):
        words[f"label{number}"] = link.label
        words[f"link{number}"] = link.url
    return words


def _segments(name: str) -> tuple[Segment, ...]:
    return (
        Segment(text=blank(Mark(f"{name}_0"))),
        Segment(text=blank(Mark(name)), marked=True),
        Segment(text=blank(Mark(f"{name}_1"))),
    )
