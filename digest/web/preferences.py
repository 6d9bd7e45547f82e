"""Somebody's settings: seen, tried out, changed; paused and resumed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.domain.schedule import WEEKDAYS, local_date, zone
from digest.domain.subscribers import Status, Subscriber
from digest.errors import Refused
from digest.mail.tokens import Purpose
from digest.mail.views import day_words, schedule_words
from digest.services import selfcare, subscribe
from digest.services.pauses import PAUSE_MOST
from digest.services.shown import Shown
from digest.web.forms import form_of
from digest.web.holders import CHANNEL, Holder, held
from digest.web.wishes import Sheet, Wishes, read, sheet_of
from digest.web.zones import options

EDITABLE = (Status.PENDING, Status.ACTIVE, Status.PAUSED)

_CLOSENESS = (
    ("", "As usual"),
    ("0.1", "Loosely: more papers, some beside the point"),
    ("0.25", "Well"),
    ("0.4", "Closely"),
    ("0.6", "Very closely: few papers"),
)
_NO_DAY = "Give a day after today and within a year, such as 2027-01-31, or none."
_SAVED = "Saved. Your next mail follows these settings."
_NOT_SAVED = "Not saved yet: please look at what is marked below."


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What the page of settings shows beside the settings held: a notice, fields as typed, what
    these would bring, and what is wrong in the smaller forms.
    """

    status: int = 200
    notice: str = ""
    bad: bool = False
    sheet: Sheet | None = None
    shown: Shown | None = None
    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


@held(Purpose.PREFERENCES)
def preferences(request: Request, holder: Holder) -> Response:
    """The page; a POST saves the form."""
    if request.method != "POST":
        return page(holder, View())
    sheet, wishes = _read(request, holder)
    if wishes is None:
        return page(holder, View(status=422, notice=_NOT_SAVED, bad=True, sheet=sheet))
    step = partial(
        subscribe.edit,
        subscriber_id=holder.person.id,
        interests=wishes.interests,
        preferences=wishes.preferences,
        now=holder.now,
    )
    selfcare.changed(holder.desk.engine, step)
    return page(holder, View(notice=_SAVED))


@held(Purpose.PREFERENCES)
def preferences_preview(request: Request, holder: Holder) -> Response:
    """What the form as typed would bring; nothing is saved."""
    sheet, wishes = _read(request, holder)
    if wishes is None:
        return page(holder, View(status=422, notice=_NOT_SAVED, bad=True, sheet=sheet))
    wanted = wishes.preferences
    shown = holder.desk.window.preview(
        wishes.interests, max_papers=wanted.max_papers, threshold=wanted.threshold
    )
    return page(holder, View(sheet=sheet, shown=shown))


@held(Purpose.PREFERENCES)
def preferences_pause(request: Request, holder: Holder) -> Response:
    """No mail until a date, or until they come back."""
    _require_editable(holder)
    typed = form_of(request).one("until")
    try:
        step = partial(
            subscribe.pause,
            subscriber_id=holder.person.id,
            channel=CHANNEL,
            now=holder.now,
            until=date.fromisoformat(typed) if typed else None,
        )
        selfcare.changed(holder.desk.engine, step)
    except ValueError:  # no date, or none that may be chosen (InvalidInput)
        wrong, said = {"until": _NO_DAY}, {"until": typed}
        return page(holder, View(status=422, bad=True, typed=said, errors=wrong))
    return page(holder, View(notice="Paused. Your settings are kept."))


@held(Purpose.PREFERENCES)
def preferences_resume(request: Request, holder: Holder) -> Response:
    """Go on after a pause."""
    step = partial(
        subscribe.resume, subscriber_id=holder.person.id, channel=CHANNEL, now=holder.now
    )
    selfcare.changed(holder.desk.engine, step)
    return page(holder, View(notice="Welcome back: your digest goes on."))


def page(holder: Holder, view: View) -> Response:
    """The page of settings as they are now."""
    desk, now = holder.desk, holder.now
    stands = selfcare.standing(desk.engine, holder.person.id, desk.keys)
    person = stands.person
    sheet = view.sheet or sheet_of(person)
    today = local_date(person.preferences.schedule, now)
    return desk.pages.response(
        "preferences.html",
        view.status,
        base=f"/preferences/{holder.token}",
        person=person,
        standing=stands,
        editable=person.status in EDITABLE,
        sheet=sheet,
        view=view,
        schedule=schedule_words(person.preferences.schedule),
        next_at=_next_words(person),
        resumes_on=_resumes_words(person),
        first_pause=today + timedelta(days=1),
        last_pause=today + PAUSE_MOST,
        zones=options(sheet.values["timezone"]),
        weekdays=WEEKDAYS,
        hours=[str(hour) for hour in range(24)],
        thresholds=thresholds(sheet.values["threshold"]),
        reading=desk.tokens.sign(Purpose.READING, str(person.id), now),
    )


def thresholds(chosen: str) -> list[tuple[str, str]]:
    """The choices of how closely a paper must match, in words; `chosen` is one in any case."""
    known = dict(_CLOSENESS)
    return [*_CLOSENESS] if chosen in known else [*_CLOSENESS, (chosen, f"As set: {chosen}")]


def _read(request: Request, holder: Holder) -> tuple[Sheet, Wishes | None]:
    _require_editable(holder)
    return read(form_of(request), holder.person)


def _require_editable(holder: Holder) -> None:
    if holder.person.status not in EDITABLE:
        raise Refused("nothing is sent to this address, so there is nothing to set")


def _next_words(person: Subscriber) -> str:
    """When the next digest is due, in the subscriber's own time: `Friday 13 March at 08:00`."""
    if person.next_digest_at is None:
        return ""
    local = person.next_digest_at.astimezone(_zone(person))
    return f"{day_words(local.date(), year=False)} at {local:%H:%M}"


def _resumes_words(person: Subscriber) -> str:
    """The day on which a pause ends: `Friday 13 March 2026`."""
    if person.resume_at is None:
        return ""
    return day_words(person.resume_at.astimezone(_zone(person)).date(), year=True)


def _zone(person: Subscriber) -> ZoneInfo:
    return zone(person.preferences.schedule.timezone)


_POST = ["POST"]

routes = [
    Route("/preferences/{token}", preferences, methods=["GET", "POST"]),
    Route("/preferences/{token}/preview", preferences_preview, methods=_POST),
    Route("/preferences/{token}/pause", preferences_pause, methods=_POST),
    Route("/preferences/{token}/resume", preferences_resume, methods=_POST),
]
