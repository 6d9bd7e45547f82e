"""What the mail templates see: plain words and checked links, built from domain values.

Nothing else reaches a template, so that a template can neither ask the store nor link to an address
that was not checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

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
from digest.domain.papers import Paper, PaperId
from digest.domain.schedule import WEEKDAYS, Frequency, Schedule, zone
from digest.domain.subscribers import Subscriber
from digest.mail.excerpts import Segment, authors_line, cut, marked, plain, shortened, summary
from digest.mail.fragments import RANK, VOTING
from digest.mail.links import Site, safe_url

TITLE_MOST = 300
FACT_MOST = 120
IMPRINT_MOST = 300
SLIMMEST = 3


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
    prints them as they are. The addresses are empty without `has_feedback`.
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
            paper_view(
                pick, papers[pick.paper_id], RANK, site=site, room=room, feedback=bool(begin)
            )
            for pick in digest.picks
        ),
        trending_only=digest.trending_only,
        considered=considered,
        voting=begin,
    )


def slimmer(view: DigestView, level: int) -> DigestView:
    """The same digest in fewer bytes: at level 1 with short summaries, at 2 without, at 3 bare."""
    return replace(view, papers=tuple(_slimmer(paper, level) for paper in view.papers))


def _slimmer(paper: PaperView, level: int) -> PaperView:
    if level < SLIMMEST:
        return replace(paper, summary=cut(paper.summary, 100 if level == 1 else 0))
    return replace(
        paper,
        title=(Segment(text=shortened(paper.title_text, 100)),),
        url=paper.url if paper.url and len(paper.url) <= 200 else None,
        authors=shortened(paper.authors, 40),
        facts="",
        summary=(),
        links=(),
    )


def paper_view(
    pick: Pick, paper: Paper, rank: int | str, *, site: Site, room: int, feedback: bool = False
) -> PaperView:
    """One pick as it is shown, its summary in at most `room` characters."""
    reason, words = pick.reason, pick.reason.words
    told = shortened(plain(paper.tldr or ""), room) or summary(paper.abstract, words, room)
    return PaperView(
        rank=rank,
        title=marked(shortened(plain(paper.title), TITLE_MOST), words),
        url=safe_url(paper.url) or site.paper(paper.id),
        authors=shortened(authors_line(paper.authors), FACT_MOST),
        facts=_facts(paper),
        badge=attention_words(reason).replace(", ", " · "),
        rising=reason.rising,
        reason=_reason(reason),
        summary=marked(told, words),
        links=_links(paper),
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
        f"{day.day} {day:%b} {day.year}" if day else "",
    )
    return " · ".join(fact for fact in facts if fact)


def _links(paper: Paper) -> tuple[LinkView, ...]:
    links = paper.links
    offered = (
        ("PDF", links.pdf),
        ("Code", links.code),
        ("Project", links.project),
        ("Discussion", links.discussion),
    )
    checked = ((label, safe_url(url)) for label, url in offered)
    return tuple(LinkView(label=label, url=url) for label, url in checked if url)
