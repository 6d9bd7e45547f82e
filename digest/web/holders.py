"""Who a link speaks for: its token read, and the subscriber behind it found."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from digest.domain.subscribers import Channel, Subscriber, SubscriberId
from digest.errors import BadToken, NotFound
from digest.mail.tokens import Purpose
from digest.services import selfcare
from digest.web.desk import Desk, desk_of

LASTS = timedelta(days=180)  # settings, reading, feedback: as long as somebody may keep a mail
CHANNEL = Channel.LINK

_GONE = (
    "Everything about this address was deleted, so this link leads to nothing. Nothing is sent to "
    "it any more."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """The subscriber whose link was opened, with the desk to work at; `token` is the link's own."""

    desk: Desk
    now: datetime
    token: str
    person: Subscriber


Endpoint = Callable[[Request], Response]
Step = Callable[[Request, Holder], Response]


def held(purpose: Purpose, lasts: timedelta | None = LASTS) -> Callable[[Step], Endpoint]:
    """Make an endpoint of a step that needs the subscriber whose id the link's token bears.

    Such an endpoint raises BadToken and ExpiredToken; who was erased gets a page that says so.
    """

    def made(step: Step) -> Endpoint:
        @wraps(step)
        def endpoint(request: Request) -> Response:
            desk = desk_of(request)
            token: str = request.path_params["token"]
            now = desk.clock()
            number = id_of(desk.tokens.read(purpose, token, now, lasts))
            try:
                person = selfcare.one(desk.engine, number)
            except NotFound:
                return gone(desk)
            return step(request, Holder(desk=desk, now=now, token=token, person=person))

        return endpoint

    return made


def id_of(payload: str) -> SubscriberId:
    """The subscriber that a token's payload names. Raises BadToken."""
    if not payload.isdecimal():
        raise BadToken("this link is not valid: open the newest mail and try again")
    return SubscriberId(int(payload))


def gone(desk: Desk) -> Response:
    """The page for a link of somebody who was erased: 410."""
    return desk.pages.message(
        "Nothing is here any more", _GONE, 410, links=[("/", "To the front page")]
    )
