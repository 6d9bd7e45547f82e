"""What the mail templates see: plain words and checked links, built from domain values.

Nothing else reaches a template, so that a template can neither ask the store nor link to an address
that was not checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from digest.domain.alerts import Alarm, News
from digest.domain.digests import (
    Digest,
)
from digest.domain.interests import Interest
from digest.domain.papers import Paper, PaperId
from digest.domain.schedule import WEEKDAYS, Frequency, Schedule, zone
from digest.domain.subscribers import Status, Subscriber
from digest.mail.entries import FACT_MOST, PaperView, joined, summary_room, view_of
from digest.mail.excerpts import plain, shortened
from digest.mail.links import Site, safe_url

IMPRINT_MOST = 300
ALARM_MOST = 400
SINCE_LEAST = timedelta(minutes=10)


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
    vote can be given; `reading_url` is this digest in the browser. `entries` are the papers as
    rendered by their own templates, one each.
    """

    frame: Frame
    day: str
    papers: tuple[PaperView, ...]
    trending_only: bool = False
    considered: int | None = None
    voting: str = ""
    reading_url: str | None = None
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


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessView:
    """The link to one's own settings, which stands in the frame, for who asked for it or signed up
    again.
    """

    frame: Frame
    paused: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeAddressView:
    """The question to a new address whether it is theirs who asked for it; no link where there is
    no site.
    """

    frame: Frame
    change_url: str | None
    valid_days: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmView:
    """One matter for the operator, what to do about it, and since when it is so."""

    text: str
    mend: str = ""
    since: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertView:
    """What the operator is told of: what has begun, what lasts, and what is over.

    `host` and `at` say which host tells it and when.
    """

    frame: Frame
    begun: tuple[AlarmView, ...] = ()
    again: tuple[AlarmView, ...] = ()
    over: tuple[AlarmView, ...] = ()
    host: str
    at: str


MailView = DigestView | ConfirmView | WelcomeView | AccessView | ChangeAddressView | AlertView


def frame_of(subscriber: Subscriber, identity: Identity, manage: Manage) -> Frame:
    """The frame of this subscriber's mails; links that may not stand in a mail are left out."""
    wanted = tuple(_shown(item) for item in subscriber.interests if not item.excluded)
    unwanted = tuple(_shown(item) for item in subscriber.interests if item.excluded)
    return Frame(
        identity=_shown_identity(identity),
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


def frame_for_stranger(email: str, identity: Identity) -> Frame:
    """The frame of a mail to an address whose owner may not be who asked for it: it tells nothing
    of any subscriber.
    """
    return Frame(identity=_shown_identity(identity), recipient=plain(email))


def digest_view(
    digest: Digest,
    papers: Mapping[PaperId, Paper],
    frame: Frame,
    *,
    site: Site,
    considered: int | None = None,
    voting: str | None = None,
    reading_url: str | None = None,
) -> DigestView:
    """The digest as it is shown. Raises KeyError for a pick whose paper is not in `papers`."""
    room, begin = summary_room(len(digest.picks)), safe_url(voting) or ""
    return DigestView(
        frame=frame,
        day=day_words(digest.digest_on, year=True),
        papers=tuple(
            view_of(pick.reason, papers[pick.paper_id], site.url, room, bool(begin))
            for pick in digest.picks
        ),
        trending_only=digest.trending_only,
        considered=considered,
        voting=begin,
        reading_url=safe_url(reading_url),
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


def access_view(frame: Frame, status: Status) -> AccessView:
    """The mail with the link to the settings of a subscriber of that status."""
    return AccessView(frame=frame, paused=status is Status.PAUSED)


def change_address_view(
    frame: Frame, *, change_url: str | None, valid_days: int | None
) -> ChangeAddressView:
    """The mail to a new address."""
    return ChangeAddressView(frame=frame, change_url=safe_url(change_url), valid_days=valid_days)


def alert_view(
    frame: Frame, told: News, began: Mapping[str, datetime], *, host: str, at: datetime
) -> AlertView:
    """The mail to the operator; `began` is when each alarm began, by its key."""

    def alarm(one: Alarm) -> AlarmView:
        began_at = began.get(one.key)
        is_old = began_at is not None and at - began_at >= SINCE_LEAST
        return _alarm_view(one.text, one.mend, began_at if is_old else None)

    return AlertView(
        frame=frame,
        begun=tuple(map(alarm, told.begun)),
        again=tuple(map(alarm, told.again)),
        over=tuple(_alarm_view(one.text, "", one.began_at) for one in told.over),
        host=shortened(plain(host), FACT_MOST),
        at=instant_words(at),
    )


def _alarm_view(text: str, mend: str, began_at: datetime | None) -> AlarmView:
    return AlarmView(
        text=shortened(plain(text), ALARM_MOST),
        mend=shortened(plain(mend), ALARM_MOST),
        since=instant_words(began_at) if began_at else "",
    )


def instant_words(at: datetime) -> str:
    """`Thursday 12 March, 08:05 UTC`."""
    there = at.astimezone(UTC)
    return f"{day_words(there.date(), year=False)}, {there:%H:%M} UTC"


@lru_cache(maxsize=64)
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


@lru_cache(maxsize=8)
def _shown_identity(identity: Identity) -> Identity:
    return Identity(
        name=shortened(plain(identity.name), FACT_MOST),
        address=plain(identity.address),
        imprint=shortened(plain(identity.imprint), IMPRINT_MOST),
        reply_to=plain(identity.reply_to),
        contact=plain(identity.contact),
        tagline=shortened(plain(identity.tagline), FACT_MOST),
    )


def _shown(item: Interest) -> str:
    return plain(item.label)
