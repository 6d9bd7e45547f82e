"""A paper as pages and feeds show it: plain words, and links that were checked."""

from dataclasses import dataclass
from datetime import date, datetime

from digest.domain.digests import Reason
from digest.domain.papers import Paper
from digest.mail.entries import joined, summary_room, view_of

ROOM = summary_room(10)  # characters of a teaser: those of a summary in a usual mail


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownPaper:
    """One paper, in the words a mail has for it; nothing here is escaped.

    `page` is the path of its page here, `url` its own address, None where it has none. `is_match`
    says that an interest brought it: what does not match is there for its trend. `badge` are the
    facts of that, such as `63 upvotes · rising`. `facts` are venue, categories and date. `day` is
    the day on which it was first listed, `seen_at` the UTC instant at which it came in. `trend`
    lies in 0 to 1, and is 0 where it was not worked out.
    """

    id: int
    title: str
    teaser: str
    authors: str
    facts: str
    url: str | None
    links: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]
    trend: float
    badge: str
    rising: bool
    day: date | None
    page: str
    seen_at: datetime
    is_match: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """Papers, the best first, chosen from `considered`.

    `matched` says that they match what was asked for, and do not merely trend.
    """

    papers: tuple[ShownPaper, ...] = ()
    considered: int = 0
    matched: bool = False


def shown(
    paper: Paper, reason: Reason, *, trend: float = 0.0, day: date | None = None
) -> ShownPaper:
    """The paper as it is shown for that reason."""
    view = view_of(reason, paper, None, ROOM, False)
    told = joined(view.reason)
    return ShownPaper(
        id=paper.id,
        title=view.title_text,
        teaser=view.summary_text,
        authors=view.authors,
        facts=view.facts,
        url=view.url,
        links=tuple((link.label, link.url) for link in view.links),
        reasons=(told,) if told else (),
        trend=trend,
        badge=view.badge,
        rising=view.rising,
        day=day,
        page=page_of(paper.id),
        seen_at=paper.first_seen_at,
        is_match=reason.interest is not None,
    )


def page_of(paper_id: int) -> str:
    """The path of a paper's page."""
    return f"/papers/{paper_id}"
