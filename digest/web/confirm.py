"""The link of the confirmation mail: a page with a button, and what the button does.

The link alone confirms nothing: programs that look at links before people do open it too.
"""

from datetime import datetime, timedelta

from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from digest.domain.schedule import zone
from digest.domain.subscribers import Channel, Status, Subscriber, SubscriberId
from digest.errors import BadToken, NotFound
from digest.mail.tokens import Purpose
from digest.mail.views import day_words, schedule_words
from digest.services import subscribe
from digest.services.mailroom import CONFIRM_DAYS
from digest.store import subscribers
from digest.store.database import reading, transaction
from digest.web.desk import Desk, desk_of

_LASTS = timedelta(days=CONFIRM_DAYS)

_STOPPED = (
    "This address gets no mail from us any more, so there is nothing to confirm. If you want the "
    "digest again, subscribe once more."
)
_GONE = (
    "Nothing is kept under this link any more. If you want the digest, subscribe again: it takes a "
    "minute."
)


def ask(request: Request) -> Response:
    """GET /confirm/TOKEN: a button, or what there is to say instead. Changes nothing."""
    desk = desk_of(request)
    number = _subscriber_id(desk, request.path_params["token"])
    with reading(desk.engine) as session:
        person = _found(session, number)
    if person is None or person.status is not Status.PENDING:
        return _said(desk, person)
    schedule = schedule_words(person.preferences.schedule)
    return desk.pages.response("confirm.html", person=person, schedule=schedule)


def confirm(request: Request) -> Response:
    """POST /confirm/TOKEN: from now on they get the digest; a second press changes nothing."""
    desk = desk_of(request)
    number = _subscriber_id(desk, request.path_params["token"])
    with transaction(desk.engine) as session:
        person = _found(session, number, lock=True)
        if person is not None and person.status is Status.PENDING:
            person = subscribe.confirm(
                session, number, channel=Channel.LINK, now=desk.clock(), keys=desk.keys
            )
    desk.wake()
    return _said(desk, person)


def _subscriber_id(desk: Desk, token: str) -> SubscriberId:
    """Raises BadToken, ExpiredToken."""
    number, _, mail = desk.tokens.read(Purpose.CONFIRM, token, desk.clock(), _LASTS).partition(":")
    if not (number.isascii() and number.isdigit() and mail):
        raise BadToken("this link is not valid: open the newest mail and try again")
    return SubscriberId(int(number))


def _found(session: Session, number: SubscriberId, *, lock: bool = False) -> Subscriber | None:
    try:
        return subscribers.by_id(session, number, lock=lock)
    except NotFound:
        return None


def _said(desk: Desk, person: Subscriber | None) -> HTMLResponse:
    """The page for somebody who has nothing to confirm any more."""
    if person is None:
        return desk.pages.message("This link is used up", _GONE, 410, links=[_again()])
    if person.status in (Status.ACTIVE, Status.PAUSED):
        settings = desk.tokens.sign(Purpose.PREFERENCES, str(person.id), desk.clock())
        return desk.pages.response(
            "confirmed.html",
            person=person,
            schedule=schedule_words(person.preferences.schedule),
            first=_first(person, desk.clock()),
            settings=f"/preferences/{settings}",
        )
    return desk.pages.message("Nothing to confirm", _STOPPED, 409, links=[_again()])


def _again() -> tuple[str, str]:
    return ("/", "Subscribe again")


def _first(person: Subscriber, now: datetime) -> str:
    """When the next digest comes, in words; empty where none does."""
    if person.next_digest_at is None:
        return ""
    if person.next_digest_at <= now:
        return "is on its way"
    local = person.next_digest_at.astimezone(zone(person.preferences.schedule.timezone))
    return f"comes on {day_words(local.date(), year=False)} at {local:%H:%M}"


routes = [
    Route("/confirm/{token}", ask),
    Route("/confirm/{token}", confirm, methods=["POST"]),
]
