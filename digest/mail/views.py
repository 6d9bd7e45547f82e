"""What the mail templates see: plain words and checked links, built from domain values.

Nothing else reaches a template, so that a template can neither ask the store nor link to an address
that was not checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from urllib.parse import urlsplit

from digest.domain.digests import (
    Digest,
    Pick,
    Reason,
    Where,
    attention_words,
    taste_words,
    why,
)
from digest.domain.feedback import Opinion
from digest.domain.interests import Interest
from digest.domain.papers import Links, Paper, PaperId
from digest.domain.schedule import WEEKDAYS, Frequency, Schedule, zone
from digest.domain.subscribers import Subscriber
from digest.mail.excerpts import Segment, authors_line, cut, marked, plain, shortened, summary
from digest.mail.fragments import RANK, VOTING
from digest.mail.links import Site, safe_url

TITLE_MOST = 300
FACT_MOST = 120
IMPRINT_MOST = 300
SLIMMEST = 4

_LABELS = {
    "Code": {"huggingface.co": "On HF"},  # weights or data rather than code
    "Discussion": {
        "huggingface.co": "Discuss on HF",
        "news.ycombinator.com": "Discuss on HN",
        "reddit.com": "Discuss on Reddit",
        "alphaxiv.org": "Discuss on alphaXiv",
        "openreview.net": "Reviews",
    },
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Whom the mails come from: the service's name, whom to write to, a line of imprint.

    `reply_to` takes answers and `contact` is who owns the list, where they are not `address`.
    """

    name: str = "Trending papers"
    address: str = ""
    imprint: str = ""
    reply_to: str = ""
    contact: str = ""
    tagline: str = ""

    @property
    def contact_url(self) -> str | None:
        """The link to write to `contact` by, where that is not `address` already."""
        if not self.contact or self.contact == self.address:
            return None
        return safe_url(self.contact if ":" in self.contact else f"mailto:{self.contact}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Manage:
    """How a reader changes or ends it: web pages where there are any, else by mail."""

    preferences_url: str | None = None
    unsubscribe_url: str | None = None
    unsubscribe_mailto: str | None = None

    @property
    def leave_url(self) -> str | None:
        """The best link to leave by."""
        return self.unsubscribe_url or self.unsubscribe_mailto


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkView:
    """A link and the word it stands under."""

    label: str
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PaperView:
    """One pick as it is shown; `badge` is empty where nothing trends, `url` None without a page.

    `rank` and the two addresses of a vote stand for what differs from reader to reader: a template
    prints them as they are. The addresses are empty without `has_feedback`. `tldr` says that the
    summary is the source's own.
    """

    rank: int | str
    title: tuple[Segment, ...]
    url: str | None
    authors: str
    facts: str
    badge: str
    rising: bool
    reason: tuple[Segment, ...]
    summary: tuple[Segment, ...]
    links: tuple[LinkView, ...]
    tldr: bool = False
    has_feedback: bool = False
    more_url: str = ""
    less_url: str = ""

    @property
    def title_text(self) -> str:
        """The title without marks."""
        return joined(self.title)


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """What every mail shows around its content."""

    identity: Identity
    recipient: str
    manage: Manage = Manage()
    interests: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    schedule: str = ""
    lang: str = "en"


@dataclass(frozen=True, kw_only=True, slots=True)
class DigestView:
    """A digest; `considered` counts the new papers it was chosen from, None where unknown.

    `voting` begins the address of each vote of this mail (`Site.voting`), and is empty where no
    vote can be given. `entries` are the papers as rendered by their own templates, one each.
    """

    frame: Frame
    day: str
    papers: tuple[PaperView, ...]
    trending_only: bool = False
    considered: int | None = None
    voting: str = ""
    entries: tuple[str, ...] = ()

    @property
    def preheader(self) -> str:
        """What a list of mails shows beside the subject: the titles after the first."""
        rest = [paper.title_text for paper in self.papers[1:4]]
        return shortened(" · ".join(rest or [joined(self.papers[0].summary)]), 140)


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfirmView:
    """The question whether somebody really wants the digest; no link where there is no site."""

    frame: Frame
    confirm_url: str | None
    valid_days: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WelcomeView:
    """The first mail after a confirmation; `first_at` such as `Friday 13 March at 08:00`."""

    frame: Frame
    first_at: str


MailView = DigestView | ConfirmView | WelcomeView


def joined(segments: tuple[Segment, ...]) -> str:
    """The text of segments."""
    return "".join(segment.text for segment in segments)


def frame_of(subscriber: Subscriber, identity: Identity, manage: Manage) -> Frame:
    """The frame of this subscriber's mails; links that may not stand in a mail are left out."""
    wanted = tuple(_shown(item) for item in subscriber.interests if not item.excluded)
    unwanted = tuple(_shown(item) for item in subscriber.interests if item.excluded)
    return Frame(
        identity=Identity(
            name=shortened(plain(identity.name), FACT_MOST),
            address=plain(identity.address),
            imprint=shortened(plain(identity.imprint), IMPRINT_MOST),
            reply_to=plain(identity.reply_to),
            contact=plain(identity.contact),
            tagline=shortened(plain(identity.tagline), FACT_MOST),
        ),
        recipient=plain(subscriber.email),
        manage=Manage(
            preferences_url=safe_url(manage.preferences_url),
            unsubscribe_url=safe_url(manage.unsubscribe_url),
            unsubscribe_mailto=safe_url(manage.unsubscribe_mailto),
        ),
        interests=wanted,
        excluded=unwanted,
        schedule=schedule_words(subscriber.preferences.schedule),
    )


def digest_view(
    digest: Digest,
    papers: Mapping[PaperId, Paper],
    frame: Frame,
    *,
    site: Site,
    considered: int | None = None,
    voting: str | None = None,
) -> DigestView:
    """The digest as it is shown. Raises KeyError for a pick whose paper is not in `papers`."""
    room, begin = summary_room(len(digest.picks)), safe_url(voting) or ""
    return DigestView(
        frame=frame,
        day=day_words(digest.digest_on, year=True),
        papers=tuple(
            _view_of(pick.reason, papers[pick.paper_id], site.url, room, bool(begin))
            for pick in digest.picks
        ),
        trending_only=digest.trending_only,
        considered=considered,
        voting=begin,
    )


def slimmer(paper: PaperView, level: int) -> PaperView:
    """The same paper in fewer bytes: at level 1 with a short summary, at 2 without votes too, at 3
    without either, at 4 bare.
    """
    if level > 1:
        paper = replace(paper, has_feedback=False, more_url="", less_url="")
    if level < SLIMMEST:
        told = cut(paper.summary, 100 if level < 3 else 0)
        return replace(paper, summary=told, tldr=paper.tldr and bool(told))
    return replace(
        paper,
        title=(Segment(text=shortened(paper.title_text, 100)),),
        url=paper.url if paper.url and len(paper.url) <= 200 else None,
        authors=shortened(paper.authors, 40),
        facts="",
        summary=(),
        tldr=False,
        links=(),
    )


# One paper goes to many readers for the same reason: they get the same object, by which what was
# rendered of it is found again (`fragments.Shelf`).
@lru_cache(maxsize=8_192)
def _view_of(
    reason: Reason, paper: Paper, site: str | None, room: int, feedback: bool
) -> PaperView:
    pick = Pick(paper_id=paper.id, score=0.0, relevance=0.0, trend=0.0, reason=reason)
    return paper_view(pick, paper, RANK, site=Site(url=site), room=room, feedback=feedback)


def paper_view(
    pick: Pick, paper: Paper, rank: int | str, *, site: Site, room: int, feedback: bool = False
) -> PaperView:
    """One pick as it is shown, its summary in at most `room` characters."""
    reason, words = pick.reason, pick.reason.words
    tldr, url = (
        shortened(plain(paper.tldr or ""), room),
        safe_url(paper.url) or site.paper(paper.id),
    )
    told = tldr or summary(paper.abstract, words, room, title=paper.title)
    return PaperView(
        rank=rank,
        title=marked(shortened(plain(paper.title), TITLE_MOST), words),
        url=url,
        authors=shortened(authors_line(paper.authors), FACT_MOST),
        facts=_facts(paper),
        badge=attention_words(reason).replace(", ", " · "),
        rising=reason.rising,
        reason=_reason(reason),
        summary=marked(told, words),
        links=_links(paper.links, known=url),
        tldr=bool(tldr),
        has_feedback=feedback,
        more_url=f"{VOTING}{paper.id}/{Opinion.MORE.value}" if feedback else "",
        less_url=f"{VOTING}{paper.id}/{Opinion.LESS.value}" if feedback else "",
    )


def confirm_view(frame: Frame, *, confirm_url: str | None, valid_days: int | None) -> ConfirmView:
    """The confirmation mail."""
    return ConfirmView(frame=frame, confirm_url=safe_url(confirm_url), valid_days=valid_days)


def welcome_view(frame: Frame, schedule: Schedule, first_at: datetime) -> WelcomeView:
    """The welcome mail; `first_at` is the UTC instant of the first digest."""
    local = first_at.astimezone(zone(schedule.timezone))
    return WelcomeView(
        frame=frame, first_at=f"{day_words(local.date(), year=False)} at {local:%H:%M}"
    )


def summary_room(papers: int) -> int:
    """Characters for one summary: fewer in long digests, so that 50 papers stay below 90 KB."""
    return 340 if papers <= 12 else 260 if papers <= 25 else 160


def day_words(day: date, *, year: bool) -> str:
    """`Thursday 12 March 2026`."""
    return f"{day:%A} {day.day} {day:%B}" + (f" {day.year}" if year else "")


def schedule_words(schedule: Schedule) -> str:
    """`every Monday at 08:00 (Europe/Paris)`."""
    match schedule.frequency:
        case Frequency.DAILY:
            often = "every day"
        case Frequency.WEEKDAYS:
            often = "Monday to Friday"
        case Frequency.WEEKLY:
            often = f"every {WEEKDAYS[schedule.weekday].title()}"
    return f"{often} at {schedule.hour:02d}:00 ({schedule.timezone})"


def _shown(item: Interest) -> str:
    return plain(item.label)


def _reason(reason: Reason) -> tuple[Segment, ...]:
    """The evidence, the interest marked in it, and what votes did."""
    if reason.where is Where.TRENDING:
        return ()
    told = marked(plain(why(reason)), reason.named)
    taste = shortened(plain(taste_words(reason)), FACT_MOST)
    return (*told, Segment(text=f" · {taste}")) if taste else told


def _facts(paper: Paper) -> str:
    """Venue, categories and date, as far as they are known."""
    day = paper.published_on
    facts = (
        shortened(plain(paper.venue or ""), 60),
        shortened(", ".join(plain(category) for category in paper.categories[:3]), 60),
        f"{day.day}\u00a0{day:%b}\u00a0{day.year}" if day else "",  # never broken at a line's end
    )
    return " · ".join(fact for fact in facts if fact)


def _links(links: Links, *, known: str | None) -> tuple[LinkView, ...]:
    """The paper's further addresses; one that stands there already is not shown again."""
    offered = (
        ("PDF", safe_url(links.pdf)),
        ("Code", safe_url(links.code)),
        ("Project", safe_url(links.project)),
        ("Discussion", safe_url(links.discussion)),
    )
    shown: dict[str, str] = {}
    for kind, url in offered:
        if url and url != known:
            shown.setdefault(url, _label(kind, url))
    return tuple(LinkView(label=label, url=url) for url, label in shown.items())


def _label(kind: str, url: str) -> str:
    """The word for a link: by its host where readers know that by name, else by its kind."""
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    return _LABELS.get(kind, {}).get(host, kind)
